package resources

import (
	"math"
	"math/bits"
	"syscall"
)

// diskUsage is a function that asks statfs(2) for a path. To keep a descriptor open for it would keep the file system from
// being unmounted.
func diskUsage(path string) func(*diskSpace) error {
	name, bad := syscall.ByteSliceFromString(path)
	var s syscall.Statfs_t
	return func(space *diskSpace) error {
		if bad != nil {
			return bad
		}
		for {
			err := statfs(name, &s)
			if err == nil {
				break
			}
			if err != syscall.EINTR {
				return err
			}
		}
		*space = spaceOf(&s)
		return nil
	}
}

func spaceOf(s *syscall.Statfs_t) diskSpace {
	unit := uint64(s.Frsize)
	if unit == 0 {
		unit = uint64(s.Bsize)
	}
	blocks, avail, free := s.Blocks, s.Bavail, s.Bfree
	return diskSpace{
		total:      times(blocks-min(blocks, free)+avail, unit), // used and free, without what is reserved for the superuser
		free:       times(avail, unit),
		inodes:     s.Files,
		freeInodes: s.Ffree,
	}
}

// times is a product, as large as can be where it does not fit: some network file systems claim to be boundless.
func times(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return math.MaxUint64
	}
	return low
}
