package resources_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/surefoot-ml/surefoot/resources"
)

func ExampleReservations() {
	memory, err := resources.NewReservations(resources.ReservationsConfig{Capacity: 16 << 30, Grace: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	cache, err := memory.Reserve(ctx, resources.Claim{
		Owner: "cache", Amount: 10 << 30, Priority: 1,
		OnEvict: func(e resources.Eviction) { fmt.Println("the cache gives way to", e.By) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = memory.Reserve(ctx, resources.Claim{Owner: "evaluation", Amount: 10 << 30, Priority: 1})
	fmt.Println("evaluation refused:", errors.Is(err, resources.ErrNoRoom))

	training, err := memory.Reserve(ctx, resources.Claim{Owner: "training", Amount: 12 << 30, Priority: 5, Evict: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer training.Release()
	fmt.Println(cache.Err())
	// Output:
	// evaluation refused: true
	// the cache gives way to training
	// resources: reservation is evicted
}
