package logging

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the process that TestKill starts, and kills: it logs numbered records as fast as it can and says so.
func TestMain(m *testing.M) {
	path := os.Getenv("LOGGING_TEST_FILE")
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := OpenFile(path, FileConfig{MaxSize: 3000})
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	h, err := New(slog.NewJSONHandler(f, nil), Config{})
	if err != nil {
		os.Exit(3)
	}
	log := slog.New(h)
	from, _ := strconv.Atoi(os.Getenv("LOGGING_TEST_FROM"))
	for i := from; ; i++ {
		log.Info("m", "n", i, "pad", strings.Repeat("x", i%200))
		if h.Stats().Failed > 0 {
			os.Exit(4)
		}
		fmt.Println(i) // acknowledged
	}
}

// After a kill at any moment, what was acknowledged is there once and whole, and nothing else but one torn line.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("LOGGING_TEST_KILLS")); err == nil {
		kills = n
	}
	rng := rand.New(rand.NewPCG(1, uint64(kills)))
	dir := t.TempDir()
	path := filepath.Join(dir, "train.log")
	next, torn := 0, 0
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LOGGING_TEST_FILE="+path, "LOGGING_TEST_FROM="+strconv.Itoa(next))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines, acked := bufio.NewScanner(out), next-1
		for left := 1 + rng.IntN(120); left > 0 && lines.Scan(); left-- {
			acked, err = strconv.Atoi(lines.Text())
			require.NoError(t, err, lines.Text())
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil && n == acked+1 {
				acked = n
			}
		}
		require.Error(t, cmd.Wait())

		_, stored := files(t, dir)
		n := 0
		for i, line := range stored {
			if !strings.HasSuffix(line, "}\n") {
				require.True(t, i == len(stored)-1 || torn > 0, "torn inside: %q", line)
				torn++
				continue
			}
			require.EqualValues(t, n, parse(t, line)[0]["n"], "each once, in order")
			n++
		}
		require.Greater(t, n, acked, "acknowledged is stored")
		next = n
	}
	t.Logf("%d kills, %d records, %d torn lines", kills, next, torn)
}
