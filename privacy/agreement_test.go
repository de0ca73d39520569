package privacy

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The contour and the lattice share no code beyond the elementary functions: their intervals must meet, and so must those of all others. SUREFOOT_CASES
// is the number of random cases; the default is small because a lattice takes a tenth of a second.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	cases := 60
	if s := os.Getenv("SUREFOOT_CASES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		cases = n
	}
	if slow {
		cases = min(cases, 10)
	}
	var proved, met, open atomic.Int64
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(cases) || t.Failed() {
					return
				}
				rng := rand.New(rand.NewPCG(2208, uint64(i)))
				log := func(lo, hi float64) float64 { return math.Exp(math.Log(lo) + rng.Float64()*math.Log(hi/lo)) }
				var tight Tight
				var pld PLD
				var rdp RDP
				parts := 1
				if i%5 == 0 {
					parts = 2 + rng.IntN(3)
				}
				for range parts {
					e := Poisson{log(1e-6, 1), Gaussian{log(.3, 20), 1, AddRemove}}
					n := int(log(1, 1e6))
					if err := errors.Join(tight.Add(e, n), pld.Add(e, n), rdp.Add(e, n)); err != nil {
						t.Error(i, err)
						return
					}
				}
				delta := log(1e-12, 1e-2)
				a, errA := tight.Epsilon(delta)
				b, errB := pld.Epsilon(delta)
				c, errC := rdp.Epsilon(delta)
				for _, err := range []error{errA, errB, errC} {
					if err != nil && !errors.Is(err, ErrNoBound) {
						t.Error(i, err)
						return
					}
				}
				lower, upper := 0.0, math.Inf(1)
				for _, x := range []struct {
					Interval
					error
				}{{a, errA}, {b, errB}, {c, errC}} {
					if x.error == nil {
						lower, upper = max(lower, x.Lower), min(upper, x.Upper)
					}
				}
				if !(lower <= upper) {
					t.Errorf("case %d: contour %v %v, lattice %v %v, rdp %v %v do not meet", i, a, errA, b, errB, c, errC)
				}
				if errA == nil {
					proved.Add(1)
					if errB == nil {
						met.Add(1)
					}
				}
				if errA != nil && (errB != nil || b.Upper-b.Lower > 1e-3*b.Upper) {
					open.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d cases: the contour proved %d, the lattice met %d of these; %d known to less than three digits", cases, proved.Load(), met.Load(), open.Load())
	require.Greater(t, int(met.Load())*2, cases)
}
