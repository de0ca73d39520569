//go:build !plan9 && !js && !wasip1

package logging

import (
	"errors"
	"syscall"
)

// isDisk reports whether an error says that nothing can be stored for now.
func isDisk(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EDQUOT)
}
