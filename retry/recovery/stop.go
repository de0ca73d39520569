package recovery

import (
	"errors"
	"fmt"
	"time"
)

// Why a supervisor ends a run.
var (
	// ErrNoProgress: recovery went on without getting further. Do not restart.
	ErrNoProgress = errors.New("recovery: no progress")
	// ErrRestarts: there were too many rollbacks and restarts in Config.Per. RetryAfter of the error says when there is
	// room again.
	ErrRestarts = errors.New("recovery: too many restarts")
	// ErrStopped: the plan says to stop.
	ErrStopped = errors.New("recovery: stopped")
	// ErrFatal: the plan says to fail fast, or the state cannot be restored. Do not restart.
	ErrFatal = errors.New("recovery: cannot go on")
	// ErrUnsaved: checkpoints could not be written too often in a row, or those that a rollback undoes not be set aside.
	ErrUnsaved = errors.New("recovery: checkpoints cannot be saved")

	// ErrNoBatch is returned by Done when there is no batch to be done: it has been reported before.
	ErrNoBatch = errors.New("recovery: no batch in progress")
	// ErrBusy is returned by Finish while a batch is in progress.
	ErrBusy = errors.New("recovery: a batch is in progress")
	// ErrFinished is returned by Done after Finish.
	ErrFinished = errors.New("recovery: finished")
)

// StopError ends a run. It matches its Reason and wraps the last cause.
type StopError struct {
	Reason     error  // ErrNoProgress, ErrRestarts, ErrStopped, ErrFatal or ErrUnsaved
	Step       uint64 // steps that the state consists of
	Checkpoint uint64 // step that another process would resume from; above Step if it was not set aside in a rollback
	Err        error  // what failed last; nil only if nothing did

	wait time.Duration
}

func (e *StopError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%v at step %d, checkpoint %d", e.Reason, e.Step, e.Checkpoint)
	}
	return fmt.Sprintf("%v at step %d, checkpoint %d: %v", e.Reason, e.Step, e.Checkpoint, e.Err)
}

func (e *StopError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// Permanent reports whether starting the run again is useless: there was no progress, the failure is fatal, or what failed
// last says so itself.
func (e *StopError) Permanent() bool {
	var p interface{ Permanent() bool }
	return e.Reason == ErrNoProgress || e.Reason == ErrFatal || errors.As(e.Err, &p) && p.Permanent()
}

// RetryAfter says how long to wait before the run is started again: until restarts are allowed again or, if the context
// left no time for it, for the rest of the delay before the step is tried again.
func (e *StopError) RetryAfter() time.Duration { return e.wait }
