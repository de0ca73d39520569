package surefoot_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/ratelimit"
	"github.com/surefoot-ml/surefoot/retry"
)

// chaosState is what a training step changes: any order of steps but 1, 2, 3, ... each once, gives another sum.
type chaosState struct {
	step int
	sum  uint64
}

func (s chaosState) next() chaosState {
	h := fnv.New64a()
	fmt.Fprint(h, s.step+1, s.sum)
	return chaosState{s.step + 1, h.Sum64()}
}

// chaos is a run in which everything goes wrong. What outlives a process is in disk, the rest is rebuilt on a restart.
type chaos struct {
	rng  *rand.Rand
	disk struct {
		state   chaosState // the checkpoint
		charges int        // the ledger
	}

	live     chaosState
	paid     int // charges of attempts that have not released anything
	unpaid   int // releases without a charge
	running  int // steps in progress
	overlaps int
	released int
	counts   map[string]int
}

// step applies itself once, in two halves, with a release in front. Faults strike anywhere.
func (c *chaos) step(ctx context.Context, n int) (float64, error) {
	if c.running++; c.running > 1 {
		c.overlaps++
	}
	defer func() { c.running-- }()
	if n != c.live.step+1 {
		return 0, fmt.Errorf("step %d on a state after %d", n, c.live.step)
	}
	if err := c.fault(ctx); err != nil {
		return 0, err
	}
	if c.paid--; c.paid < 0 {
		c.unpaid++
	}
	c.released++
	if err := c.fault(ctx); err != nil {
		return 0, err
	}
	want := c.live.next()
	c.live.sum = want.sum // half of it
	if err := c.fault(ctx); err != nil {
		return 0, err
	}
	c.live.step = want.step
	return 0, c.fault(ctx)
}

func (c *chaos) fault(ctx context.Context) error {
	switch p := c.rng.IntN(1000); {
	case p < 25:
		c.counts["error"]++
		return errors.New("connection reset")
	case p < 30:
		c.counts["panic"]++
		panic("index out of range")
	case p < 33:
		c.counts["hang that listens"]++
		<-ctx.Done()
		return ctx.Err()
	case p < 35:
		c.counts["hang that is deaf"]++
		<-time.After(3 * time.Minute)
		return errors.New("gave up")
	case p < 40:
		c.counts["slow"]++
		<-time.After(time.Duration(c.rng.IntN(90)) * time.Second) // some of it past the deadline
	}
	return nil
}

// process is one life of the program: it goes on from the checkpoint until it is done or killed.
func (c *chaos) process(t *testing.T, ctx context.Context, steps int) {
	c.live = c.disk.state
	event := privacy.Poisson{Rate: 1e-4, Gaussian: privacy.Gaussian{StdDev: 10, Clip: 1, Relation: privacy.AddRemove}}
	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 50, Delta: 1e-6}, event)
	require.NoError(t, err)
	require.NoError(t, filter.SpendN(event, c.disk.charges))
	ledger := surefoot.AdmitterFuncs{
		OnAdmit: func(context.Context) (uint64, error) {
			if err := filter.Spend(event); err != nil {
				return 0, err
			}
			c.disk.charges++
			c.paid++
			return 0, nil
		},
		OnDone: func(uint64, error) { c.paid = 0 }, // what was not released is lost, not saved up
	}
	limiter, err := ratelimit.New(10, 20)
	require.NoError(t, err)
	bulkhead, err := ratelimit.NewBulkhead(1, 0)
	require.NoError(t, err)
	br, err := breaker.New(breaker.Config{Failures: 3, Open: 20 * time.Second})
	require.NoError(t, err)
	var watch surefoot.Watcher = &retry.Deadline{Limit: time.Minute}
	if c.counts["process"]%2 == 1 {
		dog, err := retry.NewWatchdog(retry.WatchdogConfig{Hard: time.Minute})
		require.NoError(t, err)
		defer dog.Close()
		watch = dog
	}
	saved := c.live
	run := surefoot.Runner[int, float64]{
		Retry:   retry.Policy{Attempts: 6},
		Attempt: []surefoot.Admitter{limiter, bulkhead, br, ledger},
		Watch:   watch,
		Restore: func(context.Context, error) error { c.live = saved; return nil },
	}
	for c.live.step < steps && ctx.Err() == nil {
		saved = c.live
		if _, err := run.Do(ctx, c.live.step+1, surefoot.Recovered(c.step)); err != nil {
			c.counts["batch given up"]++
			c.live = saved
			continue
		}
		if c.live.step%50 == 0 {
			c.disk.state = c.live
		}
	}
	if ctx.Err() == nil {
		c.disk.state = c.live
	}
}

// TestChaos runs 100,000 virtual steps through errors, panics, hangs, slow steps, cancellations and restarts from
// checkpoints, and compares what is left with a run in which nothing happened.
func TestChaos(t *testing.T) {
	t.Parallel()
	steps := 100_000
	if testing.Short() {
		steps = 5_000
	}
	var calm chaosState
	for range steps {
		calm = calm.next()
	}
	synctest.Test(t, func(t *testing.T) {
		c := &chaos{rng: rand.New(rand.NewPCG(2026, 3)), counts: map[string]int{}}
		start := time.Now()
		for c.disk.state.step < steps {
			ctx, cancel := context.WithCancel(t.Context())
			killed := time.AfterFunc(time.Duration(1+c.rng.IntN(7200))*time.Second, cancel)
			c.process(t, ctx, steps)
			killed.Stop()
			cancel()
			c.counts["process"]++
			require.Zero(t, c.running)
		}
		require.Equal(t, calm, c.disk.state, "a step was lost, applied twice, or applied by half")
		require.Zero(t, c.unpaid, "releases without a charge")
		require.Zero(t, c.overlaps, "attempts that overlapped")
		require.GreaterOrEqual(t, c.disk.charges, c.released)
		require.Greater(t, c.counts["process"], 3)
		t.Logf("%d steps in %v of virtual time: %d charged, %d released; %v", steps, time.Since(start).Round(time.Hour), c.disk.charges, c.released, c.counts)
	})
}
