package carbon

import (
	"errors"
	"math"
	"time"
)

// outlook fills dst with the best that is known of n slots: at each horizon the learner's forecast, the source's, or a blend of
// the two, whichever had the least errors; without any history the source's forecast, and without that the built-in figures.
func (f *fallback) outlook(dst *Outlook, from time.Time, n int) error {
	l := f.learner
	err := l.Outlook(dst, from, n)
	if errors.Is(err, ErrNoData) {
		return f.blind(dst, from, n)
	}
	if err != nil || n == 0 {
		return err
	}
	start, young := l.slot(from), l.nodes[0].count < priorCount
	if young {
		f.young(dst)
	}
	if f.foreseen.issued.IsZero() {
		return nil
	}
	nodes := append([]node(nil), dst.nodes...)
	chosen := make([]*gauge, len(nodes))
	weights := make([]float64, len(nodes))
	for i := range nodes {
		slot := l.newest + int64(nodes[i].ahead)
		if g, w := f.foreseen.rows[i].best(); g != nil && w > 0 && !math.IsNaN(f.foreseen.values.get(slot)) {
			chosen[i], weights[i] = g, w
			nodes[i].q, nodes[i].deviation, nodes[i].wide = g.q, g.deviation, 0
		}
	}
	dst.nodes = nodes
	at := 0
	for i := range n {
		ahead, slot := dst.ahead[i], start+int64(i)
		api := f.foreseen.values.get(slot)
		if ahead == 0 || math.IsNaN(api) {
			continue
		}
		for at+1 < len(nodes) && nodes[at+1].ahead <= ahead {
			at++
		}
		a, b, part := between(nodes, at, ahead)
		w, next := weights[at], weights[min(at+1, len(weights)-1)]
		if a == b {
			next = w
		}
		w = onLine(w, next, part)
		if chosen[at] == nil && w == 0 {
			continue
		}
		dst.Mean[i] = max(0, dst.Mean[i]+w*(api-dst.Mean[i]))
		if !young {
			dst.scale[i] = scaleAt(l, slot)
		}
		dst.Spread[i] = spreadShare * dst.scale[i] * onLine(a.deviation, b.deviation, part)
	}
	return nil
}

// young replaces what a learner without scores thinks of its errors by the prior, in units of the level.
func (f *fallback) young(dst *Outlook) {
	l := f.learner
	nodes := append([]node(nil), dst.nodes...)
	for i := range nodes {
		share, _ := f.prior(float64(nodes[i].ahead) / l.perHour)
		g := newGauge(share)
		nodes[i].q, nodes[i].deviation = g.q, share*math.Sqrt(math.Pi/2)
	}
	dst.nodes = nodes
	last := l.value(l.newest)
	for i, ahead := range dst.ahead {
		if ahead == 0 {
			continue
		}
		if _, hold := f.prior(float64(ahead) / l.perHour); hold {
			dst.Mean[i] = last
		}
		share, _ := f.prior(float64(ahead) / l.perHour)
		if api := f.foreseen.values.get(l.slot(dst.Start) + int64(i)); share > apiPrior && !math.IsNaN(api) {
			dst.Mean[i] = api
		}
		dst.scale[i] = max(dst.Mean[i], 1)
		dst.Spread[i] = spreadShare * math.Sqrt(math.Pi/2) * share * dst.scale[i]
	}
}

// blind is an outlook without a usable past.
func (f *fallback) blind(dst *Outlook, from time.Time, n int) error {
	l := f.learner
	start := l.slot(from)
	if n < 0 || time.Duration(n) > maxHorizon/l.cfg.Step || start < 0 {
		return &NoDataError{Zone: f.zone, At: from}
	}
	dst.Start, dst.Step, dst.nodes = l.time(start), l.cfg.Step, nil
	dst.Mean, dst.Spread = grow(dst.Mean, n), grow(dst.Spread, n)
	dst.scale, dst.ahead = grow(dst.scale, n), grow(dst.ahead, n)
	for i := range n {
		r, err := f.at(l.time(start + int64(i)))
		if err != nil {
			return err
		}
		dst.Mean[i] = float64(r.Intensity)
		dst.Spread[i] = spreadShare * math.Sqrt(math.Pi/2) * r.ExpectedError * max(dst.Mean[i], 1)
		dst.scale[i], dst.ahead[i] = 0, 1
	}
	return nil
}
