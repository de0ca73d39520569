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

func ExampleAdaptive() {
	calls, err := ratelimit.NewAdaptive(ratelimit.ProviderCall(60))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.0f a minute\n", 60*calls.Rate())
	err = calls.Do(context.Background(), func(context.Context) error {
		return tooManyRequests{30 * time.Second} // made of an answer 429 with its Retry-After
	})
	fmt.Println(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var limited *ratelimit.LimitedError
	if errors.As(calls.Wait(ctx), &limited) {
		fmt.Println("come back in", limited.Wait.Round(time.Second))
	}
	// Output:
	// 51 a minute
	// too many requests
	// come back in 30s
}

type tooManyRequests struct{ after time.Duration }

func (tooManyRequests) Error() string               { return "too many requests" }
func (e tooManyRequests) RetryAfter() time.Duration { return e.after }

func ExampleBulkhead_At() {
	disk, err := ratelimit.NewBulkheadWith(ratelimit.BulkheadConfig{Permits: 1, MaxWait: -1, Age: time.Minute})
	if err != nil {
		panic(err)
	}
	urgent := disk.At(5) // stands in line as if it had come five minutes earlier
	err = urgent.Do(context.Background(), func(context.Context) error {
		fmt.Println("in use:", disk.InUse())
		return nil
	})
	fmt.Println(err)
	// Output:
	// in use: 1
	// <nil>
}

func ExampleGradient() {
	reads, err := ratelimit.NewGradient(ratelimit.DataLoading(32))
	if err != nil {
		panic(err)
	}
	err = reads.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(reads.Limit(), err)
	// Output:
	// 1 <nil>
}
