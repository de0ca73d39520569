package resources_test

import (
	"context"
	"fmt"
	"syscall"

	"github.com/surefoot-ml/surefoot/resources"
)

// trainBatch stands for a step on a device of 1000 MB, of which the model takes 300 and each example 2.
func trainBatch(size int) resources.BatchUse {
	used := uint64(300 + 2*size)
	u := resources.BatchUse{Size: size, Used: resources.Of(used), Limit: resources.Of(uint64(1000))}
	if used > 1000 {
		u.Err = fmt.Errorf("step: %w", syscall.ENOMEM)
	}
	return u
}

func ExampleScaler() {
	scaler, err := resources.NewScaler(resources.ScalerConfig{
		Max: 1024, Multiple: 8, Start: 512, GrowAfter: 20,
		Examples: 60000,
		OnChange: func(_ context.Context, c resources.BatchChange) error {
			// Here a privacy accountant learns of the new sampling rate, before a batch has it; an error would prevent it.
			fmt.Printf("%d -> %d (%v), sampling rate %.4f\n", c.From, c.To, c.Reason, c.ToRate)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for range 200 {
		size, err := scaler.Next(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := scaler.Observe(trainBatch(size)); err != nil {
			fmt.Println(err)
			return
		}
	}
	r := scaler.Report()
	fmt.Printf("learned: %.0f MB and %.0f MB per example\n", r.Fixed.V, r.PerExample.V)
	// Output:
	// 512 -> 256 (ran out of memory), sampling rate 0.0043
	// 256 -> 264 (grown), sampling rate 0.0044
	// learned: 300 MB and 2 MB per example
}

func ExampleScaler_Find() {
	scaler, err := resources.NewScaler(resources.ScalerConfig{Max: 1024, Multiple: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	size, err := scaler.Find(context.Background(), func(_ context.Context, size int) resources.BatchUse {
		return trainBatch(size) // on examples made up for the purpose, and without keeping the result
	})
	fmt.Println(size, err)
	// Output:
	// 272 <nil>
}
