// Package resources measures the machine a training job runs on, and keeps steps from starting when it is about to give
// out.
//
// For most uses, make one [Sampler] per job and put a [Gate] on it in front of the step. A [Sample] has the memory that
// this process may really use (in a container the tightest cgroup limit, without the page cache), CPU, load, swap, the
// space of one file system and the process itself.
//
// A value that could not be measured is absent, never 0: see [Value].
package resources

import (
	"encoding/json"
	"math"
	"time"
)

// Value is a measured value or its absence. The zero Value is absent.
type Value[T any] struct {
	V  T    // meaningless unless OK
	OK bool // measured
}

// Of returns a measured value.
func Of[T any](v T) Value[T] { return Value[T]{V: v, OK: true} }

// MarshalJSON returns null for an absent value.
func (v Value[T]) MarshalJSON() ([]byte, error) {
	if !v.OK {
		return []byte("null"), nil
	}
	return json.Marshal(v.V)
}

// IsZero reports absence, for the json option omitzero.
func (v Value[T]) IsZero() bool { return !v.OK }

// Sample is one look at the machine. Sizes are in bytes.
type Sample struct {
	At time.Time
	// CPU is the busy share of all CPUs of the host, 0 to 1, since the previous sample of the same [Sampler]; absent in
	// its first one. A CPU quota of the container is not taken into account.
	CPU Value[float64]
	// Load is the number of running and waiting tasks, averaged over a minute. Absent on Windows.
	Load Value[float64]
	// Memory is what this process may use: the host's memory within the limits of its cgroup and the ancestors visible.
	Memory Memory
	// Host is the memory of the machine, whatever the limits of the container.
	Host Memory
	// Swap of the host; 0 of 0 where there is none.
	SwapTotal, SwapUsed Value[uint64]
	Disk                Disk
	Process             Process
}

// Memory is an amount of memory and what is left of it.
type Memory struct {
	Total Value[uint64]
	// Available can be had without swapping; the page cache, which gives way, is counted in.
	Available Value[uint64]
	// Limited is true where a cgroup limit below the host's memory is in force.
	Limited bool
}

// Used is the share in use, 0 to 1: 1 - Available / Total.
func (m Memory) Used() Value[float64] { return usedShare(m.Total, m.Available) }

// Disk is the space of a file system for a user without privileges: blocks reserved for the superuser are left out.
type Disk struct {
	Path        string // a path on it
	Total, Free Value[uint64]
}

// Used is the share in use, 0 to 1: 1 - Free / Total.
func (d Disk) Used() Value[float64] { return usedShare(d.Total, d.Free) }

// Process is the process itself.
type Process struct {
	RSS        Value[uint64]        // resident memory
	Heap       Value[uint64]        // Go heap objects, dead ones not yet swept included
	CPU        Value[time.Duration] // CPU time since its start, user and system, all threads
	Goroutines Value[int]
}

func usedShare(total, left Value[uint64]) Value[float64] {
	if !total.OK || !left.OK {
		return Value[float64]{}
	}
	if total.V == 0 { // a limit of nothing is used up
		return Of(1.0)
	}
	return Of(math.Max(0, 1-float64(left.V)/float64(total.V)))
}
