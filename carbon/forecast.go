package carbon

import (
	"fmt"
	"math"
	"time"
)

// day is the period of the climatology; a step must divide it.
const day = 24 * time.Hour

const (
	maxHorizon = 60 * day
	minStep    = time.Minute
)

// LearnerConfig configures a [Learner]. The zero value is an hourly learner of average values.
type LearnerConfig struct {
	// Step is the length of a slot. It divides a day and is at least a minute. Default an hour.
	Step time.Duration
	// Signal of the values. Default Average.
	Signal Signal
}

func (c *LearnerConfig) complete() error {
	if c.Step == 0 {
		c.Step = time.Hour
	}
	if c.Step < minStep || day%c.Step != 0 {
		return fmt.Errorf("carbon: learner: Step %v is not a part of a day of at least %v", c.Step, minStep)
	}
	if c.Signal == 0 {
		c.Signal = Average
	}
	if c.Signal > Marginal {
		return fmt.Errorf("carbon: learner: Signal %d is not average or marginal", c.Signal)
	}
	return nil
}

// Learner forecasts the intensity of one zone from that zone's own past and nothing else: no interface to ask, no
// parameter fitted to any zone beforehand.
//
// The forecast is the zone's usual day (a weighted mean of the last six weeks) plus a linear function of how the last day
// differed from it: the deviation now, of the last 6 and 24 hours, at the same time yesterday, its slope, the weekend, and
// the last week's usual day. The function is learned per horizon by recursive least squares with a half-life of 90 days,
// shrunk towards "the deviation now, times 0.97 per hour"; so a learner that has seen little is the damped climatology.
// The intervals are quantiles of the learner's own errors at that horizon, tracked as they come (adaptive conformal
// inference, Gibbs and Candès 2021), so that they cover what they say in the long run whatever the errors look like.
//
// A learner is handed values as they become known and has no other source, so nothing it says can depend on the future.
// Time is UTC throughout. Not safe for concurrent use. Create one with [NewLearner].
type Learner struct {
	cfg     LearnerConfig
	perDay  int
	perHour float64 // slots

	first, last int64     // the slots of the first and the newest value; last < first before any
	newest      int64     // the newest slot with a value
	ring        []float64 // values of the last weeks by slot, NaN where there is none
	usual       usualDay  // over climateDays
	recent      usualDay  // over recentDays
	level       float64   // mean over the slots of a day of usual.variance
	scales      []float64 // the usual size of a deviation: half its time of day's own, half the whole day's, never nothing
	weekend     [7]float64

	nodes   []node
	origins []origins // by slot, as long as the longest node's horizon
}

const (
	climateDays, climateDecay = 42, .96
	recentDays, recentDecay   = 7, .9
	warmDays                  = 14 // of values before the first outlook is learned from
)

// NewLearner checks the configuration and returns a learner that knows nothing yet.
func NewLearner(cfg LearnerConfig) (*Learner, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	perDay := int(day / cfg.Step)
	l := &Learner{cfg: cfg, perDay: perDay, perHour: float64(perDay) / 24}
	l.usual = newUsualDay(perDay, climateDays, climateDecay)
	l.recent = newUsualDay(perDay, recentDays, recentDecay)
	l.ring = make([]float64, perDay*(climateDays+1))
	l.scales = make([]float64, perDay)
	l.weekend = weekendShares()
	l.nodes = newNodes(l.perHour)
	l.reset()
	return l, nil
}

func (l *Learner) reset() {
	for i := range l.ring {
		l.ring[i] = math.NaN()
	}
	l.first, l.last, l.newest = 0, -1, -1
	l.level = 0
	l.usual.reset()
	l.recent.reset()
	longest := l.nodes[len(l.nodes)-1].ahead
	l.origins = make([]origins, longest+1)
	for i := range l.origins {
		l.origins[i] = origins{slot: -1, at: make([]sample, len(l.nodes))}
	}
}

// Step is the length of a slot.
func (l *Learner) Step() time.Duration { return l.cfg.Step }

// Latest is the start of the newest slot with a value; the zero time before any.
func (l *Learner) Latest() time.Time {
	if l.newest < 0 {
		return time.Time{}
	}
	return l.time(l.newest)
}

// Observe takes a reading into account: every slot whose start it covers gets its value. Readings may repeat, come out of
// order and revise earlier ones: the last word on a slot counts; a revision changes the usual day but is not learned from
// again. Slots that nothing covers are gaps. A forecast, a reading of another signal or an unusable one is refused, and so
// is one that covers more than a day or the start of no slot.
func (l *Learner) Observe(r Reading) error {
	if err := r.check(r.From, l.cfg.Signal); err != nil {
		return err
	}
	if r.Basis == Forecast {
		return fmt.Errorf("%w: source %q: a forecast is not an observation", ErrReading, r.Source)
	}
	if r.To.Sub(r.From) > day {
		return fmt.Errorf("%w: source %q: one value for %v is no step of an hourly curve", ErrReading, r.Source, r.To.Sub(r.From))
	}
	from, to := l.slot(r.From.Add(l.cfg.Step-1)), l.slot(r.To.Add(l.cfg.Step-1))
	if from < 0 || from >= to {
		return fmt.Errorf("%w: source %q: valid from %s to %s covers no start of a %v slot", ErrReading, r.Source, stamp(r.From), stamp(r.To), l.cfg.Step)
	}
	for s := from; s < to; s++ {
		l.put(s, float64(r.Intensity))
	}
	return nil
}

// slot is the number of the slot that t lies in, since 1970.
func (l *Learner) slot(t time.Time) int64 {
	step := l.cfg.Step.Milliseconds()
	ms := t.UnixMilli()
	s := ms / step
	if ms%step < 0 {
		s--
	}
	return s
}

func (l *Learner) time(slot int64) time.Time {
	return time.UnixMilli(slot * l.cfg.Step.Milliseconds()).UTC()
}

func (l *Learner) value(slot int64) float64 {
	if slot > l.last || slot < l.first || l.last-slot >= int64(len(l.ring)) {
		return math.NaN()
	}
	return l.ring[slot%int64(len(l.ring))]
}

func (l *Learner) put(slot int64, v float64) {
	size := int64(len(l.ring))
	switch {
	case l.last < 0 || slot-l.last >= size:
		l.reset() // the first value, or one after so long a gap that all before is forgotten
		l.first, l.last = slot, slot-1
	case l.last-slot >= size:
		return // older than anything kept
	}
	if slot <= l.last {
		l.first = min(l.first, slot)
		l.ring[slot%size] = v
		l.newest = max(l.newest, slot)
		if slot < l.last {
			l.settle(slot, l.last-1)
		}
		return
	}
	for l.last < slot {
		next := l.last + 1
		x := math.NaN()
		if next == slot {
			x = v
			l.newest = slot
		}
		if next > l.first {
			l.settle(l.last, l.last) // from now on the slot before counts in its usual day
		}
		l.last = next
		l.ring[next%size] = x
		l.learn(next, x)
		l.remember(next)
	}
}

// settle recomputes the usual day at the time of day of the slot, from values up to newest.
func (l *Learner) settle(slot, newest int64) {
	per := int64(l.perDay)
	of := int(slot % per)
	from := slot + (newest-slot)/per*per
	before := l.usual.variance[of]
	l.usual.settle(l, of, from)
	l.recent.settle(l, of, from)
	l.level += (l.usual.variance[of] - before) / float64(per)
}

// rescale computes the scales.
func (l *Learner) rescale() {
	for i, v := range l.usual.variance {
		l.scales[i] = math.Sqrt(max(0, .5*v+.5*l.level)) + 1e-3
	}
}

// Known reports whether the learner has any value to forecast from.
func (l *Learner) Known() bool { return l.newest >= 0 }

// Level is the mean of the usual day in g/kWh; NaN where nothing is known.
func (l *Learner) Level() float64 {
	sum, count := 0.0, 0.0
	for _, m := range l.usual.mean {
		if !math.IsNaN(m) {
			sum += m
			count++
		}
	}
	if count == 0 {
		return l.value(l.newest)
	}
	return sum / count
}

// Outlook is a forecast on a regular grid: slot i is [Start + i Step, Start + (i+1) Step). All values are g/kWh.
type Outlook struct {
	Start time.Time
	Step  time.Duration
	// Mean is the expected intensity of each slot. Where the slot's own value is known already, it is that.
	Mean []float64
	// Spread is the part of the forecast's standard deviation that a planner can use: what is particular to one slot and will
	// be known when it comes, taken as 0.3 of the whole. See [Planner.Next].
	Spread []float64

	scale []float64 // of the errors
	ahead []int     // the horizon in slots, 0 where the value is known
	nodes []node
}

// Len is the number of slots.
func (o *Outlook) Len() int { return len(o.Mean) }

// spreadShare is the part of the standard deviation of a forecast taken for particular to one slot. Errors of neighbouring
// hours are mostly common to them, and what is common moves the price of running now and of running later alike. Anything
// between .15 and .5 plans almost equally well, on the traces it was chosen on and on others.
const spreadShare = .3

// Outlook fills dst with the forecast for n slots from the slot that contains from; dst may be reused from call to call and
// is not allocated to if it is large enough. The slot of the newest value may be the first one, as known; an earlier one is
// refused: that would be hindsight. n slots may be 60 days. Without any value it returns [ErrNoData].
func (l *Learner) Outlook(dst *Outlook, from time.Time, n int) error {
	start := l.slot(from)
	switch {
	case l.newest < 0:
		return &NoDataError{At: from}
	case start < l.newest:
		return fmt.Errorf("carbon: learner: an outlook from %s would know the value of %s", stamp(from), stamp(l.time(l.newest)))
	case n < 0 || time.Duration(n) > maxHorizon/l.cfg.Step:
		return fmt.Errorf("carbon: learner: %d slots is outside [0, %v]", n, maxHorizon)
	case start-l.newest >= int64(len(l.ring)):
		return &NoDataError{At: from}
	}
	dst.Start, dst.Step, dst.nodes = l.time(start), l.cfg.Step, l.nodes
	dst.Mean = grow(dst.Mean, n)
	dst.Spread = grow(dst.Spread, n)
	dst.scale = grow(dst.scale, n)
	dst.ahead = grow(dst.ahead, n)
	l.rescale()
	now := l.situation(l.newest)
	to := l.place(l.newest, start)
	var s sample
	at := 0 // the node at or before the horizon
	for i := range n {
		if i > 0 {
			to.next(l.newest, l.perDay)
		}
		slot := start + int64(i)
		ahead := int(slot - l.newest)
		dst.ahead[i] = ahead
		if ahead == 0 {
			dst.Mean[i], dst.Spread[i], dst.scale[i] = l.value(slot), 0, 0
			continue
		}
		l.features(&s, &now, to)
		for at+1 < len(l.nodes) && l.nodes[at+1].ahead <= ahead {
			at++
		}
		a, b, share := between(l.nodes, at, ahead)
		var y float64
		for j, x := range s.x {
			y += x * (a.weight[j] + share*(b.weight[j]-a.weight[j]))
		}
		dst.Mean[i] = max(0, s.base+s.scale*y)
		dst.scale[i] = s.scale
		dst.Spread[i] = spreadShare * s.scale * (a.deviation + share*(b.deviation-a.deviation))
	}
	return nil
}

// Quantile fills dst with the intensity that each slot stays below with the probability p, for p in [0.025, 0.975]; other p
// count as the nearer end. A known value is its own quantile. An outlook that no [Learner] made has the quantiles of the normal
// distribution that its Spread stands for.
func (o *Outlook) Quantile(dst []float64, p float64) []float64 {
	dst = grow(dst, len(o.Mean))
	if o.nodes == nil {
		for i := range dst {
			dst[i] = max(0, o.Mean[i])
			if i < len(o.Spread) {
				dst[i] = max(0, o.Mean[i]+o.Spread[i]/spreadShare*math.Sqrt2*math.Erfinv(2*min(levels[len(levels)-1], max(levels[0], p))-1))
			}
		}
		return dst
	}
	at := 0
	for i := range dst {
		ahead := o.ahead[i]
		if ahead == 0 {
			dst[i] = o.Mean[i]
			continue
		}
		for at+1 < len(o.nodes) && o.nodes[at+1].ahead <= ahead {
			at++
		}
		a, b, share := between(o.nodes, at, ahead)
		qa := a.quantile(p)
		dst[i] = max(0, o.Mean[i]+o.scale[i]*(qa+share*(b.quantile(p)-qa)))
	}
	return dst
}

// grow returns a slice of length n, the given one if it is long enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
