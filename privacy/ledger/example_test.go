package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/ledger"
)

// A training job that charges every step, is stopped, and goes on from where the ledger is.
func Example() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir, ctx := filepath.Join(parent, "budget"), context.Background()

	// Once, by whoever owns the data.
	l, err := ledger.Open(dir, ledger.Config{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	err = l.CreateAccount(ctx, ledger.Account{
		Name: "visits 2026", Measure: ledger.Renyi, Orders: []float64{8}, Relation: privacy.AddRemove, Epsilon: 2, Delta: 1e-6,
	})
	if err != nil {
		log.Fatal(err)
	}

	// Whenever the job starts.
	step := privacy.Poisson{Rate: 0.01, Gaussian: privacy.Gaussian{StdDev: 1, Clip: 1, Relation: privacy.AddRemove}}
	job, err := l.OpenJob(ctx, "train")
	if err != nil {
		log.Fatal(err)
	}
	meter, err := job.Meter(ledger.MeterConfig{Accounts: []string{"visits 2026"}})
	if err != nil {
		log.Fatal(err)
	}
	steps := 0
	for ; steps < 100; steps++ {
		if err := meter.Spend(step); err != nil {
			break // before anything of the step is released
		}
	}
	if err := errors.Join(meter.Close(ctx), l.Close()); err != nil {
		log.Fatal(err)
	}

	if l, err = ledger.Open(dir, ledger.Config{}); err != nil {
		log.Fatal(err)
	}
	left, err := l.Remaining(step, "visits 2026")
	if err != nil {
		log.Fatal(err)
	}
	report, err := l.Report()
	if err != nil {
		log.Fatal(err)
	}
	account, _ := report.Account("visits 2026")
	fmt.Printf("%d steps done, %d left, bound by order %v\n", steps, left.Executions, left.Order)
	fmt.Printf("%.0f %% of ε = %v used\n", 100*account.Used, account.Guarantee.Epsilon)
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 100 steps done, 411 left, bound by order 8
	// 20 % of ε = 2 used
}

// An analysis of two partitions that is charged to both or to neither, and given back because it was never begun.
func ExampleJob_Reserve() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	ctx := context.Background()
	l, err := ledger.Open(filepath.Join(parent, "budget"), ledger.Config{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	for name, epsilon := range map[string]float64{"north": 1, "south": 0.3} {
		err := l.CreateAccount(ctx, ledger.Account{Name: name, Measure: ledger.Pure, Relation: privacy.AddRemove, Epsilon: epsilon})
		if err != nil {
			log.Fatal(err)
		}
	}
	job, err := l.OpenJob(ctx, "histogram")
	if err != nil {
		log.Fatal(err)
	}
	query := ledger.Request{
		Accounts: []string{"north", "south"},
		Event:    privacy.Laplace{Scale: 4, Clip: 1, Relation: privacy.AddRemove},
	}
	reserved, err := job.Reserve(ctx, query)
	if err != nil {
		log.Fatal(err)
	}
	_, err = job.Reserve(ctx, query)
	fmt.Println(err)
	if err := reserved.Release(ctx); err != nil { // nothing was drawn
		log.Fatal(err)
	}
	_, err = job.Reserve(ctx, query)
	fmt.Println(err)
	// Output:
	// ledger: budget exhausted: account "south" has 0.05 of 0.3 left in epsilon, 0.25 requested (0 spent, 0.25 reserved)
	// <nil>
}
