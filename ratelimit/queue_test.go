package ratelimit_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

var errPreempted = errors.New("preempted")

// Whoever leaves the line leaves a gap that the ones behind close.
func TestLimiterLineClosesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1, 1)
		start := time.Now()
		require.NoError(t, l.Wait(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			go func() { _ = l.Wait(ctx) }()
			synctest.Wait()
		}
		var at [3]time.Duration
		for i := range at {
			go func() {
				if l.Wait(t.Context()) == nil {
					at[i] = time.Since(start)
				}
			}()
			synctest.Wait()
		}
		cancel()
		<-time.After(10 * time.Second)
		synctest.Wait()
		require.Equal(t, [3]time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, at)
	})
}

// Everybody in front is counted before it is said that a token can come in time.
func TestLimiterRefusesAtOnceBehindOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1, 3)
		require.NoError(t, l.WaitN(t.Context(), 3))
		for range 2 {
			go func() { _ = l.WaitN(t.Context(), 2) }()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		err := l.Wait(ctx)
		require.Zero(t, time.Since(start))
		var limited *ratelimit.LimitedError
		require.ErrorAs(t, err, &limited)
		require.Equal(t, 5*time.Second, limited.RetryAfter(), "there would be no time left")

		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second+1)
		defer cancel()
		require.NoError(t, l.Wait(ctx))
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}

// A context that ends while its step waits is no failure of the step, and its cause is kept.
func TestEndedContextIsNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, l := bulkhead(t, 1, -1), limiter(t, 1.0/60, 1)
		_, err := b.Admit(t.Context())
		require.NoError(t, err)
		require.True(t, l.Allow())
		for name, admit := range map[string]func(context.Context) (uint64, error){"bulkhead": b.Admit, "limiter": l.Admit} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errPreempted) })
			for range 2 { // while waiting, and before
				_, err := admit(ctx)
				require.ErrorIs(t, err, context.Canceled, name)
				require.ErrorIs(t, err, errPreempted, name)
				var neutral interface{ Neutral() bool }
				require.ErrorAs(t, err, &neutral, name)
				require.True(t, neutral.Neutral(), name)
			}
		}
	})
}

// waiter is a goroutine in line, and what is known of it.
type waiter struct {
	n      int // tokens wanted
	cancel context.CancelFunc
	token  uint64
	err    error
	done   bool // is to have returned
	back   bool // has returned
}

// FuzzLimiterLine lets waiters come, go and be served, and compares with a line that is counted by hand.
func FuzzLimiterLine(f *testing.F) {
	f.Add([]byte{2, 0, 4, 8, 1, 3, 12, 0, 16, 2, 3, 255, 5, 3, 40})
	f.Add([]byte{0, 0, 0, 0, 0, 3, 8, 1, 0, 1, 3, 200, 0, 0, 2, 2, 3, 64})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 || len(ops) > 300 {
			return
		}
		// A token comes each eighth of a second, and time goes in sixteenths: exact in binary, so that the fractions of
		// the bucket are too.
		const tick = time.Second / 16
		burst := 1 + int(ops[0]%4)
		synctest.Test(t, func(t *testing.T) {
			l := limiter(t, 8, burst)
			halves := 2 * burst // in the bucket, half tokens
			var line []*waiter
			settle := func() {
				for len(line) > 0 && halves >= 2*line[0].n {
					halves -= 2 * line[0].n
					line[0].done = true
					line = line[1:]
				}
			}
			var all []*waiter
			for i, op := range ops[1:] {
				arg := int(op / 4)
				switch op % 4 {
				case 0, 1: // one comes, perhaps with a deadline
					w := &waiter{n: 1 + arg%burst}
					ctx, cancel := context.WithCancel(t.Context())
					want := 2*w.n - halves
					for _, other := range line {
						want += 2 * other.n
					}
					refused := false
					if op%4 == 1 {
						limit := arg / burst
						ctx, cancel = context.WithTimeout(ctx, time.Duration(limit)*tick+1)
						refused = want > limit
					}
					w.cancel = cancel
					all = append(all, w)
					if refused {
						w.done = true
						var limited *ratelimit.LimitedError
						require.ErrorAs(t, l.WaitN(ctx, w.n), &limited, "op %d", i)
						require.Equal(t, time.Duration(want)*tick, limited.Wait, "op %d", i)
						w.back = true
						continue
					}
					line = append(line, w)
					settle()
					go func() { w.err = l.WaitN(ctx, w.n); w.back = true }()
				case 2: // one in line leaves
					if len(line) > 0 {
						at := arg % len(line)
						line[at].done = true
						line[at].cancel()
						line = slices.Delete(line, at, at+1)
						settle()
					}
				case 3:
					for range arg {
						<-time.After(tick)
						halves = min(halves+1, 2*burst)
						settle()
						synctest.Wait()
					}
				}
				synctest.Wait()
				for _, w := range all {
					require.Equal(t, w.done, w.back, "op %d: one of %d tokens", i, w.n)
				}
			}
			for _, w := range all {
				w.cancel()
			}
		})
	})
}

// FuzzBulkheadLine does the same with a bulkhead, whose waiters also give up by themselves.
func FuzzBulkheadLine(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 2, 1, 3, 1, 1, 2, 0, 3, 5, 1})
	f.Add([]byte{0, 0, 0, 0, 2, 6, 1, 0, 3, 255, 0, 1, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 || len(ops) > 300 {
			return
		}
		const patience = 10 * time.Second
		size := 1 + int(ops[0]%3)
		synctest.Test(t, func(t *testing.T) {
			type place struct {
				waiter
				since time.Time
			}
			b := bulkhead(t, size, patience)
			var held, line, spent []*place
			for i, op := range ops[1:] {
				arg := int(op / 4)
				var leave *place
				switch op % 4 {
				case 0:
					p := &place{since: time.Now()}
					ctx, cancel := context.WithCancel(t.Context())
					p.cancel = cancel
					line = append(line, p)
					go func() { p.token, p.err = b.Admit(ctx); p.back = true }()
				case 1:
					if len(held) > 0 {
						at := arg % len(held)
						b.Done(held[at].token, nil)
						spent = append(spent, held[at])
						held = slices.Delete(held, at, at+1)
					}
					if len(spent) > 0 {
						b.Done(spent[arg%len(spent)].token, nil) // once more
					}
				case 2:
					if len(line) > 0 {
						at := arg % len(line)
						leave = line[at]
						leave.cancel()
						line = slices.Delete(line, at, at+1)
					}
				case 3:
					<-time.After(time.Duration(arg) * time.Second / 8)
				}
				synctest.Wait()
				if leave != nil {
					require.ErrorIs(t, leave.err, context.Canceled, "op %d", i)
				}
				for len(line) > 0 && (len(held) < size || time.Since(line[0].since) >= patience) {
					p := line[0]
					line = line[1:]
					require.True(t, p.back, "op %d", i)
					if time.Since(p.since) >= patience {
						require.ErrorIs(t, p.err, ratelimit.ErrFull, "op %d", i)
						continue
					}
					require.NoError(t, p.err, "op %d", i)
					held = append(held, p)
				}
				for _, p := range line {
					require.False(t, p.back, "op %d", i)
				}
				require.Equal(t, len(held), b.InUse(), "op %d", i)
			}
			for _, p := range append(line, held...) {
				p.cancel()
			}
		})
	})
}
