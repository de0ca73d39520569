package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestEveryStepAndResume(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 5})
	b.ok(4)
	d, err := b.run(Outcome{Loss: 1})
	require.NoError(t, err)
	require.True(t, d.Saved)
	b.ok(3)
	require.NoError(t, b.restart()) // a crash
	require.EqualValues(t, 5, b.sup.Step())
	require.EqualValues(t, 5, b.sup.Next().Index)
	require.EqualValues(t, 6, b.sup.Next().Step)
	b.ok(3)
	require.NoError(t, b.sup.Finish())
	require.ErrorIs(t, b.sup.Finish(), ErrFinished)
	_, err = b.run(Outcome{})
	require.ErrorIs(t, err, ErrFinished)
	require.NoError(t, b.restart())
	require.EqualValues(t, 8, b.sup.Step())
}

func TestDoneCountsOnce(t *testing.T) {
	t.Parallel()
	b := start(t, Config{})
	_, err := b.sup.Done(t.Context(), Outcome{})
	require.ErrorIs(t, err, ErrNoBatch)
	require.Equal(t, b.sup.Next(), b.sup.Next())
	require.ErrorIs(t, b.sup.Finish(), ErrBusy)
	b.ok(1)
	_, err = b.sup.Done(t.Context(), Outcome{Err: errFlaky})
	require.ErrorIs(t, err, ErrNoBatch)
	b.check()
	b.ok(1)
}

// R37, R38: whatever fails, the batches applied are those of a run without faults, less the skipped ones.
func TestScriptsOfFaults(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	fail := func(errs ...error) map[uint64][]error { return map[uint64][]error{7: errs} }
	for _, tt := range []struct {
		name   string
		faults map[uint64][]error // by batch, one for each time it runs
		undo   bool
		skips  []Range
		counts Counts
	}{
		{"none", nil, true, nil, Counts{}},
		{"flaky", fail(errFlaky, errFlaky, errFlaky), true, nil, Counts{Failed: 3, Retries: 3}},
		{"flaky without undo", fail(errFlaky), false, nil, Counts{Failed: 1, Retries: 1, Rollbacks: 1}},
		{"stubborn", fail(errFlaky, errFlaky, errFlaky, errFlaky, errFlaky), true, nil, Counts{Failed: 5, Retries: 3, Rollbacks: 2}},
		{"hopeless batch", fail(errFlaky, errFlaky, errFlaky, errFlaky, errFlaky, errFlaky), true, []Range{{7, 8}},
			Counts{Failed: 6, Retries: 3, Rollbacks: 2, Skips: 1, SkippedBatches: 1}},
		{"bad data", fail(errData), true, []Range{{7, 8}}, Counts{Failed: 1, Skips: 1, SkippedBatches: 1}},
		{"bad data without undo", fail(errData), false, []Range{{7, 8}}, Counts{Failed: 1, Skips: 1, Rollbacks: 1, SkippedBatches: 1}},
		{"lost device", fail(errLost), true, nil, Counts{Failed: 1, Rollbacks: 1}},
		// R40: three steps back, and five batches from there left out, the one that diverged among them.
		{"diverged", fail(ErrDiverged), true, []Range{{4, 9}}, Counts{Failed: 1, Rollbacks: 1, SkippedBatches: 5}},
		{"diverged twice", map[uint64][]error{7: {ErrDiverged}, 11: {ErrDiverged}}, true, []Range{{3, 13}},
			Counts{Failed: 2, Rollbacks: 2, SkippedBatches: 10}},
		{"crash", fail(crash), true, nil, Counts{}},
		{"crash, then bad data, then crash", fail(crash, errData), true, []Range{{7, 8}}, Counts{Failed: 1, Skips: 1, SkippedBatches: 1}},
		{"all at once", map[uint64][]error{
			2: {errFlaky}, 4: {errData}, 6: {crash, errFlaky}, 9: {ErrDiverged}, 13: {errLost, crash}, 17: {errData}, 18: {errFlaky, errFlaky}},
			true, nil, Counts{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Every: 2}
			if !tt.undo {
				cfg.Undo = noUndo
			}
			b := start(t, cfg)
			runs := map[uint64]int{}
			for b.sup.Step() < 30 {
				next := b.sup.Next().Index
				var fault error
				if n := runs[next]; n < len(tt.faults[next]) {
					fault = tt.faults[next][n]
				}
				runs[next]++
				if fault == crash {
					b.state.step(b.sup.Next(), nil) // the step ran, and was told to nobody
					require.NoError(t, b.restart())
					continue
				}
				d, err := b.run(Outcome{Loss: 1, Err: fault})
				require.NoError(t, err)
				require.Equal(t, fault == nil, d.Action == Continue)
			}
			r := b.sup.Report()
			require.Equal(t, without(b.skips, 30), b.state.Seen)
			if tt.skips != nil {
				var p position
				p.add(tt.skips)
				require.Equal(t, p.Skips, r.Skipped)
			}
			if tt.counts != (Counts{}) {
				tt.counts.Applied, tt.counts.Saved = r.Counts.Applied, r.Counts.Saved
				require.Equal(t, tt.counts, r.Counts)
			}
		})
	}
}

// R40: what diverges does not run again from the same state.
func TestDivergence(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 4, Plan: Plan{Diverged: {{Action: Rollback, Back: 6, Skip: 10, Times: 2}, {Action: FailFast}}}})
	b.ok(20)
	d, err := b.run(Outcome{Loss: 50})
	require.NoError(t, err)
	require.Equal(t, Suspect, d.Verdict.Reason)
	d, err = b.run(Outcome{Loss: 50})
	require.NoError(t, err)
	require.Equal(t, Rollback, d.Action)
	require.Equal(t, Diverged, d.Class)
	require.ErrorIs(t, d.Err, ErrDiverged)
	require.EqualValues(t, 21, d.From)
	require.EqualValues(t, 12, d.Step, "the newest checkpoint at least 6 steps before")
	require.Equal(t, []Range{{15, 25}}, d.Skipped, "from the batch 6 steps before")
	require.Contains(t, b.dir.files, nameOf(20)+abandonedSuffix)
	require.NoError(t, b.restart()) // the rollback outlives a crash, and so do the skips
	require.EqualValues(t, 12, b.sup.Step())
	b.ok(3)
	require.EqualValues(t, 25, b.sup.Next().Index)
	b.ok(3)

	for _, loss := range []float64{nan, inf} {
		b := start(t, Config{Every: 4})
		b.ok(10)
		for range 3 {
			d, err := b.run(Outcome{Loss: loss})
			require.NoError(t, err)
			require.Equal(t, Rollback, d.Action)
		}
		_, err = b.run(Outcome{Loss: loss})
		require.ErrorIs(t, err, ErrFatal)
		require.ErrorIs(t, err, ErrDiverged)
		require.True(t, permanent(err))
		require.Less(t, b.sup.Report().Checkpoint, uint64(10), "a diverged state is never saved")
	}
}

func TestRollbackBeyondWhatIsKept(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 2, Plan: Plan{Diverged: {{Action: Rollback, Back: 10, Skip: 12}}}})
	b.ok(21)
	d, err := b.run(Outcome{Loss: nan})
	require.NoError(t, err)
	require.EqualValues(t, 14, d.Step, "the oldest there is")
	require.Equal(t, []Range{{14, 26}}, d.Skipped)
	b.ok(1)
	d, err = b.run(Outcome{Loss: 1})
	require.NoError(t, err)
	require.True(t, d.Saved, "two steps after the checkpoint that it went back to")
}

func TestSuspectStateIsNotSaved(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 4})
	b.ok(7)
	d, err := b.run(Outcome{Loss: 50})
	require.NoError(t, err)
	require.False(t, d.Saved)
	d, err = b.run(Outcome{Loss: 1})
	require.NoError(t, err)
	require.True(t, d.Saved, "put off until it is clear")
}

// The baseline goes back with the state, and comes back after a crash.
func TestDetectorGoesWithTheState(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 4})
	b.ok(8)
	require.NoError(t, b.restart())
	d, err := b.run(Outcome{Loss: 50})
	require.NoError(t, err)
	require.Equal(t, Suspect, d.Verdict.Reason, "no second warm-up")
	d, err = b.run(Outcome{Err: errLost})
	require.NoError(t, err)
	require.EqualValues(t, 8, d.Step)
	d, err = b.run(Outcome{Loss: 50})
	require.NoError(t, err)
	require.Equal(t, Suspect, d.Verdict.Reason, "the first again")
}

func TestDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Plan: Plan{Transient: {{Action: Retry, Times: 9, Delays: retry.Constant(time.Second)}}}})
		began := time.Now()
		_, err := b.run(Outcome{Err: errFlaky})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(began))
		_, err = b.run(Outcome{Err: later(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, time.Hour+time.Second, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b.state.step(b.sup.Next(), errFlaky)
		_, err = b.sup.Done(ctx, Outcome{Err: later(time.Hour)})
		require.ErrorIs(t, err, ErrStopped)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Hour+time.Second, time.Since(began), "nobody waits in vain")
		var stop *StopError
		require.ErrorAs(t, err, &stop)
		require.Equal(t, time.Hour, stop.RetryAfter())
		require.Empty(t, b.state.Seen, "the state is undone")

		require.NoError(t, b.restart())
		ctx, stopIt := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Minute, func() { stopIt(errors.New("SIGTERM")) })
		b.state.step(b.sup.Next(), errFlaky)
		_, err = b.sup.Done(ctx, Outcome{Err: later(time.Hour)})
		require.ErrorAs(t, err, &stop)
		require.ErrorContains(t, err, "SIGTERM")
		require.Equal(t, 40*time.Minute, stop.RetryAfter(), "the rest")
	})
}

type later time.Duration

func (later) Error() string               { return "busy" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	cfg := Config{Every: 5, Micro: MicroConfig{Logical: 64, Floor: 16, GrowAfter: 10}}
	b := start(t, cfg)
	require.Equal(t, Micro{64, 1, 64}, b.sup.Next().Micro)
	b.ok(3)
	d, err := b.run(Outcome{Err: errMemory})
	require.NoError(t, err)
	require.Equal(t, Shrink, d.Action)
	require.Equal(t, Micro{32, 2, 64}, d.Micro)
	require.EqualValues(t, 3, b.sup.Next().Index, "the same batch again")
	require.NoError(t, b.restart())
	require.Equal(t, Micro{32, 2, 64}, b.sup.Next().Micro, "a restart does not run out of memory again")
	b.ok(10)
	require.Equal(t, 40, b.sup.Next().Micro.Size)
	b.ok(100)
	require.Equal(t, 57, b.sup.Next().Micro.Size, "0.9 of what failed")
	require.EqualValues(t, 3, b.sup.Report().Counts.Grown)
	for _, size := range []int{28, 16} {
		d, err = b.run(Outcome{Err: errMemory})
		require.NoError(t, err)
		require.Equal(t, size, d.Micro.Size)
	}
	_, err = b.run(Outcome{Err: errMemory})
	require.ErrorIs(t, err, ErrStopped, "at the floor")
	require.ErrorIs(t, err, errMemory)

	b = start(t, Config{})
	_, err = b.run(Outcome{Err: errMemory})
	require.ErrorIs(t, err, ErrStopped, "without MicroConfig nothing can shrink")
}

func TestDegrade(t *testing.T) {
	t.Parallel()
	var calls []Failure
	broken := errors.New("cannot switch off")
	do := func(_ context.Context, f Failure) error {
		if calls = append(calls, f); len(calls) == 2 {
			return broken
		}
		return nil
	}
	b := start(t, Config{Plan: Plan{Transient: {{Action: Degrade, Times: 2, Do: do}, {Action: Skip}}}})
	b.ok(2)
	d, err := b.run(Outcome{Err: errFlaky})
	require.NoError(t, err)
	require.Equal(t, Degrade, d.Action, "never reported as an applied step")
	require.EqualValues(t, 2, d.Step)
	require.Equal(t, []Failure{{Transient, errFlaky, 2, 2}}, calls)
	require.EqualValues(t, 2, b.sup.Next().Index)
	d, err = b.run(Outcome{Err: errFlaky})
	require.NoError(t, err)
	require.Equal(t, Skip, d.Action, "the next strategy, as Do failed")
	require.ErrorIs(t, d.Err, broken)
	require.ErrorIs(t, d.Err, errFlaky)
	require.EqualValues(t, 3, b.sup.Next().Index)
}

// After a rollback the snapshot of the step that failed is of another time: Undo must not bring it back.
func TestUndoNeverAfterRollback(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	do := func(context.Context, Failure) error { return broken }
	for _, last := range []Strategy{{Action: Retry}, {Action: Skip}, {Action: Stop}} {
		b := start(t, Config{Every: 4, Plan: Plan{Transient: {{Action: Rollback, Do: do}, last}}})
		b.ok(7)
		d, err := b.run(Outcome{Err: errFlaky})
		require.ErrorIs(t, d.Err, broken)
		require.Equal(t, last.Action, d.Action)
		require.EqualValues(t, 4, d.Step)
		require.Len(t, b.state.Seen, 4)
		if last.Action == Stop {
			require.ErrorIs(t, err, ErrStopped)
		}
		b.check()
	}
}

func TestFailedUndoRollsBack(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 4, Undo: noUndo})
	b.ok(6)
	d, err := b.run(Outcome{Err: errFlaky})
	require.NoError(t, err)
	require.Equal(t, Retry, d.Action)
	require.EqualValues(t, 4, d.Step)
	require.EqualValues(t, 6, d.From)
}

// A replay after a rollback must not add its own small failures to the escalation of the large one.
func TestUsesCountAnewPastTheStep(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 10, MaxRecoveries: 100})
	b.ok(15)
	d, err := b.run(Outcome{Err: errLost})
	require.NoError(t, err)
	require.EqualValues(t, 10, d.Step)
	for range 5 {
		for range 3 {
			d, err = b.run(Outcome{Err: errFlaky})
			require.NoError(t, err)
			require.Equal(t, Retry, d.Action)
		}
		b.ok(1)
	}
	for _, steps := range []int{0, 2} { // the same failure, and the same before it
		d, err = b.run(Outcome{Err: errLost})
		require.NoError(t, err)
		require.Equal(t, Rollback, d.Action)
		b.ok(steps)
	}
	b.ok(3)
	_, err = b.run(Outcome{Err: errLost})
	require.ErrorIs(t, err, ErrStopped, "the fourth time at the same step")
}

func TestNewChecks(t *testing.T) {
	t.Parallel()
	store, _ := fake(t, StoreConfig{})
	for _, cfg := range []Config{
		{MaxRecoveries: -1}, {MaxUnsaved: -1}, {Per: -1}, {Micro: MicroConfig{Size: 1}}, {Plan: Plan{99: nil}},
	} {
		_, err := New(t.Context(), store, &trainer{}, cfg)
		require.Error(t, err)
	}
	_, err := New(t.Context(), nil, &trainer{}, Config{})
	require.Error(t, err)
	_, err = New(t.Context(), store, nil, Config{})
	require.Error(t, err)
	alien := text("no supervisor wrote this, or so it seems")
	_, err = store.Save(3, &alien)
	require.NoError(t, err)
	_, err = New(t.Context(), store, &trainer{}, Config{})
	require.ErrorContains(t, err, "not saved by a Supervisor")
}

func TestUnknownClassFailsFast(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Classify: func(error) Class { return 99 }})
	_, err := b.run(Outcome{Err: errFlaky})
	require.ErrorIs(t, err, ErrFatal)
}

func TestGoodput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Every: 5})
		spend := func(d time.Duration, out Outcome) {
			b.sup.Next()
			<-time.After(d)
			_, err := b.run(out)
			require.NoError(t, err)
		}
		for range 8 {
			spend(time.Minute, Outcome{Loss: 1})
		}
		<-time.After(2 * time.Minute) // between steps
		g := b.sup.Report().Goodput
		require.Equal(t, Goodput{Since: g.Since, Wall: 10 * time.Minute, Useful: 8 * time.Minute, Share: 0.8}, g)
		spend(3*time.Minute, Outcome{Err: errLost})
		spend(0, Outcome{Loss: 1, Took: time.Minute}) // as the caller measured it
		g = b.sup.Report().Goodput
		require.Equal(t, Goodput{Since: g.Since, Wall: 13 * time.Minute, Useful: 6 * time.Minute, Lost: 3 * time.Minute,
			Failed: 3 * time.Minute, LostSteps: 3, Share: 6. / 13}, g, "what was undone is not in the result")
		for range 4 {
			spend(time.Minute, Outcome{Loss: 1})
		}
		spend(time.Minute, Outcome{Loss: 1}) // after the checkpoint of step 10
		<-time.After(12 * time.Minute)
		require.NoError(t, b.restart())
		g = b.sup.Report().Goodput
		require.Equal(t, Goodput{Since: g.Since, Wall: 30 * time.Minute, Useful: 10 * time.Minute, Share: 1. / 3}, g,
			"a crash and the time until the restart count too")
		data, err := json.Marshal(b.sup.Report())
		require.NoError(t, err)
		require.Contains(t, string(data), `"useful_ns":600000000000`)
	})
}

// R42: a rollback runs steps again and each run is charged; nothing here could give a charge back.
func TestRollbackDoesNotRefund(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 5})
	charged, ran := 0, 0
	for b.sup.Step() < 20 {
		charged++ // before release
		ran++
		var err error
		if ran == 9 || ran == 17 {
			err = errLost
		}
		before := charged
		_, stop := b.run(Outcome{Loss: 1, Err: err})
		require.NoError(t, stop)
		require.Equal(t, before, charged)
	}
	r := b.sup.Report()
	require.EqualValues(t, charged, r.Counts.Applied+r.Counts.Failed)
	require.EqualValues(t, 20+2+r.Goodput.LostSteps, charged)
}

func TestReportIsSafeBesideTheLoop(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 3})
	done := make(chan error)
	go func() {
		for range 200 {
			r := b.sup.Report()
			if r.Goodput.Share < 0 || r.Goodput.Share > 1 || r.Step > r.Batch {
				done <- fmt.Errorf("%+v", r)
				return
			}
			b.sup.Step()
		}
		done <- nil
	}()
	for i := range 200 {
		var err error
		if i%10 == 9 {
			err = errData
		}
		_, stop := b.run(Outcome{Loss: 1, Err: err})
		require.NoError(t, stop)
	}
	require.NoError(t, <-done)
}
