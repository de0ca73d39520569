package ratelimit

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzKindsLine lets waiters come, go and be served by each kind of limiter, and compares with a line before a meter that is
// counted by hand: nobody is served too early, too late or out of turn, and one who leaves takes nothing.
func FuzzKindsLine(f *testing.F) {
	f.Add([]byte{0, 10, 0, 4, 8, 3, 12, 0, 2, 3, 40})
	f.Add([]byte{1, 10, 0, 4, 8, 3, 12, 0, 2, 3, 40, 1, 1, 3, 255})
	f.Add([]byte{2, 34, 0, 4, 8, 3, 12, 0, 2, 6, 3, 40, 1, 3, 250})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 3 || len(ops) > 200 {
			return
		}
		size, span := 1+int(ops[1]%4), 1+int(ops[1]/16)
		synctest.Test(t, func(t *testing.T) {
			var l *Limiter
			var model naive
			var err error
			switch ops[0] % 3 {
			case 0:
				l, err = New(8, size)
				model = &naiveBucket{halves: 2 * size, burst: size}
			case 1:
				l, err = NewSmooth(time.Duration(span) * tick)
				model = &naiveSmooth{gap: span}
			case 2:
				l, err = NewWindow(size, time.Duration(span)*tick)
				model = &naiveWindow{n: size, d: span}
			}
			require.NoError(t, err)
			type waiter struct {
				n      int
				cancel context.CancelFunc
				want   bool
				served atomic.Bool
			}
			var all, line []*waiter
			at := 0
			settle := func() {
				for len(line) > 0 && model.may(at, line[0].n) {
					model.begin(at, line[0].n)
					line[0].want = true
					line = line[1:]
				}
			}
			for i, op := range ops[2:] {
				arg := int(op / 4)
				switch op % 4 {
				case 0: // one comes
					w := &waiter{n: 1 + arg%size}
					ctx, cancel := context.WithCancel(t.Context())
					w.cancel = cancel
					all, line = append(all, w), append(line, w)
					settle()
					go func() { w.served.Store(l.WaitN(ctx, w.n) == nil) }()
				case 1: // one does not wait
					n := 1 + arg%size
					want := len(line) == 0 && model.may(at, n)
					if want {
						model.begin(at, n)
					}
					require.Equal(t, want, l.AllowN(n), "op %d", i)
				case 2: // one leaves
					if len(line) > 0 {
						gone := arg % len(line)
						line[gone].cancel()
						line = slices.Delete(line, gone, gone+1)
						settle()
					}
				case 3:
					for range arg {
						<-time.After(tick)
						synctest.Wait()
						at++
						settle()
					}
				}
				synctest.Wait()
				for _, w := range all {
					require.Equal(t, w.want, w.served.Load(), "op %d: one of %d", i, w.n)
				}
			}
			for _, w := range all {
				w.cancel()
			}
			synctest.Wait()
			require.Zero(t, l.waiting)
			require.True(t, l.turn.fresh(time.Now()))
		})
	})
}
