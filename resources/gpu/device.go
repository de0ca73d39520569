// Package gpu reads NVIDIA GPUs through the driver's own library (NVML) and judges their health and that of a group of
// workers.
//
// For most uses, make one [Reader] per process, plug it into a resources.Sampler as its GPUSource, and give what
// [Reader.Read] returns to [Health] every minute or so. A machine without GPU, driver or cgo is fine: reading then returns
// [ErrNoDriver] or [ErrUnsupported], which is not the same as no GPUs.
//
// # Building
//
// NVML needs cgo and Linux. Built otherwise, the package is there and says [ErrUnsupported]. With cgo, a program that
// imports it is linked lazily against functions that only the driver's library has: the program starts and runs where there
// is no driver. A linker told to resolve everything at start (-Wl,-z,now) makes it fail to start; -buildmode=pie works.
// Compiling go-nvml prints warnings of deprecated functions, which CGO_CFLAGS="-O2 -g -Wno-deprecated-declarations"
// silences. The library is shared with other users of go-nvml in the process.
//
// Calls into the driver cannot be cancelled. Each GPU is read in a goroutine of its own, of which there is never more than
// one at a time; a reading that takes longer than the time allowed is reported as such, and so are all later ones until
// it returns.
package gpu

import (
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

// Device is what was read of one GPU. What it or its driver does not report is absent, never 0.
type Device struct {
	Index int    // as the driver counts them; another one after a reboot or a loss
	UUID  string // survives a reboot
	Name  string // of the product
	PCI   string // bus address

	// Lost is set when the driver cannot reach the GPU, most often because it has fallen off the bus. Everything but the
	// identity, as far as it was known before, is absent then.
	Lost bool
	// Hung is set when the driver has not answered in time. What it told before that is there.
	Hung bool

	// Busy is the share of time in which a kernel ran, MemoryBusy that in which memory was read or written, over the
	// driver's last sampling period (1/6 to 1 second). Absent while the GPU is split into slices.
	Busy, MemoryBusy resources.Value[float64]

	// Memory in bytes. Reserved is what the driver keeps for itself. Drivers before R510 do not tell it and count it as
	// used: it is absent then.
	MemoryTotal, MemoryUsed, MemoryReserved resources.Value[uint64]

	Temperature resources.Value[float64] // degrees Celsius
	// SlowdownAt is the temperature from which on the hardware slows down, ShutdownAt that at which it turns off.
	SlowdownAt, ShutdownAt resources.Value[float64]

	Power, PowerLimit resources.Value[float64] // watts: drawn, and the limit in force
	// Energy in joules that this [Reader] saw drawn since its first reading of the GPU. It never falls: after a reset of
	// the driver's counter it goes on from where it was.
	Energy resources.Value[float64]

	Clock, MaxClock resources.Value[float64] // of the multiprocessors, MHz
	// Reasons are why the clock is not higher.
	Reasons resources.Value[Reasons]

	ECC   ECC
	Rows  resources.Value[Rows]  // from Ampere on
	Pages resources.Value[Pages] // up to Volta and Turing
	// Recovery is what the driver asks for after a fault.
	Recovery resources.Value[Recovery]

	// Split tells whether the GPU is in MIG mode: split into slices that are used like GPUs of their own.
	Split  resources.Value[bool]
	Slices []Slice // nil: unknown or not split

	// Processes that use it, those in slices included where the driver shows them. nil: unknown.
	Processes []Process

	// Events are the latest, at most 32, oldest first, that this [Reader] has seen; XIDs counts all XID errors among
	// those seen. What happened before the first reading is not in there.
	Events []Event
	XIDs   uint64
}

// ECC is error correction of the memories of a GPU.
type ECC struct {
	Enabled resources.Value[bool]
	// Corrected and Uncorrected count errors since the driver was loaded, Lifetime those since the GPU was made.
	Corrected, Uncorrected, Lifetime resources.Value[uint64]
	// SRAMWorn is set once uncorrectable errors of the on-chip memories have passed the maker's limit.
	SRAMWorn resources.Value[bool]
}

// Rows are memory rows that were replaced by spare ones.
type Rows struct {
	Correctable, Uncorrectable int  // rows, by the kind of error that led to it
	Pending                    bool // one more is replaced at the next reset
	Failed                     bool // a replacement has failed: out of spare rows
}

// Pages are memory pages taken out of use.
type Pages struct {
	SingleBit, DoubleBit int // pages, by the kind of error that led to it
	Pending              bool
}

// Slice is a part of a GPU in MIG mode. Utilization of a slice is not reported by the driver.
type Slice struct {
	UUID, Name              string
	Instance, Compute       int // numbers of the GPU instance and of the compute instance in it
	MemoryTotal, MemoryUsed resources.Value[uint64]
	Processes               []Process // nil: unknown
}

// Process uses a GPU.
type Process struct {
	PID    int // as the host counts: in a container, not the one seen inside
	Kind   ProcessKind
	Memory resources.Value[uint64] // bytes on the GPU
	// Busy is the share of the latest sampling period of the driver in which its kernels ran.
	Busy resources.Value[float64]
}

// ProcessKind says how a process uses a GPU.
type ProcessKind string

// The kinds of processes.
const (
	Compute  ProcessKind = "compute"
	Graphics ProcessKind = "graphics"
	MPS      ProcessKind = "mps" // compute through the multi-process service
)

// Event is something that the driver reported by itself.
type Event struct {
	At   time.Time // when it was received
	UUID string    // of the GPU
	// XID is the number of the error, see [XIDAction]. 0 when DoubleBit is set.
	XID       int
	DoubleBit bool // an uncorrectable memory error; an XID most often comes with it
	// Instance and Compute name the slice it happened in; absent when it was the whole GPU or the driver does not say.
	Instance, Compute resources.Value[int]
}

func value[T any](v T) resources.Value[T] { return resources.Of(v) }
