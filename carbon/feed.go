package carbon

import (
	"context"
	"errors"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	// firstPause and longestPause are how long a failed source is left alone: twice as long after each further failure.
	firstPause   = time.Minute
	longestPause = time.Hour
	// maxKept bounds the readings in memory: two weeks of 5-minute values are 4,032.
	maxKept = 8192
)

// window is a stretch of time that a source was asked for.
type window struct{ from, to time.Time }

func (w window) covers(t time.Time) bool { return !t.Before(w.from) && t.Before(w.to) }

// feed answers for single instants from what few calls bring: each answer is used for a while, one call is made at a
// time, and a source that fails is left alone for a while. How long is a matter of wall time, whatever times are asked for.
type feed struct {
	source, zone string
	signal       Signal
	fresh        time.Duration // how long an answer is used before the source is asked again
	// fetch asks for the reading at t and whatever comes with it. The window is what the answer covers, gaps included.
	fetch func(ctx context.Context, t time.Time) (readings []Reading, asked window, err error)

	flights flights[struct{}]

	mu       sync.Mutex // guards the rest
	readings []kept     // ordered by From
	asked    window     // of the last answer
	fetched  time.Time  // the last answer
	failures int        // in a row
	next     time.Time  // not asked before
	refused  window     // what next is about; zero for everything
	err      error      // of the last call; nil after an answer
}

// kept is a reading and when it was said.
type kept struct {
	Reading
	said time.Time
}

// at returns the reading that covers t. Where the source was to be asked again and could not be, that is what it said
// before, with the strategy Cached.
func (f *feed) at(ctx context.Context, t time.Time) (Reading, error) {
	joined := false
	for {
		if ctx.Err() != nil {
			return Reading{}, givenUp(ctx, f.source)
		}
		r, ask, err := f.known(t, joined)
		if !ask {
			return r, err
		}
		_, err = f.flights.do(ctx, "", func(ctx context.Context) (struct{}, error) {
			return struct{}{}, f.ask(ctx, t)
		})
		if errors.Is(err, errEarly) {
			return f.early(t, err)
		}
		// What was joined may have been a call for another time. The second round settles it: then nobody else's counts.
		joined = ctx.Err() == nil
	}
}

// early is the answer for a caller that had no time for a call.
func (f *feed) early(t time.Time, err error) (Reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, ok := f.find(t)
	if !ok {
		return Reading{}, err
	}
	found.Strategy = Cached
	return found.Reading, nil
}

// known answers from what was said before, or says that the source must be asked; just means that it was a moment ago.
func (f *feed) known(t time.Time, just bool) (r Reading, ask bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	found, ok := f.find(t)
	since := now.Sub(f.fetched)
	covered := f.asked.covers(t) && f.err == nil
	switch {
	case f.err != nil && now.Before(f.next) && (f.refused == window{} || f.refused.covers(t)):
		if !ok {
			return Reading{}, false, f.err
		}
		r := found.Reading
		if now.Sub(found.said) >= f.fresh {
			r.Strategy = Cached
		}
		return r, false, nil
	case ok && (now.Sub(found.said) < f.fresh || covered && (just || since < f.fresh)):
		return found.Reading, false, nil
	case !ok && covered && (just || since < min(f.fresh, firstPause)):
		return Reading{}, false, f.noData(t)
	}
	return Reading{}, true, nil
}

// ask makes a call and takes in what comes. A call that the caller gave up says nothing.
func (f *feed) ask(ctx context.Context, t time.Time) error {
	readings, asked, err := f.fetch(ctx, t)
	if err != nil && (ctx.Err() != nil || errors.Is(err, errEarly)) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if !asked.covers(t) {
		asked = window{t, t.Add(time.Nanosecond)}
	}
	if err != nil && !errors.Is(err, ErrNoData) {
		f.failures++
		pause := min(firstPause<<min(f.failures-1, 16), longestPause)
		f.refused = window{}
		if failed := apiError(err); failed != nil {
			pause = max(pause, failed.After)
			if failed.Kind == ErrRequest || failed.Kind == ErrPlan { // this time is refused, another may not be
				f.refused = asked
			}
		}
		f.next, f.err = now.Add(pause), err
		return err
	}
	f.failures, f.next, f.err = 0, time.Time{}, nil
	f.asked, f.fetched = asked, now
	f.take(readings, now)
	return nil
}

// take merges readings: of two for the same time the one of the better basis counts, of the same basis the later word. The
// caller holds mu.
func (f *feed) take(readings []Reading, now time.Time) {
	all := f.readings
	if len(all)+len(readings) > maxKept {
		all = nil
		readings = readings[:min(len(readings), maxKept)]
	}
	all = slices.Clone(all)
	for _, r := range readings {
		if r.check(r.From, f.signal) == nil {
			all = append(all, kept{r, now})
		}
	}
	slices.SortStableFunc(all, func(a, b kept) int { return a.From.Compare(b.From) })
	merged := all[:0]
	for _, r := range all {
		last := len(merged) - 1
		switch {
		case last < 0 || !merged[last].From.Equal(r.From):
			merged = append(merged, r)
		case r.Basis <= merged[last].Basis:
			merged[last] = r
		}
	}
	f.readings = merged
}

// find returns the reading that covers t. The caller holds mu.
func (f *feed) find(t time.Time) (kept, bool) {
	i := sort.Search(len(f.readings), func(i int) bool { return f.readings[i].From.After(t) })
	// A reading of an hour may surround shorter ones: a few steps back find it.
	for back := i - 1; back >= 0 && back >= i-12; back-- {
		if f.readings[back].Covers(t) {
			return f.readings[back], true
		}
	}
	return kept{}, false
}

// noData says that the source has nothing for t, and from when on it has. The caller holds mu.
func (f *feed) noData(t time.Time) error {
	missing := &NoDataError{Zone: f.zone, At: t}
	i := sort.Search(len(f.readings), func(i int) bool { return f.readings[i].From.After(t) })
	if i < len(f.readings) {
		missing.Until = f.readings[i].From
	}
	return missing
}
