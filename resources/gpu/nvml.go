//go:build cgo && linux

package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

const nvmlName = "libnvidia-ml.so.1"

// nvmlLibrary is what is used of the library as a whole.
type nvmlLibrary interface {
	Init() nvml.Return
	Shutdown() nvml.Return
	Extensions() nvml.ExtendedInterface
	DeviceGetCount() (int, nvml.Return)
	DeviceGetHandleByIndex(int) (nvml.Device, nvml.Return)
	EventSetCreate() (nvml.EventSet, nvml.Return)
}

// systemNVML is the library that go-nvml shares with everybody in the process: one of our own would write the same
// unguarded variables of go-nvml when it is loaded.
type systemNVML struct{}

func (systemNVML) Init() nvml.Return                  { return nvml.Init() }
func (systemNVML) Shutdown() nvml.Return              { return nvml.Shutdown() }
func (systemNVML) Extensions() nvml.ExtendedInterface { return nvml.Extensions() }
func (systemNVML) DeviceGetCount() (int, nvml.Return) { return nvml.DeviceGetCount() }
func (systemNVML) DeviceGetHandleByIndex(i int) (nvml.Device, nvml.Return) {
	return nvml.DeviceGetHandleByIndex(i)
}
func (systemNVML) EventSetCreate() (nvml.EventSet, nvml.Return) { return nvml.EventSetCreate() }

// nvmlDriver is NVML. Every function of the C library is looked up before it is called for the first time: a missing one
// ends the process where it is called.
type nvmlDriver struct {
	lib nvmlLibrary
	// present tells whether the library can be initialised at all.
	present func() error

	mu    sync.Mutex
	known map[string]bool // by function, since open
}

func systemDriver() driver { return &nvmlDriver{lib: systemNVML{}, present: findNVML} }

// findNVML looks for the functions that Init calls, which go-nvml does not. The library stays loaded: the program's links
// to it would dangle otherwise.
func findNVML() error {
	lib := dl.New(nvmlName, dl.RTLD_LAZY|dl.RTLD_GLOBAL|dl.RTLD_NODELETE)
	if err := lib.Open(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoDriver, err)
	}
	for _, name := range []string{"nvmlInit_v2", "nvmlShutdown"} {
		if err := lib.Lookup(name); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrNoDriver, nvmlName, err)
		}
	}
	return nil
}

func (n *nvmlDriver) open() error {
	if err := n.present(); err != nil {
		return err
	}
	if ret := n.lib.Init(); ret != nvml.SUCCESS {
		return fmt.Errorf("%w: %w", ErrNoDriver, nvmlError("nvmlInit", ret))
	}
	n.mu.Lock()
	n.known = map[string]bool{}
	n.mu.Unlock()
	return nil
}

func (n *nvmlDriver) close() error {
	return nvmlError("nvmlShutdown", n.lib.Shutdown())
}

// has tells whether the library has a function, in a version that go-nvml calls.
func (n *nvmlDriver) has(function string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	have, looked := n.known[function]
	if !looked && n.known != nil {
		for _, version := range versions(function) {
			have = have || n.lib.Extensions().LookupSymbol(function+version) == nil
		}
		n.known[function] = have
	}
	return have
}

// versions are those among which go-nvml chooses by itself.
func versions(function string) []string {
	switch function {
	case "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "nvmlEventSetWait":
		return []string{"", "_v2"}
	case "nvmlDeviceGetPciInfo", "nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses",
		"nvmlDeviceGetMPSComputeRunningProcesses":
		return []string{"", "_v2", "_v3"}
	}
	return []string{""}
}

func (n *nvmlDriver) devices() ([]device, error) {
	for _, f := range []string{"nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"} {
		if !n.has(f) {
			return nil, fmt.Errorf("%w: it has no %s", ErrNoDriver, f)
		}
	}
	count, ret := n.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, nvmlError("nvmlDeviceGetCount", ret)
	}
	var out []device
	for i := range count {
		handle, ret := n.lib.DeviceGetHandleByIndex(i)
		if ret == nvml.ERROR_NO_PERMISSION { // somebody else's
			continue
		}
		d := &nvmlDevice{driver: n, handle: handle, id: Device{Index: i}}
		if ret == nvml.SUCCESS {
			d.identify()
		} else { // whatever the reason, the driver cannot reach it
			d.unusable = &callError{call: "nvmlDeviceGetHandleByIndex", text: nvmlText(ret), kind: ErrLost}
		}
		out = append(out, d)
	}
	return out, nil
}

func (n *nvmlDriver) listen(devices []device) (eventSet, error) {
	for _, f := range []string{"nvmlEventSetCreate", "nvmlEventSetFree", "nvmlEventSetWait", "nvmlDeviceRegisterEvents", "nvmlDeviceGetSupportedEventTypes"} {
		if !n.has(f) {
			return nil, fmt.Errorf("%w: the driver has no %s", errNoEvents, f)
		}
	}
	set, ret := n.lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		return nil, nvmlError("nvmlEventSetCreate", ret)
	}
	out, registered := &nvmlEvents{set: set}, 0
	for _, d := range devices {
		d := d.(*nvmlDevice)
		if d.unusable != nil {
			continue
		}
		out.devices = append(out.devices, d)
		supported, ret := d.handle.GetSupportedEventTypes()
		supported &= nvml.EventTypeXidCriticalError | nvml.EventTypeDoubleBitEccError
		if ret == nvml.SUCCESS && supported != 0 && d.handle.RegisterEvents(supported, set) == nvml.SUCCESS {
			registered++
		}
	}
	if registered == 0 {
		set.Free()
		return nil, errNoEvents
	}
	return out, nil
}

type nvmlEvents struct {
	set     nvml.EventSet
	devices []*nvmlDevice
}

func (e *nvmlEvents) free() { e.set.Free() }

func (e *nvmlEvents) wait(timeout time.Duration) (Event, bool, error) {
	data, ret := e.set.Wait(uint32(timeout / time.Millisecond))
	switch ret {
	case nvml.SUCCESS:
	case nvml.ERROR_TIMEOUT:
		return Event{}, false, nil
	default:
		return Event{}, false, nvmlError("nvmlEventSetWait", ret)
	}
	out := Event{At: time.Now(), DoubleBit: data.EventType == nvml.EventTypeDoubleBitEccError}
	if !out.DoubleBit {
		out.XID = int(data.EventData)
	}
	for _, d := range e.devices {
		if d.handle == data.Device {
			out.UUID = d.id.UUID
		}
	}
	const whole = 0xFFFFFFFF
	if data.GpuInstanceId != whole {
		out.Instance = value(int(data.GpuInstanceId))
	}
	if data.ComputeInstanceId != whole {
		out.Compute = value(int(data.ComputeInstanceId))
	}
	return out, true, nil
}

// nvmlError is nil for success.
func nvmlError(call string, ret nvml.Return) error {
	var kind error
	switch ret {
	case nvml.SUCCESS:
		return nil
	case nvml.ERROR_UNINITIALIZED, nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		kind = errUninitialized
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_GPU_NOT_FOUND:
		kind = ErrLost
	}
	return &callError{call: call, text: nvmlText(ret), kind: kind}
}

// nvmlText does without nvmlErrorString, which an old library may lack.
func nvmlText(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_UNINITIALIZED:
		return "not initialised"
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "driver not loaded"
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "library not found"
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "the driver is of another version than the library: restart the process"
	case nvml.ERROR_GPU_IS_LOST:
		return "GPU is lost"
	case nvml.ERROR_GPU_NOT_FOUND:
		return "no such GPU"
	case nvml.ERROR_RESET_REQUIRED:
		return "GPU needs a reset"
	case nvml.ERROR_INSUFFICIENT_POWER:
		return "external power cables are not attached"
	case nvml.ERROR_IRQ_ISSUE:
		return "interrupts do not arrive"
	case nvml.ERROR_UNKNOWN:
		return "unknown error"
	default:
		return fmt.Sprintf("error %d", int32(ret))
	}
}

// missing tells the answers that mean that there is nothing to report from those that mean that something is wrong.
func missing(ret nvml.Return) bool {
	switch ret {
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION, nvml.ERROR_NOT_FOUND, nvml.ERROR_NO_DATA, nvml.ERROR_NOT_READY,
		nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_DEPRECATED,
		nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_VGPU_ECC_NOT_SUPPORTED:
		return true
	}
	return false
}

// query is one reading of one device.
type query struct {
	driver *nvmlDriver
	to     *reading
	errs   []error
	end    bool // the device is gone: no more calls
}

// ask makes a call, if the library has it, and puts what it returns where it belongs. It returns whether there was a value.
func ask[T any](q *query, call string, f func() (T, nvml.Return), put func(*Device, T)) bool {
	if q.end || !q.driver.has(call) {
		return false
	}
	q.to.begin(call)
	v, ret := f()
	switch {
	case ret == nvml.SUCCESS:
		q.to.set(func(d *Device) { put(d, v) })
		return true
	case missing(ret):
	case ret == nvml.ERROR_RESET_REQUIRED:
		q.to.set(func(d *Device) { d.Recovery = value(ResetGPU) })
		fallthrough
	default:
		err := nvmlError(call, ret)
		q.errs = append(q.errs, err)
		q.end = errors.Is(err, ErrLost) || errors.Is(err, errUninitialized)
	}
	return false
}

// fieldUint32 asks for one of the numbered fields that have no function of their own.
func fieldUint32(h nvml.Device, field uint32) func() (uint32, nvml.Return) {
	return func() (uint32, nvml.Return) {
		values := []nvml.FieldValue{{FieldId: field}}
		if ret := h.GetFieldValues(values); ret != nvml.SUCCESS {
			return 0, ret
		}
		if ret := nvml.Return(values[0].NvmlReturn); ret != nvml.SUCCESS {
			return 0, ret
		}
		if nvml.ValueType(values[0].ValueType) != nvml.VALUE_TYPE_UNSIGNED_INT {
			return 0, nvml.ERROR_NOT_SUPPORTED
		}
		return binary.NativeEndian.Uint32(values[0].Value[:]), nvml.SUCCESS
	}
}
