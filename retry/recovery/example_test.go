package recovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"

	"github.com/surefoot-ml/surefoot/retry/recovery"
)

// line is a model with one weight, which learns to multiply by three.
type line struct {
	Weight float64
	before float64 // of the step in progress, for Undo
}

func (l *line) Save(w io.Writer) error            { return json.NewEncoder(w).Encode(l.Weight) }
func (l *line) Restore(r io.Reader) error         { return json.NewDecoder(r).Decode(&l.Weight) }
func (l *line) Undo(context.Context, error) error { l.Weight = l.before; return nil }
func (l *line) step(x, y float64) (loss float64, _ error) {
	l.before = l.Weight
	if math.IsInf(x, 0) {
		return 0, recovery.Mark(errors.New("cannot decode"), recovery.BadData)
	}
	off := l.Weight*x - y
	l.Weight -= 0.1 * off * x
	return off * off, nil
}

// A loop in which one batch cannot be used and another one spoils the model.
func Example() {
	dir, err := os.MkdirTemp("", "checkpoints")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	data := func(batch uint64) (x, y float64) {
		switch batch {
		case 12:
			return math.Inf(1), 0
		case 25:
			return 1, math.NaN()
		}
		x = float64(batch%5)/4 + 0.5
		return x, 3 * x
	}

	ctx := context.Background()
	store, err := recovery.OpenStore(dir, recovery.StoreConfig{})
	if err != nil {
		log.Fatal(err)
	}
	model := &line{}
	sup, err := recovery.New(ctx, store, model, recovery.Config{
		Every: 10,
		Undo:  model.Undo,
		Plan: recovery.Plan{
			recovery.Diverged: {{Action: recovery.Rollback, Back: 5, Skip: 10}, {Action: recovery.FailFast}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for sup.Step() < 80 {
		b := sup.Next()
		loss, err := model.step(data(b.Index))
		d, err := sup.Done(ctx, recovery.Outcome{Loss: loss, Err: err})
		if err != nil {
			log.Fatal(err) // *recovery.StopError
		}
		if d.Action != recovery.Continue {
			fmt.Printf("batch %d: %v, %v: on from step %d without %v\n", b.Index, d.Class, d.Action, d.Step, d.Skipped)
		}
	}
	if err := sup.Finish(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("step %d, weight %.2f\n", sup.Step(), model.Weight)

	// Another process would go on from here.
	again := &line{}
	sup, err = recovery.New(ctx, store, again, recovery.Config{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("step %d, weight %.2f, next batch %d\n", sup.Step(), again.Weight, sup.Next().Index)
	// Output:
	// batch 12: bad data, skip: on from step 12 without [{12 13}]
	// batch 25: diverged, rollback: on from step 10 without [{20 30}]
	// step 80, weight 3.00
	// step 80, weight 3.00, next batch 91
}

func ExampleStore() {
	dir, err := os.MkdirTemp("", "checkpoints")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := recovery.OpenStore(dir, recovery.StoreConfig{Keep: 2})
	if err != nil {
		log.Fatal(err)
	}
	for step := uint64(100); step <= 300; step += 100 {
		if _, err := store.Save(step, &line{Weight: float64(step)}); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.Truncate(dir+"/step-00000000000000000300.ckpt", 75); err != nil { // damage
		log.Fatal(err)
	}
	var model line
	info, err := store.Newest(math.MaxUint64, &model)
	fmt.Println(info.Step, model.Weight, err)
	for _, damage := range info.Passed {
		fmt.Println(damage)
	}
	// Output:
	// 200 200 <nil>
	// recovery: checkpoint is damaged: step-00000000000000000300.ckpt: 3 bytes of 4
}

func ExampleDetector() {
	detector, err := recovery.NewDetector(recovery.DetectorConfig{Window: 10, Consecutive: 3})
	if err != nil {
		log.Fatal(err)
	}
	for step := range 20 {
		loss := 1.0
		if step >= 12 {
			loss = 2.5
		}
		if err := detector.Observe(loss, 0).Err(); err != nil {
			fmt.Printf("step %d: %v\n", step, err)
			break
		}
	}
	// Output:
	// step 14: recovery: training diverged: loss 2.5 above 2 for 3 steps (mean 1)
}
