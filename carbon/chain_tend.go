package carbon

import (
	"context"
	"errors"
	"time"
)

// What a chain does behind the answers: everything here runs in the goroutine of a cache's call, which Close waits for.

// most history that is asked for at once: what a [Learner] keeps.
const longestFill = climateDays * day

// took takes an answer of the source into account, asks for what it knows besides, and writes it all down.
func (c *Chain) took(ctx context.Context, t time.Time, r Reading) {
	c.tending.Lock()
	defer c.tending.Unlock()
	c.fill(ctx, t)
	if r.Basis != Forecast && !r.From.After(t) {
		c.mu.Lock()
		_ = c.known.observe(r) // a reading that covers no slot teaches nothing
		c.mu.Unlock()
	}
	c.keep(ctx, c.archive, r)
	for i := range c.near {
		if r, err := c.near[i].cache.At(ctx, t); err == nil {
			c.tookNear(ctx, i, r)
		}
	}
	c.foresee(ctx, t)
}

func (c *Chain) tookNear(ctx context.Context, i int, r Reading) {
	if r.Basis == Forecast {
		return
	}
	c.mu.Lock()
	err := c.known.near(i, r)
	c.mu.Unlock()
	c.state("neighbour "+c.near[i].zone, err)
	if err == nil {
		c.keep(ctx, c.near[i].archive, r)
	}
}

// fill asks for the history that is missing: at the start, and after a stretch without answers.
func (c *Chain) fill(ctx context.Context, t time.Time) {
	source, ok := c.cfg.Source.(History)
	if !ok {
		return
	}
	c.mu.Lock()
	step := c.known.learner.Step()
	from := t.Add(-longestFill)
	if latest := c.known.learner.Latest(); !latest.IsZero() && latest.Add(step).After(from) {
		from = latest.Add(step)
	}
	c.mu.Unlock()
	to := t.Truncate(step)
	if from.Before(c.filled) {
		from = c.filled // what the source did not have then it seldom has later
	}
	if !from.Before(to) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	readings, err := safely(func() ([]Reading, error) { return source.History(ctx, from, to) })
	if errors.Is(err, ErrNoData) {
		err = nil
	}
	c.state("history", err)
	c.filled = to
	usable := readings[:0]
	c.mu.Lock()
	for _, r := range readings {
		scope := c.cfg.Scope
		if r.Basis == Forecast || r.check(r.From, c.cfg.Signal) != nil || scope.meet(r) != nil || r.From.After(t) {
			continue
		}
		_ = c.known.observe(r) // a reading that covers no slot teaches nothing
		usable = append(usable, r)
	}
	c.mu.Unlock()
	c.keep(ctx, c.archive, usable...)
}

// foresee asks for the source's forecast when none is known yet or the last is old.
func (c *Chain) foresee(ctx context.Context, t time.Time) {
	source, ok := c.cfg.Source.(Forecaster)
	if !ok || !c.asked.IsZero() && t.Before(c.asked.Add(c.cfg.Refresh)) && !t.Before(c.asked) {
		return
	}
	c.asked = t
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	readings, err := safely(func() ([]Reading, error) { return source.Forecast(ctx, t, t.Add(7*day)) })
	if errors.Is(err, ErrNoData) {
		err = nil
	}
	c.state("forecast", err)
	c.mu.Lock()
	c.known.foretold(readings, t)
	c.mu.Unlock()
}

// safely turns a panic of a source into an error.
func safely(call func() ([]Reading, error)) (r []Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, errors.New("carbon: chain: the source panicked")
		}
	}()
	return call()
}

func (c *Chain) keep(ctx context.Context, a *Archive, readings ...Reading) {
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c.state("archive "+a.cfg.Zone, a.Add(ctx, readings...))
}

// state logs the first error of something, and the first success after it.
func (c *Chain) state(what string, err error) {
	if err != nil && c.ctx.Err() != nil {
		return // closing
	}
	c.mu.Lock()
	was := c.failing[what]
	c.failing[what] = err != nil
	c.mu.Unlock()
	switch {
	case err != nil && !was:
		c.cfg.Logger.Warn("carbon: chain: something fails", "zone", c.cfg.Zone, "what", what, "error", err)
	case err == nil && was:
		c.cfg.Logger.Info("carbon: chain: works again", "zone", c.cfg.Zone, "what", what)
	}
}
