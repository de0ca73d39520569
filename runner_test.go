package surefoot_test

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot"
)

// exit ends the goroutine, out of line so that vet does not call what follows unreachable.
func exit() { runtime.Goexit() }

// retries retries every failure after a fixed delay, up to a number of attempts.
type retries struct {
	attempts int
	delay    time.Duration
}

func (r retries) Next(attempt int, _ time.Duration, _ error) (time.Duration, bool) {
	return r.delay, attempt < r.attempts
}

// deadline is a watcher made of context.WithTimeout.
type deadline struct {
	limit  time.Duration
	cancel map[uint64]context.CancelFunc
}

var errOverran = errors.New("overran")

func (d *deadline) Watch(ctx context.Context) (context.Context, uint64) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.limit, errOverran)
	token := uint64(len(d.cancel))
	d.cancel[token] = cancel
	return ctx, token
}

func (d *deadline) Release(token uint64, err error) error {
	d.cancel[token]()
	delete(d.cancel, token)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(errOverran, err)
	}
	return err
}

// record is one call of a Recorder.
type record struct {
	batch     uint64
	attempt   int // its number, or for a whole batch how many there were
	whole     bool
	wait, run time.Duration
	err       error
}

type records []record

func (r *records) RecordAttempt(_ context.Context, batch uint64, attempt int, wait, run time.Duration, err error) {
	*r = append(*r, record{batch: batch, attempt: attempt, wait: wait, run: run, err: err})
}

func (r *records) RecordBatch(_ context.Context, batch uint64, attempts int, wait, run time.Duration, err error) {
	*r = append(*r, record{batch: batch, attempt: attempts, whole: true, wait: wait, run: run, err: err})
}

func TestZeroRunnerJustRuns(t *testing.T) {
	t.Parallel()
	var run surefoot.Runner[string, int]
	n, err := run.Do(t.Context(), "four", func(_ context.Context, s string) (int, error) { return len(s), io.EOF })
	require.Equal(t, 4, n)
	require.Same(t, io.EOF, err, "the error of a step without retry is returned as it is")
}

func TestDoubtfulResultIsRetried(t *testing.T) {
	t.Parallel()
	errNaN := errors.New("loss is not finite")
	var restored []error
	run := surefoot.Runner[int, float64]{
		Retry: retries{attempts: 3},
		Check: func(loss float64) error {
			if math.IsNaN(loss) {
				return errNaN
			}
			return nil
		},
		Restore: func(_ context.Context, cause error) error { restored = append(restored, cause); return nil },
	}
	calls := 0
	loss, err := run.Do(t.Context(), 0, func(context.Context, int) (float64, error) {
		if calls++; calls < 3 {
			return math.NaN(), nil
		}
		return 0.5, nil
	})
	require.NoError(t, err)
	require.Equal(t, 0.5, loss)
	require.Equal(t, []error{errNaN, errNaN}, restored, "Restore runs before every attempt but the first")
}

func TestErrorsThatEndABatch(t *testing.T) {
	t.Parallel()
	t.Run("attempts used up", func(t *testing.T) {
		t.Parallel()
		run := surefoot.Runner[int, int]{Retry: retries{attempts: 3}}
		calls := 0
		_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { calls++; return 0, io.ErrUnexpectedEOF })
		var a *surefoot.AttemptsError
		require.ErrorAs(t, err, &a)
		require.Equal(t, 3, a.Attempts)
		require.Equal(t, []surefoot.Failure{{Err: io.ErrUnexpectedEOF}, {Err: io.ErrUnexpectedEOF}, {Err: io.ErrUnexpectedEOF}}, a.Failures)
		require.Equal(t, 3, calls)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.EqualError(t, err, "surefoot: failed after 3 attempts: unexpected EOF")
	})
	t.Run("permanent", func(t *testing.T) {
		t.Parallel()
		run := surefoot.Runner[int, int]{Retry: retries{attempts: 9}}
		calls := 0
		_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { calls++; return 0, permanentError{io.EOF} })
		require.Equal(t, permanentError{io.EOF}, err)
		require.Equal(t, 1, calls)
	})
	t.Run("restore", func(t *testing.T) {
		t.Parallel()
		run := surefoot.Runner[int, int]{
			Retry:   retries{attempts: 9},
			Restore: func(context.Context, error) error { return io.ErrClosedPipe },
		}
		calls := 0
		_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { calls++; return 0, io.EOF })
		var r *surefoot.RestoreError
		require.ErrorAs(t, err, &r)
		require.Equal(t, 2, r.Attempt)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.ErrorIs(t, err, io.EOF, "the cause is kept")
		require.True(t, r.Permanent())
		require.Equal(t, 1, calls)
		require.EqualError(t, err, "surefoot: restore before attempt 2: io: read/write on closed pipe (after: EOF)")
	})
	t.Run("refused by a gate", func(t *testing.T) {
		t.Parallel()
		refuse := surefoot.AdmitterFuncs{OnAdmit: func(context.Context) (uint64, error) { return 0, io.EOF }}
		run := surefoot.Runner[int, int]{
			Gates: []surefoot.Admitter{nil, surefoot.AdmitterFuncs{}, refuse},
			Retry: retries{attempts: 9},
		}
		_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { t.Error("ran"); return 0, nil })
		require.Equal(t, &surefoot.RefusedError{Stage: "gate", Index: 2, Err: io.EOF}, err, "gates are asked once")
		require.EqualError(t, err, "surefoot: refused by gate 2: EOF")
	})
}

// An admitter in front of one that refuses must be able to tell the refusal from a failure of the step.
func TestRefusalFurtherInIsNeutral(t *testing.T) {
	t.Parallel()
	var told error
	run := surefoot.Runner[int, int]{Attempt: []surefoot.Admitter{
		surefoot.AdmitterFuncs{OnDone: func(_ uint64, err error) { told = err }},
		surefoot.AdmitterFuncs{OnAdmit: func(context.Context) (uint64, error) { return 0, permanentError{io.EOF} }},
	}}
	_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { t.Error("ran"); return 0, nil })
	require.Equal(t, told, err)
	var neutral interface{ Neutral() bool }
	require.ErrorAs(t, told, &neutral)
	require.True(t, neutral.Neutral())
	require.ErrorIs(t, told, io.EOF)
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	errStop := errors.New("preempted")
	t.Run("before the first attempt", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errStop)
		run := surefoot.Runner[int, int]{Retry: retries{attempts: 9}}
		_, err := run.Do(ctx, 0, func(context.Context, int) (int, error) { t.Error("ran"); return 0, nil })
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errStop)
	})
	t.Run("during a delay", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(time.Minute, cancel)
			start := time.Now()
			run := surefoot.Runner[int, int]{Retry: retries{attempts: 9, delay: time.Hour}}
			_, err := run.Do(ctx, 0, func(context.Context, int) (int, error) { return 0, io.EOF })
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, io.EOF, "the last cause is never lost")
			require.Equal(t, time.Minute, time.Since(start), "the wait ends at once")
			var a *surefoot.AttemptsError
			require.ErrorAs(t, err, &a)
			require.Equal(t, 1, a.Attempts)
			require.Equal(t, []surefoot.Failure{{Err: io.EOF, Delay: time.Hour}}, a.Failures)
		})
	})
}

// A delay that the deadline of the caller would cut short is not begun.
func TestNoDelayBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		run := surefoot.Runner[int, int]{Retry: retries{attempts: 9, delay: 25 * time.Second}}
		_, err := run.Do(ctx, 0, func(context.Context, int) (int, error) { return 0, io.EOF })
		require.Equal(t, 50*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, io.EOF)
		require.EqualError(t, err, "surefoot: failed after 3 attempts: context deadline exceeded before another attempt in 25s; last error: EOF")
	})
}

// A step that ignores its deadline is waited for: the next attempt starts only after it has returned.
func TestAttemptsNeverOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		running, calls := 0, 0
		run := surefoot.Runner[int, int]{
			Retry: retries{attempts: 3, delay: time.Second},
			Watch: &deadline{limit: time.Minute, cancel: map[uint64]context.CancelFunc{}},
		}
		start := time.Now()
		_, err := run.Do(t.Context(), 0, func(ctx context.Context, _ int) (int, error) {
			calls++
			running++
			defer func() { running-- }()
			require.Equal(t, 1, running)
			if calls == 3 {
				return 0, nil
			}
			<-time.After(10 * time.Minute) // deaf to ctx
			return 0, ctx.Err()
		})
		require.NoError(t, err)
		require.Equal(t, 3, calls)
		require.Equal(t, 2*(10*time.Minute+time.Second), time.Since(start))
	})
}

// A step that succeeds after its deadline has been applied: calling it failed would apply it twice.
func TestLateSuccessIsSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		run := surefoot.Runner[int, int]{
			Retry: retries{attempts: 3},
			Watch: &deadline{limit: time.Minute, cancel: map[uint64]context.CancelFunc{}},
		}
		_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) {
			calls++
			<-time.After(time.Hour)
			return 0, nil
		})
		require.NoError(t, err)
		require.Equal(t, 1, calls)
	})
}

func TestGatesAreNotUnderTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := surefoot.AdmitterFuncs{OnAdmit: func(ctx context.Context) (uint64, error) {
			_, limited := ctx.Deadline()
			require.False(t, limited)
			<-time.After(5 * time.Hour)
			return 0, ctx.Err()
		}}
		run := surefoot.Runner[int, int]{
			Gates: []surefoot.Admitter{gate},
			Watch: &deadline{limit: time.Minute, cancel: map[uint64]context.CancelFunc{}},
		}
		_, err := run.Do(t.Context(), 0, func(ctx context.Context, _ int) (int, error) {
			_, limited := ctx.Deadline()
			require.True(t, limited)
			return 0, ctx.Err()
		})
		require.NoError(t, err)
	})
}

func TestRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got records
		slow := surefoot.AdmitterFuncs{OnAdmit: func(context.Context) (uint64, error) { <-time.After(time.Minute); return 0, nil }}
		run := surefoot.Runner[int, int]{
			Gates:   []surefoot.Admitter{slow},
			Retry:   retries{attempts: 2, delay: time.Hour},
			Attempt: []surefoot.Admitter{slow},
			Record:  &got,
		}
		calls := 0
		step := func(context.Context, int) (int, error) {
			<-time.After(time.Second)
			if calls++; calls == 1 {
				return 0, io.EOF
			}
			return 0, nil
		}
		_, err := run.Do(t.Context(), 0, step)
		require.NoError(t, err)
		require.Equal(t, records{
			{batch: 1, attempt: 1, wait: time.Minute, run: time.Second, err: io.EOF},
			{batch: 1, attempt: 2, wait: time.Minute, run: time.Second},
			{batch: 1, attempt: 2, whole: true, wait: time.Hour + 3*time.Minute, run: 2 * time.Second},
		}, got)

		got = nil
		_, err = run.Do(t.Context(), 0, step)
		require.NoError(t, err)
		require.EqualValues(t, 2, got[0].batch, "batches count from 1")

		got = nil
		run.ID = func(in int) uint64 { return uint64(in) }
		_, err = run.Do(t.Context(), 77, step)
		require.NoError(t, err)
		require.EqualValues(t, 77, got[1].batch)
	})
}

func TestPanicGoesOnAfterTheUnwind(t *testing.T) {
	t.Parallel()
	var got records
	var told []error
	tell := surefoot.AdmitterFuncs{OnDone: func(_ uint64, err error) { told = append(told, err) }}
	run := surefoot.Runner[int, int]{
		Gates:   []surefoot.Admitter{tell},
		Attempt: []surefoot.Admitter{tell},
		Retry:   retries{attempts: 3},
		Record:  &got,
	}
	require.PanicsWithValue(t, io.ErrNoProgress, func() {
		_, _ = run.Do(t.Context(), 0, func(context.Context, int) (int, error) { panic(io.ErrNoProgress) })
	})
	require.Len(t, told, 2)
	for _, err := range told {
		var p *surefoot.PanicError
		require.ErrorAs(t, err, &p)
		require.Contains(t, string(p.Stack), "TestPanicGoesOnAfterTheUnwind", "the stack is of the panic, not of the unwind")
		require.ErrorIs(t, err, io.ErrNoProgress, "a panic with an error is that error")
	}
	require.Len(t, got, 2, "one attempt, one batch: a panic is not retried")
}

func TestRecoveredPanicIsRetried(t *testing.T) {
	t.Parallel()
	run := surefoot.Runner[int, int]{Retry: retries{attempts: 2}}
	calls := 0
	n, err := run.Do(t.Context(), 0, surefoot.Recovered(func(context.Context, int) (int, error) {
		if calls++; calls == 1 {
			var empty []int
			empty[calls]++
		}
		return calls, nil
	}))
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

func TestManyAdmitters(t *testing.T) {
	t.Parallel()
	var run surefoot.Runner[int, int]
	var order []int
	for i := range 20 {
		run.Attempt = append(run.Attempt, surefoot.AdmitterFuncs{
			OnAdmit: func(context.Context) (uint64, error) { order = append(order, i); return uint64(i), nil },
			OnDone: func(token uint64, _ error) {
				require.EqualValues(t, i, token)
				order = append(order, -i)
			},
		})
	}
	_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { return 0, nil })
	require.NoError(t, err)
	require.Len(t, order, 40)
	for i := range 20 {
		require.Equal(t, i, order[i])
		require.Equal(t, -i, order[39-i])
	}
}

// The path of a step that succeeds allocates nothing, whatever admits it.
func TestNoAllocations(t *testing.T) {
	var zero surefoot.Runner[int, float64]
	for name, run := range map[string]*surefoot.Runner[int, float64]{"zero": &zero, "five admitters and retry": five()} {
		allocs := testing.AllocsPerRun(1000, func() { _, _ = run.Do(t.Context(), 1, benchStep) })
		require.Zero(t, allocs, name)
	}
}

// Restore may take so long that the batch's context ends meanwhile: then there is no other attempt.
func TestContextEndsDuringRestore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	run := surefoot.Runner[int, int]{
		Retry:   retries{attempts: 3},
		Restore: func(context.Context, error) error { cancel(); return nil },
	}
	_, err := run.Do(ctx, 0, func(context.Context, int) (int, error) { calls++; return 0, io.EOF })
	require.Equal(t, 1, calls)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, io.EOF, "the last cause is never lost")
}

// answers says of itself whether it is permanent.
type answers bool

func (a answers) Error() string   { return "an error with an opinion" }
func (a answers) Permanent() bool { return bool(a) }

// Of several joined errors one that is permanent is enough, wherever it stands.
func TestPermanentAmongOthers(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.Join(answers(false), answers(true)), errors.Join(answers(true), answers(false))} {
		calls := 0
		run := surefoot.Runner[int, int]{Retry: retries{attempts: 3}}
		_, _ = run.Do(t.Context(), 0, func(context.Context, int) (int, error) { calls++; return 0, err })
		require.Equal(t, 1, calls)
	}
}

// A panic is a failure to a breaker, whatever it was called with.
func TestPanicIsNotNeutral(t *testing.T) {
	t.Parallel()
	var neutral interface{ Neutral() bool }
	require.ErrorAs(t, error(&surefoot.PanicError{Value: &surefoot.RefusedError{Err: io.EOF}}), &neutral)
	require.False(t, neutral.Neutral())
}

// The time that the admitters take for Done is not that of the step.
func TestRecordedTimeIsTheSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got records
		slow := surefoot.AdmitterFuncs{OnDone: func(uint64, error) { <-time.After(time.Minute) }}
		run := surefoot.Runner[int, int]{Attempt: []surefoot.Admitter{slow}, Record: &got}
		_, err := run.Do(t.Context(), 0, func(context.Context, int) (int, error) { <-time.After(time.Second); return 0, nil })
		require.NoError(t, err)
		require.Equal(t, time.Second, got[0].run)
		require.Equal(t, time.Minute, got[1].wait)
	})
}
