//go:build !linux

package resources

import "github.com/shirou/gopsutil/v3/disk"

func diskUsage(path string) func(*diskSpace) error {
	return func(space *diskSpace) error {
		u, err := disk.Usage(path)
		if err != nil {
			return err
		}
		*space = diskSpace{total: u.Used + u.Free, free: u.Free, inodes: u.InodesTotal, freeInodes: u.InodesFree}
		return nil
	}
}
