package privacy

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// accountants returns one of each, new.
func accountants() map[string]interface {
	Accountant
	Merge(Accountant) error
	State() ([]byte, error)
	Restore([]byte) error
} {
	return map[string]interface {
		Accountant
		Merge(Accountant) error
		State() ([]byte, error)
		Restore([]byte) error
	}{"RDP": new(RDP), "Moments": new(Moments), "GDP": new(GDP), "Tight": new(Tight), "PLD": new(PLD), "Best": new(Best)}
}

func ask(t *testing.T, a Accountant, delta float64) Interval {
	t.Helper()
	got, err := a.Epsilon(delta)
	require.NoError(t, err)
	require.LessOrEqual(t, got.Lower, got.Upper)
	require.GreaterOrEqual(t, got.Lower, 0.)
	require.NotEmpty(t, got.Method)
	return got
}

// encloses is the gate of soundness: a reference is known to a relative tolerance only.
func encloses(t *testing.T, got Interval, truth, tolerance float64, name string) {
	t.Helper()
	require.GreaterOrEqual(t, got.Upper, truth*(1-tolerance), name)
	require.LessOrEqual(t, got.Lower, truth*(1+tolerance), name)
}

// Both directions count: where sampling is heavy, the larger is not always the one that removes a record from the view of one engine, and
// the answer is never below either.
func TestBothDirections(t *testing.T) {
	t.Parallel()
	m := makeupOf([]entry{{event: sampled(.3, 1), parts: []part{{sampledGaussian{.3, 1}, 1}}, count: 50}})
	var b Best
	require.NoError(t, b.Add(sampled(.3, 1), 50))
	got := ask(t, &b, 1e-5)
	seen := 0
	for _, d := range directions() {
		one, err := m.composition().Epsilon(d, 1e-5)
		require.NoError(t, err)
		require.GreaterOrEqual(t, got.Upper, one.Lower)
		require.GreaterOrEqual(t, got.Upper, one.Upper*(1-1e-9))
		seen++
	}
	require.Equal(t, 2, seen)
}

func TestTightRefuses(t *testing.T) {
	t.Parallel()
	var tight Tight
	require.NoError(t, tight.Add(sampled(1e-5, .6), 3)) // three steps with a jump in a million: no decay
	_, err := tight.Epsilon(1e-7)
	require.ErrorIs(t, err, ErrNoBound)
	var refusal *NoBoundError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "contour", refusal.Method)
	require.True(t, refusal.Permanent() && refusal.Neutral())
	require.Error(t, refusal.Unwrap())
	var b Best
	require.NoError(t, b.Merge(&tight))
	require.Positive(t, ask(t, &b, 1e-7).Upper)
}

func TestNothingSpentByAnyone(t *testing.T) {
	t.Parallel()
	for name, a := range accountants() {
		require.NoError(t, a.Add(sampled(0, 1), 1000))
		require.NoError(t, a.Add(plain(1), 0))
		got := ask(t, a, 1e-9)
		require.Equal(t, nothing(), got, name)
		d, err := a.Delta(0)
		require.NoError(t, err)
		require.Zero(t, d.Upper, name)
	}
}

// Bad questions and bad events are refused by all, and change nothing.
func TestBadInputChangesNoAccountant(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for name, a := range accountants() {
		require.NoError(t, a.Add(plain(2), 3))
		before, err := a.State()
		require.NoError(t, err)
		for _, delta := range []float64{0, 1, -1, 2, nan, inf, -inf} {
			_, err := a.Epsilon(delta)
			require.ErrorIs(t, err, ErrInvalid, name)
		}
		for _, eps := range []float64{-1, nan, inf, -inf, 2e15} {
			_, err := a.Delta(eps)
			require.ErrorIs(t, err, ErrInvalid, name)
		}
		for _, e := range []Event{nil, plain(nan), plain(0), plain(-1), sampled(nan, 1), sampled(2, 1), sampled(.1, inf), &Gaussian{}} {
			require.ErrorIs(t, a.Step(e), ErrInvalid, name)
			require.ErrorIs(t, a.Add(e, 2), ErrInvalid, name)
		}
		require.ErrorIs(t, a.Restore([]byte("{}")), ErrInvalid, name)
		after, err := a.State()
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), name)
	}
}

// The extremes of every parameter give bounds or errors, never NaN, and rate 1 is the Gaussian.
func TestExtremesOfBest(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	for _, sigma := range []float64{1e-3, 1, 1e6} {
		for _, n := range []int{1, 1e6} {
			for _, delta := range []float64{1e-18, 1e-5, .9} {
				var whole, g Best
				require.NoError(t, whole.Add(sampled(1, sigma), n))
				require.NoError(t, g.Add(plain(sigma), n))
				got := ask(t, &whole, delta)
				require.Equal(t, ask(t, &g, delta), got)
				require.False(t, math.IsInf(got.Upper, 0) || math.IsNaN(got.Upper))
			}
		}
	}
	for _, c := range []struct {
		q, sigma, delta float64
		n               int
	}{{1e-9, 1, 1e-5, 1000}, {.5, 1e6, 1e-5, 1000}, {.01, 1, .999, 10}, {.999, 1, 1e-5, 5000}, {.01, 1, 1e-18, 1000}} {
		var b Best
		require.NoError(t, b.Add(sampled(c.q, c.sigma), c.n))
		got := ask(t, &b, c.delta)
		require.Less(t, got.Upper, 1e6, "%+v", c)
		d, err := b.Delta(got.Upper)
		require.NoError(t, err, "%+v", c)
		require.LessOrEqual(t, d.Lower, c.delta, "%+v", c)
	}
	var big Best // epsilon beyond e^709
	require.NoError(t, big.Add(sampled(.5, .5), 5000))
	got := ask(t, &big, 1e-5)
	require.Greater(t, got.Lower, 709.)
	require.True(t, got.Converged)
	// A delta of 1e-18 is answered, not replaced by a floor.
	var b Best
	require.NoError(t, b.Add(sampled(.01, 1), 1000))
	d, err := b.Delta(ask(t, &b, 1e-18).Upper)
	require.NoError(t, err)
	require.InEpsilon(t, 1e-18, d.Upper, 1e-3)
}

func TestBestIsMonotone(t *testing.T) {
	t.Parallel()
	eps := func(q, sigma float64, n int, delta float64) Interval {
		var b Best
		require.NoError(t, b.Add(sampled(q, sigma), n))
		return ask(t, &b, delta)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for range 60 {
		q, sigma := math.Exp(-6*rng.Float64()), .7+5*rng.Float64()
		n, delta := 200+rng.IntN(50000), math.Exp(-20*rng.Float64()-2)
		base := eps(q, sigma, n, delta)
		const slack = 1 + 1e-6
		require.GreaterOrEqual(t, base.Upper*slack, eps(q, sigma, n, delta*1.01).Upper)
		require.GreaterOrEqual(t, base.Upper*slack, eps(q, sigma*1.01, n, delta).Upper)
		require.GreaterOrEqual(t, base.Upper*slack, eps(q*.99, sigma, n, delta).Upper)
		require.GreaterOrEqual(t, eps(q, sigma, n+n/50, delta).Upper*slack, base.Upper)
	}
}

// Epsilon and Delta of Best invert each other as closely as its intervals allow.
func TestBestInverts(t *testing.T) {
	t.Parallel()
	var b Best
	require.NoError(t, b.Add(sampled(.01, 1), 1000))
	require.NoError(t, b.Add(plain(30), 10))
	for _, delta := range []float64{1e-2, 1e-5, 1e-10} {
		at := ask(t, &b, delta)
		low, err := b.Delta(at.Upper)
		require.NoError(t, err)
		require.LessOrEqual(t, low.Lower, delta)
		high, err := b.Delta(at.Lower)
		require.NoError(t, err)
		require.GreaterOrEqual(t, high.Upper, delta)
		require.InEpsilon(t, delta, low.Upper, 1e-6)
	}
}

// Questions change nothing, and a run that was saved and restored halfway answers to the bit as the one that was not.
func TestQuestionsAndRestartsChangeNothing(t *testing.T) {
	t.Parallel()
	for name := range accountants() {
		if name == "PLD" {
			continue // one question is in TestDistribution
		}
		fresh := accountants()
		whole, asked := fresh[name], accountants()[name]
		for i := range 40 {
			e := plain(2 + float64(i%3))
			require.NoError(t, whole.Step(e))
			require.NoError(t, asked.Step(e))
			first := ask(t, asked, 1e-6)
			require.Equal(t, first, ask(t, asked, 1e-6), name)
			if i == 20 {
				state, err := asked.State()
				require.NoError(t, err)
				asked = accountants()[name]
				require.NoError(t, asked.Restore(state))
			}
		}
		require.Equal(t, ask(t, whole, 1e-5), ask(t, asked, 1e-5), name)
		d1, err := whole.Delta(2)
		require.NoError(t, err)
		d2, err := asked.Delta(2)
		require.NoError(t, err)
		require.Equal(t, d1, d2, name)
	}
}

func TestBestWhileStepping(t *testing.T) {
	t.Parallel()
	var b Best
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 300 {
				if err := b.Step(sampled(.02, 1+float64((i+w)%2))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		last := 0.0
		for range 15 {
			got, err := b.Delta(3)
			if err != nil {
				t.Error(err)
			}
			if got.Upper < last*(1-1e-6) {
				t.Errorf("delta fell from %v to %v", last, got.Upper)
			}
			last = got.Upper
		}
	})
	wg.Wait()
	var whole Best
	require.NoError(t, whole.Add(sampled(.02, 1), 450))
	require.NoError(t, whole.Add(sampled(.02, 2), 450))
	require.Equal(t, ask(t, &whole, 1e-5), ask(t, &b, 1e-5))
}

func TestStepsOfAllAccountantsAllocateNothing(t *testing.T) {
	var e Event = sampled(.01, 1) // in the interface once: a call through an interface may not do that for free
	for name, a := range accountants() {
		require.NoError(t, a.Step(e))
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.Step(e) }), name)
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	var none *Distribution
	_, err := none.Epsilon(1e-5)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = new(Distribution).Delta(1)
	require.ErrorIs(t, err, ErrInvalid)
	var p PLD
	empty, err := p.Distribution(1e-5)
	require.NoError(t, err)
	d0, err := empty.Epsilon(1e-5)
	require.NoError(t, err)
	require.Equal(t, nothing(), d0)

	require.NoError(t, p.Add(sampled(.1, 2), 50))
	require.NoError(t, p.Add(plain(20), 3))
	require.NoError(t, p.Add(plain(30), 5))
	var b Best
	require.NoError(t, b.Merge(&p))
	d, err := p.Distribution(1e-5)
	require.NoError(t, err)
	for _, delta := range []float64{1e-4, 1e-5, 1e-6} {
		want := ask(t, &b, delta)
		got, err := d.Epsilon(delta)
		require.NoError(t, err)
		require.LessOrEqual(t, got.Lower, want.Upper)
		require.GreaterOrEqual(t, got.Upper, want.Lower)
		require.InEpsilon(t, want.Upper, got.Upper, 1e-3)
	}
	saved, err := d.MarshalBinary()
	require.NoError(t, err)
	var loaded Distribution
	require.NoError(t, loaded.UnmarshalBinary(saved))
	for _, delta := range []float64{1e-3, 1e-5, 1e-7} {
		was, err := d.Epsilon(delta)
		require.NoError(t, err)
		is, err := loaded.Epsilon(delta)
		require.NoError(t, err)
		require.Equal(t, was, is)
	}
	for i := 0; i < len(saved); i += len(saved)/8 + 1 {
		damaged := bytes.Clone(saved)
		damaged[i] ^= 1
		require.ErrorIs(t, new(Distribution).UnmarshalBinary(damaged), ErrInvalid)
	}
	_, err = none.MarshalBinary()
	require.ErrorIs(t, err, ErrInvalid)

	if slow {
		return
	}
	got, err := p.Epsilon(1e-5)
	require.NoError(t, err)
	again, err := p.Epsilon(1e-5)
	require.NoError(t, err)
	require.Equal(t, got, again)
	at, err := p.Delta(got.Upper)
	require.NoError(t, err)
	encloses(t, at, 1e-5, 1e-3, "delta")
	_, err = p.Distribution(2)
	require.ErrorIs(t, err, ErrInvalid)
}

func BenchmarkBest(b *testing.B) {
	for _, n := range []int{1e2, 1e3, 1e4, 1e5, 1e6} {
		b.Run(fmt.Sprintf("steps=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var a Best
				_ = a.Add(sampled(.01, 1), n)
				_, _ = a.Epsilon(1e-5)
			}
		})
	}
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		var a Best
		_ = a.Add(sampled(.01, 1), 1e4)
		for b.Loop() {
			_ = a.Step(sampled(.01, 1))
			_, _ = a.Epsilon(1e-5)
		}
	})
	b.Run("distinct=1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var a Best
			for i := range 1000 {
				_ = a.Add(sampled(.01, 1+float64(i)/1000), 10)
			}
			_, _ = a.Epsilon(1e-5)
		}
	})
}

func BenchmarkPLD(b *testing.B) {
	b.ReportAllocs()
	var p PLD
	_ = p.Add(sampled(1e-4, .8), 1000)
	for b.Loop() {
		_, _ = p.Epsilon(1e-5)
	}
}

// A single step has a closed form: the larger direction is the one that removes a record.
func TestSingleStep(t *testing.T) {
	t.Parallel()
	for _, a := range []Accountant{new(Tight), new(Best)} {
		require.NoError(t, a.Step(sampled(.01, .5)))
		got := ask(t, a, 1e-5)
		require.Equal(t, "single step", got.Method)
		require.LessOrEqual(t, got.Upper-got.Lower, 1e-12*got.Upper)
		at, err := a.Delta(got.Upper)
		require.NoError(t, err)
		require.InEpsilon(t, 1e-5, at.Upper, 1e-10)
		// delta = (1-q)S(x/sigma) + q·S((x-1)/sigma) - e^eps·S(x/sigma) where the loss is eps.
		const q, sigma = .01, .5
		x := sigma*sigma*math.Log((math.Exp(got.Upper)-1+q)/q) + .5
		s := func(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
		require.InEpsilon(t, 1e-5, (1-q)*s(x/sigma)+q*s((x-1)/sigma)-math.Exp(got.Upper)*s(x/sigma), 1e-9)
	}
}
