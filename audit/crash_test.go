package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the process that the tests of this file start, and kill.
func TestMain(m *testing.M) {
	path := os.Getenv("AUDIT_TEST_LOG")
	if path == "" {
		os.Exit(m.Run())
	}
	l, err := Open(path, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	fmt.Println("open")
	switch os.Getenv("AUDIT_TEST_DO") {
	case "hold":
		io.Copy(io.Discard, os.Stdin)
	case "append":
		var out sync.Mutex
		for w := range 4 {
			go func() {
				for i := 0; ; i++ {
					ev := Event{Kind: KindStep, Run: fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i), Data: strings.Repeat("x", i%3000)}
					seq, err := l.Append(context.Background(), ev)
					if err != nil {
						os.Exit(4)
					}
					out.Lock()
					fmt.Println(seq, ev.Run)
					out.Unlock()
				}
			}()
		}
		io.Copy(io.Discard, os.Stdin)
	}
}

func child(t *testing.T, path, do string) (cmd *exec.Cmd, in io.Closer, out *bufio.Scanner) {
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_TEST_LOG="+path, "AUDIT_TEST_DO="+do)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out = bufio.NewScanner(stdout)
	require.True(t, out.Scan())
	return cmd, stdin, out
}

func TestKill(t *testing.T) {
	t.Parallel()
	kills := 60
	if testing.Short() {
		kills = 6
	}
	path := filepath.Join(t.TempDir(), "log")
	acked := map[string]string{}
	for k := range kills {
		cmd, _, out := child(t, path, "append")
		require.Equal(t, "open", out.Text())
		for range 1 + k*7%40 {
			require.True(t, out.Scan())
			seq, run, _ := strings.Cut(out.Text(), " ")
			acked[seq] = run
		}
		require.NoError(t, cmd.Process.Kill())
		for out.Scan() { // what it had told before it died; a line without its end is no answer
			if seq, run, _ := strings.Cut(out.Text(), " "); strings.Count(run, "/") == 2 {
				acked[seq] = run
			}
		}
		require.Error(t, cmd.Wait())
	}
	l, err := Open(path, Options{})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = VerifyFile(path, l.Head())
	require.NoError(t, err)

	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	found, repairs := map[string]string{}, 0
	for _, e := range collect(t, f) {
		if e.Kind == KindRecovered {
			repairs++
			continue
		}
		found[fmt.Sprint(e.Seq)] = e.Run
	}
	for seq, run := range acked {
		require.True(t, strings.HasPrefix(found[seq], run), "entry %s %s was acknowledged", seq, run)
	}
	t.Logf("%d kills, %d entries acknowledged, %d found, %d torn lines", kills, len(acked), len(found), repairs)
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	cmd, in, out := child(t, path, "hold")
	require.Equal(t, "open", out.Text())
	_, err := Open(path, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, path)
	_, err = VerifyFile(path)
	require.NoError(t, err, "reading needs no lock")
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())

	l, err := Open(path, Options{})
	require.NoError(t, err)
	_, err = Open(path, Options{})
	require.ErrorIs(t, err, ErrLocked, "in one process too")
	_, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.NoError(t, err)
	cmd, _, out = child(t, path, "hold")
	require.Equal(t, "audit: log is in use: "+path, out.Text())
	require.Error(t, cmd.Wait())
	require.NoError(t, l.Close())
	l, err = Open(path, Options{})
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// TestLossOfPower stops the disk at every operation, with everything that may be left of it then: whatever was acknowledged
// is there after reopening, and a repair that is itself interrupted is still on record.
func TestLossOfPower(t *testing.T) {
	t.Parallel()
	history, heads := sample(t, 2)
	third, _ := sample(t, 3)
	images := 0
	for _, start := range [][]byte{nil, history, third[:len(third)-70], third[:len(third)-1], append(bytes.Clone(history), 0, 0)} {
		for crashAt := 1; ; crashAt++ {
			f := &fakeFile{data: bytes.Clone(start), durable: bytes.Clone(start), crashAt: crashAt}
			var acked []Head
			l, err := newLog(f, "x", Options{})
			if err == nil {
				for err == nil && len(acked) < 4 {
					if _, err = l.Append(t.Context(), Event{Kind: KindNote, Data: crashAt}); err == nil {
						acked = append(acked, l.Head())
					}
				}
				if cerr := l.Close(); err == nil {
					require.NoError(t, cerr)
				}
			}
			if err == nil {
				break // the crash did not come any more
			}
			require.ErrorIs(t, err, errCrash)
			if len(start) > 0 {
				acked = append(acked, heads[2])
			}
			for _, image := range f.survivors() {
				images++
				again := &fakeFile{data: image}
				l, err := newLog(again, "x", Options{})
				require.NoError(t, err)
				require.NoError(t, l.Close())
				_, err = Verify(bytes.NewReader(again.data), append(acked, l.Head())...)
				require.NoError(t, err)
				if torn := len(start) > len(history); torn && !bytes.Equal(start, third[:len(third)-1]) {
					require.Equal(t, KindRecovered, collect(t, bytes.NewReader(again.data))[2].Kind, "no cut goes unrecorded")
				}
			}
		}
	}
	t.Logf("%d disk images", images)
	require.Greater(t, images, 100)
}

func TestSurvivorsLoseWhatWasNotSynced(t *testing.T) {
	t.Parallel() // or the test above would prove nothing
	f := &fakeFile{}
	_, err := f.WriteAt([]byte("abcdef"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	_, err = f.WriteAt([]byte("ghi"), 6)
	require.NoError(t, err)
	images := f.survivors()
	for _, want := range []string{"abcdefghi", "abcdef", "abcdefg", "abcdefg\x00\x00"} {
		require.Contains(t, images, []byte(want))
	}
	f.crashAt = 4
	require.True(t, errors.Is(f.Sync(), errCrash))
}
