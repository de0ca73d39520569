// Package surefoot composes resilience policies around one step of a training loop.
//
// The caller keeps the loop and the step function; a [Runner] decides when the step may run, watches it, runs it again
// after a failure when that is safe, and tells every policy exactly once how it ended. The policies live in packages of
// their own (breaker, retry, ratelimit, privacy, carbon, resources, validate, audit), none of which this package imports:
// they meet it through the small interfaces [Admitter], [Retrier], [Watcher] and [Recorder], which speak only in types of
// the standard library, so that any type with the right methods fits. Each package also works without a Runner.
//
// # Two kinds of policy
//
// Admission (limits, breakers, budgets, gates) decides before the step and learns the outcome after it. Control (retry,
// watchdog, restore) may run the step again or bound it. The fields of a Runner fix their order, so the orders that are
// unsafe for training cannot be written: a gate that waits for hours is never under the deadline of an attempt, and a
// privacy budget is charged for every attempt, because a failed attempt may already have released something.
//
// # What a training step is
//
// It is long, it changes state, and it must not be applied twice. So two attempts of a batch never overlap: an attempt
// that overruns is cancelled and waited for, never abandoned. Before the step runs again, Restore puts the state back. A
// panic is not an error to be retried; it goes on to the caller after every policy has been told. Wrap a step in
// [Recovered] to make its panics ordinary errors.
//
// # Errors
//
// Errors of other packages are told apart by behaviour, found through errors.As: an error with Permanent() true ends the
// batch at once. A refusal by an admitter reaches the caller, and the admitters in front of it, as a [*RefusedError].
package surefoot

import (
	"context"
	"sync/atomic"
	"time"
)

// Step is one training step: it consumes a batch and returns a result, such as a loss. It must return soon after its
// context is cancelled, and either have been applied (nil error) or be undone by Restore.
type Step[In, Out any] func(ctx context.Context, in In) (Out, error)

// Retrier decides whether an attempt that failed is followed by another one. It must be safe for concurrent use.
type Retrier interface {
	// Next is asked after an attempt, counted from 1, has failed with err. It returns the delay before the next attempt,
	// or false to end the batch. The previous delay, zero after the first attempt, lets a policy without state of its
	// own grow it.
	Next(attempt int, prev time.Duration, err error) (delay time.Duration, again bool)
}

// Watcher bounds one attempt, by a deadline or by the absence of heartbeats. It must be safe for concurrent use.
type Watcher interface {
	// Watch returns the context under which the attempt runs, cancelled when the attempt overruns, and a token for
	// Release.
	Watch(ctx context.Context) (watched context.Context, token uint64)
	// Release ends the watch; it is called exactly once per Watch, after the step has returned, with the step's error.
	// It returns that error, joined with one of its own if the attempt overran. A nil error stays nil: a step that
	// finished late did finish, and must not run again.
	Release(token uint64, err error) error
}

// Recorder receives one record per attempt and one per batch. It must be safe for concurrent use and should not block;
// a recorder that must not lose anything refuses further steps by being an [Admitter] too.
type Recorder interface {
	// RecordAttempt reports an attempt, counted from 1. Wait is the time spent in admission, run the time from the end
	// of admission until the step's result was checked (zero if the attempt was refused).
	RecordAttempt(ctx context.Context, batch uint64, attempt int, wait, run time.Duration, err error)
	// RecordBatch reports a batch that ended after a number of attempts, with the error that Do returned. Run is the sum
	// over its attempts, wait everything else: gates, admission, delays and Restore. They add up to the wall time.
	RecordBatch(ctx context.Context, batch uint64, attempts int, wait, run time.Duration, err error)
}

// Runner runs steps under policies. Every field is optional, and a field left out costs nothing: the zero Runner just runs
// the step. A Runner may be used by several goroutines at once if its parts may (those of this module may); it must not be
// copied after first use.
type Runner[In, Out any] struct {
	// Gates admit a batch, once, in this order. They may wait for hours; no deadline of this Runner is over them. They
	// are held until the batch ends.
	Gates []Admitter
	// Retry decides on another attempt after a failed one, refusals included. Nil means one attempt.
	Retry Retrier
	// Attempt admits every attempt, in this order, and is released in reverse. Put the privacy budget last, so that
	// nothing can refuse an attempt that has been charged.
	Attempt []Admitter
	// Watch bounds the step of one attempt.
	Watch Watcher
	// Check turns a bad result, such as a loss that is not finite, into an error.
	Check func(out Out) error
	// Restore undoes what a failed attempt did to the state. It runs before every attempt but the first, with the error
	// of the attempt before; if it fails, the batch ends with a [*RestoreError]. It does not run after the last attempt:
	// the state after an error from Do is what the failed attempt left.
	Restore func(ctx context.Context, cause error) error
	// Record receives one record per attempt and one per batch.
	Record Recorder
	// ID numbers a batch for Record. Nil means counting from 1.
	ID func(in In) uint64

	batches atomic.Uint64
}

// Do runs step on in and returns its result, or the error that ended the batch. The error is the last attempt's own if
// there was one attempt, and wrapped in an [*AttemptsError] after several. If ctx ends before an attempt or during a delay,
// or would do so, the error wraps both the reason and the last attempt's error.
func (r *Runner[In, Out]) Do(ctx context.Context, in In, step Step[In, Out]) (Out, error) {
	if len(r.Gates) == 0 && r.Retry == nil && len(r.Attempt) == 0 && r.Watch == nil && r.Check == nil && r.Record == nil {
		return step(ctx, in) // Restore and ID have no say without Retry and Record
	}
	return r.batch(ctx, in, step)
}

// batch passes the gates and runs attempts until one succeeds or the batch must end.
func (r *Runner[In, Out]) batch(ctx context.Context, in In, step Step[In, Out]) (out Out, err error) {
	var (
		b        = batch{ctx: ctx}
		held     holding
		returned bool
	)
	if r.Record != nil {
		b.start = time.Now()
		if r.ID != nil {
			b.id = r.ID(in)
		} else {
			b.id = r.batches.Add(1)
		}
	}
	defer func() {
		if !returned {
			v := recover()
			if err = aborted(v); v != nil {
				defer panic(v)
			}
		}
		if r.Record != nil {
			defer b.record(r.Record, err)
		}
		held.release(r.Gates, err)
	}()

	if err = held.admit(ctx, "gate", r.Gates); err != nil {
		returned = true
		return out, err
	}
	var delay time.Duration
	for {
		if ctx.Err() != nil {
			err = b.stopped(err)
			break
		}
		if b.attempts > 0 && r.Restore != nil {
			if failed := r.Restore(ctx, err); failed != nil {
				err = &RestoreError{Attempt: b.attempts + 1, Err: failed, Cause: err}
				break
			}
			if ctx.Err() != nil { // Restore may have taken long
				err = b.stopped(err)
				break
			}
		}
		b.attempts++
		if out, err = r.attempt(&b, in, step); err == nil {
			break
		}
		again := false
		if r.Retry != nil && !permanent(err) {
			delay, again = r.Retry.Next(b.attempts, delay, err)
		}
		if !again {
			delay = 0
		}
		b.failures = append(b.failures, Failure{err, delay})
		if !again {
			err = b.failed(err)
			break
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
			err = b.tooLate(delay, err)
			break
		}
		sleep(ctx, delay)
	}
	returned = true
	return out, err
}

// attempt runs the step once, between the admission of every admitter and the release of those that admitted.
func (r *Runner[In, Out]) attempt(b *batch, in In, step Step[In, Out]) (out Out, err error) {
	var (
		held     holding
		times    stopwatch
		returned bool
	)
	if r.Record != nil {
		times.start = time.Now()
	}
	defer func() {
		if !returned {
			v := recover()
			if err = aborted(v); v != nil {
				defer panic(v)
			}
		}
		if r.Record != nil {
			wait, run := times.stop() // the time of the Dones below is not the step's
			b.run += run
			defer r.Record.RecordAttempt(b.ctx, b.id, b.attempts, wait, run, err)
		}
		held.release(r.Attempt, err)
	}()

	if err = held.admit(b.ctx, "attempt", r.Attempt); err == nil {
		if r.Record != nil {
			times.admitted = time.Now()
		}
		if r.Watch == nil {
			out, err = step(b.ctx, in)
		} else {
			out, err = r.watched(b.ctx, in, step)
		}
		if err == nil && r.Check != nil {
			err = r.Check(out)
		}
	}
	returned = true
	return out, err
}

// watched runs the step under the watcher, which it releases however the step ends.
func (r *Runner[In, Out]) watched(ctx context.Context, in In, step Step[In, Out]) (out Out, err error) {
	ctx, token := r.Watch.Watch(ctx)
	returned := false
	defer func() {
		if returned {
			err = r.Watch.Release(token, err)
			return
		}
		v := recover()
		if v != nil {
			defer panic(v)
		}
		r.Watch.Release(token, aborted(v))
	}()
	out, err = step(ctx, in)
	returned = true
	return out, err
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
