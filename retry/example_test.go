package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

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
