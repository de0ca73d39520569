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
// a run without its trail does not go on, unless the log's policy is [Drop]. It is safe for concurrent use. A nil or zero
// Recorder refuses every step.
//
// An entry is written before the record method returns, also when the context of the step has ended: the record of a
// cancelled step matters most. With a sync per entry this takes as long as the disk does; [NewAsyncRecorder] does not wait.
type Recorder struct {
	log   *Log
	run   string
	async bool

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

// NewAsyncRecorder returns a recorder that does not wait for the disk: a crash may take the records of the last two syncs,
// and what [Log.Post] has no room for is dropped, counted, and told by an entry of the log.
func NewAsyncRecorder(l *Log, run string) (*Recorder, error) {
	r, err := NewRecorder(l, run)
	if err == nil {
		r.async = true
	}
	return r, err
}

// RecordAttempt records one attempt. The text of err is kept on one line and cut to about 512 bytes.
func (r *Recorder) RecordAttempt(ctx context.Context, batch uint64, attempt int, wait, run time.Duration, err error) {
	if r != nil {
		r.record(ctx, KindStep, &Step{batch, attempt, wait, run, errorText(err)})
	}
}

// RecordBatch records the end of a batch, like RecordAttempt.
func (r *Recorder) RecordBatch(ctx context.Context, batch uint64, attempts int, wait, run time.Duration, err error) {
	if r != nil {
		r.record(ctx, KindBatch, &Batch{batch, attempts, wait, run, errorText(err)})
	}
}

func (r *Recorder) record(ctx context.Context, kind Kind, data appender) {
	ev := Event{Kind: kind, Run: r.run, Data: data}
	var err error
	if r.async {
		err = r.log.Post(ctx, ev)
	} else {
		_, err = r.log.Append(context.WithoutCancel(ctx), ev)
	}
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
// it matches [ErrPoisoned] or [ErrClosed]. With the policy [Drop] it refuses only once the log is closed, and with [Block]
// a log that has failed is no reason to refuse, since the record will wait.
func (r *Recorder) Admit(context.Context) (token uint64, err error) {
	if r == nil || r.log == nil {
		return 0, ErrClosed
	}
	err = r.log.Err()
	if r.log.opts.OnFailure == Fail && !r.async && err == nil {
		err = r.Err()
	}
	if r.log.opts.OnFailure != Fail && !errors.Is(err, ErrClosed) {
		err = nil
	}
	return 0, err
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
