package resources_test

import (
	"context"
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/resources"
)

// card stands for a driver that does not know the power.
type card struct{}

func (card) ReadGPUs(_ context.Context, each func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error {
	each("GPU-5c1d", "H100", 0.97, 80<<30, 60<<30, 71, math.NaN())
	return nil
}

func ExampleGPUSource() {
	sampler, err := resources.NewSampler(resources.SamplerConfig{GPU: card{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = sampler.Close(ctx) }()
	sample, _ := sampler.Sample(ctx)
	for _, gpu := range sample.GPUs {
		fmt.Printf("%s: %.0f %% of its memory used, power known: %v\n", gpu.Name, 100*gpu.Used().V, gpu.Power.OK)
	}
	// Output:
	// H100: 75 % of its memory used, power known: false
}
