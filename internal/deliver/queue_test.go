package deliver

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	var q Queue[int]
	var got []int
	q.Deliver(func(int) { t.Error("nothing was added") })
	q.Add(1)
	q.Add(2)
	q.Deliver(func(v int) {
		got = append(got, v)
		if v < 10 {
			q.Add(v + 10)
			q.Deliver(func(int) { t.Error("handed out within the callback") })
		}
	})
	require.Equal(t, []int{1, 2, 11, 12}, got)
}

// TestMany: what waits is taken from the front, and not moved: else this would not end.
func TestMany(t *testing.T) {
	t.Parallel()
	var q Queue[int]
	const n = 1 << 20
	for v := range n {
		q.Add(v)
	}
	var sum int64
	q.Deliver(func(v int) { sum += int64(v) })
	require.Equal(t, int64(n)*(n-1)/2, sum)
}

func TestAbortedCallbackLosesOnlyItsEvent(t *testing.T) {
	t.Parallel()
	var q Queue[int]
	for v := range 4 {
		q.Add(v)
	}
	require.Panics(t, func() { q.Deliver(func(int) { panic("callback") }) })
	var wg sync.WaitGroup
	wg.Go(func() { q.Deliver(func(int) { runtime.Goexit() }) })
	wg.Wait()
	var got []int
	q.Deliver(func(v int) { got = append(got, v) })
	require.Equal(t, []int{2, 3}, got)
}

// However many goroutines add and deliver, callbacks do not overlap and every event comes once, in the order of adding.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	var (
		q     Queue[int]
		order sync.Mutex // as the owner's own lock would be
		next  int
		got   []int // only ever touched by one callback at a time: the race detector checks that
		wg    sync.WaitGroup
	)
	for range 8 {
		wg.Go(func() {
			for range 500 {
				order.Lock()
				q.Add(next)
				next++
				order.Unlock()
				q.Deliver(func(v int) { got = append(got, v) })
			}
		})
	}
	wg.Wait()
	q.Deliver(func(v int) { got = append(got, v) })
	require.Len(t, got, 4000)
	for i, v := range got {
		require.Equal(t, i, v)
	}
}
