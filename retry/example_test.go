package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/retry"
)

func ExamplePolicy_Do() {
	policy := retry.Policy{Attempts: 5, Delays: retry.Exponential{Base: time.Millisecond}}
	calls := 0
	err := policy.Do(context.Background(), func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("connection reset")
		}
		return nil
	})
	fmt.Println(calls, err)

	err = policy.Do(context.Background(), func(context.Context) error {
		return retry.Permanent(errors.New("no such file"))
	})
	fmt.Println(err)
	// Output:
	// 3 <nil>
	// no such file
}

// Each kind of failure has its own rules: a lost connection is tried often, a timeout once more.
func ExampleClass() {
	policy := retry.Policy{
		Attempts: 6,
		Delays:   retry.Decorrelated{Base: time.Millisecond, Max: 5 * time.Millisecond},
		Classes:  []retry.Class{{Match: retry.TimedOut, Attempts: 2}},
	}
	for _, failure := range []error{errors.New("connection reset"), context.DeadlineExceeded} {
		report, err := policy.DoReport(context.Background(), func(context.Context) error { return failure })
		fmt.Println(report.Attempts, err)
	}
	// Output:
	// 6 retry: failed after 6 attempts: connection reset
	// 2 retry: failed after 2 attempts: context deadline exceeded
}

func ExampleBudget() {
	budget := &retry.Budget{Tokens: 4}
	policy := retry.Policy{Attempts: 10, Delays: retry.Constant(0), Budget: budget}
	err := policy.Do(context.Background(), func(context.Context) error { return errors.New("connection refused") })
	fmt.Println(err)
	fmt.Println(errors.Is(err, retry.ErrBudget), budget.Left())
	// Output:
	// retry: failed after 2 attempts: retry: the budget for retries is spent; last error: connection refused
	// true 2
}

// In a Runner, delays that learn stand in two places: Retry asks them, and Attempt tells them of success.
func ExampleAdaptive() {
	storage := &retry.Adaptive{Start: retry.Constant(0)}
	run := surefoot.Runner[string, int]{
		Retry:   retry.Policy{Attempts: 5, Delays: storage},
		Attempt: []surefoot.Admitter{storage},
	}
	tries := 0
	size, err := run.Do(context.Background(), "shard-3", func(context.Context, string) (int, error) {
		if tries++; tries < 3 {
			return 0, errors.New("stale handle")
		}
		return 512, nil
	})
	outages, _, _ := storage.Outages()
	fmt.Println(size, err, outages)
	// Output: 512 <nil> 1
}
