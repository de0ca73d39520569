package audit

import (
	"fmt"
	"runtime"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// readAhead reads and parses bundles on all processors, in order as seen by take.
type readAhead struct {
	root durable.Dir
	next uint64 // bundle that is not begun
	end  uint64 // entries in bundles
	due  []*bundle
	free []*bundle
}

// bundle is the entries of one file.
type bundle struct {
	place   place
	content []byte
	entries []Entry
	hashes  []Hash
	ends    []int  // offsets in content
	reason  string // why there are not more entries, which begin at the last of ends
	err     error  // of reading
	done    chan struct{}

	reader reader
	hashed []byte
}

// take returns the next bundle. It is valid until the call after.
func (r *readAhead) take() *bundle {
	for len(r.due) <= runtime.GOMAXPROCS(0) && r.next*tileWidth < r.end {
		b := new(bundle)
		if n := len(r.free); n > 0 {
			b, r.free = r.free[n-1], r.free[:n-1]
		}
		b.place = place{bundleLevel, r.next, int(min(tileWidth, r.end-r.next*tileWidth))}
		b.done = make(chan struct{})
		go b.load(r.root)
		r.due = append(r.due, b)
		r.next++
	}
	b := r.due[0]
	r.due = r.due[1:]
	<-b.done
	return b
}

// close waits for what was begun.
func (r *readAhead) close() {
	for _, b := range r.due {
		<-b.done
	}
	r.due = nil
}

func (b *bundle) load(root durable.Dir) {
	defer close(b.done)
	b.entries, b.hashes, b.ends, b.reason = b.entries[:0], b.hashes[:0], b.ends[:0], ""
	if b.content, b.err = b.place.read(root); b.err != nil {
		return
	}
	rest := b.content
	for seq := b.place.index*tileWidth + 1; len(b.entries) < b.place.width; seq++ {
		text, more, ok := cutBundled(rest)
		if !ok {
			b.reason = "it ends too early"
			return
		}
		e, err := b.reader.parse(text)
		if err == nil && e.Seq != seq {
			err = fmt.Errorf("entry %d stands in its place", e.Seq)
		}
		if err != nil {
			b.reason = err.Error()
			return
		}
		var h Hash
		h, b.hashed = leafHash(b.hashed, text)
		rest = more
		b.entries, b.hashes, b.ends = append(b.entries, e), append(b.hashes, h), append(b.ends, len(b.content)-len(rest))
	}
	if len(rest) > 0 {
		b.reason = "something follows its last entry"
	}
}
