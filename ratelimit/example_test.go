package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

func ExampleLimiter() {
	limit, err := ratelimit.New(1.0/3600, 1) // one checkpoint an hour
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(limit.Wait(ctx))
	err = limit.Wait(ctx)
	fmt.Println(errors.Is(err, ratelimit.ErrLimited), errors.Is(err, context.DeadlineExceeded))
	// Output:
	// <nil>
	// true true
}

func ExampleBulkhead() {
	one, err := ratelimit.NewBulkhead(1, 0)
	if err != nil {
		panic(err)
	}
	err = one.Do(context.Background(), func(ctx context.Context) error {
		fmt.Println("inside:", one.Do(ctx, nil))
		return nil
	})
	fmt.Println("after:", err)
	// Output:
	// inside: ratelimit: bulkhead is full
	// after: <nil>
}
