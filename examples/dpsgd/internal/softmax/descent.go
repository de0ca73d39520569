package softmax

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

// Descent is plain stochastic gradient descent, one example at a time in a fresh order every epoch, with a rate that falls
// linearly to zero. It gives NO privacy: it is what a private run on the same examples is compared with.
type Descent struct {
	Epochs int     // default 10
	Rate   float64 // of the first step, default 2
	Seed   uint64  // of the order
}

// Fit trains the model. It checks ctx once in a while and leaves the weights where they were when it ended.
func (d Descent) Fit(ctx context.Context, m *Model, examples []dataset.Example) error {
	if d.Epochs == 0 {
		d.Epochs = 10
	}
	if d.Rate == 0 {
		d.Rate = 2
	}
	if d.Epochs < 0 || !(d.Rate > 0) || math.IsInf(d.Rate, 1) {
		return fmt.Errorf("softmax: descent of %d epochs at rate %g, want both above zero", d.Epochs, d.Rate)
	}
	if len(examples) == 0 {
		return errors.New("softmax: descent on no examples")
	}
	var (
		g     Gradient
		rng   = rand.New(rand.NewPCG(d.Seed, 0))
		total = float64(d.Epochs * len(examples))
		step  = 0
	)
	for range d.Epochs {
		for _, i := range rng.Perm(len(examples)) {
			if step%1024 == 0 && ctx.Err() != nil {
				return fmt.Errorf("softmax: descent stopped: %w", context.Cause(ctx))
			}
			rate := d.Rate * (1 - float64(step)/total)
			m.Gradient(examples[i], &g)
			for k, j := range g.Index {
				m.Weights[j] -= rate * g.Value[k]
			}
			step++
		}
	}
	return nil
}
