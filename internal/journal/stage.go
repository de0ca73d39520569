package journal

import (
	"context"
	"errors"
	"fmt"
)

// ErrBusy is returned by Stage while so much waits for the disk that another entry would have to wait for its place.
var ErrBusy = errors.New("journal: too much waits for the disk")

// Ticket is an entry that has its number and is not yet known to survive a crash.
type Ticket struct {
	g   *group
	seq uint64
}

// Seq returns the number of the entry.
func (t Ticket) Seq() uint64 { return t.seq }

// Wait is the second half of Append: it returns nil only once the entry survives a crash, and all before it. The zero
// Ticket waits for nothing.
func (t Ticket) Wait(ctx context.Context) error {
	if t.g == nil {
		return nil
	}
	select {
	case <-t.g.done:
		return t.g.err
	case <-ctx.Done():
		return fmt.Errorf("journal: entry %d is still being written: %w", t.seq, ctx.Err())
	}
}

// Stage is the first half of Append and never waits: the entry has its number, is copied, and will be written with the
// next group. Where Append would wait for a place it fails with [ErrBusy]. A caller that stages all entries under a lock
// of its own knows the number of the next one: the one of the last that it got, and one more.
func (j *Journal) Stage(payload []byte) (Ticket, error) {
	if j == nil {
		return Ticket{}, ErrClosed
	}
	if len(payload) > j.maxEntry {
		return Ticket{}, fmt.Errorf("%w: the payload has %d bytes, MaxEntry is %d", ErrTooLarge, len(payload), j.maxEntry)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.refusal(); err != nil {
		return Ticket{}, err
	}
	if j.group != nil && len(j.group.buf)+len(payload)+5 > maxGroup {
		return Ticket{}, ErrBusy
	}
	g := j.gathering()
	t := Ticket{g, j.next}
	g.buf = appendEntry(g.buf, payload)
	g.count++
	j.waiting.Add(1)
	j.next++
	j.rouse()
	return t, nil
}

// Room waits until Stage may find a place, or the journal accepts nothing more.
func (j *Journal) Room(ctx context.Context) error {
	if j == nil {
		return ErrClosed
	}
	j.mu.Lock()
	err, full := j.refusal(), j.group
	wait := err == nil && full != nil && len(full.buf) >= maxGroup/2
	j.mu.Unlock()
	if !wait {
		return err
	}
	select {
	case <-full.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("journal: append: %w", ctx.Err())
	}
}
