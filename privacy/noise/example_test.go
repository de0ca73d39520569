package noise_test

import (
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
	// gradient 0.60, private noise: false
	// steps left: 156 <nil>
}
