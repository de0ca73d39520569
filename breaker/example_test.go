package breaker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// A preset is a value to change where you know better.
func ExampleForStep() {
	cfg := breaker.ForStep()
	cfg.Name = "train"
	cfg.SlowAfter, cfg.SlowRate = 20*time.Minute, .8 // a step takes ten
	b, err := breaker.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for b.State() == breaker.Closed {
		_ = b.Do(context.Background(), func(context.Context) error { return errors.New("loss is not finite") })
	}
	fmt.Println(b.Snapshot().Name, b.State())
	// Output: train open
}

func ExampleSet() {
	providers, err := breaker.NewSet(100, func(name string) breaker.Config {
		cfg := breaker.ForProvider()
		if name == "national grid" {
			cfg.Open = 5 * time.Minute // its data change every half hour
		}
		return cfg
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"national grid", "weather"} {
		if _, err := providers.Get(name); err != nil {
			fmt.Println(err)
			return
		}
	}
	weather, _ := providers.Get("weather")
	weather.Isolate() // for maintenance
	for _, s := range providers.Snapshots() {
		fmt.Println(s.Name, s.State)
	}
	fmt.Println(providers.Summary().Health)
	weather.Resume()
	fmt.Println(providers.Summary().Health)
	// Output:
	// national grid closed
	// weather isolated
	// degraded
	// recovering
}

// What a breaker has learnt goes over a restart as JSON.
func ExampleBreaker_Restore() {
	cfg := breaker.Config{Name: "store", Failures: 1, Open: time.Hour}
	before, err := breaker.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = before.Do(context.Background(), func(context.Context) error { return errors.New("no route to host") })
	text, err := json.Marshal(before.Snapshot())
	if err != nil {
		fmt.Println(err)
		return
	}

	var snapshot breaker.Snapshot
	if err := json.Unmarshal(text, &snapshot); err != nil {
		fmt.Println(err)
		return
	}
	after, err := breaker.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(after.Restore(snapshot), after.State())
	// Output: <nil> open
}
