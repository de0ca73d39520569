package carbon

import "math"

// usualDay is the weighted mean, per time of day, of the last days: weights fall by decay per day. The weights are
// relative, so a mean changes only when a value at its time of day comes or is revised.
type usualDay struct {
	days     int
	decay    float64
	mean     []float64 // NaN where no value is known
	variance []float64
}

func newUsualDay(perDay, days int, decay float64) usualDay {
	return usualDay{days: days, decay: decay, mean: make([]float64, perDay), variance: make([]float64, perDay)}
}

func (u *usualDay) reset() {
	for i := range u.mean {
		u.mean[i], u.variance[i] = math.NaN(), 0
	}
}

// settle recomputes one time of day from the values at the slot from and whole days before it.
func (u *usualDay) settle(l *Learner, of int, from int64) {
	var weight, sum, squares float64
	w, base := 1.0, 0.0
	for d := range u.days {
		if v := l.value(from - int64(d*l.perDay)); !math.IsNaN(v) {
			if weight == 0 {
				base = v // sums about a value of the series itself lose no digits
			}
			weight += w
			sum += w * (v - base)
			squares += w * (v - base) * (v - base)
		}
		w *= u.decay
	}
	if weight == 0 {
		u.mean[of], u.variance[of] = math.NaN(), 0
		return
	}
	m := sum / weight
	u.mean[of] = base + m
	u.variance[of] = max(0, squares/weight-m*m)
}

// at is the usual value at a time of day; where none is known, that of the nearest time of day before it that has one.
func (u *usualDay) at(of int) float64 {
	for i := range u.mean {
		j := of - i
		if j < 0 {
			j += len(u.mean)
		}
		if v := u.mean[j]; !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

// A sample is what a forecast for one slot is made of: base + scale * (weights . x).
type sample struct {
	base, scale float64
	x           [features]float64
}

const (
	xNow     = iota // deviation of the newest value
	xDay            // mean deviation of the last 24 h
	xBefore         // deviation at the target's time of day, the last time it was seen
	xSlope          // change of the deviation over the last hour
	xHours          // mean deviation of the last 6 h
	xWeekend        // the target lies on a weekend, minus the share of weekends in the usual day
	xRecent         // last week's usual day minus that of six weeks
	features
)

// place says where a target slot lies: its time of day, the last slot at that time up to the origin, and whether on a weekend.
type place struct {
	of      int
	day     int64
	before  int64
	weekend float64
}

func (l *Learner) place(origin, target int64) place {
	per := int64(l.perDay)
	day := target / per
	return place{of: int(target - day*per), day: day, before: target - (target-origin+per-1)/per*per, weekend: isWeekend(day)}
}

// next goes on by one slot, without a division.
func (p *place) next(origin int64, perDay int) {
	if p.of++; p.of == perDay {
		p.of = 0
		p.day++
		p.weekend = isWeekend(p.day)
	}
	if p.before++; p.before > origin {
		p.before -= int64(perDay)
	}
}

// situation is what all forecasts of one origin share.
type situation struct {
	origin                int64
	now, day, slope, hour float64
	weekends              float64 // share in the usual day
}

// deviation of a slot's value from the usual day, in units of its usual size; 0 where the value is not known.
func (l *Learner) deviation(slot int64) (d float64, known bool) {
	return l.deviationAt(slot, int(slot%int64(l.perDay)))
}

func (l *Learner) deviationAt(slot int64, of int) (d float64, known bool) {
	v := l.value(slot)
	m := l.usual.mean[of]
	if math.IsNaN(v) || math.IsNaN(m) {
		return 0, false
	}
	return (v - m) / l.scales[of], true
}

func (l *Learner) situation(origin int64) situation {
	s := situation{origin: origin, weekends: l.weekend[origin/int64(l.perDay)%7]}
	s.now, _ = l.deviation(origin)
	quarter := l.perDay / 4
	var days, hours, sum, short float64
	for i := range l.perDay {
		d, ok := l.deviation(origin - int64(i))
		if !ok {
			continue
		}
		days++
		sum += d
		if i < max(1, quarter) {
			hours++
			short += d
		}
	}
	if days > 0 {
		s.day = sum / days
	}
	if hours > 0 {
		s.hour = short / hours
	}
	if before, ok := l.deviation(origin - int64(max(1, l.perDay/24))); ok {
		s.slope = s.now - before
	}
	return s
}

// features describes the target slot as seen from the origin.
func (l *Learner) features(out *sample, s *situation, to place) {
	of := to.of
	out.base, out.scale = l.usual.mean[of], l.scales[of]
	if math.IsNaN(out.base) {
		out.base = l.usual.at(of)
		if math.IsNaN(out.base) { // nothing but the newest value is known
			out.base = l.value(s.origin)
		}
	}
	before, _ := l.deviationAt(to.before, of)
	out.x = [features]float64{xNow: s.now, xDay: s.day, xBefore: before, xSlope: s.slope, xHours: s.hour,
		xWeekend: to.weekend - s.weekends}
	if r := l.recent.mean[of]; !math.IsNaN(r) {
		out.x[xRecent] = (r - out.base) / out.scale
	}
}

// isWeekend is 1 on a Saturday or Sunday, UTC. Day 0, 1 January 1970, was a Thursday.
func isWeekend(day int64) float64 {
	if d := day % 7; d == 2 || d == 3 {
		return 1
	}
	return 0
}

// weekendShares is the weight of weekends in the usual day, by the weekday of the last of its days.
func weekendShares() (out [7]float64) {
	for today := range out {
		var sum, all float64
		w := 1.0
		for d := range climateDays {
			sum += w * isWeekend(int64(today)+7*climateDays-int64(d))
			all += w
			w *= climateDecay
		}
		out[today] = sum / all
	}
	return out
}

// levels are the probabilities whose quantiles are tracked.
var levels = [...]float64{.025, .05, .1, .25, .5, .75, .9, .95, .975}

// normal are the quantiles of the standard normal distribution at the levels: where the tracking starts.
var normal = [len(levels)]float64{-1.960, -1.645, -1.282, -.674, 0, .674, 1.282, 1.645, 1.960}

// node is what is learned about one horizon. Between two nodes everything is interpolated.
type node struct {
	ahead     int // slots
	weight    [features]float64
	cov       [features][features]float64
	most      float64 // of the variance of a weight
	deviation float64 // root mean square of the errors, in units of their scale
	square    float64
	count     float64
	size      float64 // mean size of the errors
	q         [len(levels)]float64
	pace      float64 // of the quantiles
	wide      float64 // by how much the outer ones are further out than those tracked, as a share
	score     tally
}

// hours of the nodes; a horizon beyond the last is forecast like the last.
var nodeHours = [...]float64{1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, 27, 30, 36, 42, 48, 60, 72, 96, 120, 144, 168}

const (
	damping  = .97 // of a deviation, per hour: the weights start there
	halfLife = 90 * day
	// The start counts as much as that many hours of observations at horizon 0, and more per hour of horizon, because
	// errors that overlap repeat each other.
	priorHours, priorPerHour = 100, 5
	mostError                = 3 // an error further off is learned from as if it were that far
	memory                   = 1000
)

func newNodes(perHour float64) []node {
	var out []node
	add := func(ahead int, hours float64) {
		if ahead < 1 || len(out) > 0 && ahead <= out[len(out)-1].ahead {
			return
		}
		n := node{ahead: ahead, most: 1 / ((priorHours + priorPerHour*hours) * perHour)}
		n.weight[xNow] = math.Pow(damping, hours)
		n.pace, n.wide = min(1, 12/hours), .12*math.Sqrt(min(1, hours/168))
		n.deviation = math.Sqrt(1 - n.weight[xNow]*n.weight[xNow])
		for i := range features {
			n.cov[i][i] = n.most
		}
		for i, z := range normal {
			n.q[i] = z * n.deviation
		}
		out = append(out, n)
	}
	add(1, 1/perHour)
	for _, h := range nodeHours {
		add(int(math.Round(h*perHour)), h)
	}
	return out
}

// between returns the nodes around a horizon and where between them it lies.
func between(nodes []node, at, ahead int) (a, b *node, share float64) {
	a, b = &nodes[at], &nodes[at]
	if at+1 < len(nodes) && ahead > a.ahead {
		b = &nodes[at+1]
		share = float64(ahead-a.ahead) / float64(b.ahead-a.ahead)
	}
	return a, b, share
}

// quantile interpolates between the tracked levels. What is said now is compared with a value hours from now, when the tracked
// ones will have moved on: it stands a little further out than they do.
func (n *node) quantile(p float64) float64 {
	i := 0
	for i+2 < len(levels) && levels[i+1] <= p {
		i++
	}
	share := min(1, max(0, (p-levels[i])/(levels[i+1]-levels[i])))
	return (n.q[i] + share*(n.q[i+1]-n.q[i])) * (1 + n.wide*min(1, math.Abs(p-.5)/.4))
}

// origins keeps what was said at one slot about the nodes' horizons, until it can be compared with what came.
type origins struct {
	slot int64 // -1 where nothing was said
	at   []sample
}

// remember keeps what the forecasts made at the newest slot are made of.
func (l *Learner) remember(slot int64) {
	o := &l.origins[slot%int64(len(l.origins))]
	o.slot = -1
	if slot != l.newest || slot-l.first < warmDays*int64(l.perDay) {
		return
	}
	l.rescale()
	now := l.situation(slot)
	for i := range l.nodes {
		l.features(&o.at[i], &now, l.place(slot, slot+int64(l.nodes[i].ahead)))
		if math.IsNaN(o.at[i].base) {
			return
		}
	}
	o.slot = slot
}

// learn compares a new value with what was said about it.
func (l *Learner) learn(slot int64, v float64) {
	if math.IsNaN(v) {
		return
	}
	forget := math.Exp2(-float64(l.cfg.Step) / float64(halfLife))
	for i := range l.nodes {
		n := &l.nodes[i]
		made := slot - int64(n.ahead)
		if made < 0 {
			continue
		}
		o := &l.origins[made%int64(len(l.origins))]
		if o.slot == made {
			n.learn(&o.at[i], v, forget)
		}
	}
}

// learn is one step of recursive least squares, of the tracking of the quantiles and of the scores.
func (n *node) learn(s *sample, v, forget float64) {
	y := 0.0
	for i, x := range s.x {
		y += n.weight[i] * x
	}
	mean := max(0, s.base+s.scale*y)
	n.score.add(mean, v, s.scale, &n.q)
	e := (v - mean) / s.scale
	n.track(e)

	e = max(-mostError, min(mostError, (v-s.base)/s.scale-y))
	var g [features]float64
	den := forget
	for i := range features {
		for j := range features {
			g[i] += n.cov[i][j] * s.x[j]
		}
		den += g[i] * s.x[i]
	}
	for i := range features {
		n.weight[i] += g[i] / den * e
	}
	for i := range features {
		for j := range features {
			n.cov[i][j] = (n.cov[i][j] - g[i]*g[j]/den) / forget
		}
	}
	// What is not observed for long must not become more uncertain than it was at the start.
	for i := range features {
		if n.cov[i][i] > n.most {
			f := math.Sqrt(n.most / n.cov[i][i])
			for j := range features {
				n.cov[i][j] *= f
				n.cov[j][i] *= f
			}
		}
	}
}

// track follows the quantiles of the errors: a level's quantile goes up by p where the error lay above it, else down by 1-p,
// times a step. Over T errors the share below is within (range of the quantile)/(step T) of p, for any sequence.
func (n *node) track(e float64) {
	e = max(-4*mostError, min(4*mostError, e))
	n.count = min(n.count+1, memory)
	n.square += (e*e - n.square) / n.count
	n.deviation = math.Sqrt(n.square)
	if n.count == 1 {
		n.size = math.Abs(n.q[len(levels)-1])
	}
	n.size += (math.Abs(e) - n.size) / max(n.count, 50)
	rate := quantileRate * n.pace * n.size
	for i, p := range levels {
		if e > n.q[i] {
			n.q[i] += rate * p
		} else {
			n.q[i] -= rate * (1 - p)
		}
	}
	for i := 1; i < len(levels); i++ { // crossed quantiles are put in order
		n.q[i] = max(n.q[i], n.q[i-1])
	}
}

// Errors hours ahead are known hours late and repeat each other, so that what a long horizon has seen is few independent
// errors: its quantiles move more slowly, lest they chase the last one.
const quantileRate = .04
