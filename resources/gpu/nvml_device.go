//go:build cgo && linux

package gpu

import (
	"errors"
	"math"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/surefoot-ml/surefoot/resources"
)

// nvmlDevice is one GPU. All calls but identify come from one reading at a time.
type nvmlDevice struct {
	driver   *nvmlDriver
	handle   nvml.Device
	id       Device // the identity alone
	unusable error
	seen     uint64 // time stamp of the latest process sample
}

func (d *nvmlDevice) identity() Device { return d.id }

// identify asks once for what does not change.
func (d *nvmlDevice) identify() {
	r := &reading{}
	q := &query{driver: d.driver, to: r}
	ask(q, "nvmlDeviceGetUUID", d.handle.GetUUID, func(d *Device, v string) { d.UUID = v })
	ask(q, "nvmlDeviceGetName", d.handle.GetName, func(d *Device, v string) { d.Name = v })
	ask(q, "nvmlDeviceGetPciInfo", d.handle.GetPciInfo, func(d *Device, v nvml.PciInfo) { d.PCI = text(v.BusId[:]) })
	d.id.UUID, d.id.Name, d.id.PCI = r.d.UUID, r.d.Name, r.d.PCI
}

func (d *nvmlDevice) read(to *reading) error {
	to.set(func(out *Device) { *out = d.id })
	if d.unusable != nil {
		return d.lost(to, d.unusable)
	}
	q := &query{driver: d.driver, to: to}
	d.readUse(q)
	d.readHeat(q)
	d.readMemoryHealth(q)
	d.readProcesses(q)
	return d.lost(to, errors.Join(q.errs...))
}

// lost clears what was read before the GPU went away: none of it is true any more.
func (d *nvmlDevice) lost(to *reading, err error) error {
	if errors.Is(err, ErrLost) {
		to.set(func(out *Device) {
			*out = d.id
			out.Lost = true
		})
	}
	return err
}

func (d *nvmlDevice) readUse(q *query) {
	h, split := d.handle, false
	ask(q, "nvmlDeviceGetMigMode", func() (bool, nvml.Return) {
		now, _, ret := h.GetMigMode()
		return now == nvml.DEVICE_MIG_ENABLE, ret
	}, func(d *Device, on bool) { split, d.Split = on, value(on) })
	if !split { // of a split one, drivers are known to report a constant
		ask(q, "nvmlDeviceGetUtilizationRates", h.GetUtilizationRates, func(d *Device, v nvml.Utilization) {
			d.Busy, d.MemoryBusy = percent(v.Gpu), percent(v.Memory)
		})
	}
	if !ask(q, "nvmlDeviceGetMemoryInfo_v2", h.GetMemoryInfo_v2, func(d *Device, v nvml.Memory_v2) {
		d.MemoryTotal, d.MemoryUsed, d.MemoryReserved = value(v.Total), value(v.Used), value(v.Reserved)
	}) {
		ask(q, "nvmlDeviceGetMemoryInfo", h.GetMemoryInfo, func(d *Device, v nvml.Memory) {
			d.MemoryTotal, d.MemoryUsed = value(v.Total), value(v.Used)
		})
	}
	if split {
		d.readSlices(q)
	}
}

// readSlices reads the parts of a GPU in MIG mode.
func (d *nvmlDevice) readSlices(q *query) {
	places := 0
	ask(q, "nvmlDeviceGetMaxMigDeviceCount", d.handle.GetMaxMigDeviceCount, func(_ *Device, n int) { places = n })
	slices := []Slice{}
	for i := range places {
		var slice nvml.Device
		if !ask(q, "nvmlDeviceGetMigDeviceHandleByIndex", func() (nvml.Device, nvml.Return) { return d.handle.GetMigDeviceHandleByIndex(i) },
			func(_ *Device, v nvml.Device) { slice = v }) {
			continue // an empty place
		}
		s := Slice{}
		ask(q, "nvmlDeviceGetUUID", slice.GetUUID, func(_ *Device, v string) { s.UUID = v })
		ask(q, "nvmlDeviceGetName", slice.GetName, func(_ *Device, v string) { s.Name = v })
		ask(q, "nvmlDeviceGetGpuInstanceId", slice.GetGpuInstanceId, func(_ *Device, v int) { s.Instance = v })
		ask(q, "nvmlDeviceGetComputeInstanceId", slice.GetComputeInstanceId, func(_ *Device, v int) { s.Compute = v })
		if !ask(q, "nvmlDeviceGetMemoryInfo_v2", slice.GetMemoryInfo_v2, func(_ *Device, v nvml.Memory_v2) {
			s.MemoryTotal, s.MemoryUsed = value(v.Total), value(v.Used)
		}) {
			ask(q, "nvmlDeviceGetMemoryInfo", slice.GetMemoryInfo, func(_ *Device, v nvml.Memory) {
				s.MemoryTotal, s.MemoryUsed = value(v.Total), value(v.Used)
			})
		}
		ask(q, "nvmlDeviceGetComputeRunningProcesses", slice.GetComputeRunningProcesses, func(_ *Device, v []nvml.ProcessInfo) {
			s.Processes = appendProcesses([]Process{}, Compute, v)
		})
		slices = append(slices, s)
	}
	if !q.end {
		q.to.set(func(d *Device) { d.Slices = slices })
	}
}

func (d *nvmlDevice) readHeat(q *query) {
	h := d.handle
	if !ask(q, "nvmlDeviceGetTemperatureV", func() (nvml.Temperature, nvml.Return) { return h.GetTemperatureV().V1() },
		func(d *Device, v nvml.Temperature) { d.Temperature = value(float64(v.Temperature)) }) {
		// Drivers before R570 have no other
		ask(q, "nvmlDeviceGetTemperature", func() (uint32, nvml.Return) { return h.GetTemperature(nvml.TEMPERATURE_GPU) },
			func(d *Device, v uint32) { d.Temperature = value(float64(v)) })
	}
	threshold := func(kind nvml.TemperatureThresholds) func() (uint32, nvml.Return) {
		return func() (uint32, nvml.Return) { return h.GetTemperatureThreshold(kind) }
	}
	ask(q, "nvmlDeviceGetTemperatureThreshold", threshold(nvml.TEMPERATURE_THRESHOLD_SLOWDOWN),
		func(d *Device, v uint32) { d.SlowdownAt = value(float64(v)) })
	ask(q, "nvmlDeviceGetTemperatureThreshold", threshold(nvml.TEMPERATURE_THRESHOLD_SHUTDOWN),
		func(d *Device, v uint32) { d.ShutdownAt = value(float64(v)) })
	ask(q, "nvmlDeviceGetPowerUsage", h.GetPowerUsage, func(d *Device, v uint32) { d.Power = value(float64(v) / 1e3) })
	ask(q, "nvmlDeviceGetEnforcedPowerLimit", h.GetEnforcedPowerLimit, func(d *Device, v uint32) { d.PowerLimit = value(float64(v) / 1e3) })
	ask(q, "nvmlDeviceGetTotalEnergyConsumption", h.GetTotalEnergyConsumption, func(d *Device, v uint64) { d.Energy = value(float64(v) / 1e3) })
	ask(q, "nvmlDeviceGetClockInfo", func() (uint32, nvml.Return) { return h.GetClockInfo(nvml.CLOCK_SM) },
		func(d *Device, v uint32) { d.Clock = value(float64(v)) })
	ask(q, "nvmlDeviceGetMaxClockInfo", func() (uint32, nvml.Return) { return h.GetMaxClockInfo(nvml.CLOCK_SM) },
		func(d *Device, v uint32) { d.MaxClock = value(float64(v)) })
	put := func(d *Device, v uint64) { d.Reasons = value(Reasons(v)) }
	if !ask(q, "nvmlDeviceGetCurrentClocksEventReasons", h.GetCurrentClocksEventReasons, put) {
		// Drivers before R535 have no other
		ask(q, "nvmlDeviceGetCurrentClocksThrottleReasons", h.GetCurrentClocksThrottleReasons, put)
	}
}

func (d *nvmlDevice) readMemoryHealth(q *query) {
	h := d.handle
	ask(q, "nvmlDeviceGetEccMode", func() (bool, nvml.Return) {
		now, _, ret := h.GetEccMode()
		return now == nvml.FEATURE_ENABLED, ret
	}, func(d *Device, on bool) { d.ECC.Enabled = value(on) })
	errorCount := func(kind nvml.MemoryErrorType, counter nvml.EccCounterType) func() (uint64, nvml.Return) {
		return func() (uint64, nvml.Return) { return h.GetTotalEccErrors(kind, counter) }
	}
	ask(q, "nvmlDeviceGetTotalEccErrors", errorCount(nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC),
		func(d *Device, v uint64) { d.ECC.Corrected = value(v) })
	ask(q, "nvmlDeviceGetTotalEccErrors", errorCount(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC),
		func(d *Device, v uint64) { d.ECC.Uncorrected = value(v) })
	ask(q, "nvmlDeviceGetTotalEccErrors", errorCount(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.AGGREGATE_ECC),
		func(d *Device, v uint64) { d.ECC.Lifetime = value(v) })
	ask(q, "nvmlDeviceGetSramEccErrorStatus", h.GetSramEccErrorStatus,
		func(d *Device, v nvml.EccSramErrorStatus) { d.ECC.SRAMWorn = value(v.BThresholdExceeded != 0) })
	ask(q, "nvmlDeviceGetRemappedRows", func() (Rows, nvml.Return) {
		correctable, uncorrectable, pending, failed, ret := h.GetRemappedRows()
		return Rows{correctable, uncorrectable, pending, failed}, ret
	}, func(d *Device, v Rows) { d.Rows = value(v) })
	if q.driver.has("nvmlDeviceGetRetiredPagesPendingStatus") {
		ask(q, "nvmlDeviceGetRetiredPages", d.retiredPages, func(d *Device, v Pages) { d.Pages = value(v) })
	}
	ask(q, "nvmlDeviceGetFieldValues", fieldUint32(h, nvml.FI_DEV_GET_GPU_RECOVERY_ACTION), func(d *Device, v uint32) {
		if recovery, known := recoveryOf(v); known {
			d.Recovery = value(recovery)
		}
	})
}

func (d *nvmlDevice) retiredPages() (Pages, nvml.Return) {
	single, ret := d.handle.GetRetiredPages(nvml.PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS)
	if ret != nvml.SUCCESS {
		return Pages{}, ret
	}
	double, ret := d.handle.GetRetiredPages(nvml.PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)
	if ret != nvml.SUCCESS {
		return Pages{}, ret
	}
	pending, ret := d.handle.GetRetiredPagesPendingStatus()
	return Pages{SingleBit: len(single), DoubleBit: len(double), Pending: pending == nvml.FEATURE_ENABLED}, ret
}

func (d *nvmlDevice) readProcesses(q *query) {
	h := d.handle
	var all []Process
	put := func(kind ProcessKind) func(*Device, []nvml.ProcessInfo) {
		return func(_ *Device, v []nvml.ProcessInfo) {
			if all == nil {
				all = []Process{}
			}
			all = appendProcesses(all, kind, v)
		}
	}
	ask(q, "nvmlDeviceGetMPSComputeRunningProcesses", h.GetMPSComputeRunningProcesses, put(MPS))
	ask(q, "nvmlDeviceGetComputeRunningProcesses", h.GetComputeRunningProcesses, put(Compute))
	ask(q, "nvmlDeviceGetGraphicsRunningProcesses", h.GetGraphicsRunningProcesses, put(Graphics))
	if len(all) > 0 {
		ask(q, "nvmlDeviceGetProcessUtilization", func() ([]nvml.ProcessUtilizationSample, nvml.Return) { return h.GetProcessUtilization(d.seen) },
			func(_ *Device, v []nvml.ProcessUtilizationSample) { d.addBusy(all, v) })
	}
	if !q.end {
		q.to.set(func(d *Device) { d.Processes = all })
	}
}

// addBusy gives each process its latest sample.
func (d *nvmlDevice) addBusy(processes []Process, samples []nvml.ProcessUtilizationSample) {
	latest := map[int]nvml.ProcessUtilizationSample{}
	for _, s := range samples {
		if s.TimeStamp >= latest[int(s.Pid)].TimeStamp {
			latest[int(s.Pid)] = s
		}
		d.seen = max(d.seen, s.TimeStamp)
	}
	for i, p := range processes {
		if s, ok := latest[p.PID]; ok {
			processes[i].Busy = percent(s.SmUtil)
		}
	}
}

// appendProcesses leaves out clients of the multi-process service that are listed as compute processes, too.
func appendProcesses(to []Process, kind ProcessKind, from []nvml.ProcessInfo) []Process {
	clients := map[int]bool{}
	for _, p := range to {
		clients[p.PID] = p.Kind == MPS
	}
	for _, p := range from {
		if kind == Compute && clients[int(p.Pid)] {
			continue
		}
		out := Process{PID: int(p.Pid), Kind: kind}
		if p.UsedGpuMemory != math.MaxUint64 { // not available
			out.Memory = value(p.UsedGpuMemory)
		}
		to = append(to, out)
	}
	return to
}

// percent is a share. Drivers are known to report a little above 100, which counts as 100, and garbage, which does not
// count.
func percent(v uint32) resources.Value[float64] {
	if v > 200 {
		return resources.Value[float64]{}
	}
	return value(min(float64(v)/100, 1))
}

func text(s []int8) string {
	var out []byte
	for _, c := range s {
		if c == 0 {
			break
		}
		out = append(out, byte(c))
	}
	return string(out)
}
