package resources

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/disk"
)

// diskProbe measures one file system. The call hangs, and cannot be cancelled, while a network file system is away: it
// runs in a goroutine, of which there is never more than one.
type diskProbe struct {
	path    string
	timeout time.Duration
	usage   func(path string) (total, free uint64, err error)

	mu      sync.Mutex
	current *diskCall // nil when none is under way. Guarded by mu.
}

// diskCall is one call. Its results may be read once done is closed.
type diskCall struct {
	started     time.Time
	done        chan struct{}
	total, free uint64
	err         error
}

// start joins the call under way, or begins one.
func (p *diskProbe) start() *diskCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		return p.current
	}
	call := &diskCall{started: time.Now(), done: make(chan struct{})}
	p.current = call
	go func() {
		call.total, call.free, call.err = p.usage(p.path)
		p.mu.Lock()
		p.current = nil
		p.mu.Unlock()
		close(call.done)
	}()
	return call
}

// wait returns the result of a call if it comes within the timeout after its start. One that comes later is dropped: it
// tells of a time long past.
func (p *diskProbe) wait(ctx context.Context, call *diskCall) (Disk, error) {
	out := Disk{Path: p.path}
	timer := time.NewTimer(p.timeout - time.Since(call.started))
	defer timer.Stop()
	select {
	case <-call.done:
	case <-timer.C:
		return out, fmt.Errorf("%w since %s", ErrNoAnswer, call.started.Format(time.RFC3339))
	case <-ctx.Done():
		return out, ctx.Err()
	}
	if call.err != nil {
		return out, call.err
	}
	out.Total, out.Free = Of(call.total), Of(call.free)
	return out, nil
}

// close waits for the call under way.
func (p *diskProbe) close(ctx context.Context) error {
	p.mu.Lock()
	call := p.current
	p.mu.Unlock()
	if call == nil {
		return nil
	}
	select {
	case <-call.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w since %s: %w", ErrNoAnswer, call.started.Format(time.RFC3339), ctx.Err())
	}
}

func diskUsage(path string) (total, free uint64, err error) {
	u, err := disk.Usage(path)
	if err != nil {
		return 0, 0, err
	}
	return u.Used + u.Free, u.Free, nil
}
