package resources

import (
	"math"
	"runtime/metrics"
	"time"
)

// runtimeProbe reads runtime/metrics. Reading these does not stop the program.
func runtimeProbe() *probe {
	const (
		objects = iota
		total
		released
		limit
		goal
		cycles
		collecting
		spent
		goroutines
		procs
	)
	samples := []metrics.Sample{
		objects:    {Name: "/memory/classes/heap/objects:bytes"},
		total:      {Name: "/memory/classes/total:bytes"},
		released:   {Name: "/memory/classes/heap/released:bytes"},
		limit:      {Name: "/gc/gomemlimit:bytes"},
		goal:       {Name: "/gc/heap/goal:bytes"},
		cycles:     {Name: "/gc/cycles/total:gc-cycles"},
		collecting: {Name: "/cpu/classes/gc/total:cpu-seconds"},
		spent:      {Name: "/cpu/classes/total:cpu-seconds"},
		goroutines: {Name: "/sched/goroutines:goroutines"},
		procs:      {Name: "/sched/gomaxprocs:threads"},
	}
	number := func(i int) Value[uint64] {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return Value[uint64]{}
		}
		return Of(samples[i].Value.Uint64())
	}
	seconds := func(i int) float64 {
		if samples[i].Value.Kind() != metrics.KindFloat64 {
			return math.NaN()
		}
		return samples[i].Value.Float64()
	}
	whole := func(i int) Value[int] { v := number(i); return Value[int]{V: int(v.V), OK: v.OK} }

	var last struct {
		at               time.Time
		cycles           uint64
		collecting, all  float64
		started, compare bool
	}
	var first uint64
	var heap Value[uint64]
	var running Value[int]
	var out Runtime
	return &probe{
		name: "runtime",
		read: func(now time.Time) error {
			metrics.Read(samples)
			heap, running = number(objects), whole(goroutines)
			out = Runtime{HeapGoal: number(goal), MaxProcs: whole(procs)}
			if all, back := number(total), number(released); all.OK && back.OK {
				out.Memory = Of(all.V - min(all.V, back.V))
			}
			if l := number(limit); l.OK && l.V < math.MaxInt64 {
				out.MemoryLimit = l
			}
			n, gc, all := number(cycles), seconds(collecting), seconds(spent)
			if !n.OK {
				return nil
			}
			if !last.started {
				first, last.started = n.V, true
			}
			out.GCs.Total = Of(n.V - first)
			if last.compare && now.After(last.at) {
				out.GCs.Rate = Of(float64(n.V-last.cycles) / now.Sub(last.at).Seconds())
				if share := (gc - last.collecting) / (all - last.all); n.V > last.cycles && share >= 0 && share <= 1 {
					out.GC = Of(share) // the runtime brings these up to date at the end of a collection
				}
			}
			last.at, last.cycles, last.collecting, last.all, last.compare = now, n.V, gc, all, true
			return nil
		},
		quick: func() bool { return true },
		put:   func(s *Sample) { s.Process.Heap, s.Process.Goroutines, s.Runtime = heap, running, out },
	}
}
