package resources_test

import (
	"context"
	"fmt"

	"github.com/surefoot-ml/surefoot/resources"
)

func ExampleEmergency() {
	scaler, err := resources.NewScaler(resources.ScalerConfig{Max: 512, Start: 340})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := resources.NewEmergency(resources.EmergencyConfig{
		Name: "memory",
		Measure: func(context.Context) (resources.Value[float64], error) {
			// Stands for what a Sampler measures: sample.Memory.Used().
			return resources.Of(0.3 + 0.002*float64(scaler.Report().Want)), nil
		},
		Actions: []resources.Action{
			{Name: "drop caches", Settle: -1, Do: func(context.Context) error { return nil }}, // they were empty
			{Name: "halve the batch", Settle: -1, Do: func(context.Context) error { return scaler.Shrink() }},
			{Name: "checkpoint and stop", Settle: -1, Do: func(context.Context) error { return nil }},
		},
		OnAction: func(e resources.ActionEvent) {
			if e.Kind == resources.ActionEnded {
				fmt.Printf("%s: %.2f -> %.2f, effective: %v\n", e.Action, e.Before.V, e.After.V, e.Effective)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = plan.Close(ctx) }()
	report, err := plan.Check(ctx)
	fmt.Println(len(report.Actions), report.Active, err)
	// Output:
	// drop caches: 0.98 -> 0.98, effective: false
	// halve the batch: 0.98 -> 0.64, effective: true
	// 2 false <nil>
}

func ExampleLimitGoMemory() {
	container := resources.Memory{Total: resources.Of(uint64(8 << 30)), Limited: true} // sample.Memory of a Sampler
	limit, err := resources.LimitGoMemory(container, 0.1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer limit.Undo()
	fmt.Println("set, or said why not:", limit.Set || limit.Why != "")
	// Output:
	// set, or said why not: true
}

func ExampleLadder() {
	ladder, err := resources.NewLadder(resources.LadderConfig{
		Name:    "gpu memory",
		OnLevel: func(c resources.Change) { fmt.Println(c.Resource, c.Was, "->", c.Now) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sample := resources.Sample{}
	for _, used := range []float64{0.5, 0.82, 0.79, 0.93, 0.88, 0.6} {
		ladder.Update(sample.At, resources.Of(used))
	}
	// Output:
	// gpu memory unknown -> normal
	// gpu memory normal -> warn
	// gpu memory warn -> critical
	// gpu memory critical -> normal
}
