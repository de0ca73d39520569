package neardup

// join finds the texts that agree in a band.
type join struct {
	bands, length, least, compare int
	n                             int
	text                          func(int) *text
	groups                        []group // by key
	before                        []uint32
	unseen                        int64
}

// group is the texts that agree in the band at hand, linked from the last to the first.
type group struct {
	key            uint64
	first, last, n uint32 // n is 0 in a free group
}

func newJoin(o Options, n int, at func(int) *text) *join {
	j := &join{least: o.least(), compare: o.Compare, n: n, text: at, before: make([]uint32, n)}
	j.bands, j.length = o.bands()
	size := 16
	for size < n+n/2 {
		size *= 2
	}
	j.groups = make([]group, size)
	return j
}

// all calls pair for the pairs that agree in a band: for each text, the last ones before it that the limit allows, and the
// first. With a border, they are one from below it and one from above, the first ones below. A pair that agrees in several bands
// has its owner in the first of them.
func (j *join) all(border int, pair func(a, b int, owner bool)) {
	for band := range j.bands {
		clear(j.groups)
		call := func(a, b int) { pair(a, b, !j.earlier(a, b, band)) }
		for i := range j.n {
			g := j.group(j.key(i, band))
			if i < border {
				g.put(j, i)
				continue
			}
			if g.n > 0 {
				seen := 1
				for a := g.last; a != g.first && seen <= j.compare; a = j.before[a] {
					call(int(a), i)
					seen++
				}
				call(int(g.first), i)
				j.unseen += int64(g.n) - int64(seen)
			}
			if border == 0 {
				g.put(j, i)
			}
		}
	}
}

func (g *group) put(j *join, i int) {
	if g.n == 0 {
		g.first = uint32(i)
	}
	j.before[i], g.last = g.last, uint32(i)
	g.n++
}

func (j *join) key(i, band int) uint64 {
	key := uint64(band)
	for _, h := range j.text(i).signature[band*j.length : (band+1)*j.length] {
		key = (key ^ uint64(h)) * 0x9e3779b97f4a7c15
		key ^= key >> 29
	}
	return key
}

// group returns that of a key, or a free one that has its key from now on.
func (j *join) group(key uint64) *group {
	mask := len(j.groups) - 1
	for i := int(key>>7) & mask; ; i = (i + 1) & mask {
		g := &j.groups[i]
		if g.n == 0 {
			g.key = key
			return g
		}
		if g.key == key {
			return g
		}
	}
}

// earlier reports whether two texts agree in a band before this one.
func (j *join) earlier(a, b, band int) bool {
	s, t := &j.text(a).signature, &j.text(b).signature
	for e := range band {
		from, to := e*j.length, (e+1)*j.length
		k := from
		for k < to && s[k] == t[k] {
			k++
		}
		if k == to {
			return true
		}
	}
	return false
}
