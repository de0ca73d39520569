package gpu

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

const (
	maxEvents = 32
	// maxWatts is more than any GPU draws: growth that would take more is no energy but a counter gone wrong.
	maxWatts  = 20e3
	eventWait = 250 * time.Millisecond // how long the driver is asked to wait for an event: how long Close may take
)

// past is what a Reader remembers of a GPU, also while the driver is away.
type past struct {
	energy energy
	latest []Event // oldest first
	xids   uint64
}

func (p *past) events() ([]Event, uint64) { return slices.Clone(p.latest), p.xids }

func (p *past) add(e Event) {
	if len(p.latest) == maxEvents {
		p.latest = slices.Delete(p.latest, 0, 1)
	}
	p.latest = append(p.latest, e)
	if !e.DoubleBit {
		p.xids++
	}
}

// energy sums up the growth of a counter that starts anew when the driver is reloaded.
type energy struct {
	total, last float64
	at          time.Time // of last; zero before the first reading
}

// grow takes in what the counter shows, in joules.
func (e *energy) grow(now resources.Value[float64], at time.Time) resources.Value[float64] {
	if !now.OK {
		return now
	}
	grown := now.V - e.last
	if !e.at.IsZero() && grown >= 0 && grown <= maxWatts*max(at.Sub(e.at).Seconds(), 1) {
		e.total += grown
	}
	e.last, e.at = now.V, at
	return value(e.total)
}

// hear starts to wait for events. Called under mu.
func (r *Reader) hear(set eventSet) {
	ctx, cancel := context.WithCancel(r.end)
	l := &listener{cancel: cancel, done: make(chan struct{})}
	r.ears = l
	go func() {
		defer close(l.done)
		defer set.free()
		for ctx.Err() == nil {
			e, ok, err := set.wait(eventWait)
			switch {
			case errors.Is(err, errUninitialized):
				r.mu.Lock()
				r.lapse()
				r.mu.Unlock()
				return
			case err != nil: // a lost GPU makes it fail at once, again and again
				pause(ctx, eventWait)
			case ok:
				r.mu.Lock()
				r.pastOf(Device{UUID: e.UUID, Index: -1}).add(e)
				r.mu.Unlock()
				if r.cfg.Event != nil {
					r.cfg.Event(e)
				}
			}
		}
	}()
}

func (l *listener) stop() {
	l.cancel()
	<-l.done
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
