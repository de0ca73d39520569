package noise_test

import (
	"errors"
	"fmt"

	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/noise"
)

// One step of private training: draw, charge, sum, release.
func Example() {
	records := make([][]float64, 1000)
	for i := range records {
		records[i] = []float64{1, float64(i%7) - 3}
	}
	const clip, multiplier = 1.0, 1.1

	src := noise.NewNotPrivate(1, 2) // noise.NewCrypto to protect data; this one makes the example reproducible
	sampler, err := noise.NewPoissonSampler(len(records), 0.05)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := noise.NewAccumulator(2, clip)
	if err != nil {
		fmt.Println(err)
		return
	}
	step := sampler.Event(sum.Event(multiplier))
	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 4, Delta: 1e-5}, step)
	if err != nil {
		fmt.Println(err)
		return
	}

	if err := filter.Spend(step); err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range sampler.Draw(nil, src) {
		if err := sum.Add(records[i]); err != nil {
			fmt.Println(err)
			return
		}
	}
	gradient := make([]float64, sum.Dim())
	if err := sum.Release(gradient, multiplier, src); err != nil {
		fmt.Println(err)
		return
	}
	expected := float64(sampler.N()) * sampler.Rate()
	fmt.Printf("gradient %.2f, private noise: %v\n", gradient[0]/expected, noise.Private(src))
	left, err := filter.Remaining(step)
	fmt.Println("steps left:", left, err)
	// Output:
	// gradient 0.56, private noise: false
	// steps left: 156 <nil>
}

// The same with a Trainer, which cannot forget the charge.
func ExampleTrainer() {
	records := make([][]float64, 1000)
	for i := range records {
		records[i] = []float64{1, float64(i%7) - 3}
	}
	sampler, err := noise.NewPoissonSampler(len(records), 0.05)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := noise.NewAccumulator(2, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := sampler.Event(privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove})
	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 4, Delta: 1e-5}, plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	trainer, err := noise.NewTrainer(noise.TrainerConfig{
		Sampler: sampler, Sum: sum, Multiplier: noise.Constant(1.1), Budget: filter,
		Sources: []noise.Source{noise.NewNotPrivate(1, 2)}, // leave it out to protect data; this one makes the example reproducible
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	gradient := make([]float64, 2)
	for {
		_, err = trainer.Step(gradient, func(batch []int, sum *noise.Accumulator) error {
			for _, i := range batch {
				if err := sum.Add(records[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			break
		}
		// Move the weights along the gradient.
	}
	var exhausted *privacy.ExhaustedError
	fmt.Printf("%d steps, then the budget was exhausted: %v\n", trainer.Steps(), errors.As(err, &exhausted))
	// Output:
	// 157 steps, then the budget was exhausted: true
}

func ExampleDiscreteLaplace_Release() {
	noisy, err := noise.Laplace(2) // epsilon 1/2 for counts of records
	if err != nil {
		fmt.Println(err)
		return
	}
	counts := []int64{120, 45, 0}
	event := noisy.Event(1) // to be charged before the release
	if err := noisy.Release(counts, counts, noise.NewNotPrivate(1)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(counts, event.Scale, event.Sensitivity)
	// Output:
	// [123 47 0] 2 1
}
