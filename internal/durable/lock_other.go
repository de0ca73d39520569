//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package durable

import (
	"errors"
	"fmt"
	"os"
)

// flock refuses: two processes that write to one directory would ruin it, and a name could not be synced either.
func flock(f *os.File) error { return fmt.Errorf("lock %s: %w", f.Name(), errors.ErrUnsupported) }

func funlock(*os.File) error { return errors.ErrUnsupported }

func syncDirectory(string) error { return errors.ErrUnsupported }
