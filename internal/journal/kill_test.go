//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package journal

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the process that TestKill starts, and kills.
func TestMain(m *testing.M) {
	dir := os.Getenv("JOURNAL_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := victim(dir); err != nil {
		fmt.Println("error", err)
		os.Exit(3)
	}
}

// victim appends from several goroutines and compacts until it is killed. It prints each batch that was acknowledged. A
// snapshot is how many entries it stands for.
func victim(dir string) error {
	j, err := Open(dir, Options{})
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
	for w := range 4 {
		go func() { // ends with the process
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i)
				first, err := j.AppendBatch(context.Background(), []byte(id), []byte(id+strings.Repeat("x", i%3000)))
				tell(err, "ack %d %s", first, id)
			}
		}()
	}
	go func() {
		for {
			through, _ := j.Last()
			through -= min(through, 40)
			err := j.Compact(context.Background(), through, binary.LittleEndian.AppendUint64(nil, through))
			if err != nil && strings.Contains(err.Error(), "not in") {
				continue // fewer than at the last compaction of the process before
			}
			tell(err, "compacted")
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// TestKill kills a process again and again. JOURNAL_TEST_KILLS sets how often.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 110
	if testing.Short() {
		kills = 10
	}
	if s := os.Getenv("JOURNAL_TEST_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	dir := t.TempDir()
	var acked, cuts, compactions int
	for k := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "JOURNAL_TEST_DIR="+dir)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		told := map[uint64]string{}
		out := bufio.NewReader(stdout)
		for lines := 0; ; lines++ {
			line, err := out.ReadString('\n')
			if err != nil {
				break // what it had told before it died; a line without its end is no answer
			}
			require.NotContains(t, line, "error")
			switch f := strings.Fields(line); f[0] {
			case "ack":
				seq, err := strconv.ParseUint(f[1], 10, 64)
				require.NoError(t, err)
				told[seq] = f[2]
				acked++
			case "compacted":
				compactions++
			}
			if lines == k*7%50 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		_ = stdin.Close()
		if check(t, dir, told).Cut > 0 {
			cuts++
		}
	}
	t.Logf("%d kills, %d batches acknowledged, %d torn ends, %d compactions", kills, acked, cuts, compactions)
	require.Positive(t, acked)
	require.Positive(t, compactions)
}

// check reads the journal: all that was told is there or below the snapshot, and both halves of each batch are.
func check(t *testing.T, dir string, told map[uint64]string) Recovery {
	var base, last uint64
	var first string // of a batch, whose second half comes next
	j, err := Open(dir, Options{Replay: func(e Entry) error {
		if e.Snapshot {
			base, last = e.Seq, e.Seq
			require.Equal(t, e.Seq, binary.LittleEndian.Uint64(e.Payload))
			return nil
		}
		require.Equal(t, last+1, e.Seq)
		last = e.Seq
		if e.Seq%2 == 1 {
			first = string(e.Payload)
			if want := told[e.Seq]; want != "" {
				require.Equal(t, want, first)
				delete(told, e.Seq)
			}
		} else if first != "" {
			require.Equal(t, first, strings.TrimRight(string(e.Payload), "x"))
		}
		return nil
	}})
	require.NoError(t, err)
	require.Zero(t, last%2, "half a batch")
	for seq, id := range told {
		require.LessOrEqual(t, seq, base, "%s was acknowledged", id)
	}
	require.NoError(t, j.Close())
	return j.Recovery()
}
