package journal

import (
	"errors"
	"fmt"
	"runtime"
)

// rouse tells the goroutine that there is something to do. The lock must be held.
func (j *Journal) rouse() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run writes groups until the journal is closed. While it waits for the disk the next group gathers, so that the more
// callers wait the more of them share a sync.
func (j *Journal) run() {
	defer close(j.stopped)
	for open := true; open; {
		<-j.wake
		j.gather()
		var g *group
		var todo []*compaction
		g, todo, open = j.take()
		if g != nil {
			g.err = j.commit(g.buf, g.count)
			j.finish(g)
		}
		for _, c := range todo {
			if c.err = j.refused(); c.err == nil {
				c.err = j.compact(c)
				j.publish()
			}
			close(c.done)
		}
	}
	j.closed = j.shut()
}

// gather waits for the callers that the last sync released, who are likely to come again: otherwise the first of them
// would have a sync for itself. It only yields the processor, for some 50 us at most since the last of them came.
func (j *Journal) gather() {
	for idle, before := 0, int64(0); idle < 256; idle++ {
		n := j.waiting.Load()
		if n == 0 || n >= j.crowd {
			return
		}
		if n > before {
			idle, before = 0, n
		}
		runtime.Gosched()
	}
}

// take removes what has gathered.
func (j *Journal) take() (g *group, todo []*compaction, open bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g, todo = j.group, j.todo
	j.group, j.todo = nil, nil
	if g != nil {
		j.crowd = j.waiting.Swap(0)
	}
	return g, todo, j.open
}

// commit writes a frame and syncs. After a failure nothing may follow: the file may end in a part of a frame.
func (j *Journal) commit(buf []byte, count uint32) error {
	if err := j.refused(); err != nil {
		return err
	}
	if err := j.seg.write(buf, count); err != nil {
		return j.poison(err)
	}
	if err := j.seg.file.Sync(); err != nil {
		return j.poison(err)
	}
	j.appended = count > 0
	j.publish()
	return nil
}

// publish tells the callers how far the journal is on stable storage.
func (j *Journal) publish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable, j.end = j.seg.next-1, j.seg.end
}

// finish tells those who wait, and keeps the buffer.
func (j *Journal) finish(g *group) {
	buf := g.buf
	g.buf = nil
	close(g.done)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.crowd += j.waiting.Load()
	if cap(buf) <= 2*maxGroup && len(j.spares) < 2 { // append grows a full one beyond maxGroup
		j.spares = append(j.spares, buf)
	}
}

func (j *Journal) refused() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// poison ends the journal.
func (j *Journal) poison(cause error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = &PoisonedError{Path: j.path, Err: cause}
	}
	return j.failed
}

// shut marks the end of what was appended and releases the directory.
func (j *Journal) shut() error {
	err := j.refused()
	if err == nil && j.appended {
		err = j.commit(make([]byte, frameSize), 0)
	}
	if rerr := j.release(); rerr != nil {
		err = errors.Join(err, fmt.Errorf("journal: close %s: %w", j.path, rerr))
	}
	return err
}
