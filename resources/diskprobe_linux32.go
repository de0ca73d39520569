//go:build linux && !(amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package resources

import "syscall"

func statfs(path []byte, s *syscall.Statfs_t) error {
	return syscall.Statfs(string(path[:len(path)-1]), s)
}
