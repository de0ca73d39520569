package carbon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// inPieces asks for a stretch of time in pieces of what one call may ask for, and keeps what is wanted of it.
func inPieces(ctx context.Context, zone string, from, to time.Time, piece time.Duration, want func(Reading) bool,
	call func(ctx context.Context, from, to time.Time) ([]Reading, error)) ([]Reading, error) {
	const mostPieces = 400
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	if to.Sub(from)/piece > mostPieces {
		return nil, fmt.Errorf("carbon: the stretch from %s to %s takes more than %d calls", stamp(from), stamp(to), mostPieces)
	}
	var all []Reading
	for at := from; at.Before(to); at = at.Add(piece) {
		readings, err := call(ctx, at, earlier(at.Add(piece), to))
		if err != nil && !errors.Is(err, ErrNoData) {
			return nil, err
		}
		all = append(all, readings...)
	}
	return within(all, zone, from, to, want)
}

// checkStretch refuses a stretch of time that is empty or longer than a duration can say.
func checkStretch(from, to time.Time) error {
	const longest = 200 * 366 * day
	if !to.After(from) {
		return fmt.Errorf("carbon: the stretch from %s to %s is empty", stamp(from), stamp(to))
	}
	if to.Sub(from) > longest {
		return fmt.Errorf("carbon: the stretch from %s to %s is longer than 200 years", stamp(from), stamp(to))
	}
	return nil
}

// within keeps the wanted readings that lie at least partly in [from, to), in order of time, one for each time: the last.
func within(readings []Reading, zone string, from, to time.Time, want func(Reading) bool) ([]Reading, error) {
	kept := make([]Reading, 0, len(readings))
	for _, r := range slices.Backward(readings) {
		if r.From.Before(to) && r.To.After(from) && want(r) {
			kept = append(kept, r)
		}
	}
	if len(kept) == 0 {
		return nil, &NoDataError{Zone: zone, At: from}
	}
	slices.SortStableFunc(kept, func(a, b Reading) int { return a.From.Compare(b.From) })
	return slices.CompactFunc(kept, func(a, b Reading) bool { return a.From.Equal(b.From) }), nil
}

func pastOnly(r Reading) bool   { return r.Basis != Forecast }
func futureOnly(r Reading) bool { return r.Basis == Forecast }

// stepOf is the usual length of the intervals that begin at the given times, in order: the shortest distance, at most
// longest, which is also the answer for a single time.
func stepOf(times []time.Time, longest time.Duration) time.Duration {
	step := longest
	for i := 1; i < len(times); i++ {
		if gap := times[i].Sub(times[i-1]); gap > 0 {
			step = min(step, gap)
		}
	}
	return step
}
