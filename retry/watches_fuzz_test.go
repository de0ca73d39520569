package retry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

type valueKey struct{}

// pair is a context of this package, or one derived from it, and the same made with package context alone.
type pair struct {
	ours, theirs context.Context
	ran          *[2]int // functions run by AfterFunc
}

func (p pair) equal(t *testing.T, say string) {
	t.Helper()
	done := [2]bool{}
	for i, ctx := range []context.Context{p.ours, p.theirs} {
		select {
		case <-ctx.Done():
			done[i] = true
		default:
		}
	}
	require.Equal(t, done[1], done[0], "%s: Done", say)
	p.equalWithoutDone(t, say)
}

func (p pair) equalWithoutDone(t *testing.T, say string) {
	t.Helper()
	require.Equal(t, p.theirs.Err(), p.ours.Err(), "%s: Err", say)
	require.Equal(t, context.Cause(p.theirs), context.Cause(p.ours), "%s: Cause", say)
	require.Equal(t, p.theirs.Value(valueKey{}), p.ours.Value(valueKey{}), "%s: Value", say)
	theirs, want := p.theirs.Deadline()
	ours, got := p.ours.Deadline()
	require.Equal(t, want, got, "%s: Deadline", say)
	require.True(t, theirs.Equal(ours), "%s: Deadline %v, want %v", say, ours, theirs)
	if p.ran != nil {
		require.Equal(t, p.ran[1], p.ran[0], "%s: AfterFunc", say)
	}
}

// pairWatch is a watched attempt.
type pairWatch struct {
	pair
	by       *retry.Deadline
	token    uint64
	cause    error
	cancel   context.CancelFunc // of theirs
	asked    bool               // for Done
	released bool
}

// FuzzAttempt compares the context of an attempt, and all that is derived from it, with context.WithTimeoutCause, while
// time passes, parents end, attempts are watched within attempts, and contexts are kept after the release.
func FuzzAttempt(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 3, 1, 4, 4, 4, 9, 1, 7, 2, 0, 5, 1, 1, 9, 5, 0})
	f.Add([]byte{0, 2, 3, 0, 0, 4, 4, 1, 2, 0, 1, 1, 5, 0, 1, 20, 5, 2})
	f.Add([]byte{0, 3, 0, 6, 4, 2, 1, 5, 5, 1, 0, 3, 1, 9, 1, 9})
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 80)]
		synctest.Test(t, func(t *testing.T) { fuzzAttempt(t, ops) })
	})
}

func fuzzAttempt(t *testing.T, ops []byte) {
	by := []*retry.Deadline{{Limit: 50 * time.Millisecond}, {Limit: 200 * time.Millisecond}}
	base, cancelBase := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "base"))
	defer cancelBase(nil)
	var (
		watches []*pairWatch
		derived []pair
	)
	check := func(say string) {
		synctest.Wait()
		for i, w := range watches {
			name := fmt.Sprintf("%s, watch %d", say, i)
			if w.asked {
				w.equal(t, name)
			} else {
				w.equalWithoutDone(t, name)
			}
		}
		for i, p := range derived {
			p.equal(t, fmt.Sprintf("%s, derived %d", say, i))
		}
	}
	release := func(w *pairWatch, err error) {
		overran := context.Cause(w.theirs) == w.cause
		got := w.by.Release(w.token, err)
		w.cancel()
		switch {
		case w.released || err == nil || !overran:
			require.Equal(t, err, got)
		default:
			require.ErrorIs(t, got, retry.ErrOverran)
			require.ErrorIs(t, got, err)
		}
		w.released = true
	}
	for at := 0; at+1 < len(ops); at += 2 {
		op, arg := ops[at]%7, int(ops[at+1])
		say := fmt.Sprintf("op %d: %d %d", at/2, op, arg)
		<-time.After(1) // so that no two limits are reached at once
		if op == 0 && len(watches) < 12 {
			parent := pair{ours: base, theirs: base}
			switch arg / 2 % 5 {
			case 0:
				parent = pair{ours: context.Background(), theirs: context.Background()}
			case 1:
				var cancel context.CancelFunc // a parent that ends by itself
				parent.ours, cancel = context.WithTimeout(base, 33*time.Millisecond)
				defer cancel()
				parent.theirs = parent.ours
			case 2, 3: // within another attempt, which may have ended
				if len(watches) > 0 {
					parent = watches[arg/10%len(watches)].pair
				}
				if arg/2%5 == 3 {
					parent.ours = context.WithValue(parent.ours, valueKey{}, at)
					parent.theirs = context.WithValue(parent.theirs, valueKey{}, at)
				}
			}
			w := &pairWatch{by: by[arg%2]}
			w.cause = &retry.OverranError{Limit: w.by.Limit}
			w.ours, w.token = w.by.Watch(parent.ours)
			w.theirs, w.cancel = context.WithTimeoutCause(parent.theirs, w.by.Limit, w.cause)
			watches = append(watches, w)
		}
		if op == 1 {
			<-time.After(time.Duration(arg%32) * 10 * time.Millisecond)
		}
		if op == 2 && arg%4 == 0 {
			cancelBase(errTransient)
		}
		if len(watches) == 0 {
			continue
		}
		switch w := watches[arg%len(watches)]; op {
		case 3:
			w.asked = true
		case 4:
			p := pair{ours: w.ours, theirs: w.theirs}
			for i, parent := range []context.Context{w.ours, w.theirs} {
				var ctx context.Context
				cancel := context.CancelFunc(func() {})
				switch arg / 16 % 4 {
				case 0:
					ctx, cancel = context.WithCancel(parent)
				case 1:
					ctx, cancel = context.WithTimeout(context.WithValue(parent, valueKey{}, "child"), 70*time.Millisecond)
				case 2:
					ctx = context.WithoutCancel(parent)
				case 3:
					if p.ran == nil {
						p.ran = new([2]int)
					}
					ctx, ran := parent, &p.ran[i]
					stop := context.AfterFunc(ctx, func() { *ran++ })
					defer stop()
				}
				defer cancel()
				if ctx == nil {
					ctx = parent
				}
				if i == 0 {
					p.ours = ctx
				} else {
					p.theirs = ctx
				}
			}
			derived = append(derived, p)
		case 5:
			release(w, nil)
		case 6:
			release(w, errTransient)
		}
		check(say)
	}
	for _, w := range watches {
		release(w, errTransient)
	}
	check("at the end")
}

// model is the naive account of one attempt under a watchdog.
type model struct {
	ctx                context.Context
	cancel             context.CancelFunc
	token              uint64
	start, beat, over  time.Time
	gap                time.Duration // the longest between two beats
	maySlow, mustSlow  bool
	mayOver, mustOver  bool
	slow, overran      int
	stuck              int
	released, orphaned bool
}

// FuzzWatchdog compares a watchdog with a naive model: which attempts are live, which limits they have reached and when,
// what was reported of them, and what the statistics say. Limits are exact as long as nothing is learned, late by an
// eightieth of the hard one at most when it is, and by an eighth of the shorter one when they are fixed.
func FuzzWatchdog(f *testing.F) {
	f.Add([]byte{0, 0, 1, 50, 1, 60, 1, 200, 3, 0}, byte(exact))
	f.Add([]byte{0, 0, 1, 50, 2, 0, 1, 45, 2, 0, 0, 0, 1, 99, 1, 30, 3, 0, 1, 255, 3, 1}, byte(fixed))
	f.Add([]byte{0, 0, 1, 5, 0, 0, 1, 5, 0, 0, 4, 1, 1, 100, 1, 7, 3, 2, 1, 255, 1, 255}, byte(fixed))
	f.Add([]byte{0, 0, 3, 255, 0, 0, 1, 1, 3, 255, 0, 0, 1, 50, 2, 2, 1, 60, 3, 254, 0, 0, 1, 255}, byte(learned))
	f.Fuzz(func(t *testing.T, ops []byte, way byte) {
		ops = ops[:min(len(ops), 120)]
		synctest.Test(t, func(t *testing.T) { fuzzWatchdog(t, ops, way%3) })
	})
}

// The ways to limits, which are the same numbers in each.
const (
	fixed   = iota
	exact   // learned, but not yet, so that the cap is the limit
	learned // and the cap is
)

func fuzzWatchdog(t *testing.T, ops []byte, way byte) {
	const (
		soft, hard = 50 * time.Millisecond, 100 * time.Millisecond
		grace      = 30 * time.Millisecond
	)
	var (
		mu      sync.Mutex
		all     = map[uint64]*model{}
		order   []*model
		strange []error
		slack   = soft/8 + 1
	)
	cfg := retry.WatchdogConfig{Grace: grace, Dump: -1, Soft: soft, Hard: hard}
	switch way {
	case exact:
		cfg.Soft, cfg.Hard, cfg.Cap, cfg.WarmUp, slack = 0, 0, hard, 1000, 0
	case learned:
		cfg.Soft, cfg.Hard, cfg.Cap, cfg.WarmUp, slack = 0, 0, hard, -1, hard/80
	}
	cfg.Report = func(ctx context.Context, s *retry.Stall) {
		mu.Lock()
		defer mu.Unlock()
		m, now := all[s.Attempt], time.Now()
		expect := func(ok bool, what string) {
			if !ok {
				strange = append(strange, fmt.Errorf("%s: %+v at %v of %+v", what, *s, now, *m))
			}
		}
		within := func(got, want time.Duration) bool { return got <= want && got >= want-slack }
		expect(within(s.Elapsed, now.Sub(m.start)), "elapsed")
		if s.Stage == retry.Stuck && way == fixed { // nobody looked for beats since the cancellation
			expect(s.Silent <= now.Sub(m.beat), "silent")
		} else {
			expect(within(s.Silent, now.Sub(m.beat)), "silent")
		}
		expect(!m.released, "reported after the release")
		switch s.Stage {
		case retry.Slow:
			m.slow++
			expect(s.Limit == soft && within(soft, now.Sub(m.beat)), "slow")
		case retry.Overran:
			m.overran++
			m.over = now
			expect(s.Limit == hard && within(hard, now.Sub(m.beat)), "overran")
		case retry.Stuck:
			m.stuck++
			expect(s.Cancelled == now.Sub(m.over) && s.Cancelled == grace*(1<<m.stuck-1), "stuck")
		}
	}
	d, err := retry.NewWatchdog(cfg)
	require.NoError(t, err)
	watched, longest := uint64(0), time.Duration(0)
	if way == learned {
		watched, longest = 1, 20*time.Millisecond
		require.NoError(t, d.Do(t.Context(), func(context.Context) error { <-time.After(longest); return nil }))
	}

	// account lets every silence last until now.
	account := func() {
		now := time.Now()
		for _, m := range order {
			if m.released {
				continue
			}
			silent := now.Sub(m.beat)
			m.maySlow, m.mayOver = m.maySlow || silent >= soft, m.mayOver || silent >= hard
			m.mustSlow, m.mustOver = m.mustSlow || silent >= soft+slack, m.mustOver || silent >= hard+slack
		}
	}
	check := func() {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		require.Empty(t, strange)
		want := retry.WatchdogStats{Watched: watched + uint64(len(order)), Soft: soft, Hard: hard}
		for i, m := range order {
			say := fmt.Sprintf("attempt %d: %+v", i, *m)
			require.LessOrEqual(t, m.slow, 1, say)
			require.LessOrEqual(t, m.overran, 1, say)
			require.True(t, m.maySlow || m.slow == 0, "too early: %s", say)
			require.True(t, !m.mustSlow || m.slow == 1, "not reported: %s", say)
			require.True(t, m.mayOver || m.overran == 0, "too early: %s", say)
			require.True(t, !m.mustOver || m.overran == 1, "not cancelled: %s", say)
			if m.overran == 1 && !m.released {
				for n := 0; n < 20; n++ { // counted as the limits passed, not by the formula of the report
					if due := m.over.Add(grace * (1<<n - 1)); n > 0 {
						require.Equal(t, !due.After(time.Now()), m.stuck >= n, "stuck %d: %s", n, say)
					}
				}
			}
			want.Slow += uint64(m.slow)
			if m.overran == 1 && !m.orphaned {
				want.Overran++
			}
			want.Stuck += uint64(min(m.stuck, 1))
			if !m.released {
				want.Live++
				want.LiveStuck += min(m.stuck, 1)
			}
			switch { // what the step sees
			case m.orphaned:
				require.Equal(t, context.Canceled, m.ctx.Err(), say)
				require.NotErrorIs(t, context.Cause(m.ctx), retry.ErrOverran, say)
			case m.overran == 1:
				require.Equal(t, context.DeadlineExceeded, m.ctx.Err(), say)
				require.ErrorIs(t, context.Cause(m.ctx), retry.ErrOverran, say)
			case m.released:
				require.Equal(t, context.Canceled, m.ctx.Err(), say)
				require.Equal(t, context.Canceled, context.Cause(m.ctx), say)
			default:
				require.NoError(t, m.ctx.Err(), say)
			}
		}
		got := d.Stats()
		require.LessOrEqual(t, got.Longest, longest)
		require.GreaterOrEqual(t, got.Longest, longest-slack)
		got.Longest = 0
		require.Equal(t, want, got)
	}
	for at := 0; at+1 < len(ops); at += 2 {
		op, arg := ops[at]%5, int(ops[at+1])
		switch op {
		case 0:
			if len(order) == 16 {
				continue
			}
			parent, cancel := context.WithCancel(t.Context())
			defer cancel()
			mu.Lock()
			m := &model{cancel: cancel, start: time.Now(), beat: time.Now()}
			m.ctx, m.token = d.Watch(parent)
			if arg%2 == 1 {
				_ = m.ctx.Done()
			}
			all[m.token] = m
			order = append(order, m)
			mu.Unlock()
		case 1:
			<-time.After(time.Duration(arg) * time.Millisecond)
			synctest.Wait()
			account()
		}
		if len(order) > 0 {
			mu.Lock()
			m := order[arg%len(order)]
			mu.Unlock()
			switch op {
			case 2:
				retry.Beat(m.ctx)
				if !m.released { // a beat after the cancellation is told of, and does not help
					m.gap = max(m.gap, time.Since(m.beat))
					m.beat = time.Now()
				}
			case 3:
				step := errTransient
				if arg >= 128 {
					step = nil
				}
				got := d.Release(m.token, step)
				if !m.released && m.overran == 1 && !m.orphaned && step != nil {
					require.ErrorIs(t, got, retry.ErrOverran)
					require.ErrorIs(t, got, errTransient)
				} else {
					require.True(t, errors.Is(got, step) && !errors.Is(got, retry.ErrOverran))
				}
				if !m.released && step == nil && way == learned {
					longest = max(longest, m.gap, time.Since(m.beat))
				}
				m.released = true
			case 4:
				if m.overran == 0 && !m.released {
					m.orphaned = true
				}
				m.cancel()
			}
		}
		check()
	}
	for _, m := range order {
		_ = d.Release(m.token, errTransient)
		m.released = true
	}
	check()
	d.Close()
}
