package noise

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

// till records what it is charged for, and refuses after some events.
type till struct {
	events []privacy.Event
	limit  int
	onPay  func()
}

var errBroke = errors.New("broke")

func (b *till) Spend(e privacy.Event) error {
	if len(b.events) >= b.limit {
		return errBroke
	}
	if b.onPay != nil {
		b.onPay()
	}
	b.events = append(b.events, e)
	return e.Validate()
}

func trainer(t testing.TB, c TrainerConfig) *Trainer {
	tr, err := NewTrainer(c)
	require.NoError(t, err)
	return tr
}

// adder adds the records of a batch.
func adder(records [][]float64) func([]int, *Accumulator) error {
	return func(batch []int, sum *Accumulator) error {
		for _, i := range batch {
			if err := sum.Add(records[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// Charge, draw, add, release, in this order; and the result is that of the same steps by hand.
func TestStepByHand(t *testing.T) {
	t.Parallel()
	records := vectors(61, 200, 5)
	sampler := poisson(t, len(records), .1)
	budget := &till{limit: 10}
	tr := trainer(t, TrainerConfig{
		Sampler: sampler, Sum: accumulator(t, 5, 1), Budget: budget, Multiplier: Linear(2, 1, 4), Clip: Exponential(1, .5),
		Sources: []Source{NewNotPrivate(1), NewNotPrivate(2)},
	})
	require.False(t, tr.Private())
	hand := accumulator(t, 5, 1)
	srcs := []Source{NewNotPrivate(1), NewNotPrivate(2)}
	for step, multiplier := range []float64{2, 1.75, 1.5, 1.25, 1, 1} {
		got, want := make([]float64, 5), make([]float64, 5)
		event, err := tr.Step(got, func(batch []int, sum *Accumulator) error {
			require.Len(t, budget.events, step+1, "drawn before it was charged")
			return adder(records)(batch, sum)
		})
		require.NoError(t, err)
		require.Equal(t, privacy.Poisson{Rate: .1, Gaussian: privacy.Gaussian{StdDev: multiplier, Clip: 1, Relation: privacy.AddRemove}}, event)
		require.Equal(t, event, budget.events[step])

		require.NoError(t, hand.SetClip(math.Pow(.5, float64(step))))
		require.NoError(t, adder(records)(sampler.Draw(nil, srcs[0]), hand))
		require.NoError(t, hand.ReleaseParallel(want, multiplier, srcs))
		for i := range want {
			want[i] /= 20
		}
		require.Equal(t, want, got)
	}
	require.Equal(t, 6, tr.Steps())
}

// One batch is one charge and one noise, however many micro-batches and workers it is spread over.
func TestMicroBatchesAreOneStep(t *testing.T) {
	t.Parallel()
	records := vectors(62, 300, 4)
	var want []float64
	for micro := 1; micro <= 64; micro *= 4 {
		budget := &till{limit: 1}
		tr := trainer(t, TrainerConfig{
			Sampler: poisson(t, len(records), .3), Sum: accumulator(t, 4, 1), Budget: budget, Multiplier: Constant(1), Sources: []Source{NewNotPrivate(3)},
		})
		got := make([]float64, 4)
		_, err := tr.Step(got, func(batch []int, sum *Accumulator) error {
			worker := accumulator(t, 4, 1)
			require.ErrorIs(t, sum.SetClip(2), ErrInvalid, "that might depend on the batch")
			for i := 0; i < len(batch); i += micro {
				if err := adder(records)(batch[i:min(i+micro, len(batch))], worker); err != nil {
					return err
				}
				if err := sum.Merge(worker); err != nil {
					return err
				}
				require.ErrorIs(t, sum.Release(got, 1, NewNotPrivate()), ErrInvalid, "a micro-batch must not be released by itself")
				require.ErrorIs(t, worker.Merge(sum), ErrInvalid, "nor taken away")
			}
			return nil
		})
		require.NoError(t, err)
		require.Len(t, budget.events, 1)
		if want == nil {
			want = got
		}
		require.Equal(t, want, got)
	}
}

func TestStepReleasesNothing(t *testing.T) {
	t.Parallel()
	records := vectors(63, 50, 3)
	budget := &till{limit: 3}
	multiplier, clip := 1.0, 1.0
	sum := accumulator(t, 3, 1)
	src := NewNotPrivate(4)
	tr := trainer(t, TrainerConfig{
		Sampler: poisson(t, len(records), .5), Sum: sum, Budget: budget, Sources: []Source{src},
		Multiplier: func(int) float64 { return multiplier }, Clip: func(int) float64 { return clip },
	})
	dst := make([]float64, 3)
	never := func([]int, *Accumulator) error { t.Error("called without a charge"); return nil }
	// Refusals before the charge cost nothing.
	_, err := tr.Step(dst[:2], never)
	require.ErrorIs(t, err, ErrInvalid)
	for _, bad := range []float64{0, math.NaN(), 1. / 33, math.Inf(1)} {
		multiplier = bad
		_, err = tr.Step(dst, never)
		require.ErrorIs(t, err, ErrInvalid)
	}
	multiplier = 1
	for _, bad := range []float64{0, math.NaN(), math.Inf(1)} {
		clip = bad
		_, err = tr.Step(dst, never)
		require.ErrorIs(t, err, ErrInvalid)
	}
	clip = 1
	require.Empty(t, budget.events)
	require.Zero(t, tr.Steps())
	require.Equal(t, NewNotPrivate(4).Uint64(), src.Uint64(), "nothing was drawn")

	// A step that fails after the charge stays charged, and its contributions do not reach the next one.
	cause := errors.New("out of memory")
	event, err := tr.Step(dst, func(batch []int, sum *Accumulator) error {
		require.NoError(t, adder(records)(batch, sum))
		return cause
	})
	require.ErrorIs(t, err, cause)
	require.Equal(t, budget.events[0], event)
	require.Zero(t, sum.Examples())
	// A record that contributes twice would cost more than was charged.
	_, err = tr.Step(dst, func(batch []int, sum *Accumulator) error {
		return adder(records)(append(batch, batch[0]), sum)
	})
	require.ErrorIs(t, err, ErrInvalid)
	require.Zero(t, sum.Examples())
	require.Equal(t, make([]float64, 3), dst)
	require.Panics(t, func() {
		_, _ = tr.Step(dst, func(batch []int, sum *Accumulator) error {
			require.NoError(t, adder(records)(batch, sum))
			panic("bug")
		})
	})
	require.Equal(t, make([]float64, 3), dst)
	require.Len(t, budget.events, 3)
	require.Equal(t, 3, tr.Steps())
	_, err = tr.Step(dst, never)
	require.ErrorIs(t, err, errBroke)
	require.Equal(t, 3, tr.Steps())
	require.Zero(t, sum.Examples())
	require.ErrorIs(t, sum.Release(dst, 1, src), ErrInvalid, "the sum is the trainer's")
}

// Epochs are charged once, when they begin, and their noise does not change until they end.
func TestEpochsAreChargedOnce(t *testing.T) {
	t.Parallel()
	for _, sampler := range []Sampler{shuffled(t, 40, 10), allocation(t, 40, 4)} {
		budget := &till{limit: 2}
		tr := trainer(t, TrainerConfig{
			Sampler: sampler, Sum: accumulator(t, 1, 1), Budget: budget, Multiplier: Linear(8, 4, 4), Sources: []Source{NewNotPrivate(5)},
		})
		seen := make([]int, 40)
		for step := range 8 {
			event, err := tr.Step(make([]float64, 1), func(batch []int, _ *Accumulator) error {
				for _, i := range batch {
					seen[i]++
				}
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, step%4 == 0, event != nil)
			require.Equal(t, []float64{8, 4}[step/4], tr.multiplier)
		}
		for _, n := range seen {
			require.Equal(t, 2, n)
		}
		g := privacy.Gaussian{StdDev: 8, Clip: 1}
		require.Equal(t, sampler.Cost(g), budget.events[0])
		g.StdDev = 4
		require.Equal(t, sampler.Cost(g), budget.events[1])
		_, err := tr.Step(make([]float64, 1), nil)
		require.ErrorIs(t, err, errBroke)
	}
}

// A sampler that someone else draws from too would put a record twice into what one charge pays for.
func TestSamplerOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, sampler := range []Sampler{shuffled(t, 6, 2), allocation(t, 6, 3)} {
		budget := &till{limit: 9}
		config := TrainerConfig{Sampler: sampler, Sum: accumulator(t, 1, 1), Budget: budget, Multiplier: Constant(1), Sources: []Source{NewNotPrivate(6)}}
		a := trainer(t, config)
		config.Sum = accumulator(t, 1, 1)
		b := trainer(t, config)
		add := func([]int, *Accumulator) error { return nil }
		_, err := a.Step(make([]float64, 1), add)
		require.NoError(t, err)
		_, err = b.Step(make([]float64, 1), add)
		require.ErrorIs(t, err, ErrInvalid)
		require.Len(t, budget.events, 1)
		sampler.Draw(nil, NewNotPrivate(7))
		_, err = a.Step(make([]float64, 1), add)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// With an adaptive sum the multiplier that is charged is that of gradient and count together.
func TestTrainerAdapts(t *testing.T) {
	t.Parallel()
	const n = 400
	budget := &till{limit: 100}
	sum := adapting(t, 1, 1, Quantile{Batch: n * .5, Share: .2})
	tr := trainer(t, TrainerConfig{
		Sampler: poisson(t, n, .5), Sum: sum, Budget: budget, Multiplier: Constant(1.5), Sources: []Source{NewNotPrivate(8), NewNotPrivate(9)},
	})
	for range 100 {
		_, err := tr.Step(make([]float64, 1), func(batch []int, sum *Accumulator) error {
			for _, i := range batch {
				if err := sum.Add([]float64{float64(i) / 10}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
	require.InDelta(t, 20, sum.Clip(), 3)
	for _, e := range budget.events {
		require.Equal(t, budget.events[0], e, "whatever the clip norm, the cost is one")
		require.Equal(t, 1.5, e.(privacy.Poisson).Gaussian.Multiplier())
	}
}

func TestTrainerSpendsFromAFilter(t *testing.T) {
	t.Parallel()
	step := poisson(t, 1000, .05).Cost(privacy.Gaussian{StdDev: 1, Clip: 1, Relation: privacy.AddRemove})
	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 2, Delta: 1e-5}, step)
	require.NoError(t, err)
	left, err := filter.Remaining(step)
	require.NoError(t, err)
	require.Positive(t, left)
	tr := trainer(t, TrainerConfig{Sampler: poisson(t, 1000, .05), Sum: accumulator(t, 2, 1), Budget: filter, Multiplier: Constant(1)})
	require.True(t, tr.Private())
	steps := 0
	for ; ; steps++ {
		if _, err = tr.Step(make([]float64, 2), func([]int, *Accumulator) error { return nil }); err != nil {
			break
		}
	}
	var exhausted *privacy.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.EqualValues(t, left, steps)
}

func TestTrainerRefuses(t *testing.T) {
	t.Parallel()
	good := func() TrainerConfig {
		return TrainerConfig{Sampler: poisson(t, 10, .5), Sum: accumulator(t, 1, 1), Budget: &till{}, Multiplier: Constant(1)}
	}
	src := NewNotPrivate()
	for i, change := range []func(*TrainerConfig){
		func(c *TrainerConfig) { c.Sampler = nil },
		func(c *TrainerConfig) { c.Sampler = new(PoissonSampler) },
		func(c *TrainerConfig) { c.Sum = nil },
		func(c *TrainerConfig) { c.Sum = new(Accumulator) },
		func(c *TrainerConfig) { require.NoError(t, c.Sum.Add([]float64{1})) },
		func(c *TrainerConfig) { trainer(t, *c) },
		func(c *TrainerConfig) { c.Budget = nil },
		func(c *TrainerConfig) { c.Multiplier = nil },
		func(c *TrainerConfig) { c.Sources = []Source{} },
		func(c *TrainerConfig) { c.Sources = []Source{nil} },
		func(c *TrainerConfig) { c.Sources = []Source{src, src} },
		func(c *TrainerConfig) { c.Clip, c.Sum = Constant(1), adapting(t, 1, 1, Quantile{Batch: 5}) },
	} {
		c := good()
		change(&c)
		_, err := NewTrainer(c)
		require.ErrorIs(t, err, ErrInvalid, "case %d", i)
	}
	_, err := NewTrainer(good())
	require.NoError(t, err)
}

// One source that can be predicted is enough: it is said wherever the trainer or the source is shown.
func TestNotPrivateIsShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sources []Source
		private bool
	}{
		{nil, true}, {[]Source{new(Crypto), new(Crypto)}, true}, {[]Source{NewNotPrivate(1)}, false},
		{[]Source{new(Crypto), NewNotPrivate(1)}, false}, {[]Source{NewNotPrivate(1), new(Crypto)}, false},
		{[]Source{&script{}}, false}, {[]Source{counting{Source: new(Crypto)}}, false},
	} {
		tr := trainer(t, TrainerConfig{Sampler: poisson(t, 10, .5), Sum: accumulator(t, 1, 1), Budget: &till{}, Multiplier: Constant(1), Sources: c.sources})
		require.Equal(t, c.private, tr.Private())
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("run", "trainer", tr)
		require.Contains(t, log.String(), fmt.Sprint("trainer.private=", c.private))
		for _, shown := range []string{fmt.Sprint(tr), fmt.Sprintf("%+v", tr)} {
			require.Equal(t, !c.private, strings.Contains(shown, "NOT private"), shown)
		}
	}
	// Keys and words never reach a log.
	crypto, err := NewCrypto()
	require.NoError(t, err)
	crypto.Uint64()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		require.Equal(t, "noise.Crypto", fmt.Sprintf(verb, crypto))
		require.Equal(t, "noise.NotPrivate", fmt.Sprintf(verb, NewNotPrivate(12345)))
		require.NotContains(t, fmt.Sprintf(verb, TrainerConfig{Sources: []Source{crypto}}), "buf")
	}
}

func TestStepAllocations(t *testing.T) {
	records := vectors(64, 100, 10)
	tr := trainer(t, TrainerConfig{
		Sampler: poisson(t, 100, .5), Sum: accumulator(t, 10, 1), Budget: &till{limit: math.MaxInt}, Multiplier: Constant(1), Sources: []Source{NewNotPrivate()},
	})
	dst, add := make([]float64, 10), adder(records)
	// The event, the sampler of the noise, and what the till of the test keeps.
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = tr.Step(dst, add) }), 8.0)
}

func BenchmarkStep(b *testing.B) {
	b.ReportAllocs()
	records := vectors(65, 1000, 1000)
	tr := trainer(b, TrainerConfig{
		Sampler: poisson(b, 1000, .1), Sum: accumulator(b, 1000, 1), Budget: &till{limit: math.MaxInt}, Multiplier: Constant(1),
	})
	dst, add := make([]float64, 1000), adder(records)
	for b.Loop() {
		if _, err := tr.Step(dst, add); err != nil {
			b.Fatal(err)
		}
	}
}

// Two steps at once would share the coins of one batch and be charged as two.
func TestStepWithinAStepIsRefused(t *testing.T) {
	t.Parallel()
	sampler, err := NewPoissonSampler(10, .5)
	require.NoError(t, err)
	sum, err := NewAccumulator(1, 1)
	require.NoError(t, err)
	var charged spent
	trainer, err := NewTrainer(TrainerConfig{Sampler: sampler, Sum: sum, Multiplier: Constant(1), Clip: Constant(7), Budget: &charged})
	require.NoError(t, err)
	dst := make([]float64, 1)
	_, err = trainer.Step(dst, func([]int, *Accumulator) error {
		_, err := trainer.Step(dst, func([]int, *Accumulator) error { return nil })
		return err
	})
	require.ErrorIs(t, err, ErrInvalid)
	require.Len(t, charged.events, 1)
	_, err = trainer.Step(dst, func([]int, *Accumulator) error { return nil })
	require.NoError(t, err)
	charged.refuse = true
	clip := sum.Clip()
	_, err = trainer.Step(dst, func([]int, *Accumulator) error { return nil })
	require.Error(t, err)
	require.Equal(t, clip, sum.Clip(), "a step that is not paid for changes nothing")
}

// spent is a Spender that keeps what it was charged for.
type spent struct {
	events []privacy.Event
	refuse bool
}

func (s *spent) Spend(e privacy.Event) error {
	if s.refuse {
		return privacy.ErrExhausted
	}
	s.events = append(s.events, e)
	return nil
}
