//go:build linux && (amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package resources

import (
	"syscall"
	"unsafe"
)

// statfs is syscall.Statfs without making a C string of the path, which ends with a zero byte, for each call.
func statfs(path []byte, s *syscall.Statfs_t) error {
	_, _, errno := syscall.Syscall(syscall.SYS_STATFS, uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(s)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
