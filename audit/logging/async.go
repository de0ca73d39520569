package logging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Overflow says what becomes of a record while the queue is full.
type Overflow int

const (
	// Block makes the caller wait for room, up to AsyncConfig.Wait; after that the record is dropped.
	Block Overflow = iota
	// DropNewest drops the record at hand.
	DropNewest
	// DropOldest drops the records that have waited longest.
	DropOldest
)

// String returns the name of the policy.
func (o Overflow) String() string {
	switch o {
	case Block:
		return "block"
	case DropNewest:
		return "drop-newest"
	case DropOldest:
		return "drop-oldest"
	}
	return fmt.Sprintf("overflow(%d)", int(o))
}

var (
	// ErrDropped is returned by Async.Write for a record that found no room.
	ErrDropped = errors.New("logging: queue is full, record dropped")
	// ErrClosed is returned by what was closed.
	ErrClosed = errors.New("logging: closed")
)

const (
	defaultRecords = 1024
	defaultBytes   = 4 << 20
	defaultWait    = time.Second
	keptBuffer     = 64 << 10 // larger ones are given back
)

// AsyncConfig configures an Async.
type AsyncConfig struct {
	Records  int           // that wait at most; 0 means 1024
	Bytes    int           // that they have together, but for one large record alone; 0 means 4 MiB
	Overflow Overflow      // what becomes of a record while the queue is full
	Wait     time.Duration // how long Block lets a caller wait; 0 means a second, negative without end
}

// AsyncStats counts records. Each one that was given to Write is in exactly one of the first four.
type AsyncStats struct {
	Waiting uint64 // in the queue, or being written
	Written uint64
	Dropped uint64 // for want of room, or by Close
	Failed  uint64 // could not be written
	Err     error  // of the last that could not be written
}

// Async is a queue of records in front of a slow writer. Every Write is a record, as slog's handlers write them, and
// reaches the writer whole and as one Write, in order. It makes nothing faster than the writer is; it hides the writer's
// latency from callers, and what it does when that is not enough is the policy's choice.
type Async struct {
	w   io.Writer
	cfg AsyncConfig

	mu      sync.Mutex
	ring    [][]byte // guarded by mu, as all that follows
	head, n int
	bytes   int
	busy    bool   // a record is being written
	current uint64 // its number
	closed  bool
	taken   uint64        // records that entered the queue
	left    uint64        // that left it, dropped or written
	work    chan struct{} // has an element when there may be work
	moved   chan struct{} // is closed when something left the queue, if somebody waits for that
	waiters int
	stats   AsyncStats

	ended chan struct{} // is closed when the goroutine has ended
}

// NewAsync starts the queue in front of w. Its one goroutine ends with Close, after which the caller may close w.
func NewAsync(w io.Writer, cfg AsyncConfig) (*Async, error) {
	switch {
	case w == nil:
		return nil, errors.New("logging: no writer to write to")
	case cfg.Records < 0:
		return nil, fmt.Errorf("logging: queue of %d records, must be positive", cfg.Records)
	case cfg.Bytes < 0:
		return nil, fmt.Errorf("logging: queue of %d bytes, must be positive", cfg.Bytes)
	case cfg.Overflow < Block || cfg.Overflow > DropOldest:
		return nil, fmt.Errorf("logging: unknown policy %v", cfg.Overflow)
	}
	if cfg.Records == 0 {
		cfg.Records = defaultRecords
	}
	if cfg.Bytes == 0 {
		cfg.Bytes = defaultBytes
	}
	if cfg.Wait == 0 {
		cfg.Wait = defaultWait
	}
	a := &Async{w: w, cfg: cfg, ring: make([][]byte, cfg.Records), work: make(chan struct{}, 1),
		moved: make(chan struct{}), ended: make(chan struct{})}
	go a.run()
	return a, nil
}

// Write puts a copy of a record into the queue.
func (a *Async) Write(record []byte) (int, error) {
	if a == nil || a.w == nil {
		return 0, ErrClosed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.room(len(record)) && !a.closed {
		switch a.cfg.Overflow {
		case DropOldest:
			for a.n > 0 && !a.room(len(record)) {
				a.release(a.pop())
				a.stats.Dropped++
			}
		case Block:
			a.await(nil, a.cfg.Wait, func() bool { return a.closed || a.room(len(record)) })
		}
	}
	switch {
	case a.closed:
		a.stats.Dropped++
		return 0, ErrClosed
	case !a.room(len(record)):
		a.stats.Dropped++
		return 0, ErrDropped
	}
	at := (a.head + a.n) % len(a.ring)
	a.ring[at] = append(a.ring[at][:0], record...)
	a.n++
	a.bytes += len(record)
	a.taken++
	select {
	case a.work <- struct{}{}:
	default:
	}
	return len(record), nil
}

// room reports whether a record fits. One that is larger than the whole queue fits into an empty one.
func (a *Async) room(size int) bool {
	return a.n < len(a.ring) && (a.bytes+size <= a.cfg.Bytes || a.n == 0)
}

// pop takes the oldest record out. Its slot keeps no buffer.
func (a *Async) pop() []byte {
	record := a.ring[a.head]
	a.ring[a.head] = nil
	a.head = (a.head + 1) % len(a.ring)
	a.n--
	a.bytes -= len(record)
	return record
}

// release ends a record's way through the queue and keeps its buffer for another.
func (a *Async) release(record []byte) {
	a.left++
	if at := (a.head + a.n) % len(a.ring); a.n < len(a.ring) && cap(record) <= keptBuffer && a.ring[at] == nil {
		a.ring[at] = record[:0]
	}
	a.wake()
}

// oldest returns the number of the oldest record in the queue, or of the next if there is none. They count from 1.
func (a *Async) oldest() uint64 { return a.taken - uint64(a.n) + 1 }

// through reports whether no record up to a number is in the queue or being written.
func (a *Async) through(upTo uint64) bool {
	return a.oldest() > upTo && (!a.busy || a.current > upTo)
}

func (a *Async) wake() {
	if a.waiters > 0 {
		close(a.moved)
		a.moved = make(chan struct{})
	}
}

// await waits until done, with mu held when it looks and when it returns. It gives up when done ends or, if wait is not
// negative, after that time.
func (a *Async) await(ended <-chan struct{}, wait time.Duration, done func() bool) bool {
	var over <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	a.waiters++
	defer func() { a.waiters-- }()
	for !done() {
		moved := a.moved
		a.mu.Unlock()
		gone := false
		select {
		case <-moved:
		case <-over:
			gone = true
		case <-ended:
			gone = true
		}
		a.mu.Lock()
		if gone {
			return done()
		}
	}
	return true
}

// run writes what is in the queue.
func (a *Async) run() {
	defer close(a.ended)
	for {
		a.mu.Lock()
		if a.n == 0 {
			closed := a.closed
			a.mu.Unlock()
			if closed {
				return
			}
			<-a.work
			continue
		}
		a.current = a.oldest()
		record := a.pop()
		a.busy = true
		a.wake() // there is room already
		a.mu.Unlock()
		err := write(a.w, record)
		a.mu.Lock()
		a.busy = false
		if err == nil {
			a.stats.Written++
		} else {
			a.stats.Failed++
			a.stats.Err = err
		}
		a.release(record)
		a.mu.Unlock()
	}
}

// write makes an error of everything but a whole write.
func write(w io.Writer, p []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("logging: writer panicked")
		}
	}()
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// Flush waits until every record that was in the queue when it was called has been written, dropped or failed. It says
// nothing about the writer's own buffers.
func (a *Async) Flush(ctx context.Context) error {
	if a == nil || a.w == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	upTo := a.taken
	if !a.await(ctx.Done(), -1, func() bool { return a.through(upTo) }) {
		return fmt.Errorf("logging: flush with %d records waiting: %w", a.taken-a.left, context.Cause(ctx))
	}
	return nil
}

// Close takes no more records, writes those in the queue, and waits for the goroutine. If ctx ends first, what is still in
// the queue is dropped and counted; a write that hangs then keeps the goroutine until it returns. A further Close waits
// for it again.
func (a *Async) Close(ctx context.Context) error {
	if a == nil || a.w == nil {
		return nil
	}
	a.mu.Lock()
	a.closed = true
	a.wake()
	a.mu.Unlock()
	select {
	case a.work <- struct{}{}:
	default:
	}
	select {
	case <-a.ended:
		return nil
	default:
	}
	select {
	case <-a.ended:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lost := a.n
	for a.n > 0 {
		a.release(a.pop())
		a.stats.Dropped++
	}
	if lost == 0 && !a.busy {
		return nil
	}
	return fmt.Errorf("logging: close dropped %d records: %w", lost, context.Cause(ctx))
}

// Stats returns the counters.
func (a *Async) Stats() AsyncStats {
	if a == nil || a.w == nil {
		return AsyncStats{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.Waiting = a.taken - a.left
	return s
}
