package carbon

import (
	"fmt"
	"slices"
	"time"
)

// Mean is the mean of readings over [from, to), each weighted by its time in it, the first and last by their part. The
// readings must cover the stretch without a gap and must not overlap. Average and marginal values do not mix, nor do
// lifecycle and direct ones ([ErrSignal], [ErrScope]).
func Mean(readings []Reading, from, to time.Time) (Intensity, error) {
	if !to.After(from) {
		return 0, fmt.Errorf("carbon: mean: the stretch from %s to %s is empty", stamp(from), stamp(to))
	}
	sorted := slices.Clone(readings)
	slices.SortStableFunc(sorted, func(a, b Reading) int { return a.From.Compare(b.From) })
	at, sum := from, 0.0
	var signal Signal
	var scope Scope
	for _, r := range sorted {
		if !r.To.After(from) || !r.From.Before(to) {
			continue
		}
		if signal == 0 {
			signal = r.Signal
		}
		if err := r.check(r.From, signal); err != nil {
			return 0, err
		}
		if err := scope.meet(r); err != nil {
			return 0, err
		}
		begin := r.From
		if begin.Before(from) {
			begin = from
		}
		if begin.Before(at) {
			return 0, fmt.Errorf("%w: two values for %s", ErrReading, stamp(begin))
		}
		if begin.After(at) {
			return 0, &NoDataError{Zone: r.Zone, At: at, Until: begin}
		}
		end := earlier(r.To, to)
		sum += float64(r.Intensity) * end.Sub(begin).Hours()
		at = end
	}
	if at.Before(to) {
		return 0, &NoDataError{At: at}
	}
	return Intensity(sum / to.Sub(from).Hours()), nil
}
