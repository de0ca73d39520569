package breaker

import "time"

// Isolate makes the breaker refuse every step until Resume, Reset, or another state set by hand. What is under way counts
// nothing from then on. A nil Breaker, which refuses every step anyway, stays as it is.
func (b *Breaker) Isolate() { b.byHand(func(State) State { return Isolated }) }

// ForceClosed makes the breaker run every step and count it, and open for nothing, until Resume, Reset, or another state
// set by hand: to watch it before relying on it.
func (b *Breaker) ForceClosed() { b.byHand(func(State) State { return ForcedClosed }) }

// Disable makes the breaker run every step and count nothing until Resume, Reset, or another state set by hand.
func (b *Breaker) Disable() { b.byHand(func(State) State { return Disabled }) }

// Resume ends a state set by hand. An isolated breaker becomes half-open, because nobody knows whether steps work; one that
// ran every step becomes closed. Otherwise Resume does nothing.
func (b *Breaker) Resume() {
	b.byHand(func(from State) State {
		switch from {
		case Isolated:
			return HalfOpen
		case ForcedClosed, Disabled:
			return Closed
		}
		return from
	})
}

// Reset makes the breaker closed, in whatever state it was, with nothing counted and nothing under way; the next open
// period is Config.Open again. The numbers of refused and dropped steps stay.
func (b *Breaker) Reset() {
	if b == nil {
		return
	}
	b.ready()
	b.mu.Lock()
	b.counts() // moves the window on, for the listener
	b.enter(Closed, ByHand, time.Now())
	b.unlock()
}

// byHand enters the state that follows the present one, if it is another.
func (b *Breaker) byHand(next func(from State) State) {
	if b == nil {
		return
	}
	b.ready()
	b.mu.Lock()
	if to := next(b.state); to != b.state {
		b.counts() // moves the window on, for the listener
		b.enter(to, ByHand, time.Now())
	}
	b.unlock()
}
