package gpu

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

// driver is what a Reader needs of a vendor's library. Any call may hang.
type driver interface {
	// open loads and initialises the library. After an error nothing but open may be called, or the process dies.
	open() error
	close() error
	// devices lists the GPUs. The error of one that cannot be used is told when it is read.
	devices() ([]device, error)
	// listen begins to record events of the devices; errNoEvents where there are none.
	listen([]device) (eventSet, error)
}

// device is one GPU of a driver, for as long as the driver is open.
type device interface {
	identity() Device
	// read fills in everything, call by call, and returns what went wrong. An absent metric is no error.
	read(*reading) error
}

type eventSet interface {
	// wait returns false when there was no event in time.
	wait(time.Duration) (Event, bool, error)
	free()
}

var errNoEvents = errors.New("gpu: no events")

// errUninitialized is found in errors that say that the library must be initialised anew: the driver was reloaded.
var errUninitialized = errors.New("gpu: driver is gone")

// callError is the error of one call.
type callError struct {
	call, text string
	kind       error // a sentinel or nil
}

func (e *callError) Error() string {
	if e.kind != nil {
		return fmt.Sprintf("%v: %s: %s", e.kind, e.call, e.text)
	}
	return fmt.Sprintf("gpu: %s: %s", e.call, e.text)
}

func (e *callError) Unwrap() error { return e.kind }

// reading is a device being read. The goroutine that reads it may hang at any call: whoever waits for it takes what is
// there by then.
type reading struct {
	started time.Time
	done    chan struct{}

	mu   sync.Mutex
	d    Device // guarded by mu; slices in it are replaced, never changed
	call string // under way
	err  error
}

func (r *reading) begin(call string) {
	r.mu.Lock()
	r.call = call
	r.mu.Unlock()
}

func (r *reading) set(change func(*Device)) {
	r.mu.Lock()
	change(&r.d)
	r.mu.Unlock()
}

// result is what has been read so far. The error is ErrNoAnswer with the name of the call where it is not finished.
func (r *reading) result() (Device, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.done:
		return r.d, r.err
	default:
		partial := r.d
		partial.Energy = resources.Value[float64]{} // not yet set against the past
		return partial, fmt.Errorf("%w since %s: %s", ErrNoAnswer, r.started.Format(time.RFC3339), r.call)
	}
}
