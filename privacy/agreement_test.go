package privacy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// The contour and the lattice share no code beyond the elementary functions: in each direction their intervals must meet, and none may begin above
// what RDP proves. Random cases are drawn log-uniformly from the whole range of the package, every fifth of two to four mechanisms. Of 50 cases one is asked
// on the lattice in full, with delta besides; the others on a lattice of about 2048 points, which is certified all the same.
// SUREFOOT_CASES sets the number of cases, SUREFOOT_SEED another sequence. 100000 cases take about 70 minutes of one core.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	cases, workers, seed := 100, 4, uint64(2208)
	if s := os.Getenv("SUREFOOT_CASES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		cases = n
	}
	if s := os.Getenv("SUREFOOT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	if slow {
		cases = min(cases, 20)
	}
	var tally agreement
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(cases); i = next.Add(1) {
				if err := tally.check(seed, uint64(i), i%50 == 0); err != nil {
					t.Errorf("case %d of %d: %v", i, seed, err)
				}
				if i%5000 == 0 {
					t.Logf("%d cases: %s", i, &tally)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d cases: %s", cases, &tally)
	require.Greater(t, int(tally.met.Load()), cases)
}

// agreement counts directions of random cases.
type agreement struct {
	proved, met, full, deltas atomic.Int64
	open                      atomic.Int64     // neither knows three digits
	widths                    [10]atomic.Int64 // of the lattice, by powers of ten from 1e-8; the last is unbounded
}

func (a *agreement) String() string {
	s := fmt.Sprintf("contour proved %d directions, the lattice met %d of these; %d in full, %d deltas; %d open; lattice widths up to 1e-8, 1e-7, ..., 1, unbounded:",
		a.proved.Load(), a.met.Load(), a.full.Load(), a.deltas.Load(), a.open.Load())
	for i := range a.widths {
		s += fmt.Sprintf(" %d", a.widths[i].Load())
	}
	return s
}

func (a *agreement) widthOf(b bounds) {
	switch w := b.width(); {
	case w <= 1:
		i := 0
		for limit := 1e-8; w > limit; limit *= 10 {
			i++
		}
		a.widths[min(i, 8)].Add(1)
	default:
		a.widths[9].Add(1)
	}
}

// check holds the engines against each other on one random case.
func (a *agreement) check(seed, i uint64, full bool) error {
	rng := rand.New(rand.NewPCG(seed, i))
	log := func(lo, hi float64) float64 { return math.Exp(math.Log(lo) + rng.Float64()*math.Log(hi/lo)) }
	var all recorder
	var rdp RDP
	parts := 1
	if i%5 == 0 {
		parts = 2 + rng.IntN(3)
	}
	what := ""
	for range parts {
		e := Poisson{log(1e-6, 1), Gaussian{log(.3, 20), 1, AddRemove}}
		n := int(log(1, 1e6))
		if err := errors.Join(all.Add(e, n), rdp.Add(e, n)); err != nil {
			return err
		}
		what += fmt.Sprintf("%v x %+v, ", n, e)
	}
	delta := log(1e-12, 1e-2)
	what += fmt.Sprint("delta ", delta)
	m := makeupOf(all.snapshot())
	laws, err := m.laws()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	renyi, err := rdp.Epsilon(delta)
	if err != nil || !(renyi.Upper >= 0) {
		return fmt.Errorf("%s: rdp %v, %w", what, renyi, err)
	}
	var work contour.Workspace
	for side, d := range directions() {
		tight, _, errT := m.tight(d, methods{
			step: func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Epsilon(delta, d) },
			contour: func(c contour.Composition, d contour.Direction) (contour.Bound, error) {
				return work.Epsilon(c, d, delta)
			},
		})
		width := 1.0
		if full {
			width = 0
			a.full.Add(1)
		}
		l, err := lattice.EpsilonWithin(laws[min(side, len(laws)-1)], delta, width)
		if err != nil {
			return fmt.Errorf("%s, %v: lattice: %w", what, d, err)
		}
		b := bounds{l.Lower, l.Upper}
		a.widthOf(b)
		if !(b.lower >= 0 && b.lower <= b.upper && b.lower <= renyi.Upper) {
			return fmt.Errorf("%s, %v: lattice %v, rdp %v", what, d, b, renyi)
		}
		switch {
		case errT == nil:
			a.proved.Add(1)
			if !(tight.lower >= 0 && tight.lower <= tight.upper && tight.upper <= math.MaxFloat64 && tight.lower <= renyi.Upper) {
				return fmt.Errorf("%s, %v: contour %v, rdp %v", what, d, tight, renyi)
			}
			if !(tight.lower <= b.upper && b.lower <= tight.upper) {
				return fmt.Errorf("%s, %v: contour %v and lattice %v do not meet", what, d, tight, b)
			}
			a.met.Add(1)
		case !errors.Is(errT, contour.ErrNoCertificate):
			return fmt.Errorf("%s, %v: contour: %w", what, d, errT)
		default:
			if !(b.width() <= 1e-3) {
				a.open.Add(1)
			}
		}
		if full {
			if err := a.deltasOf(&m, laws[min(side, len(laws)-1)], d, b.lower*(1+rng.Float64())); err != nil {
				return fmt.Errorf("%s, %v: %w", what, d, err)
			}
		}
	}
	return nil
}

// deltasOf holds the two values of delta(eps) against each other.
func (a *agreement) deltasOf(m *makeup, parts []lattice.Part, d contour.Direction, eps float64) error {
	var work contour.Workspace
	tight, _, err := m.tight(d, methods{
		step:    func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Delta(eps, d) },
		contour: func(c contour.Composition, d contour.Direction) (contour.Bound, error) { return work.Delta(c, d, eps) },
	})
	if err != nil {
		if errors.Is(err, contour.ErrNoCertificate) {
			return nil
		}
		return err
	}
	l, err := lattice.Delta(parts, eps)
	if err != nil {
		return err
	}
	if !(tight.lower >= 0 && l.Lower >= 0 && tight.lower <= tight.upper && tight.upper <= 1 && l.Upper <= 1 && tight.lower <= l.Upper && l.Lower <= tight.upper) {
		return fmt.Errorf("delta at %v: contour %v and lattice %v do not meet", eps, tight, l)
	}
	a.deltas.Add(1)
	return nil
}
