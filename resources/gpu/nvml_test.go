//go:build cgo && linux

package gpu

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
	"github.com/stretchr/testify/require"
	"github.com/surefoot-ml/surefoot/resources"
)

const mib = 1 << 20

// mockReader is a Reader of a server of the vendor's mock.
func mockReader(t *testing.T, s *server.Server, cfg Config) *Reader {
	r, err := newReader(cfg, &nvmlDriver{lib: s, present: func() error { return nil }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// full sets everything that the mock leaves open. A function that is not set panics when called, so that a test also
// shows what is not called. The one that needs a real library is taken for missing.
func full(s *server.Server) []*server.Device {
	s.LookupSymbolFunc = func(name string) error {
		if name == "nvmlDeviceGetTemperatureV" || name == "nvmlEventSetCreate" {
			return errors.New("no such symbol")
		}
		return nil
	}
	var out []*server.Device
	for i := range s.Devices {
		d := s.Devices[i].(*server.Device)
		d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 97, Memory: 45}, nvml.SUCCESS }
		d.GetMemoryInfo_v2Func = func() (nvml.Memory_v2, nvml.Return) {
			return nvml.Memory_v2{Total: 81559 * mib, Reserved: 551 * mib, Free: 1008 * mib, Used: 80000 * mib}, nvml.SUCCESS
		}
		d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 63, nvml.SUCCESS }
		d.GetTemperatureThresholdFunc = func(k nvml.TemperatureThresholds) (uint32, nvml.Return) {
			return map[nvml.TemperatureThresholds]uint32{nvml.TEMPERATURE_THRESHOLD_SLOWDOWN: 87, nvml.TEMPERATURE_THRESHOLD_SHUTDOWN: 92}[k], nvml.SUCCESS
		}
		d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 612345, nvml.SUCCESS }
		d.GetEnforcedPowerLimitFunc = func() (uint32, nvml.Return) { return 700000, nvml.SUCCESS }
		d.GetTotalEnergyConsumptionFunc = func() (uint64, nvml.Return) { return 123456789, nvml.SUCCESS }
		d.GetClockInfoFunc = func(nvml.ClockType) (uint32, nvml.Return) { return 1755, nvml.SUCCESS }
		d.GetMaxClockInfoFunc = func(nvml.ClockType) (uint32, nvml.Return) { return 1980, nvml.SUCCESS }
		d.GetCurrentClocksEventReasonsFunc = func() (uint64, nvml.Return) { return nvml.ClocksEventReasonSwPowerCap, nvml.SUCCESS }
		d.GetEccModeFunc = func() (nvml.EnableState, nvml.EnableState, nvml.Return) {
			return nvml.FEATURE_ENABLED, nvml.FEATURE_ENABLED, nvml.SUCCESS
		}
		d.GetTotalEccErrorsFunc = func(kind nvml.MemoryErrorType, counter nvml.EccCounterType) (uint64, nvml.Return) {
			return uint64(10*kind) + uint64(counter), nvml.SUCCESS
		}
		d.GetSramEccErrorStatusFunc = func() (nvml.EccSramErrorStatus, nvml.Return) {
			return nvml.EccSramErrorStatus{}, nvml.SUCCESS
		}
		d.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 2, 1, true, false, nvml.SUCCESS }
		d.GetRetiredPagesFunc = func(nvml.PageRetirementCause) ([]uint64, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
		d.GetRetiredPagesPendingStatusFunc = func() (nvml.EnableState, nvml.Return) { return 0, nvml.ERROR_NOT_SUPPORTED }
		d.GetFieldValuesFunc = func(v []nvml.FieldValue) nvml.Return {
			v[0].ValueType = uint32(nvml.VALUE_TYPE_UNSIGNED_INT)
			binary.NativeEndian.PutUint32(v[0].Value[:], uint32(nvml.GPU_RECOVERY_ACTION_NONE))
			return nvml.SUCCESS
		}
		d.GetComputeRunningProcessesFunc = func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 41, UsedGpuMemory: 70000 * mib}, {Pid: 42, UsedGpuMemory: math.MaxUint64}, {Pid: 43}}, nvml.SUCCESS
		}
		d.GetGraphicsRunningProcessesFunc = func() ([]nvml.ProcessInfo, nvml.Return) { return nil, nvml.SUCCESS }
		d.GetMPSComputeRunningProcessesFunc = func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 43}}, nvml.SUCCESS
		}
		d.GetProcessUtilizationFunc = func(since uint64) ([]nvml.ProcessUtilizationSample, nvml.Return) {
			if since >= 2000 {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return []nvml.ProcessUtilizationSample{{Pid: 41, TimeStamp: 2000, SmUtil: 90}, {Pid: 41, TimeStamp: 1000, SmUtil: 10}, {Pid: 7, TimeStamp: 1000}}, nvml.SUCCESS
		}
		out = append(out, d)
	}
	return out
}

func TestNVMLReadsEverything(t *testing.T) {
	t.Parallel()
	s := dgxh100.New()
	mocks := full(s)
	devices, err := mockReader(t, s, Config{}).Read(t.Context())
	require.NoError(t, err)
	require.Len(t, devices, 8)
	require.Equal(t, Device{
		Index: 3, UUID: mocks[3].UUID, Name: mocks[3].Config.Name,
		Busy: resources.Of(.97), MemoryBusy: resources.Of(.45),
		MemoryTotal: resources.Of[uint64](81559 * mib), MemoryUsed: resources.Of[uint64](80000 * mib), MemoryReserved: resources.Of[uint64](551 * mib),
		Temperature: resources.Of(63.0), SlowdownAt: resources.Of(87.0), ShutdownAt: resources.Of(92.0),
		Power: resources.Of(612.345), PowerLimit: resources.Of(700.0), Energy: resources.Of(0.0),
		Clock: resources.Of(1755.0), MaxClock: resources.Of(1980.0), Reasons: resources.Of(PowerCap),
		ECC: ECC{
			Enabled: resources.Of(true), Corrected: resources.Of[uint64](0), Uncorrected: resources.Of[uint64](10),
			Lifetime: resources.Of[uint64](11), SRAMWorn: resources.Of(false),
		},
		Rows: resources.Of(Rows{Correctable: 2, Uncorrectable: 1, Pending: true}), Recovery: resources.Of(NoRecovery),
		Split: resources.Of(false),
		Processes: []Process{
			{PID: 43, Kind: MPS, Memory: resources.Of[uint64](0)},
			{PID: 41, Kind: Compute, Memory: resources.Of[uint64](70000 * mib), Busy: resources.Of(.9)},
			{PID: 42, Kind: Compute}, // its memory is not available, which is not 0 and not 16 EiB
		},
	}, devices[3])
}

func TestNVMLNotSupportedIsAbsent(t *testing.T) {
	t.Parallel()
	s := dgxa100.New()
	d := full(s)[0]
	s.Devices = s.Devices[:1]
	d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{}, nvml.ERROR_NOT_SUPPORTED }
	d.GetMemoryInfo_v2Func = func() (nvml.Memory_v2, nvml.Return) { return nvml.Memory_v2{}, nvml.ERROR_FUNCTION_NOT_FOUND }
	d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 0, nvml.ERROR_UNKNOWN }
	d.GetTotalEccErrorsFunc = func(nvml.MemoryErrorType, nvml.EccCounterType) (uint64, nvml.Return) {
		return 0, nvml.ERROR_NOT_SUPPORTED
	}
	d.GetProcessUtilizationFunc = func(uint64) ([]nvml.ProcessUtilizationSample, nvml.Return) {
		return []nvml.ProcessUtilizationSample{{Pid: 41, SmUtil: 101}, {Pid: 42, SmUtil: math.MaxUint32}}, nvml.SUCCESS
	}
	d.GetFieldValuesFunc = func(v []nvml.FieldValue) nvml.Return {
		v[0].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
		return nvml.SUCCESS
	}
	got := func() Device {
		devices, err := mockReader(t, s, Config{}).Read(t.Context())
		require.ErrorContains(t, err, "GPU 0: gpu: nvmlDeviceGetPowerUsage: unknown error", "what is wrong is told")
		require.NotContains(t, err.Error(), "\n", "what is not supported is not wrong")
		return devices[0]
	}()
	require.False(t, got.Busy.OK)
	require.False(t, got.Power.OK)
	require.False(t, got.ECC.Uncorrected.OK)
	require.False(t, got.Recovery.OK)
	require.True(t, got.Temperature.OK, "one that fails leaves the others intact")
	require.True(t, got.ECC.Enabled.OK)
	require.Equal(t, d.MemoryInfo.Total, got.MemoryTotal.V, "the older function stands in")
	require.False(t, got.MemoryReserved.OK)
	require.Equal(t, resources.Of(1.0), got.Processes[1].Busy, "a little above 100 % counts as 100 %")
	require.False(t, got.Processes[2].Busy.OK, "garbage does not count")
}

// A driver that lacks a function is never asked for it: the process would end there.
func TestNVMLAsksOnlyForWhatIsThere(t *testing.T) {
	t.Parallel()
	s := dgxa100.New() // everything but the basics panics when called
	s.LookupSymbolFunc = func(name string) error {
		switch name {
		case "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID", "nvmlDeviceGetMemoryInfo":
			return nil
		}
		return errors.New("no such symbol")
	}
	devices, err := mockReader(t, s, Config{}).Read(t.Context())
	require.NoError(t, err)
	require.Len(t, devices, 8)
	require.NotEmpty(t, devices[0].UUID)
	require.Empty(t, devices[0].Name)
	require.True(t, devices[0].MemoryTotal.OK)
	require.Nil(t, devices[0].Processes, "unknown, not none")

	s.LookupSymbolFunc = func(string) error { return errors.New("no such symbol") }
	devices, err = mockReader(t, s, Config{}).Read(t.Context())
	require.ErrorIs(t, err, ErrNoDriver)
	require.Nil(t, devices)
}

// Nothing is called after a failed Init: every other function of the mock panics here.
func TestNVMLNothingAfterFailedInit(t *testing.T) {
	t.Parallel()
	for _, ret := range []nvml.Return{nvml.ERROR_LIBRARY_NOT_FOUND, nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_LIB_RM_VERSION_MISMATCH, nvml.ERROR_NO_PERMISSION} {
		s := &server.Server{}
		s.InitFunc = func() nvml.Return { return ret }
		r := mockReader(t, s, Config{})
		for range 3 {
			devices, err := r.Read(t.Context())
			require.ErrorIs(t, err, ErrNoDriver)
			require.ErrorContains(t, err, "nvmlInit")
			require.Nil(t, devices)
		}
		require.Len(t, s.InitCalls(), 1)
		require.NoError(t, r.Close(t.Context()))
	}
}

func TestNVMLSlices(t *testing.T) {
	t.Parallel()
	s := dgxa100.New()
	d := full(s)[0]
	s.Devices = s.Devices[:1]
	d.SetMigMode(nvml.DEVICE_MIG_ENABLE)
	// Some drivers answer for a split GPU, with what is not true (dcgm-exporter#216).
	d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 100}, nvml.SUCCESS }
	d.GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 7, nvml.SUCCESS }
	d.GetMigDeviceHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		if i != 1 && i != 4 {
			return nil, nvml.ERROR_NOT_FOUND
		}
		return &mock.Device{
			GetUUIDFunc: func() (string, nvml.Return) { return "MIG-" + string(rune('0'+i)), nvml.SUCCESS },
			GetNameFunc: func() (string, nvml.Return) { return "NVIDIA A100 MIG 3g.20gb", nvml.SUCCESS },
			GetMemoryInfo_v2Func: func() (nvml.Memory_v2, nvml.Return) {
				return nvml.Memory_v2{Total: 19968 * mib, Used: uint64(i) * mib}, nvml.SUCCESS
			},
			GetGpuInstanceIdFunc:     func() (int, nvml.Return) { return i, nvml.SUCCESS },
			GetComputeInstanceIdFunc: func() (int, nvml.Return) { return 0, nvml.SUCCESS },
			GetComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) {
				if i == 1 {
					return []nvml.ProcessInfo{{Pid: 9, UsedGpuMemory: 5}}, nvml.SUCCESS
				}
				return nil, nvml.ERROR_NO_PERMISSION
			},
		}, nvml.SUCCESS
	}
	devices, err := mockReader(t, s, Config{}).Read(t.Context())
	require.NoError(t, err)
	got := devices[0]
	require.Equal(t, resources.Of(true), got.Split)
	require.False(t, got.Busy.OK, "there is no utilisation of a split GPU")
	require.Equal(t, []Slice{
		{
			UUID: "MIG-1", Name: "NVIDIA A100 MIG 3g.20gb", Instance: 1,
			MemoryTotal: resources.Of[uint64](19968 * mib), MemoryUsed: resources.Of[uint64](mib),
			Processes: []Process{{PID: 9, Kind: Compute, Memory: resources.Of[uint64](5)}},
		},
		{
			UUID: "MIG-4", Name: "NVIDIA A100 MIG 3g.20gb", Instance: 4,
			MemoryTotal: resources.Of[uint64](19968 * mib), MemoryUsed: resources.Of[uint64](4 * mib),
		},
	}, got.Slices)
	require.Equal(t, resources.Of[uint64](80000*mib), got.MemoryUsed, "the whole is not the sum of the slices")

	d.GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 0, nvml.SUCCESS }
	devices, err = mockReader(t, s, Config{}).Read(t.Context())
	require.NoError(t, err)
	require.NotNil(t, devices[0].Slices, "split into nothing yet is known")
	require.Empty(t, devices[0].Slices)
}

func TestNVMLLostGPU(t *testing.T) {
	t.Parallel()
	s := dgxh100.New()
	mocks := full(s)
	r := mockReader(t, s, Config{Retry: time.Hour})
	_, err := r.Read(t.Context())
	require.NoError(t, err)
	// It falls off the bus in the middle of a reading; what comes after must not be asked for any more.
	mocks[2].GetPowerUsageFunc = func() (uint32, nvml.Return) { return 0, nvml.ERROR_GPU_IS_LOST }
	mocks[2].GetTotalEnergyConsumptionFunc = nil
	devices, err := r.Read(t.Context())
	require.ErrorIs(t, err, ErrLost)
	require.ErrorContains(t, err, "GPU 2: gpu: lost: nvmlDeviceGetPowerUsage")
	require.Equal(t, Device{Index: 2, UUID: mocks[2].UUID, Name: mocks[2].Config.Name, Lost: true}, devices[2])
	require.True(t, devices[3].Power.OK)
	require.Equal(t, Reboot, Health(devices[2], time.Time{})[0].Action)

	// After a restart of the process, not even a handle is to be had.
	handle := s.DeviceGetHandleByIndexFunc
	s.DeviceGetHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		switch i {
		case 2:
			return nil, nvml.ERROR_GPU_IS_LOST
		case 5:
			return nil, nvml.ERROR_NO_PERMISSION
		}
		return handle(i)
	}
	devices, err = mockReader(t, s, Config{}).Read(t.Context())
	require.ErrorIs(t, err, ErrLost)
	require.Len(t, devices, 7, "what belongs to others is not there")
	require.Equal(t, Device{Index: 2, Lost: true}, devices[2])
	require.Equal(t, 6, devices[5].Index)
}

func TestNVMLResetRequired(t *testing.T) {
	t.Parallel()
	s := dgxh100.New()
	d := full(s)[0]
	s.Devices = s.Devices[:1]
	d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 0, nvml.ERROR_RESET_REQUIRED }
	d.GetFieldValuesFunc = func([]nvml.FieldValue) nvml.Return { return nvml.ERROR_NOT_SUPPORTED }
	devices, err := mockReader(t, s, Config{}).Read(t.Context())
	require.ErrorContains(t, err, "needs a reset")
	require.Equal(t, resources.Of(ResetGPU), devices[0].Recovery)
	require.Equal(t, Reset, Health(devices[0], time.Time{})[0].Action)
}

func TestNVMLDriverReload(t *testing.T) {
	t.Parallel()
	s := dgxh100.New()
	mocks := full(s)
	r := mockReader(t, s, Config{Retry: time.Nanosecond})
	for _, d := range mocks {
		d.GetMigModeFunc = func() (int, int, nvml.Return) { return 0, 0, nvml.ERROR_UNINITIALIZED }
	}
	devices, err := r.Read(t.Context())
	require.ErrorContains(t, err, "driver is gone")
	require.False(t, devices[0].Power.OK)
	for _, d := range mocks {
		d.GetMigModeFunc = func() (int, int, nvml.Return) { return 0, 0, nvml.SUCCESS }
	}
	_, err = r.Read(t.Context())
	require.NoError(t, err)
	require.Len(t, s.InitCalls(), 2)
	require.Len(t, s.ShutdownCalls(), 1)
	require.NoError(t, r.Close(t.Context()))
	require.Len(t, s.ShutdownCalls(), 2)
}

func TestNVMLHungCall(t *testing.T) {
	t.Parallel()
	s := dgxh100.New()
	d := full(s)[1]
	hang, calls := make(chan struct{}), 0
	d.GetPowerUsageFunc = func() (uint32, nvml.Return) {
		calls++
		<-hang
		return 1000, nvml.SUCCESS
	}
	r := mockReader(t, s, Config{Timeout: 50 * time.Millisecond})
	for range 3 {
		devices, err := r.Read(t.Context())
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorContains(t, err, "nvmlDeviceGetPowerUsage")
		require.True(t, devices[0].Power.OK)
	}
	close(hang)
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, 1, calls)
}

func TestNVMLEvents(t *testing.T) {
	t.Parallel()
	s := dgxh100.New()
	mocks := full(s)
	s.LookupSymbolFunc = func(name string) error {
		if name == "nvmlDeviceGetTemperatureV" {
			return errors.New("no such symbol")
		}
		return nil
	}
	events := make(chan nvml.EventData)
	set := &mock.EventSet{
		FreeFunc: func() nvml.Return { return nvml.SUCCESS },
		WaitFunc: func(ms uint32) (nvml.EventData, nvml.Return) {
			select {
			case e := <-events:
				return e, nvml.SUCCESS
			case <-time.After(min(time.Duration(ms)*time.Millisecond, 10*time.Millisecond)):
				return nvml.EventData{}, nvml.ERROR_TIMEOUT
			}
		},
	}
	s.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return set, nvml.SUCCESS }
	for i, d := range mocks {
		d.GetSupportedEventTypesFunc = func() (uint64, nvml.Return) { return nvml.EventTypeAll, nvml.SUCCESS }
		d.RegisterEventsFunc = func(kinds uint64, to nvml.EventSet) nvml.Return {
			if to != set || kinds != nvml.EventTypeXidCriticalError|nvml.EventTypeDoubleBitEccError {
				return nvml.ERROR_INVALID_ARGUMENT
			}
			if i == 7 { // one that cannot does not spoil it for the others
				return nvml.ERROR_NOT_SUPPORTED
			}
			return nvml.SUCCESS
		}
	}
	var mu sync.Mutex
	var heard []Event
	got := make(chan struct{}, 4)
	r := mockReader(t, s, Config{Event: func(e Event) {
		mu.Lock()
		heard = append(heard, e)
		mu.Unlock()
		got <- struct{}{}
	}})
	_, err := r.Read(t.Context())
	require.NoError(t, err)
	events <- nvml.EventData{Device: mocks[4], EventType: nvml.EventTypeXidCriticalError, EventData: 79, GpuInstanceId: math.MaxUint32, ComputeInstanceId: math.MaxUint32}
	events <- nvml.EventData{Device: mocks[4], EventType: nvml.EventTypeDoubleBitEccError, GpuInstanceId: 2, ComputeInstanceId: 0}
	<-got
	<-got
	devices, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Len(t, devices[4].Events, 2)
	require.EqualValues(t, 1, devices[4].XIDs)
	first, second := devices[4].Events[0], devices[4].Events[1]
	require.Equal(t, Event{At: first.At, UUID: mocks[4].UUID, XID: 79}, first)
	require.Equal(t, Event{At: second.At, UUID: mocks[4].UUID, DoubleBit: true, Instance: resources.Of(2), Compute: resources.Of(0)}, second)
	require.Equal(t, Reboot, Health(devices[4], time.Time{})[0].Action)
	require.Empty(t, devices[3].Events)
	require.NoError(t, r.Close(t.Context()))
	require.Len(t, set.FreeCalls(), 1)
	require.Equal(t, devices[4].Events, heard)
}

func TestNVMLRetiredPages(t *testing.T) {
	t.Parallel()
	s := dgxa100.New()
	d := full(s)[0]
	s.Devices = s.Devices[:1]
	d.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 0, 0, false, false, nvml.ERROR_NOT_SUPPORTED }
	d.GetRetiredPagesFunc = func(cause nvml.PageRetirementCause) ([]uint64, nvml.Return) {
		return make([]uint64, 3+cause), nvml.SUCCESS
	}
	d.GetRetiredPagesPendingStatusFunc = func() (nvml.EnableState, nvml.Return) { return nvml.FEATURE_ENABLED, nvml.SUCCESS }
	devices, err := mockReader(t, s, Config{}).Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, resources.Of(Pages{SingleBit: 3, DoubleBit: 4, Pending: true}), devices[0].Pages)
	require.False(t, devices[0].Rows.OK)
}

// BenchmarkRead is what reading costs beside the calls themselves, which take the mock no time. Run TestRealGPU for those.
func BenchmarkRead(b *testing.B) {
	s := dgxh100.New()
	full(s)
	r, err := newReader(Config{}, &nvmlDriver{lib: s, present: func() error { return nil }})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, r.Close(context.Background()))
}
