package ratelimit

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

// tick divides every time in these tests. A bucket gains half a token in it, exactly in binary.
const tick = time.Second / 16

// naive is a meter that is counted by hand, in ticks.
type naive interface {
	may(at, n int) bool
	begin(at, n int)
	clone() naive
}

type naiveBucket struct{ halves, burst, last int }

func (b *naiveBucket) level(at int) int   { return min(2*b.burst, b.halves+max(0, at-b.last)) }
func (b *naiveBucket) may(at, n int) bool { return b.level(at) >= 2*n }
func (b *naiveBucket) clone() naive       { c := *b; return &c }
func (b *naiveBucket) begin(at, n int) {
	b.halves, b.last = b.level(at)-2*n, max(at, b.last)
}

type naiveSmooth struct{ gap, free int }

func (s *naiveSmooth) may(at, _ int) bool { return at >= s.free }
func (s *naiveSmooth) begin(at, n int)    { s.free = at + n*s.gap }
func (s *naiveSmooth) clone() naive       { c := *s; return &c }

// naiveWindow keeps everything that ever began.
type naiveWindow struct {
	n, d, latest int
	began        []int
}

func (w *naiveWindow) may(at, n int) bool {
	w.latest = max(w.latest, at)
	for _, began := range w.began {
		if began+w.d > w.latest {
			n++
		}
	}
	return n <= w.n
}

func (w *naiveWindow) begin(at, n int) {
	for range n {
		w.began = append(w.began, max(at, w.latest))
	}
}

func (w *naiveWindow) clone() naive {
	return &naiveWindow{w.n, w.d, w.latest, slices.Clone(w.began)}
}

// FuzzMeters compares each kind of limiter with one that is counted by hand: what may begin, and how long it will take,
// at times that mostly go forward.
func FuzzMeters(f *testing.F) {
	f.Add([]byte{0, 3, 0, 0, 4, 0, 1, 9, 0, 2, 60, 8, 0, 0, 2, 7, 1})
	f.Add([]byte{1, 2, 0, 4, 0, 1, 3, 0, 1, 200, 0, 2, 90})
	f.Add([]byte{2, 3, 0, 4, 0, 1, 3, 0, 0, 8, 1, 200, 0, 0, 2, 90, 12})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 3 || len(ops) > 400 {
			return
		}
		epoch := time.Now()
		size := 1 + int(ops[1]%5)
		span := 1 + int(ops[1]/8)
		var m meter
		var model naive
		most := size
		switch ops[0] % 3 {
		case 0:
			m, model = &bucket{tokens: rate.NewLimiter(8, size)}, &naiveBucket{halves: 2 * size, burst: size}
		case 1:
			m, model = &smooth{gap: time.Duration(span) * tick}, &naiveSmooth{gap: span}
			most = 5
		case 2:
			m, model = &window{n: size, d: time.Duration(span) * tick, epoch: epoch}, &naiveWindow{n: size, d: span}
		}
		at := 0
		now := func() time.Time { return epoch.Add(time.Duration(at) * tick) }
		for i, op := range ops[2:] {
			arg := int(op / 4)
			switch op % 4 {
			case 0: // a step
				n := 1 + arg%most
				want := model.may(at, n)
				if want {
					model.begin(at, n)
				}
				require.Equal(t, want, m.take(now(), now(), n), "op %d: step of %d at %d", i, n, at)
			case 1:
				at += arg % 16
			case 2: // how long does it take, behind others
				n, ahead := 1+arg%most, arg/most%8
				began, line := at, model.clone()
				for range ahead {
					for !line.may(began, 1) {
						began++
					}
					line.begin(began, 1)
				}
				for !line.may(began, n) {
					began++
				}
				if w, ok := model.(*naiveWindow); ok {
					w.may(at, 0) // has seen the time
				}
				want := time.Duration(began-at) * tick
				require.Equal(t, want, m.due(now(), ahead, n), "op %d: %d behind %d at %d", i, n, ahead, at)
				if ahead == 0 && want > 0 {
					require.False(t, m.take(now(), now(), n))
				}
			case 3: // a time that was read earlier
				at = max(0, at-arg%4)
			}
		}
		at += 1000
		require.True(t, m.fresh(now()))
	})
}

// The limiter of x/time goes back when an earlier time comes after a later one, and grants the time between again.
func TestTimeGoesBackAndForth(t *testing.T) {
	t.Parallel()
	epoch := time.Now()
	for name, m := range map[string]meter{
		"bucket": &bucket{tokens: rate.NewLimiter(1, 2)},
		"smooth": &smooth{gap: time.Second},
		"window": &window{n: 2, d: time.Second, epoch: epoch},
		"aimd":   newAIMD(AdaptiveConfig{PerSecond: 1, Burst: 2}.withDefaults(), epoch),
	} {
		granted := 0
		for i := range 100 {
			now := epoch.Add(time.Duration((i+1)%2) * time.Hour)
			if m.take(now, now, 1) {
				granted++
			}
		}
		require.LessOrEqual(t, granted, 2, name)
	}
}

// A timer that rings late costs a bucket nothing; the other kinds count from when the step begins.
func TestLateTimers(t *testing.T) {
	t.Parallel()
	epoch := time.Now()
	for name, tt := range map[string]struct {
		m    meter
		want time.Duration // of the next step, after a step due at 1 s began at 1.2 s
	}{
		"bucket": {&bucket{tokens: rate.NewLimiter(1, 1)}, 800 * time.Millisecond},
		"smooth": {&smooth{gap: time.Second}, time.Second},
		"window": {&window{n: 1, d: time.Second, epoch: epoch}, time.Second},
	} {
		require.True(t, tt.m.take(epoch, epoch, 1), name)
		require.Equal(t, time.Second, tt.m.due(epoch, 0, 1), name)
		now := epoch.Add(1200 * time.Millisecond)
		require.True(t, tt.m.take(epoch.Add(time.Second), now, 1), name)
		require.Equal(t, tt.want, tt.m.due(now, 0, 1), name)
	}
}

// Waits that cannot be told are longer than any deadline, never negative.
func TestWaitsDoNotOverflow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, m := range map[string]meter{
		"bucket": &bucket{tokens: rate.NewLimiter(1e-300, 1<<30)},
		"smooth": &smooth{gap: longest},
		"window": &window{n: 1 << 20, d: longest, epoch: now},
	} {
		require.True(t, m.take(now, now, 1<<20), name)
		m.take(now, now, 1<<30-1<<20)
		require.GreaterOrEqual(t, m.due(now, 1<<30, 1<<20), longest, name)
	}
}

func TestWindowForgetsInPlace(t *testing.T) {
	t.Parallel()
	w := &window{n: 1000, d: time.Second, epoch: time.Now()}
	for i := range 10_000 {
		now := w.epoch.Add(time.Duration(i) * 100 * time.Millisecond)
		require.True(t, w.take(now, now, 1))
	}
	require.LessOrEqual(t, len(w.taken), 16, "the ring grows with what is in the window")
}
