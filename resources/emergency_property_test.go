package resources

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEmergencyPlansAtRandom: whatever actions do, these rules hold. Actions are told in order, one at a time; none
// starts without a measurement at At or above, nor while it runs or cools down; each start has its end; and a check
// is bounded in time.
func TestEmergencyPlansAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 11))
			var mu sync.Mutex // guards rng and used
			used := .5
			drift := func(by float64) {
				mu.Lock()
				defer mu.Unlock()
				used = min(1, max(0, used+by))
			}
			cfg := EmergencyConfig{Name: "x", Effect: .05}
			latest := Value[float64]{}
			cfg.Measure = func(context.Context) (Value[float64], error) {
				mu.Lock()
				defer mu.Unlock()
				latest = Value[float64]{}
				if rng.IntN(20) > 0 {
					latest = Of(used)
				}
				return latest, nil
			}
			bound := cfg.Timeout
			running := make([]bool, 1+rng.IntN(5))
			ended := make([]time.Time, len(running))
			for i := range running {
				a := Action{Name: fmt.Sprint(i), Timeout: time.Duration(1+rng.IntN(20)) * time.Second, CoolDown: time.Duration(1+rng.IntN(120)) * time.Second, Settle: time.Duration(1+rng.IntN(3)) * time.Second}
				kind, takes, by := rng.IntN(7), time.Duration(rng.IntN(40))*time.Second, -.4*rng.Float64()
				a.Do = func(ctx context.Context) error {
					mu.Lock()
					assert.False(t, running[i])
					assert.True(t, latest.OK && latest.V >= .95, "%v", latest)
					assert.True(t, ended[i].IsZero() || time.Since(ended[i]) >= a.CoolDown)
					running[i] = true
					mu.Unlock()
					defer func() {
						mu.Lock()
						running[i], ended[i] = false, time.Now()
						mu.Unlock()
					}()
					switch kind {
					case 0:
						panic("a bug")
					case 1:
						return errBlind
					case 2: // deaf
						<-time.After(takes)
					default:
						pause(ctx, takes)
					}
					drift(by)
					return ctx.Err()
				}
				bound += a.Timeout + lastWord + a.Settle
				cfg.Actions = append(cfg.Actions, a)
			}
			open, inside, last := map[string]bool{}, false, time.Time{}
			cfg.OnAction = func(e ActionEvent) {
				assert.False(t, inside)
				inside = true
				assert.False(t, e.At.Before(last), "in order")
				last = e.At
				assert.Equal(t, e.Kind != ActionStarted, open[e.Action], "%s %v", e.Action, e.Kind)
				open[e.Action] = e.Kind == ActionStarted || e.Kind == ActionOverran
				if e.Effective {
					assert.GreaterOrEqual(t, e.Before.V-e.After.V, .05)
				}
				inside = false
			}
			e, err := NewEmergency(cfg)
			require.NoError(t, err)
			for range 40 {
				drift(.3 * rng.Float64())
				start := time.Now()
				r, err := e.Check(t.Context())
				require.LessOrEqual(t, time.Since(start), bound)
				if errors.Is(err, ErrUnrelieved) {
					require.Len(t, r.Actions, len(cfg.Actions))
				}
				if err == nil {
					require.Less(t, r.After.V, .95)
				}
				<-time.After(time.Duration(1+rng.IntN(60)) * time.Second)
			}
			require.NoError(t, e.Close(t.Context()))
			for name, still := range open {
				require.False(t, still, name)
			}
		})
	}
}
