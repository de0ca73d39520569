package retry

import (
	"math"
	"slices"
	"time"
)

// durations are the last 64 of a series.
type durations struct {
	ring [64]time.Duration
	seen int
}

func (d *durations) add(x time.Duration) {
	d.ring[d.seen%len(d.ring)] = x
	d.seen++
}

// quantile returns the smallest of the durations that is not below the given part of them; zero if there are none.
func (d *durations) quantile(q float64) time.Duration {
	sorted := d.ring // a copy
	n := min(d.seen, len(sorted))
	if n == 0 {
		return 0
	}
	slices.Sort(sorted[:n])
	return sorted[min(n-1, max(0, int(math.Ceil(q*float64(n)))-1))]
}
