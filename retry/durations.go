package retry

import (
	"math"
	"slices"
	"time"
)

// durations are the last 100 of a series: in the order of their coming and, so that a quantile costs nothing, of their
// length.
type durations struct {
	seen   int                // in all
	ring   [100]time.Duration // the place of the next is seen%100
	sorted [100]time.Duration
}

func (d *durations) held() int { return min(d.seen, len(d.ring)) }

func (d *durations) add(x time.Duration) {
	n, next := d.held(), d.seen%len(d.ring)
	if n == len(d.ring) { // the oldest gives way
		i, _ := slices.BinarySearch(d.sorted[:n], d.ring[next])
		n--
		copy(d.sorted[i:n], d.sorted[i+1:])
	}
	i, _ := slices.BinarySearch(d.sorted[:n], x)
	copy(d.sorted[i+1:n+1], d.sorted[i:n])
	d.sorted[i] = x
	d.ring[next] = x
	d.seen++
}

// quantile returns the smallest duration that the part p of all does not exceed (nearest rank); zero if there are none.
func (d *durations) quantile(p float64) time.Duration {
	n := d.held()
	if n == 0 {
		return 0
	}
	return d.sorted[max(0, min(int(math.Ceil(p*float64(n))), n)-1)]
}
