package carbon

import (
	"math"
	"time"
)

// foreseen compares the forecasts of a source with the learner's at each of its horizons, as they were made, and blends
// the two by what their errors turn out to be. One that does not know the future cannot be chosen by it: every weight and
// every choice is what it was when the forecast was made.
type foreseen struct {
	values memoryRing // the source's newest word on each slot
	issued time.Time
	step   time.Duration
	made   []forecastMade // by slot of the origin
	rows   []forecastRow  // by horizon, those of the learner
}

// forecastMade is what the two said at one slot about each horizon; NaN for nothing.
type forecastMade struct {
	slot     int64
	api, own []float64
	scale    []float64
}

// forecastRow is what is known of one horizon. The blend is own + w (api - own), w of recursive least squares.
type forecastRow struct {
	api, own, mix gauge
	dd, de        float64
}

const (
	// apiPrior is the error, as a share, that is expected of an API's forecast before any was scored: that of the official
	// 48-hour forecast for Great Britain was 24 g/kWh on average over 1.3 million points, daily mostly 8 to 25 %.
	apiPrior = .15
	// mixPrior is how many errors the first guess of the weight counts for.
	mixPrior = 48
)

func newForeseen(l *Learner) *foreseen {
	longest := l.nodes[len(l.nodes)-1].ahead
	f := &foreseen{values: newMemoryRing(longest + 16*l.perDay), step: l.cfg.Step, made: make([]forecastMade, longest+1), rows: make([]forecastRow, len(l.nodes))}
	for i := range f.made {
		f.made[i] = forecastMade{slot: -1, api: make([]float64, len(l.nodes)), own: make([]float64, len(l.nodes)), scale: make([]float64, len(l.nodes))}
	}
	return f
}

// take keeps the source's forecasts by slot: the value at its start.
func (f *foreseen) take(l *Learner, readings []Reading, at time.Time) {
	for _, r := range readings {
		from, to := l.slot(r.From.Add(f.step-1)), l.slot(r.To.Add(f.step-1))
		for s := from; s >= 0 && s < min(to, from+int64(l.perDay)); s++ {
			f.values.put(s, float64(r.Intensity))
		}
	}
	f.issued = at
}

// scale is the usual size of a deviation at the time of day; never tiny, so that a few hours of history make no wonder.
func scaleAt(l *Learner, slot int64) float64 {
	return max(l.scales[slot%int64(l.perDay)], .02*l.value(l.newest), .1)
}

// remember keeps what is said at the newest slot.
func (f *foreseen) remember(l *Learner, o *Outlook) {
	m := &f.made[l.newest%int64(len(f.made))]
	m.slot = -1
	from := l.newest
	if f.issued.IsZero() || from-l.first < warmDays*int64(l.perDay) { // the usual size of a deviation is not known yet
		return
	}
	if l.Outlook(o, l.time(from), l.nodes[len(l.nodes)-1].ahead+1) != nil {
		return
	}
	m.slot = from
	for i := range l.nodes {
		ahead := l.nodes[i].ahead
		m.own[i], m.api[i] = o.Mean[ahead], f.values.get(from+int64(ahead))
		m.scale[i] = scaleAt(l, from+int64(ahead))
	}
}

// observe scores what was said about a slot.
func (f *foreseen) observe(l *Learner, slot int64, v float64) {
	if f.issued.IsZero() {
		return
	}
	for i := range f.rows {
		from := slot - int64(l.nodes[i].ahead)
		if from < 0 {
			continue
		}
		m := &f.made[from%int64(len(f.made))]
		if m.slot != from || math.IsNaN(m.api[i]) {
			continue
		}
		r := &f.rows[i]
		if r.own.count == 0 { // what the learner's own scores say is the first guess
			n := &l.nodes[i]
			own, api := n.size, apiPrior*v/m.scale[i]
			if n.count < priorCount {
				own = atAge(priorAges[:], climatologyPrior[len(climatologyPrior)-1][:], float64(n.ahead)/l.perHour) * v / m.scale[i]
			}
			r.own, r.api = newGauge(own), newGauge(api)
			r.mix = newGauge(max(own, api))
			if sum := own*own + api*api; sum > 0 {
				r.dd, r.de = mixPrior*sum, mixPrior*own*own
			}
		}
		d, e, mixed := (m.api[i]-m.own[i])/m.scale[i], (v-m.own[i])/m.scale[i], r.mixed(m.own[i], m.api[i])
		r.own.node.score.add(m.own[i], v, m.scale[i], &r.own.q)
		r.api.node.score.add(m.api[i], v, m.scale[i], &r.api.q)
		r.mix.node.score.add(mixed, v, m.scale[i], &r.mix.q)
		r.own.add(e)
		r.api.add((v - m.api[i]) / m.scale[i])
		r.mix.add((v - mixed) / m.scale[i])
		const forget = 1 - 1./memory
		r.dd = forget*r.dd + d*d
		r.de = forget*r.de + d*max(-4*mostError, min(4*mostError, e))
	}
}

// weight is the source's share in the blend.
func (r *forecastRow) weight() float64 {
	if !(r.dd > 0) {
		return 0
	}
	return max(0, min(1, r.de/r.dd))
}

func (r *forecastRow) mixed(own, api float64) float64 { return max(0, own+r.weight()*(api-own)) }

// best is the gauge of the least errors, and the source's share in what it stands for. Before a day of scores it is the
// learner, except where the prior says otherwise.
func (r *forecastRow) best() (g *gauge, share float64) {
	if r.own.count == 0 {
		return nil, 0
	}
	g, share = &r.own, 0
	if r.api.expected() < g.expected() {
		g, share = &r.api, 1
	}
	if r.mix.count >= priorCount && r.mix.expected() < g.expected() {
		g, share = &r.mix, r.weight()
	}
	return g, share
}

// ForecastScore compares, at one horizon, the zone's own past with the source's forecasts and a blend of the two. All are scored
// on the same slots, as they were said.
type ForecastScore struct {
	Horizon                    time.Duration
	Climatology, Source, Blend Score
	// Share of the source in what the chain says at this horizon: 0 its own past alone, 1 the source alone.
	Share float64
}

// Scores returns the scores of the forecasts so far by horizon, shortest first; empty as long as the source has said nothing of
// the future.
func (c *Chain) Scores() []ForecastScore {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, l := c.known.foreseen, c.known.learner
	var out []ForecastScore
	for i := range f.rows {
		r := &f.rows[i]
		if r.own.count == 0 {
			continue
		}
		s := ForecastScore{Horizon: time.Duration(l.nodes[i].ahead) * f.step}
		s.Climatology, s.Source, s.Blend = r.own.score.score(s.Horizon), r.api.score.score(s.Horizon), r.mix.score.score(s.Horizon)
		_, s.Share = r.best()
		out = append(out, s)
	}
	return out
}
