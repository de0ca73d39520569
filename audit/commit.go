package audit

import "time"

// commit writes groups until the log is closed. While it waits for the disk the next group gathers, so that the more
// callers wait the more of them share an fsync.
func (l *Log) commit() {
	defer close(l.stopped)
	var (
		written Head             // last entry that the operating system has
		due     <-chan time.Time // when it must be synced; nil if it is
	)
	sync := func() error {
		due = nil
		if err := l.file.Sync(); err != nil {
			return l.poison(err)
		}
		l.mu.Lock()
		l.synced = written
		l.mu.Unlock()
		return nil
	}
	for closing := false; !closing; {
		select {
		case <-l.wake:
		case <-due:
			sync()
		case <-l.quit:
			closing = true
		}
		if g := l.take(); g != nil {
			if g.err = l.write(g); g.err == nil {
				written = g.last
				if l.every == 0 {
					g.err = sync()
				} else if due == nil {
					due = time.After(l.every)
				}
			}
			l.finish(g)
		}
	}
	if due != nil {
		sync()
	}
}

// take removes the group that has gathered.
func (l *Log) take() *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.group
	l.group = nil
	return g
}

// write hands a group to the operating system. After a failure nothing may follow: the file may end in a part of a line.
func (l *Log) write(g *group) error {
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if failed != nil {
		return failed
	}
	if _, err := l.file.WriteAt(g.lines, l.end); err != nil {
		return l.poison(err)
	}
	l.end += int64(len(g.lines))
	return nil
}

// finish tells those who wait, and keeps the buffer.
func (l *Log) finish(g *group) {
	lines := g.lines
	g.lines = nil
	close(g.done)
	if cap(lines) > maxGroup {
		return
	}
	l.mu.Lock()
	l.spare = lines
	l.mu.Unlock()
}

// poison ends the log. The kernel reports a failed write-back once and may drop the pages, so that a second fsync would
// succeed without them.
func (l *Log) poison(cause error) error {
	err := &PoisonedError{Path: l.path, Err: cause}
	l.mu.Lock()
	if l.failed == nil {
		l.failed = err
	}
	l.mu.Unlock()
	l.logger.Error("audit: log cannot be written any more", "path", l.path, "err", cause)
	return err
}
