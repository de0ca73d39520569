//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package audit

import (
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process that is being started holds a copy of every descriptor until it runs, the one of a closed log too.
func TestLockIsGivenBackDuringFork(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("true").Run()
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for range 200 {
		l, err := Open(path, Options{})
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func TestOpenRefusesPipes(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	_, err := Open(fifo, Options{})
	require.ErrorContains(t, err, "fifo is not a regular file")
}
