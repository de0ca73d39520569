package privacy

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	_ Accountant = (*RDP)(nil)
	_ Accountant = (*Moments)(nil)
)

func plain(sigma float64) Gaussian { return Gaussian{StdDev: sigma, Clip: 1, Relation: AddRemove} }

// Workers that recorded shares of one schedule give, merged, the accountant that recorded all of it, to the bit.
func TestMergeIsRecordingEverything(t *testing.T) {
	t.Parallel()
	var all, sum RDP
	workers := make([]Moments, 3) // another kind of accountant: only counts are merged
	for i := range 300 {
		e := sampled(.01, 1+float64(i%7)/10)
		require.NoError(t, all.Step(e))
		require.NoError(t, workers[i%3].Step(e))
	}
	for i := range workers {
		before, err := workers[i].State()
		require.NoError(t, err)
		require.NoError(t, sum.Merge(&workers[i]))
		after, err := workers[i].State()
		require.NoError(t, err)
		require.Equal(t, before, after, "the other accountant is not changed")
		require.NoError(t, workers[i].Step(sampled(.01, 1)), "nor shared")
	}
	require.Equal(t, epsilon(t, &all, 1e-5), epsilon(t, &sum, 1e-5))
	want, err := all.State()
	require.NoError(t, err)
	got, err := sum.State()
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	require.NoError(t, sum.Merge(&sum), "twice the history, not a deadlock")
	require.NoError(t, all.Merge(&sum))
	r, err := all.Renyi(4)
	require.NoError(t, err)
	var one RDP
	require.NoError(t, one.Restore(want))
	r1, err := one.Renyi(4)
	require.NoError(t, err)
	require.InEpsilon(t, 3*r1, r, 1e-12)
}

func TestMergeIsAllOrNothing(t *testing.T) {
	t.Parallel()
	replace := Gaussian{StdDev: 1, Clip: 1, Relation: ReplaceOne}
	for name, fill := range map[string]func(r, other *RDP) error{
		"relation": func(r, other *RDP) error { return other.Add(replace, 1) },
		"overflow": func(r, other *RDP) error {
			// Two of two events fit, the third does not.
			for _, e := range []Event{plain(1), plain(2), plain(3)} {
				if err := other.Add(e, math.MaxInt); err != nil {
					return err
				}
			}
			r.history.entries[plain(3)].count = math.MaxInt64 - 1 // what Add cannot reach with a 32-bit int
			other.history.entries[plain(3)].count = math.MaxInt64
			return nil
		},
	} {
		var r, other RDP
		require.NoError(t, r.Add(plain(3), 5))
		require.NoError(t, fill(&r, &other), name)
		before, err := r.State()
		require.NoError(t, err)
		require.ErrorIs(t, r.Merge(&other), ErrInvalid, name)
		after, err := r.State()
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), name)
	}
	var r RDP
	require.ErrorIs(t, r.Merge(nil), ErrInvalid)
	require.ErrorIs(t, r.Merge(foreign{}), ErrInvalid)
	require.ErrorIs(t, r.Add(plain(1), -1), ErrInvalid)
}

type foreign struct{ Accountant }

// A count never wraps: the step that would is refused, on the fast path too.
func TestCountsDoNotWrap(t *testing.T) {
	t.Parallel()
	var r RDP
	require.NoError(t, r.Step(plain(1)))
	r.history.last.count = math.MaxInt64 - 1
	r.heat(r.history.last)
	require.Nil(t, r.hot.Load()) // too near to the end to be counted without the lock
	require.NoError(t, r.Step(plain(1)))
	require.ErrorIs(t, r.Step(plain(1)), ErrInvalid)
	require.ErrorIs(t, r.Add(plain(1), 1), ErrInvalid)
	require.NoError(t, r.Add(plain(1), 0))
	got, err := r.Epsilon(1e-5)
	require.NoError(t, err)
	require.Greater(t, got.Upper, 1e18)
}

// Steps that are counted without the lock are in every answer that begins after them, whoever changes the event meanwhile.
func TestStepsAreNotLost(t *testing.T) {
	t.Parallel()
	const workers, steps = 8, 4000
	var r RDP
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range steps {
				if r.Step(plain(float64(1+i*w/997%3))) != nil {
					t.Error("refused")
				}
				switch i % 500 {
				case w:
					if r.Add(plain(4), 2) != nil {
						t.Error("refused")
					}
				case w + 100:
					if saved, err := r.State(); err != nil || r.Restore(saved) != nil {
						t.Error("not saved")
					}
				case w + 200:
					var seen int64
					for _, x := range r.snapshot() {
						seen += x.count
					}
					if seen < int64(i+1) {
						t.Errorf("%d of at least %d", seen, i+1)
					}
				}
			}
		})
	}
	wg.Wait()
	var seen int64
	for _, x := range r.snapshot() {
		seen += x.count
	}
	require.EqualValues(t, workers*(steps+2*steps/500), seen)
}

// A checkpoint of one accountant is a checkpoint for every other.
func TestStateIsOfCountsAlone(t *testing.T) {
	t.Parallel()
	var r RDP
	var m Moments
	require.NoError(t, r.Add(sampled(.01, 1), 1000))
	state, err := r.State()
	require.NoError(t, err)
	require.NoError(t, m.Restore(state))
	again, err := m.State()
	require.NoError(t, err)
	require.Equal(t, string(state), string(again))
}

func TestMergeWhileStepping(t *testing.T) {
	t.Parallel()
	var a, b RDP
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				e := sampled(.01, 1+float64((i+w)%3))
				if err := a.Step(e); err != nil {
					t.Error(err)
				}
				if err := b.Step(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		var c RDP
		for range 20 {
			if err := c.Merge(&a); err != nil {
				t.Error(err)
			}
			if err := c.Merge(&b); err != nil {
				t.Error(err)
			}
			if _, err := a.Epsilon(1e-5); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	require.NoError(t, a.Merge(&b))
	total := int64(0)
	for _, x := range a.snapshot() {
		total += x.count
	}
	require.EqualValues(t, 1600, total)
}

// The original conversion at integer moments is a bound and looser than the best order. The figure is that of the usual example of the
// moments accountant: rate 0.01, noise 4, 10 000 steps, delta 1e-5 give epsilon 1.26.
func TestMoments(t *testing.T) {
	t.Parallel()
	var m Moments
	var r RDP
	for _, a := range []Accountant{&m, &r} {
		require.NoError(t, a.Add(sampled(.01, 4), 10000))
	}
	got, err := m.Epsilon(1e-5)
	require.NoError(t, err)
	require.InDelta(t, 1.26, got.Upper, .005)
	require.Equal(t, "moment 19", got.Method)
	require.True(t, got.Converged)
	require.Greater(t, got.Upper, epsilon(t, &r, 1e-5))
	back, err := m.Delta(got.Upper)
	require.NoError(t, err)
	require.InEpsilon(t, 1e-5, back.Upper, 1e-9)

	few, err := NewMoments(4)
	require.NoError(t, err)
	require.NoError(t, few.Merge(&m))
	short, err := few.Epsilon(1e-5)
	require.NoError(t, err)
	require.False(t, short.Converged, "the best moment lies beyond the list")
	require.Greater(t, short.Upper, got.Upper)
	for _, n := range []int{-1, 4097} {
		_, err := NewMoments(n)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// With many distinct mechanisms the search looks at some of them: the bound stays one and loses next to nothing.
func TestManyDistinctEvents(t *testing.T) {
	t.Parallel()
	for _, n := range []int{maxTerms + 1, 1000} {
		if slow && n == 1000 {
			break
		}
		var r RDP
		for i := range n {
			require.NoError(t, r.Add(sampled(.02-.01*float64(i)/float64(n), .8+float64(i*i%n)/float64(n)), 40))
		}
		got, err := r.Epsilon(1e-5)
		require.NoError(t, err)
		best := math.Inf(1)
		for x := -1.0; x < 3; x += 1. / 16 {
			k := r.ladder.total(newRung(1+math.Exp2(x)), r.ladder.terms)
			best = min(best, epsilonAt(math.Exp2(x), k, 1e-5))
		}
		require.InEpsilon(t, best, got.Upper, 2e-4, "%d events", n)
	}
}

// The values that are kept are dropped when there are too many of them, which changes no answer.
func TestDroppedCurvesChangeNothing(t *testing.T) {
	t.Parallel()
	var r RDP
	for i := range 10 {
		require.NoError(t, r.Add(sampled(.01, 1+float64(i)), 100))
	}
	want := epsilon(t, &r, 1e-5)
	r.ladder.kept = maxKept + 1
	require.Equal(t, want, epsilon(t, &r, 1e-5))
	require.Less(t, r.ladder.kept, 1000)
	require.Equal(t, want, epsilon(t, &r, 1e-5))
}

func TestWarmEpsilonAllocatesNothing(t *testing.T) {
	var r RDP
	for i := range 3 {
		require.NoError(t, r.Add(sampled(.01, 1+float64(i)), 1000))
	}
	_ = epsilon(t, &r, 1e-5)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = r.Epsilon(1e-5) }))
}

func BenchmarkDistinct(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r RDP
				for i := range n {
					_ = r.Step(sampled(.01+float64(i)*1e-7, 1+float64(i)/float64(n)))
				}
				_, _ = r.Epsilon(1e-5)
			}
		})
	}
}
