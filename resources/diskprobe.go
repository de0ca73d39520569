package resources

import (
	"fmt"
	"time"
)

// diskSpace is what a file system says of itself; inodes is 0 where their number is not fixed.
type diskSpace struct{ total, free, inodes, freeInodes uint64 }

// diskProbe measures one file system by its path. The call hangs, and cannot be cancelled, while a network file system is
// away.
func diskProbe(path string, usage func(*diskSpace) error) *probe {
	var space diskSpace
	return &probe{
		name: fmt.Sprintf("disk %q", path),
		read: func(time.Time) error { return usage(&space) },
		put: func(out *Sample) {
			out.Disk = Disk{Path: path, Total: Of(space.total), Free: Of(min(space.free, space.total))}
			if space.inodes > 0 {
				out.Disk.Inodes, out.Disk.FreeInodes = Of(space.inodes), Of(min(space.freeInodes, space.inodes))
			}
		},
	}
}
