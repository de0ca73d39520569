package breaker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// both are a breaker of this package and a two-step one of gobreaker, and the steps under way in both.
type both struct {
	ours    *breaker.Breaker
	theirs  *gobreaker.TwoStepCircuitBreaker[struct{}]
	running []running
	changes [2][]string
}

type running struct {
	token uint64
	done  func(error)
}

func newBoth(t *testing.T, cfg breaker.Config, settings gobreaker.Settings) *both {
	b := new(both)
	cfg.OnChange = func(c breaker.Change) { b.changes[0] = append(b.changes[0], c.From.String()+" "+c.To.String()) }
	settings.OnStateChange = func(_ string, from, to gobreaker.State) {
		b.changes[1] = append(b.changes[1], from.String()+" "+to.String())
	}
	settings.MaxRequests = cfg.Probes
	settings.Timeout = cfg.Open - 1 // there the next probe is due after it, here with it
	settings.IsExcluded = func(err error) bool { return errors.Is(err, context.Canceled) }
	b.ours, b.theirs = newBreaker(t, cfg), gobreaker.NewTwoStepCircuitBreaker[struct{}](settings)
	return b
}

// begin asks for another step.
func (b *both) begin(t *testing.T) {
	t.Helper()
	token, err := b.ours.Admit(t.Context())
	done, refused := b.theirs.Allow()
	require.Equal(t, refused == nil, err == nil)
	require.Equal(t, b.changes[1], b.changes[0]) // here the open state is left when a step asks, there also when one looks
	if err == nil {
		b.running = append(b.running, running{token, done})
	}
}

// end ends one of the steps under way.
func (b *both) end(i int, result error) {
	r := b.running[i]
	b.running = append(b.running[:i], b.running[i+1:]...)
	b.ours.Done(r.token, result)
	r.done(result)
}

func (b *both) equal(t *testing.T) {
	t.Helper()
	require.Equal(t, b.theirs.State().String(), b.ours.State().String())
	want, got := b.theirs.Counts(), b.ours.Counts()
	require.EqualValues(t, want.TotalSuccesses, got.Successes)
	require.EqualValues(t, want.TotalFailures, got.Failures)
	require.EqualValues(t, want.TotalExclusions, got.Neutral)
}

// Where gobreaker and this package mean the same, they do the same: steps that end in any order, also long after the
// state in which they began; no window.
func TestLikeGobreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for game := range 100 {
			cfg := breaker.Config{
				Failures: 1 + rnd.Uint32N(4), Probes: 1 + rnd.Uint32N(3), Open: time.Duration(1+rnd.IntN(20)) * time.Second,
				ProbeLimit: 1000 * time.Hour,
			}
			b := newBoth(t, cfg, gobreaker.Settings{
				ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= cfg.Failures },
			})
			most := 1 + game%2*9 // at once: one after the other in every other game
			for range 600 {
				if len(b.running) < most && (len(b.running) == 0 || rnd.IntN(2) == 0) {
					b.begin(t)
				} else {
					b.end(rnd.IntN(len(b.running)), []error{nil, errFailed, errFailed, context.Canceled}[rnd.IntN(4)])
				}
				b.equal(t)
				require.EqualValues(t, min(b.theirs.Counts().ConsecutiveFailures, cfg.Failures), b.ours.Counts().ConsecutiveFailures)
				<-time.After(time.Duration(rnd.IntN(4)) * time.Second)
			}
			require.Greater(t, len(b.changes[0]), 10)
		}
	})
}

// The window in time forgets what gobreaker's rolling window forgets, for steps that end when they begin: a longer one
// belongs to the time of its end here, and of its beginning there.
func TestWindowLikeGobreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(7, 8))
		for range 30 {
			length := time.Duration(1+rnd.IntN(1000)) * 100 * time.Millisecond
			rate, least := float64(5+rnd.IntN(6))/10, 1+rnd.Uint32N(20)
			b := newBoth(t, breaker.Config{FailureRate: rate, MinSteps: least, Window: length, Open: 10 * time.Second}, gobreaker.Settings{
				Interval: length, BucketPeriod: length / 10,
				ReadyToTrip: func(c gobreaker.Counts) bool {
					all := c.TotalSuccesses + c.TotalFailures
					return all >= least && float64(c.TotalFailures)/float64(all) >= rate
				},
			})
			for range 500 {
				if b.begin(t); len(b.running) > 0 {
					b.end(0, []error{nil, nil, errFailed, context.Canceled}[rnd.IntN(4)])
				}
				b.equal(t)
				<-time.After(time.Duration(rnd.Int64N(int64(length)/5 + 1)))
			}
		}
	})
}
