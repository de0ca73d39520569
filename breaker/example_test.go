package breaker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/surefoot-ml/surefoot/breaker"
)

func Example() {
	b, err := breaker.New(breaker.Config{
		Name:     "feature store",
		Failures: 2,
		OnChange: func(c breaker.Change) {
			fmt.Printf("%s: %v to %v, %v (%d failed)\n", c.Name, c.From, c.To, c.Reason, c.Counts.Failures)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	load := func(context.Context) error { return errors.New("connection refused") }
	for range 3 {
		err := b.Do(context.Background(), load)
		var open *breaker.OpenError
		if errors.As(err, &open) {
			fmt.Println("not tried; to be tried again within a minute:", open.RetryAfter().Minutes() <= 1)
		} else {
			fmt.Println(err)
		}
	}
	// Output:
	// connection refused
	// feature store: closed to open, failures reached (2 failed)
	// connection refused
	// not tried; to be tried again within a minute: true
}

// A runner that calls Admit before and Done after a step gives the breaker no function to wrap.
func ExampleBreaker_Admit() {
	var b breaker.Breaker // the zero Breaker opens after five failures in a row
	ctx := context.Background()
	for range 6 {
		token, err := b.Admit(ctx)
		if err != nil {
			fmt.Println("refused:", errors.Is(err, breaker.ErrOpen))
			return
		}
		b.Done(token, errors.New("out of memory"))
	}
	// Output: refused: true
}

func ExampleConfig_classify() {
	errEmpty := errors.New("shard is empty") // says nothing about the store
	b, err := breaker.New(breaker.Config{
		FailureRate: .5,
		MinSteps:    4,
		Classify: func(err error) breaker.Outcome {
			if errors.Is(err, errEmpty) {
				return breaker.Neutral
			}
			return breaker.Classify(err)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 10 {
		_ = b.Do(context.Background(), func(context.Context) error { return errEmpty })
	}
	fmt.Println(b.State(), b.Counts().Neutral)
	// Output: closed 10
}
