package surefoot_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/retry"
	"github.com/surefoot-ml/surefoot/validate"
)

// A training loop whose step sometimes diverges, and which ends when the next step would overspend the privacy budget. A
// repeated step is charged again, for the noise of the first attempt may have been seen.
func Example() {
	event := privacy.Poisson{Rate: 0.01, Gaussian: privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove}}
	budget, err := privacy.NewFilter(privacy.Budget{Epsilon: 2, Delta: 1e-5}, event)
	if err != nil {
		panic(err)
	}
	br, err := breaker.New(breaker.Config{Failures: 5})
	if err != nil {
		panic(err)
	}
	weights, saved := 1.0, 1.0
	run := surefoot.Runner[int, float64]{
		Retry:   retry.Policy{Attempts: 4, Delays: retry.Constant(time.Millisecond)},
		Attempt: []surefoot.Admitter{br, budget.For(event)}, // the budget last: what is charged, runs
		Watch:   &retry.Deadline{Limit: time.Minute},
		Check:   func(loss float64) error { return validate.FiniteValue("loss", loss) },
		Restore: func(context.Context, error) error { weights = saved; return nil },
	}

	calls, steps := 0, 0
	for {
		saved = weights
		_, err = run.Do(context.Background(), steps+1, func(context.Context, int) (float64, error) {
			if calls++; calls%100 == 0 {
				weights = math.NaN() // once in a while a step diverges
			}
			weights *= 0.999
			return weights, nil
		})
		if err != nil {
			break
		}
		steps++
	}
	fmt.Println("budget exhausted:", errors.Is(err, privacy.ErrExhausted))
	fmt.Printf("%d steps applied, %d charged, ε ≤ %.3f\n", steps, calls, budget.Spent().Upper)
	fmt.Println("weights as if nothing had failed:", math.Abs(weights-math.Pow(0.999, float64(steps))) < 1e-12)
	// Output:
	// budget exhausted: true
	// 1390 steps applied, 1404 charged, ε ≤ 1.999
	// weights as if nothing had failed: true
}

// Anything with two functions can admit: here a file that an operator creates to hold a run.
func ExampleAdmitterFuncs() {
	held := true
	gate := surefoot.AdmitterFuncs{OnAdmit: func(context.Context) (uint64, error) {
		if held {
			return 0, errors.New("held by the operator")
		}
		return 0, nil
	}}
	run := surefoot.Runner[string, int]{Gates: []surefoot.Admitter{gate}}
	step := func(_ context.Context, batch string) (int, error) { return len(batch), nil }

	_, err := run.Do(context.Background(), "batch", step)
	fmt.Println(err)
	held = false
	fmt.Println(run.Do(context.Background(), "batch", step))
	// Output:
	// surefoot: refused by gate 0: held by the operator
	// 5 <nil>
}

// A panic goes on to the caller unless the step is wrapped.
func ExampleRecovered() {
	run := surefoot.Runner[int, int]{Retry: retry.Policy{Delays: retry.Constant(0)}}
	calls := 0
	loss, err := run.Do(context.Background(), 0, surefoot.Recovered(func(context.Context, int) (int, error) {
		if calls++; calls == 1 {
			panic("device lost")
		}
		return 42, nil
	}))
	fmt.Println(loss, err, calls)
	// Output: 42 <nil> 2
}

// A call that may simply be repeated needs no training step: the same policies go around it.
func ExampleAround() {
	calls := 0
	fetch := surefoot.Around(&surefoot.Runner[struct{}, string]{
		Retry: retry.Policy{Attempts: 3, Delays: retry.Constant(time.Millisecond)},
		Watch: &retry.Deadline{Limit: time.Second},
	}, func(context.Context) (string, error) {
		if calls++; calls < 3 {
			return "", errors.New("connection reset")
		}
		return "batch 17", nil
	})
	fmt.Println(fetch(context.Background()))
	// Output: batch 17 <nil>
}
