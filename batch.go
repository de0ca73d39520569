package surefoot

import (
	"context"
	"fmt"
	"time"
)

// batch is what is known of a batch in progress.
type batch struct {
	ctx      context.Context
	id       uint64
	attempts int
	failures []Failure
	start    time.Time     // set only when there is a Recorder, like run
	run      time.Duration // spent in steps so far
}

// failed is the error of a batch whose last attempt failed with err.
func (b *batch) failed(err error) error {
	if b.attempts < 2 {
		return err
	}
	return b.error(err)
}

func (b *batch) error(err error) error {
	return &AttemptsError{Attempts: b.attempts, Failures: b.failures, Err: err}
}

// stopped is the error of a batch whose context ended before another attempt; last is nil before the first.
func (b *batch) stopped(last error) error {
	err := b.ctx.Err()
	if cause := context.Cause(b.ctx); cause != err {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if last == nil {
		return fmt.Errorf("surefoot: stopped before the first attempt: %w", err)
	}
	return b.error(fmt.Errorf("%w; last error: %w", err, last))
}

// tooLate is the error of a batch whose context would end before the delay is over: waiting for that helps nobody.
func (b *batch) tooLate(delay time.Duration, last error) error {
	return b.error(fmt.Errorf("%w before another attempt in %v; last error: %w", context.DeadlineExceeded, delay, last))
}

func (b *batch) record(rec Recorder, err error) {
	rec.RecordBatch(b.ctx, b.id, b.attempts, time.Since(b.start)-b.run, b.run, err)
}

// stopwatch splits the time of an attempt into admission and run.
type stopwatch struct {
	start, admitted time.Time // admitted is zero if the attempt was refused
}

func (s stopwatch) stop() (wait, run time.Duration) {
	now := time.Now()
	if s.admitted.IsZero() {
		return now.Sub(s.start), 0
	}
	return s.admitted.Sub(s.start), now.Sub(s.admitted)
}
