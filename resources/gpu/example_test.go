package gpu_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
	"github.com/surefoot-ml/surefoot/resources/gpu"
)

func ExampleReader() {
	reader, err := gpu.NewReader(gpu.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer reader.Close(ctx)
	devices, err := reader.Read(ctx)
	if errors.Is(err, gpu.ErrNoDriver) || errors.Is(err, gpu.ErrUnsupported) {
		return // not a machine with GPUs
	}
	for _, d := range devices {
		for _, f := range gpu.Health(d, time.Time{}) {
			fmt.Println(d.UUID, f.Action, f.Text)
		}
	}
}

func ExampleHealth() {
	d := gpu.Device{
		UUID:    "GPU-1",
		Reasons: resources.Of(gpu.PowerCap | gpu.HardwareThermal),
		Rows:    resources.Of(gpu.Rows{Uncorrectable: 8, Failed: true}),
	}
	for _, f := range gpu.Health(d, time.Time{}) {
		fmt.Printf("%s: %s (%s)\n", f.Action, f.Text, f.Name)
	}
	// Output:
	// replace: replacing a memory row has failed (rows failed)
	// watch: the clock is held down: hardware thermal (throttled)
}

func ExamplePaces() {
	ms := time.Millisecond
	paces, err := gpu.Paces([][]time.Duration{ // of each worker, the time before the barrier
		{201 * ms, 199 * ms, 202 * ms},
		{198 * ms, 200 * ms, 640 * ms}, // one slow step makes no straggler
		{203 * ms, 201 * ms, 201 * ms},
		{251 * ms, 249 * ms, 250 * ms},
	}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for worker, p := range paces {
		if p.Straggler {
			fmt.Printf("worker %d: %v, %.0f %% slower\n", worker, p.Step.V, 100*p.Slower.V)
		}
	}
	// Output:
	// worker 3: 250ms, 24 % slower
}
