package carbon

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestGateNeverWaitsLongerThanMaxWait puts random gates, workers and cancellations in front of a provider that does
// everything a provider can do wrong, and checks every single wait against its bound.
func TestGateNeverWaitsLongerThanMaxWait(t *testing.T) {
	t.Parallel()
	seeds := 400
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { hostileRun(t, rand.New(rand.NewPCG(uint64(seed), 7))) })
	}
}

func hostileRun(t *testing.T, rng *rand.Rand) {
	speeds := []float64{1e-3, .5, 1, 60, 3600, 1e6}
	tl := replay(speeds[rng.IntN(len(speeds))])
	cfg := GateConfig{
		Provider: &hostile{rng: rand.New(rand.NewPCG(rng.Uint64(), 1))},
		Pause:    300,
		Resume:   []Intensity{0, 250}[rng.IntN(2)],
		MaxWait:  time.Duration(1 + rng.Int64N(int64(20*time.Hour))),
		Check:    []time.Duration{0, time.Second, time.Hour, 100 * time.Hour}[rng.IntN(4)],
		Timeout:  []time.Duration{0, time.Millisecond, time.Hour}[rng.IntN(3)],
		Timeline: tl,
	}
	paused, events := false, 0
	cfg.OnChange = func(c Change) {
		events++
		assert.False(t, c.Paused && (c.Forced || c.Err != nil), "%+v", c)
		assert.False(t, c.Paused && paused, "paused twice in a row")
		paused = c.Paused
	}
	g := newGate(t, cfg)
	bound := tl.Wall(cfg.MaxWait)
	var wg sync.WaitGroup
	for range 1 + rng.IntN(4) {
		local := rand.New(rand.NewPCG(rng.Uint64(), 2))
		wg.Go(func() {
			for range 12 {
				ctx, cancel := context.WithCancel(t.Context())
				limit := bound
				if local.IntN(4) == 0 {
					limit = min(bound, time.Duration(local.Int64N(int64(bound))))
					ctx, cancel = context.WithTimeout(t.Context(), limit)
				}
				start := time.Now()
				err := g.Wait(ctx)
				took := time.Since(start)
				assert.LessOrEqual(t, took, limit)
				if err != nil {
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					assert.Equal(t, limit, took)
				}
				cancel()
				if local.IntN(2) == 0 {
					<-time.After(tl.Wall(time.Duration(local.Int64N(int64(3 * time.Hour)))))
				}
			}
		})
	}
	wg.Wait()
	s := g.Stats()
	assert.LessOrEqual(t, s.Forced, s.Pauses)
	assert.LessOrEqual(t, s.Paused, tl.trace(time.Since(tl.Start))+time.Second)
	assert.GreaterOrEqual(t, events, int(s.Pauses+s.Forced))
}

// hostile is a provider that ends with its context but is trusted in nothing else.
type hostile struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (h *hostile) At(ctx context.Context, at time.Time) (Reading, error) {
	h.mu.Lock()
	kind, delay := h.rng.IntN(14), time.Duration(h.rng.Int64N(int64(time.Hour)))
	validity := []time.Duration{1, time.Second, time.Hour, 1000 * time.Hour}[h.rng.IntN(4)]
	h.mu.Unlock()
	r := reading(500, at, at.Add(validity))
	switch kind {
	case 0:
		return Reading{}, errDown
	case 1:
		return Reading{}, &NoDataError{Zone: "XX", At: at}
	case 2:
		r.Intensity = Intensity(math.NaN())
	case 3:
		r.Intensity = -1
	case 4:
		r.Signal = Marginal
	case 5:
		r.From, r.To = at.Add(-2*time.Hour), at.Add(-time.Hour) // time going nowhere: the same old answer
	case 6:
		r = Reading{}
	case 7: // hangs until it is told to stop
		<-ctx.Done()
		return Reading{}, ctx.Err()
	case 8: // hangs, and then answers after all
		<-ctx.Done()
	case 9:
		select {
		case <-ctx.Done():
			return Reading{}, ctx.Err()
		case <-time.After(delay):
		}
	case 10:
		r.Intensity = 280
	case 11:
		r.Intensity = 200
	}
	return r, nil
}
