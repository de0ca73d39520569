package resources_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

func ExampleSampler() {
	sampler, err := resources.NewSampler(resources.SamplerConfig{Disk: "."})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = sampler.Close(ctx) }()
	sample, err := sampler.Sample(ctx)
	if err != nil {
		fmt.Println("partly absent:", err)
	}
	used := sample.Memory.Used()
	fmt.Println("memory known:", used.OK && used.V > 0 && used.V < 1)
	fmt.Println("CPU known in the first sample:", sample.CPU.OK)
	// Output:
	// memory known: true
	// CPU known in the first sample: false
}

// nearlyFull stands for a Sampler on a machine with 5 % of its memory left.
type nearlyFull struct{}

func (nearlyFull) Sample(context.Context) (resources.Sample, error) {
	return resources.Sample{Memory: resources.Memory{Total: resources.Of(uint64(64 << 30)), Available: resources.Of(uint64(64 << 30 / 20))}}, nil
}

func ExampleGate() {
	gate, err := resources.NewGate(resources.GateConfig{
		Source:  nearlyFull{},
		MaxWait: time.Millisecond,
		OnLevel: func(c resources.Change) { fmt.Println(c.Resource, c.Was, "->", c.Now) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = gate.Admit(context.Background())
	fmt.Println("refused:", errors.Is(err, resources.ErrExhausted))
	// Output:
	// memory unknown -> critical
	// refused: true
}

func ExampleThresholds_Level() {
	limits := resources.Thresholds{Warn: 0.7, Critical: 0.95}
	fmt.Println(limits.Level(resources.Of(0.5)), limits.Level(resources.Of(0.8)), limits.Level(resources.Of(0.97)))
	fmt.Println(limits.Level(resources.Value[float64]{}))
	// Output:
	// normal warn critical
	// unknown
}
