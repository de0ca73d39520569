package dataset

// keys remembers where each 64-bit hash was seen first: an open table of bounded size. Two different values have the same
// hash once in 2^64 / n² data sets of n rows, about.
type keys struct {
	slots []slot
	n     int
	limit int
	lost  int64 // hashes that found no place
}

type slot struct {
	hash     uint64 // never 0 in use
	row      int64  // the first one; its lowest bit says whether labels differ
	label    uint32
	conflict bool
}

// add reports whether hash was there before, and whether this is what made its labels differ.
func (k *keys) add(hash uint64, row int64, label uint32) (again, conflict bool) {
	s := k.find(hash)
	switch {
	case s == nil:
		k.lost++
	case s.hash != 0:
		conflict = !s.conflict && s.label != label
		s.conflict = s.conflict || conflict
		return true, conflict
	default:
		k.n++
		*s = slot{hash: max(hash, 1), row: row, label: label}
	}
	return false, false
}

// find returns the slot of a hash or, if it is new, a free one, or nil if there is no place.
func (k *keys) find(hash uint64) *slot {
	hash = max(hash, 1)
	if k.n*4 >= len(k.slots)*3 {
		if s := k.seek(hash); s != nil && s.hash != 0 {
			return s
		}
		if k.n >= k.limit {
			return nil
		}
		k.grow()
	}
	return k.seek(hash)
}

func (k *keys) seek(hash uint64) *slot {
	if len(k.slots) == 0 {
		return nil
	}
	mask := len(k.slots) - 1
	for i := int(hash>>1) & mask; ; i = (i + 1) & mask {
		if s := &k.slots[i]; s.hash == hash || s.hash == 0 {
			return s
		}
	}
}

func (k *keys) grow() {
	old := k.slots
	k.slots = make([]slot, max(64, 2*len(old)))
	for _, s := range old {
		if s.hash != 0 {
			*k.seek(s.hash) = s
		}
	}
}
