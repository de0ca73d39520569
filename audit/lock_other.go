//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package audit

import (
	"errors"
	"fmt"
	"os"
)

// lock refuses: two processes that append to one log would ruin it.
func lock(_ *os.File, path string) error {
	return fmt.Errorf("audit: lock %s: %w", path, errors.ErrUnsupported)
}

func unlock(*os.File) error { return errors.ErrUnsupported }

func syncDir(string) error { return errors.ErrUnsupported }
