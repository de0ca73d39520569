//go:build !plan9 && !js && !wasip1

package logging

import "syscall"

func noSpace() error { return syscall.ENOSPC }
