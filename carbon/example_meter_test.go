package carbon_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing/fstest"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

func ExampleNewTable() {
	region, err := carbon.LookupRegion("gcp", "europe-central2")
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := carbon.NewTable(region.Zone)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, _ := table.Of(carbon.Yearly, time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC))
	fmt.Printf("%v, %s, within %.0f %%: %s\n", r.Intensity, r.Basis, 100*r.ExpectedError, r.Source)
	// Output:
	// 819.2 gCO2e/kWh, estimated, within 15 %: table: zone PL in 2022 (Electricity Maps)
}

func ExampleTotals_SCI() {
	day, _ := carbon.NewTable("DE")
	meter, _ := carbon.NewMeter(carbon.MeterConfig{Provider: day})
	from := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	energy, _ := carbon.RatedPower{Name: "two accelerators", Watts: 800, Idle: 100, PUE: 1.2}.Estimate(time.Hour, .9)
	if err := meter.Add(context.Background(), from, from.Add(time.Hour), energy); err != nil {
		fmt.Println(err)
		return
	}
	server := carbon.Embodied{Name: "server", Total: 1_300_000, Lifetime: 4 * 365 * 24 * time.Hour, Share: .25}
	made, _ := server.Amortize(time.Hour)
	score, err := meter.Totals().SCI(made, 50, "1000 samples")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f g per %s, %.0f %% of the energy estimated\n", float64(score.Score()), score.Unit, 100*score.EstimatedEnergy)
	// Output:
	// 5.94 g per 1000 samples, 100 % of the energy estimated
}

// The counters of this machine, or an estimate where it has none that may be read.
func ExampleNewRAPL() {
	now := time.Now()
	var source carbon.EnergySource
	source, err := carbon.NewRAPL(carbon.RAPLConfig{FS: fstest.MapFS{}}, now) // a machine without counters; leave FS out for this one
	if errors.Is(err, carbon.ErrNoCounter) || errors.Is(err, fs.ErrPermission) {
		energy, _ := carbon.CPUEnergy{WattsPerCore: 5}.Estimate(20 * time.Second)
		fmt.Println(energy.Joules, "J,", energy.Source)
		return
	}
	fmt.Println(source.Name(), err)
	// Output:
	// 100 J, estimate: CPU time x 5 W x PUE 1
}

func ExampleMeter_Report() {
	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	trace, err := carbon.ReadTrace(strings.NewReader("datetime_utc,XX\n2024-05-01T12:00Z,480\n2024-05-01T13:00Z,210\n"), carbon.TraceOptions{Zone: "XX", Source: "grid operator"})
	if err != nil {
		fmt.Println(err)
		return
	}
	meter, _ := carbon.NewMeter(carbon.MeterConfig{Provider: trace, Start: noon})
	gpu := carbon.Energy{Joules: 1.8e6, Source: "nvml GPU 0"}
	if err := meter.Add(context.Background(), noon.Add(time.Hour), noon.Add(2*time.Hour), gpu); err != nil {
		fmt.Println(err)
		return
	}
	report := meter.Report(noon.Add(3 * time.Hour))
	saving, _ := meter.AgainstRunNow()
	report.Savings = append(report.Savings, saving)
	fmt.Println(saving.Saved(), "less than", saving.Against)
	if err := report.WriteCSV(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 135 gCO2e less than run-now from 2024-05-01T12:00:00Z
	// kind,name,zone,source,basis,strategy,scope,energy_estimated,kwh,grams,error_grams,unrated_kwh,baseline_grams,uncompared_kwh,embodied_grams,units,estimated_energy,estimated_intensity,unknown_time_ns,gaps,from,to
	// report,version 1,,,,,,,,,,,,,,,,,,,,2024-05-01T15:00:00Z
	// share,nvml GPU 0,XX,grid operator,measured,direct,unstated,false,0.5,105,0,0.5,,,,,,,,,2024-05-01T13:00:00Z,2024-05-01T14:00:00Z
	// saving,run-now from 2024-05-01T12:00:00Z,,,,,,,0.5,105,,,240,0,,,,,,,,
}
