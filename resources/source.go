package resources

import (
	"context"
	"fmt"
	"math"
)

// GPUSource reads GPUs for a [Sampler]. It has only basic types, so that whoever satisfies it need not import this package.
type GPUSource interface {
	// ReadGPUs calls each once per GPU: the identity that survives a reboot, the product name, the share of time busy
	// (0 to 1), memory in bytes, degrees Celsius, watts. NaN stands for what is not known. It may hang: the sample then
	// goes without, and it is not called again before it has returned. An error means that there is no knowing how many
	// GPUs there are. ctx ends with the time the sampler gives it, and when the sampler is closed.
	ReadGPUs(ctx context.Context, each func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error
}

// readGPUs collects what a source says. A share above 1, which drivers are known to report, is cut to 1.
func readGPUs(ctx context.Context, from GPUSource) (gpus []GPU, err error) {
	defer func() {
		if p := recover(); p != nil { // it runs in a goroutine of ours: nobody else could
			gpus, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	gpus = []GPU{}
	err = from.ReadGPUs(ctx, func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64) {
		g := GPU{
			ID: id, Name: name, Busy: known(busy), MemoryTotal: knownBytes(memoryTotal), MemoryUsed: knownBytes(memoryUsed),
			Temperature: known(celsius), Power: known(watts),
		}
		g.Busy.V = min(g.Busy.V, 1)
		if g.Busy.V < 0 {
			g.Busy = Value[float64]{}
		}
		gpus = append(gpus, g)
	})
	if err != nil {
		return nil, err
	}
	return gpus, nil
}

func known(v float64) Value[float64] {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Value[float64]{}
	}
	return Of(v)
}

func knownBytes(v float64) Value[uint64] {
	if !(v >= 0 && v < 1<<63) { // false for NaN
		return Value[uint64]{}
	}
	return Of(uint64(v))
}
