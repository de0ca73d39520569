package carbon_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

const recorded = `datetime_utc,XX
2024-05-01T12:00Z,480
2024-05-01T13:00Z,450
2024-05-01T14:00Z,null
2024-05-01T15:00Z,210
`

func ExampleReadTrace() {
	trace, err := carbon.ReadTrace(strings.NewReader(recorded), carbon.TraceOptions{Zone: "XX", Source: "grid operator"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, hour := range []int{13, 14} {
		reading, err := trace.At(context.Background(), time.Date(2024, 5, 1, hour, 30, 0, 0, time.UTC))
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(reading.Intensity, reading.Basis, reading.Source)
	}
	// Output:
	// 450 gCO2e/kWh measured grid operator
	// carbon: no intensity known for zone "XX" at 2024-05-01T14:30:00Z
}

// A replay of the recorded afternoon, an hour in a second.
func ExampleGate() {
	trace, err := carbon.ReadTrace(strings.NewReader("datetime_utc,XX\n2024-05-01T12:00Z,480\n2024-05-01T13:00Z,210\n"), carbon.TraceOptions{Zone: "XX"})
	if err != nil {
		fmt.Println(err)
		return
	}
	gate, err := carbon.NewGate(carbon.GateConfig{
		Provider: trace,
		Pause:    300,
		MaxWait:  6 * time.Hour,
		Timeline: carbon.Timeline{Start: time.Now(), Origin: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Speed: 3600},
		OnChange: func(c carbon.Change) { fmt.Println("paused:", c.Paused, "at", c.Reading.Intensity) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := gate.Wait(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the step runs")
	// Output:
	// paused: true at 480 gCO2e/kWh
	// paused: false at 210 gCO2e/kWh
	// the step runs
}

// The step ran at three o'clock, though it could have run at noon. Saved is said against run-now: the same energy, three hours
// earlier.
func ExampleMeter() {
	trace, err := carbon.ReadTrace(strings.NewReader(recorded), carbon.TraceOptions{Zone: "XX"})
	if err != nil {
		fmt.Println(err)
		return
	}
	meter, err := carbon.NewMeter(carbon.MeterConfig{Provider: trace, Start: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		fmt.Println(err)
		return
	}
	from, to := time.Date(2024, 5, 1, 15, 0, 0, 0, time.UTC), time.Date(2024, 5, 1, 15, 30, 0, 0, time.UTC)
	energy, err := carbon.CPUEnergy{WattsPerCore: 5}.Estimate(4 * 30 * time.Minute) // four busy cores
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := meter.Add(ctx, from, to, energy); err != nil {
		fmt.Println(err)
	}

	got := meter.Totals()
	fmt.Printf("%.3f kWh (%.3f estimated), %.2f g\n", got.KWh, got.EstimatedEnergyKWh, float64(got.Grams))
	saving, err := meter.AgainstRunNow()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f g less than %s\n", float64(saving.Saved()), saving.Against)
	// Output:
	// 0.010 kWh (0.010 estimated), 2.10 g
	// 2.70 g less than run-now from 2024-05-01T12:00:00Z
}

func ExampleTypicalDay() {
	day := carbon.TypicalDay(-8 * time.Hour) // California
	reading, err := day.At(context.Background(), time.Date(2024, 5, 1, 20, 30, 0, 0, time.UTC))
	fmt.Println(reading.Intensity, reading.Basis, err)
	// Output:
	// 295 gCO2e/kWh estimated <nil>
}
