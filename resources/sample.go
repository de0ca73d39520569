// Package resources measures the machine a training job runs on, and keeps steps from starting when it is about to give
// out.
//
// For most uses, make one [Sampler] per job and put a [Gate] on it in front of the step. A [Sample] has the memory that
// this process may really use (in a container the tightest cgroup limit, without the page cache), CPU, load, swap,
// pressure, disks, network, the container and the process itself; GPUs where a [GPUSource] is plugged in.
//
// To see exhaustion coming, give an [Alarm] a value and its limit: it warns in time, and says nothing of rhythms; a
// [History] keeps a series in fixed memory. To act, a [Scaler] sizes batches, [Reservations] divide a capacity, an
// [Emergency] takes measures until one works, and [LimitGoMemory] tells the collector of the container.
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

// Counter is something that only grows, such as bytes sent.
type Counter struct {
	// Total is the growth since the first sample of the same [Sampler], where it is 0. What a device counted before it
	// was removed or reset stays in.
	Total Value[uint64]
	// Rate is the growth per second since the previous sample; absent in the first one and when the counter was reset.
	Rate Value[float64]
}

// Sample is one look at the machine. Sizes are in bytes, shares from 0 to 1. What is said to be "since the previous
// sample" is counted between two samples of the same [Sampler] and absent in its first.
type Sample struct {
	At time.Time
	// CPU is the busy share of all CPUs of the host since the previous sample. Quotas are not taken into account:
	// Container.CPU is the share of what this process may use.
	CPU Value[float64]
	// CPUs is the number of CPUs of the host that are online.
	CPUs Value[int]
	// Modes is how the CPUs of the host spent their time since the previous sample.
	Modes Value[CPUModes]
	// Load, Load5 and Load15 are the numbers of running and waiting tasks, averaged over 1, 5 and 15 minutes. Absent on
	// Windows.
	Load, Load5, Load15 Value[float64]
	// Memory is what this process may use: the host's memory within the limits of its cgroup and the ancestors visible.
	Memory Memory
	// Host is the memory of the machine, whatever the limits of the container.
	Host Memory
	// Swap of the host; 0 of 0 where there is none.
	SwapTotal, SwapUsed Value[uint64]
	Pressure            Pressure // of the host; Linux only
	Disk                Disk
	IO                  IO
	Network             Network
	Container           Container // Linux only
	Process             Process
	Runtime             Runtime
	// GPUs is nil where no [GPUSource] is plugged in or it has failed, and empty where there are none.
	GPUs []GPU
}

// CPUModes are shares of CPU time; their sum is 1.
type CPUModes struct {
	User    float64 // guests of a hypervisor included
	Nice    float64 // user code with lowered priority
	System  float64
	Idle    float64
	IOWait  float64 // idle with a disk request under way
	IRQ     float64
	SoftIRQ float64
	Steal   float64 // taken by the hypervisor for others
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

// Pressure is the time lost for want of a resource, as the kernel's pressure stall information has it.
type Pressure struct{ CPU, Memory, IO Stall }

// Stall is a share of time in which tasks had to wait.
type Stall struct {
	Some, Full     Value[float64] // some tasks, all tasks, since the previous sample
	Some10, Full10 Value[float64] // the kernel's average over 10 seconds
}

// Disk is the space of a file system for a user without privileges: blocks reserved for the superuser are left out.
type Disk struct {
	Path        string // a path on it
	Total, Free Value[uint64]
	// Inodes, without which no file can be made however much space there is. Absent where there is no fixed number.
	Inodes, FreeInodes Value[uint64]
}

// Used is the share in use, 0 to 1: 1 - Free / Total.
func (d Disk) Used() Value[float64] { return usedShare(d.Total, d.Free) }

// IO is what the disks of the host do: whole disks, without partitions and without devices made of others (loop, device
// mapper, RAID), which would count twice.
type IO struct {
	Read, Written Counter        // bytes
	Reads, Writes Counter        // requests completed
	Busy          Value[float64] // share of time since the previous sample in which the busiest disk had a request under way
}

// Network is the traffic of the network interfaces of this network namespace: of the physical ones or, where there is
// none, as in most containers, of all but the loopback. On a Mac and the BSDs absent.
type Network struct {
	Received, Sent Counter // bytes
	Errors         Counter // packets bad or lost on the way, both directions
	Dropped        Counter // packets thrown away for want of buffers, both directions
}

// Container is what cgroups allow this process and those beside it, and what they have used. All is absent without
// cgroups, a limit also where there is none.
type Container struct {
	// MemoryLimit is the tightest limit of the own group, of the ancestors visible and of the host: reached, the kernel
	// kills. Where it is the host's memory it is absent.
	MemoryLimit Value[uint64]
	// MemoryHigh is the tightest point from which on the kernel slows the group down (v2 memory.high).
	MemoryHigh Value[uint64]
	// WorkingSet is the memory of the own group without the page cache that gives way at once (inactive files).
	WorkingSet Value[uint64]
	// Cache is all of its page cache, active files included.
	Cache Value[uint64]
	// LimitHits counts how often the own group ran into its limit, HighHits into memory.high, OOMKills its processes
	// killed for want of memory.
	LimitHits, HighHits, OOMKills Counter

	// CPUs is how many CPUs may be used: the tightest quota of the own group and the ancestors visible, the CPU set and
	// the host's number. Not whole where there is a quota.
	CPUs Value[float64]
	// CPU is the share of its quota that a group has used since the previous sample, the highest of the own group and the
	// ancestors; the share of CPUs that the own group has used where there is no quota below it.
	CPU Value[float64]
	// Throttled is the share of scheduler periods since the previous sample in which the quota was used up, the highest
	// of all groups with a quota.
	Throttled Value[float64]
	// ThrottledTime is the time that tasks stood still for it since the first sample, summed over CPUs and groups.
	ThrottledTime Value[time.Duration]

	Pressure Pressure // of the own group; v2 only
}

// Process is the process itself.
type Process struct {
	RSS        Value[uint64]        // resident memory
	Heap       Value[uint64]        // Go heap objects, dead ones not yet swept included
	CPU        Value[time.Duration] // CPU time since its start, user and system, all threads
	Goroutines Value[int]
	Threads    Value[int]
	// Files are the open file descriptors, FilesLimit how many may be open, absent where there is no limit.
	Files, FilesLimit Value[uint64]
	// Read and Written are bytes that came from or went to a disk, not the page cache. Linux only, as is MajorFaults.
	Read, Written Counter
	// MajorFaults are page faults that had to wait for a disk: memory is short.
	MajorFaults Counter
}

// Runtime is the Go runtime.
type Runtime struct {
	Memory      Value[uint64]  // taken from the system and not given back: what MemoryLimit bounds
	MemoryLimit Value[uint64]  // GOMEMLIMIT; absent when not set
	HeapGoal    Value[uint64]  // heap size at the end of the next collection
	GCs         Counter        // collections
	GC          Value[float64] // share of CPU time spent on it between the last collections; absent when there was none since the previous sample
	MaxProcs    Value[int]     // GOMAXPROCS
}

// GPU is one GPU.
type GPU struct {
	ID, Name                string         // an identity that survives a reboot, and the product
	Busy                    Value[float64] // share of time in which a kernel ran
	MemoryTotal, MemoryUsed Value[uint64]
	Temperature             Value[float64] // degrees Celsius
	Power                   Value[float64] // watts
}

// Used is the share of its memory in use, 0 to 1.
func (g GPU) Used() Value[float64] {
	if !g.MemoryUsed.OK || !g.MemoryTotal.OK {
		return Value[float64]{}
	}
	return usedShare(g.MemoryTotal, Of(g.MemoryTotal.V-min(g.MemoryTotal.V, g.MemoryUsed.V)))
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
