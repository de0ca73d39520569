package carbon

import (
	"context"
	"sort"
	"time"
)

// History implements [History] for what was recorded, be it estimated or not; of a trace of forecasts only the estimated.
func (tr *Trace) History(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return tr.stretch(ctx, from, to, pastOnly)
}

// Forecast implements [Forecaster] for a trace of forecasts; any other has none.
func (tr *Trace) Forecast(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return tr.stretch(ctx, from, to, futureOnly)
}

func (tr *Trace) stretch(ctx context.Context, from, to time.Time, want func(Reading) bool) ([]Reading, error) {
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if tr == nil {
		return nil, &NoDataError{At: from}
	}
	begin := sort.Search(len(tr.spans), func(i int) bool { return time.UnixMilli(tr.spans[i].to).After(from) })
	var out []Reading
	for _, s := range tr.spans[begin:] {
		if !time.UnixMilli(s.from).Before(to) {
			break
		}
		if r := tr.reading(s); want(r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, &NoDataError{Zone: tr.zone, At: from}
	}
	return out, nil
}
