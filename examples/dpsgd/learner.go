package main

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/softmax"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/noise"
)

// learner is the state that a training step changes: weights, momentum and the number of steps applied.
type learner struct {
	data     *dataset.Dataset
	set      settings
	model    *softmax.Model
	velocity []float64
	applied  int
	accuracy float64 // of the last step, on the watched examples

	sampler *noise.PoissonSampler
	private *noise.Trainer       // charges, draws, sums, adds noise
	workers []*noise.Accumulator // one each
	update  []float64
	watched []dataset.Example // held-out examples on which the loss is watched

	saved struct { // the state before the step in progress
		weights, velocity []float64
		applied           int
	}

	keyed  []*noise.NotPrivate // all randomness, if the run is to be repeatable
	key    uint64              // of keyed
	faults *faultPlan
}

// noiseParts is how many parts of the noise are drawn side by side: a constant, for what is drawn must not depend on the
// machine.
const noiseParts = 4

// watchedExamples is how many held-out examples the loss of a step is computed on.
const watchedExamples = 1024

// newLearner returns a learner whose steps are paid for by budget. With a key, other than 0, they protect nobody and can be repeated.
func newLearner(data *dataset.Dataset, set settings, budget noise.Spender, key uint64) (*learner, error) {
	l := &learner{data: data, set: set, key: key, model: softmax.New(len(data.Classes), data.Dim)}
	n := len(l.model.Weights)
	l.velocity, l.update = make([]float64, n), make([]float64, n)
	l.saved.weights, l.saved.velocity = make([]float64, n), make([]float64, n)
	l.watched = data.Heldout[:min(watchedExamples, len(data.Heldout))]
	var err error
	if l.sampler, err = noise.NewPoissonSampler(len(data.Train), set.sampling(len(data.Train))); err != nil {
		return nil, err
	}
	sum, err := noise.NewAccumulator(n, set.Clip)
	if err != nil {
		return nil, err
	}
	l.workers = make([]*noise.Accumulator, min(4, runtime.GOMAXPROCS(0)))
	for i := range l.workers {
		if l.workers[i], err = noise.NewAccumulator(n, set.Clip); err != nil {
			return nil, err
		}
	}
	sources, err := l.sources()
	if err != nil {
		return nil, err
	}
	l.private, err = noise.NewTrainer(noise.TrainerConfig{
		Sampler: l.sampler, Sum: sum, Multiplier: noise.Constant(set.Noise), Budget: budget, Sources: sources,
	})
	return l, err
}

// sources returns what the noise is drawn from, part by part.
func (l *learner) sources() ([]noise.Source, error) {
	sources := make([]noise.Source, noiseParts)
	for i := range sources {
		if l.key != 0 {
			l.keyed = append(l.keyed, noise.NewNotPrivate())
			sources[i] = l.keyed[i]
			continue
		}
		fresh, err := noise.NewCrypto()
		if err != nil {
			return nil, err
		}
		sources[i] = fresh
	}
	return sources, nil
}

// snapshot keeps the state for restore.
func (l *learner) snapshot() {
	copy(l.saved.weights, l.model.Weights)
	copy(l.saved.velocity, l.velocity)
	l.saved.applied = l.applied
}

// restore undoes whatever steps have done since the snapshot.
func (l *learner) restore(context.Context, error) error {
	copy(l.model.Weights, l.saved.weights)
	copy(l.velocity, l.saved.velocity)
	l.applied = l.saved.applied
	return nil
}

// event is what one step costs, as the sampler says.
func (l *learner) event() privacy.Poisson {
	return l.sampler.Event(privacy.Gaussian{StdDev: l.set.Noise, Clip: 1, Relation: privacy.AddRemove})
}

// step is one step of DP-SGD (Abadi et al., 2016): a Poisson sample of the examples, the gradient of each clipped, the sum
// with Gaussian noise on an integer grid, divided by the expected size of the batch (the real one is private), an update with
// momentum.
//
// It returns the loss on held-out examples. The loss of the batch itself, its size, and how many gradients were clipped
// would each be a release of its own about the protected examples, and nobody has paid for that.
func (l *learner) step(ctx context.Context, n int) (loss float64, err error) {
	if n != l.applied+1 {
		return 0, fmt.Errorf("step %d after step %d", n, l.applied)
	}
	l.faults.begin(n)
	if err := l.faults.strike(ctx, atStart); err != nil {
		return 0, err
	}
	for part, source := range l.keyed {
		source.Rekey(l.key, uint64(n), uint64(part))
	}
	if _, err := l.private.Step(l.update, l.gradients); err != nil {
		return 0, err
	}
	if err := l.faults.strike(ctx, afterRelease); err != nil {
		return 0, err
	}

	w := l.model.Weights
	for i, u := range l.update {
		if i == len(w)/2 {
			if err := l.faults.strike(ctx, halfApplied); err != nil {
				return 0, err
			}
		}
		l.velocity[i] = l.set.Momentum*l.velocity[i] + u
		w[i] -= l.set.Rate * l.velocity[i]
	}
	if l.faults.poisons() {
		w[0] = math.NaN()
	}
	l.applied = n
	if err := l.faults.strike(ctx, afterApply); err != nil {
		return 0, err
	}
	loss, l.accuracy = l.model.Evaluate(l.watched)
	return loss, nil
}

// gradients clips and sums the gradients of the batch. The sum is one of integers: it has the same bits for any number of
// workers.
func (l *learner) gradients(batch []int, sum *noise.Accumulator) error {
	var group errgroup.Group
	for w, part := range l.workers {
		group.Go(func() error {
			var g softmax.Gradient
			part.Reset()
			for i := w; i < len(batch); i += len(l.workers) {
				l.model.Gradient(l.data.Train[batch[i]], &g)
				if err := part.AddSparse(g.Index, g.Value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, part := range l.workers {
		if err := sum.Merge(part); err != nil {
			return err
		}
	}
	return nil
}
