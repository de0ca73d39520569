package carbon_test

import (
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

func ExamplePlanner() {
	prices := []float64{420, 400, 250, 240, 380, 230} // g/kWh, one per hour
	var p carbon.Planner
	for _, start := range []float64{0, 200} {
		run, cost, err := p.Plan(nil, prices, carbon.Task{Work: 3, Start: start})
		fmt.Println(run, cost, err)
	}
	// Output:
	// [false false true true false true] 720 <nil>
	// [false false false true true true] 1050 <nil>
}

func ExampleLearner() {
	l, err := carbon.NewLearner(carbon.LearnerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Three weeks of a grid that is clean at noon.
	at := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for range 21 * 24 {
		v := carbon.Intensity(400)
		if h := at.Hour(); h >= 10 && h < 15 {
			v = 150
		}
		err := l.Observe(carbon.Reading{Intensity: v, Signal: carbon.Average, Basis: carbon.Measured, Source: "example", From: at, To: at.Add(time.Hour)})
		if err != nil {
			fmt.Println(err)
			return
		}
		at = at.Add(time.Hour)
	}
	var o carbon.Outlook
	if err := l.Outlook(&o, at, 24); err != nil {
		fmt.Println(err)
		return
	}
	var p carbon.Planner
	run, _, err := p.Plan(nil, o.Mean, carbon.Task{Work: 3})
	for i, r := range run {
		if r {
			fmt.Println(o.Start.Add(time.Duration(i) * o.Step).Format("15:04"))
		}
	}
	fmt.Println(err)
	// Output:
	// 10:00
	// 11:00
	// 12:00
	// <nil>
}

func ExampleScale() {
	curve := []carbon.Level{{Power: 1, Speed: 1}, {Power: 2, Speed: 1.8}, {Power: 4, Speed: 3}}
	parts, cost, err := carbon.Scale([]float64{400, 100, 300}, curve, 4)
	for _, p := range parts {
		fmt.Printf("slot %d level %d share %.2f\n", p.Slot, p.Level, p.Share)
	}
	fmt.Printf("%.0f %v\n", cost, err)
	// Output:
	// slot 1 level 2 share 1.00
	// slot 2 level 0 share 1.00
	// 700 <nil>
}

func ExamplePlace() {
	prices := [][]float64{{400, 400, 380, 390}, {300, 120, 110, 350}}
	steps, cost, err := carbon.Place(prices, carbon.PlaceTask{Work: 2, Move: [][]float64{{0, 50}, {50, 0}}, Moves: 1})
	fmt.Println(steps, cost, err)
	// Output: [{0 false} {1 true} {1 true} {1 false}] 280 <nil>
}
