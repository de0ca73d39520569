package poison

import "slices"

// grams counts in how many texts of each label n-grams occur. When there is no place for more, it forgets the rarest ones (the
// lossy counting of Manku and Motwani 2002, by need instead of by schedule): missed bounds how often a forgotten n-gram may have
// occurred, and with N occurrences and room for m n-grams it is at most 4N/(3m).
//
// Proof: let Φ be the sum of count + missed - (missed of all) over the n-grams that are kept. An occurrence adds at most 1.
// Forgetting raises the missed of all from E to E', chosen so that more than 3m/4 n-grams have count + missed of at least E';
// each of these takes E'-E from Φ, which stays non-negative. So 3m/4 times the sum of all raises is at most N. Merging adds both
// Φ and both N.
type grams struct {
	room   int
	list   []gram
	counts []uint32 // of each n-gram, one for each label
	stride int      // labels there is room for
	slots  []uint64 // 1 + an n-gram, by its hash, whose first half stands before it
	missed uint32   // of one that is not kept, at most
	total  int64    // occurrences, counted once in a text
}

// gram is an n-gram.
type gram struct {
	hash   uint64
	row    int64  // in which it was seen last
	count  uint32 // texts since it was kept
	missed uint32 // texts before, at most
	length uint8
	text   [gramBytes]byte // its beginning
}

const gramBytes = 47

func newGrams(room int) grams { return grams{room: room, stride: 1, slots: make([]uint64, 1024)} }

// add counts an n-gram of a text, the first time in its row.
func (g *grams) add(hash uint64, row int64, label int, text []byte) {
	i := g.find(hash)
	if i < 0 {
		if len(g.list) == g.room {
			g.forget()
		}
		i = g.insert(gram{hash: hash, missed: g.missed}, text)
	}
	if e := &g.list[i]; e.row != row {
		e.row = row
		e.count++
		g.total++
		g.counts[i*g.stride+label]++
	}
}

func (g *grams) find(hash uint64) int {
	mask := len(g.slots) - 1
	for i := int(hash) & mask; g.slots[i] != 0; i = (i + 1) & mask {
		if s := g.slots[i]; s>>32 == hash>>32 {
			if n := int(uint32(s) - 1); g.list[n].hash == hash {
				return n
			}
		}
	}
	return -1
}

func (g *grams) insert(e gram, text []byte) int {
	e.length = uint8(copy(e.text[:], text))
	g.list = append(g.list, e)
	for range g.stride {
		g.counts = append(g.counts, 0)
	}
	if len(g.list)*4 > len(g.slots)*3 {
		g.slots = make([]uint64, 2*len(g.slots))
		g.index()
	} else {
		g.place(len(g.list) - 1)
	}
	return len(g.list) - 1
}

func (g *grams) place(n int) {
	mask := len(g.slots) - 1
	hash := g.list[n].hash
	i := int(hash) & mask
	for ; g.slots[i] != 0; i = (i + 1) & mask {
	}
	g.slots[i] = hash>>32<<32 | uint64(n+1)
}

func (g *grams) index() {
	clear(g.slots)
	for n := range g.list {
		g.place(n)
	}
}

// labels makes room for n labels.
func (g *grams) labels(n int) {
	if n <= g.stride {
		return
	}
	stride := max(n, 2*g.stride)
	counts := make([]uint32, len(g.list)*stride, (len(g.list)+1024)*stride)
	for i := range g.list {
		copy(counts[i*stride:], g.counts[i*g.stride:(i+1)*g.stride])
	}
	g.counts, g.stride = counts, stride
}

// forget drops the rarest, so that at most three quarters of the room are taken.
func (g *grams) forget() {
	most := make([]uint32, len(g.list))
	for i, e := range g.list {
		most[i] = e.count + e.missed
	}
	slices.Sort(most)
	g.missed = most[len(most)-g.room*3/4-1]
	kept := 0
	for i, e := range g.list {
		if e.count+e.missed > g.missed {
			g.list[kept] = e
			copy(g.counts[kept*g.stride:(kept+1)*g.stride], g.counts[i*g.stride:(i+1)*g.stride])
			kept++
		}
	}
	g.list, g.counts = g.list[:kept], g.counts[:kept*g.stride]
	g.index()
}

// merge adds what o counted in rows after those of g. to numbers its labels here.
func (g *grams) merge(o *grams, rows int64, to []int) {
	for i := range g.list {
		g.list[i].missed += o.missed
	}
	for i, e := range o.list {
		n := g.find(e.hash)
		if n < 0 {
			text := e.text
			n = g.insert(gram{hash: e.hash, missed: g.missed + e.missed}, text[:e.length])
		} else {
			g.list[n].missed += e.missed - o.missed // once, not twice
		}
		mine := &g.list[n]
		mine.row = e.row + rows
		mine.count += e.count
		for l, label := range to {
			g.counts[n*g.stride+label] += o.counts[i*o.stride+l]
		}
	}
	g.missed += o.missed
	g.total += o.total
	if len(g.list) > g.room {
		g.forget()
	}
}
