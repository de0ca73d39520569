package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

// TestMain runs the process that the tests of this file start, and kill.
func TestMain(m *testing.M) {
	dir := os.Getenv("AUDIT_TEST_LOG")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := victim(dir, os.Getenv("AUDIT_TEST_DO")); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

// victim appends from several goroutines, signs, rotates keys and prunes until it is killed. It tells each entry that was
// acknowledged, and each signed head.
func victim(dir, do string) error {
	l, err := Open(dir, Options{CheckpointEvery: 3 * time.Millisecond, compactAt: 20_000})
	if err != nil {
		return err
	}
	fmt.Println("open")
	var out sync.Mutex
	tell := func(err error, format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		if err != nil {
			fmt.Println("error", err)
			os.Exit(4)
		}
		fmt.Printf(format+"\n", args...)
	}
	if do == "append" {
		ctx := context.Background()
		for w := range 4 {
			go func() { // ends with the process
				for i := 0; ; i++ {
					ev := Event{Kind: KindNote, Run: fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i), Data: strings.Repeat("x", i%300)}
					seq, err := l.Append(ctx, ev)
					tell(err, "ack %d %s", seq, ev.Run)
					_ = l.Post(ctx, ev)
				}
			}()
		}
		go func() {
			for i := 0; ; i++ {
				h, err := l.Checkpoint(ctx)
				tell(err, "head %v", h)
				switch i % 7 {
				case 3:
					tell(l.RotateKey(ctx, nil), "rotated")
				case 5:
					_, err := l.Prune(ctx, h.Size-min(h.Size, 2000), "kill test")
					tell(err, "pruned")
				}
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return l.Close()
}

func child(t *testing.T, dir, do string) (cmd *exec.Cmd, in io.Closer, out *bufio.Reader) {
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_TEST_LOG="+dir, "AUDIT_TEST_DO="+do)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, stdin, bufio.NewReader(stdout)
}

// TestKill kills a process again and again. AUDIT_TEST_KILLS sets how often.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 12
	if testing.Short() {
		kills = 4
	}
	if s := os.Getenv("AUDIT_TEST_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	const each = 25 // kills of one log: all of it is read after each
	dir := t.TempDir()
	var acks, heads, recovered, cuts int
	var pruned uint64
	for k := range kills {
		dir := filepath.Join(dir, strconv.Itoa(k/each))
		cmd, _, out := child(t, dir, "append")
		acked, kept := map[uint64]string{}, []Head{}
		for lines := 0; ; lines++ {
			line, err := out.ReadString('\n')
			if err != nil {
				break // what it had told before it died; a line without its end is no answer
			}
			switch f := strings.Fields(line); f[0] {
			case "ack":
				seq, err := strconv.ParseUint(f[1], 10, 64)
				require.NoError(t, err)
				acked[seq] = f[2]
			case "head":
				h, err := ParseHead(f[1])
				require.NoError(t, err)
				kept = append(kept, h)
			case "open", "rotated", "pruned":
			default:
				t.Fatal(line)
			}
			if lines == k*37%600 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		acks, heads = acks+len(acked), heads+len(kept)

		// As a stranger finds it, and after the next Open.
		for _, read := range []string{"killed", "recovered"} {
			if read == "recovered" {
				l, err := Open(dir, Options{})
				require.NoError(t, err)
				require.NoError(t, l.Close())
			}
			rep, err := Verify(dir, Trust{Heads: kept})
			require.NoError(t, err, read)
			pruned = max(pruned, rep.Pruned)
			missing := len(acked)
			for seq := range acked {
				if seq <= rep.Pruned {
					missing--
				}
			}
			for e, err := range Entries(dir) {
				require.NoError(t, err)
				if want := acked[e.Seq]; want != "" {
					require.Equal(t, want, e.Run)
					missing--
				}
				if e.Kind == KindRecovered && e.Seq == rep.Entries && read == "recovered" {
					recovered++
					if !strings.Contains(string(e.Data), `"cut":0`) {
						cuts++
					}
				}
			}
			require.Zero(t, missing, "%s: entries that were acknowledged", read)
		}
	}
	t.Logf("%d kills: %d entries acknowledged and found, %d heads, %d recoveries on record, %d torn ends, up to %d entries pruned of a log",
		kills, acks, heads, recovered, cuts, pruned)
	require.Positive(t, acks)
	require.GreaterOrEqual(t, recovered, kills*9/10, "a process that was killed before it wrote anything needs none")
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	cmd, in, out := child(t, dir, "hold")
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "open\n", line)
	_, err = Open(dir, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, dir)
	_, err = Verify(dir, Trust{})
	require.NoError(t, err, "reading needs no lock")
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	l, err := Open(dir, Options{})
	require.NoError(t, err)
	cmd, _, out = child(t, dir, "hold")
	line, err = out.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "in use")
	require.Error(t, cmd.Wait())
	require.NoError(t, l.Close())
}

// life is all that a log does, with little of it. It returns the heads of what was acknowledged.
func life(t *testing.T, d *durabletest.Disk, opts Options) (acked []Head, err error) {
	l, err := openIn(d, "x", opts)
	if err != nil {
		return nil, err
	}
	ctx := t.Context()
	note := func(data any) func() error {
		return func() error {
			_, err := l.Append(ctx, Event{Kind: KindNote, Data: data})
			return err
		}
	}
	bundle := func() error {
		for i := range tileWidth {
			if err := l.Post(ctx, Event{Kind: KindNote, Data: i}); err != nil {
				return err
			}
		}
		return note("bundle")()
	}
	sign := func() error { _, err := l.Checkpoint(ctx); return err }
	rotate := func() error { return l.RotateKey(ctx, nil) }
	prune := func() error { _, err := l.Prune(ctx, l.Head().Size-tileWidth, "old"); return err }
	for _, do := range []func() error{
		note(1), sign, note(2), bundle, sign, note(3), rotate, note(4), bundle, sign, prune, note(5), sign, note(6),
	} {
		if err = do(); err != nil {
			break
		}
		acked = append(acked, l.Head())
	}
	return acked, errors.Join(err, l.Close())
}

// TestFaults breaks operations on the disk in each way (all of them with AUDIT_TEST_FULL, else every eleventh), and looks at all that may be left then: what was acknowledged
// is there, Open recovers, and the log verifies.
func TestFaults(t *testing.T) {
	t.Parallel()
	ways, opens := 0, 0
	step := 11
	if os.Getenv("AUDIT_TEST_FULL") != "" {
		step = 1
	}
	for kind := 1; kind <= durabletest.Faults; kind++ {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(kind)))
			for op := 1 + kind%step; ; op += step {
				d := newDisk()
				d.Fault[op] = durabletest.Fault(kind)
				if op%2 == 0 {
					d.Why = syscall.ENOSPC
				}
				acked, err := life(t, d, Options{CheckpointEvery: -1, compactAt: 1})
				if d.Ops() < op {
					require.NoError(t, err)
					break
				}
				if d.Dead() {
					require.ErrorIs(t, err, durabletest.ErrCrash)
				}
				ways++
				for i, after := range []*durabletest.Disk{
					d.Restart(), d.PowerLoss(durabletest.None), d.PowerLoss(durabletest.All), d.PowerLoss(durabletest.Coin(r)), d.PowerLoss(durabletest.Coin(r)),
				} {
					l, err := openIn(after, "x", Options{Quick: i == 4})
					require.NoError(t, err, "operation %d, image %d", op, i)
					_, err = l.Append(t.Context(), Event{Kind: KindNote})
					require.NoError(t, err)
					require.NoError(t, l.Close())
					_, err = verify(after, "x", Trust{Heads: append(acked, l.Head())}, func(*Entry) bool { return true })
					require.NoError(t, err, "operation %d, image %d", op, i)
					opens++
				}
			}
		})
	}
	t.Logf("%d faults, %d states of the disk opened and verified", ways, opens)
}
