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

	// Kept from one step to the next only to spare allocations.
	sampler *noise.PoissonSampler
	sums    []*noise.Accumulator // one per worker
	batch   []int
	update  []float64
	watched []dataset.Example // held-out examples on which the loss is watched

	saved struct { // the state before the step in progress
		weights, velocity []float64
		applied           int
	}

	sources func(step int) ([]noise.Source, error) // of all randomness of one attempt, noiseParts of them
	release func() error                           // must succeed before noise is drawn
	faults  *faultPlan
}

// noiseParts is how many parts of the noise are drawn side by side: a constant, for what is drawn must not depend on the
// machine.
const noiseParts = 4

// watchedExamples is how many held-out examples the loss of a step is computed on.
const watchedExamples = 1024

func newLearner(data *dataset.Dataset, set settings) (*learner, error) {
	l := &learner{data: data, set: set, model: softmax.New(len(data.Classes), data.Dim)}
	n := len(l.model.Weights)
	l.velocity, l.update = make([]float64, n), make([]float64, n)
	l.saved.weights, l.saved.velocity = make([]float64, n), make([]float64, n)
	l.watched = data.Heldout[:min(watchedExamples, len(data.Heldout))]
	var err error
	if l.sampler, err = noise.NewPoissonSampler(len(data.Train), set.sampling(len(data.Train))); err != nil {
		return nil, err
	}
	l.sums = make([]*noise.Accumulator, min(4, runtime.GOMAXPROCS(0)))
	for i := range l.sums {
		if l.sums[i], err = noise.NewAccumulator(n, set.Clip); err != nil {
			return nil, err
		}
	}
	return l, nil
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

// event is what one step costs, as the sampler and the noise themselves say.
func (l *learner) event() privacy.Poisson { return l.sampler.Event(l.sums[0].Event(l.set.Noise)) }

// step is one step of DP-SGD (Abadi et al., 2016): a Poisson sample of the examples, the gradient of each clipped, the sum
// with Gaussian noise on an integer grid, an update with momentum.
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
	sources, err := l.sources(n)
	if err != nil {
		return 0, err
	}
	l.batch = l.sampler.Draw(l.batch[:0], sources[0])
	sum, err := l.gradients()
	if err != nil {
		return 0, err
	}
	if err := l.release(); err != nil {
		return 0, err
	}
	if err := sum.ReleaseParallel(l.update, l.set.Noise, sources); err != nil {
		return 0, err
	}
	if err := l.faults.strike(ctx, afterRelease); err != nil {
		return 0, err
	}

	scale := 1 / (l.sampler.Rate() * float64(l.sampler.N())) // the expected batch size: the real one is private
	w := l.model.Weights
	for i, u := range l.update {
		if i == len(w)/2 {
			if err := l.faults.strike(ctx, halfApplied); err != nil {
				return 0, err
			}
		}
		l.velocity[i] = l.set.Momentum*l.velocity[i] + u*scale
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
func (l *learner) gradients() (*noise.Accumulator, error) {
	var group errgroup.Group
	for w, sum := range l.sums {
		group.Go(func() error {
			var g softmax.Gradient
			sum.Reset()
			for i := w; i < len(l.batch); i += len(l.sums) {
				l.model.Gradient(l.data.Train[l.batch[i]], &g)
				if err := sum.AddSparse(g.Index, g.Value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, other := range l.sums[1:] {
		if err := l.sums[0].Merge(other); err != nil {
			return nil, err
		}
	}
	return l.sums[0], nil
}
