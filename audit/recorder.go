package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxErrorText bounds the text of an error in an entry, in bytes.
const maxErrorText = 512

// Recorder writes an entry of kind [KindStep] for every attempt and one of kind [KindBatch] for every batch of a Runner.
// It is the Runner's recorder and, among its gates or admitters, refuses further steps once an entry could not be written:
// a run without its trail does not go on. It is safe for concurrent use. A nil or zero Recorder refuses every step.
//
// An entry is written before the record method returns, also when the context of the step has ended: the record of a
// cancelled step matters most. With an fsync per entry this takes as long as the disk does.
type Recorder struct {
	log *Log
	run string

	mu      sync.Mutex // guards the rest
	dropped uint64
	err     error // the first failure
}

// NewRecorder returns a recorder that appends to l under the given run (see Event.Run).
func NewRecorder(l *Log, run string) (*Recorder, error) {
	if l == nil {
		return nil, errors.New("audit: recorder without a log")
	}
	if err := checkRun(run); err != nil {
		return nil, err
	}
	return &Recorder{log: l, run: run}, nil
}

// stepData and batchData are the data of entries; times are in nanoseconds.
type stepData struct {
	Batch   uint64        `json:"batch"`
	Attempt int           `json:"attempt"`
	Wait    time.Duration `json:"wait_ns"`
	Run     time.Duration `json:"run_ns"`
	Error   string        `json:"error,omitempty"`
}

type batchData struct {
	Batch    uint64        `json:"batch"`
	Attempts int           `json:"attempts"`
	Wait     time.Duration `json:"wait_ns"`
	Run      time.Duration `json:"run_ns"`
	Error    string        `json:"error,omitempty"`
}

// RecordAttempt records one attempt. The text of err is kept on one line and cut to about 512 bytes.
func (r *Recorder) RecordAttempt(ctx context.Context, batch uint64, attempt int, wait, run time.Duration, err error) {
	r.record(ctx, KindStep, stepData{batch, attempt, wait, run, errorText(err)})
}

// RecordBatch records the end of a batch, like RecordAttempt.
func (r *Recorder) RecordBatch(ctx context.Context, batch uint64, attempts int, wait, run time.Duration, err error) {
	r.record(ctx, KindBatch, batchData{batch, attempts, wait, run, errorText(err)})
}

func (r *Recorder) record(ctx context.Context, kind Kind, data any) {
	if r == nil {
		return
	}
	_, err := r.log.Append(context.WithoutCancel(ctx), Event{Kind: kind, Run: r.run, Data: data})
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped++
	if r.err == nil {
		r.err = err
	}
}

// Admit lets a step run while the log can be written and no record was dropped. It does not wait. The error is permanent:
// it matches [ErrPoisoned] or [ErrClosed].
func (r *Recorder) Admit(context.Context) (token uint64, err error) {
	if r == nil {
		return 0, ErrClosed
	}
	if err := r.Err(); err != nil {
		return 0, err
	}
	return 0, r.log.Err()
}

// Done does nothing; the outcome of a step comes through RecordAttempt.
func (r *Recorder) Done(uint64, error) {}

// Dropped returns the number of records that could not be written.
func (r *Recorder) Dropped() uint64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// Err returns why the first record was dropped, or nil.
func (r *Recorder) Err() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// errorText is the text of an error as it is recorded. fmt keeps an Error method that panics from ending the run.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return oneLine(fmt.Sprint(err), maxErrorText)
}
