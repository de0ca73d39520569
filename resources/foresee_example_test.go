package resources_test

import (
	"fmt"
	"math"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

// A job leaks 2 MiB a second of the 1000 MiB it may use.
func ExampleAlarm() {
	alarm, err := resources.NewAlarm(resources.AlarmConfig{
		Horizon: 30 * time.Second,
		OnEvent: func(e resources.AlarmEvent) {
			fmt.Printf("raised %v at about %.0f MiB, %v left: %v\n", e.Raised, math.Round(e.Value/50)*50, e.Forecast.Left.Round(10*time.Second), e.Forecast.Growth)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	for i := range 390 {
		used := 200 + 2*float64(i) + math.Sin(float64(i*i)) // MiB; a Sample has it as Total less Available
		alarm.Observe(at.Add(time.Duration(i)*time.Second), used, 1000)
	}
	// Output:
	// raised true at about 950 MiB, 30s left: trend
}

func ExampleHistory() {
	history, err := resources.NewHistory(resources.HistoryConfig{Steps: []time.Duration{time.Second, time.Minute}, Length: 60})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	for i := range 180 {
		history.Observe(start.Add(time.Duration(i)*time.Second), float64(i))
	}
	for p := range history.Since(start) { // longer ago than there are seconds of
		fmt.Println(p.At.Format(time.TimeOnly), p.Min, p.Mean, p.Max)
	}
	// Output:
	// 08:00:00 0 29.5 59
	// 08:01:00 60 89.5 119
	// 08:02:00 120 149.5 179
}
