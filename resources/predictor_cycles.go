package resources

import "math"

// turn is a turning point.
type turn struct{ at, value float64 }

// kept is the number of peaks and of jumps that are remembered.
const kept = 8

// cycles finds the rises and falls of a series around its long-run line: a rhythm shows that way even where growth is so
// strong that the series itself never falls.
type cycles struct {
	z       float64 // the series less its long-run line, which changes as it becomes known
	last    float64 // value before
	falling bool
	topZ    float64 // the highest z of a rise, the lowest of a fall, so far
	extreme turn    // where that was, and the value itself
	trough  turn    // the last one; at first the start
	before  turn    // the trough before
	lowZ    float64 // z of the trough
	highZ   float64 // z of the last peak
	size    float64 // mean fall of z from a peak
	peaks   [kept]turn
	n       int // peaks since the start

	slope, scatter float64 // of the line through the peaks
	period, uneven float64 // mean time between peaks, and its standard deviation as a share of it
	rise           float64 // how long the last rise took
}

func (c *cycles) start(at, value float64) {
	c.extreme, c.trough, c.before, c.last = turn{at, value}, turn{at, value}, turn{at, value}, value
}

// observe takes a smoothed value and the slope of the long-run line. A rise has ended when the value is clearly below its
// peak.
func (c *cycles) observe(at, dt, value, line, sd float64) {
	c.z += value - c.last - line*dt
	c.last = value
	turned := 4 * sd
	if !c.falling {
		switch {
		case c.z >= c.topZ:
			c.topZ, c.extreme = c.z, turn{at, value}
		case c.z < c.topZ-turned:
			if c.topZ > c.lowZ+turned { // else it is but a series that begins with a fall
				c.peak(c.extreme)
			}
			c.highZ = c.topZ
			c.topZ, c.extreme, c.falling = c.z, turn{at, value}, true
		}
		return
	}
	switch {
	case c.z <= c.topZ:
		c.topZ, c.extreme = c.z, turn{at, value}
	case c.z > c.topZ+turned:
		c.before, c.trough = c.trough, c.extreme
		c.lowZ = c.topZ
		if drop := c.highZ - c.topZ; c.n > 0 {
			c.size += (drop - c.size) / float64(min(c.n, kept))
		}
		c.topZ, c.extreme, c.falling = c.z, turn{at, value}, false
	}
}

// top is the last peak.
func (c *cycles) top() turn { return c.peaks[max(0, c.n-1)%kept] }

// peak takes one in and lays the line through those that are remembered anew.
func (c *cycles) peak(p turn) {
	c.rise = p.at - c.trough.at
	c.peaks[c.n%kept] = p
	c.n++
	k := min(c.n, kept)
	if k < 2 {
		return
	}
	var x, y, xx, xy float64
	for i := c.n - k; i < c.n; i++ {
		q := c.peaks[i%kept]
		t := q.at - p.at
		x, y, xx, xy = x+t, y+q.value, xx+t*t, xy+t*q.value
	}
	n := float64(k)
	c.slope = (n*xy - x*y) / (n*xx - x*x)
	c.scatter = 0
	for i := c.n - k; i < c.n; i++ {
		q := c.peaks[i%kept]
		r := q.value - y/n - c.slope*(q.at-p.at-x/n)
		c.scatter += r * r
	}
	c.scatter = math.Sqrt(c.scatter / n)
	c.period = (p.at - c.peaks[(c.n-k)%kept].at) / (n - 1)
	c.uneven = 0
	for i := c.n - k + 1; i < c.n; i++ {
		r := c.peaks[i%kept].at - c.peaks[(i-1)%kept].at - c.period
		c.uneven += r * r
	}
	c.uneven = math.Sqrt(c.uneven/(n-1)) / c.period
}

// marked is whether the rises and falls are large enough, or of so even a length, that they are not noise.
func (c *cycles) marked(sd float64) bool {
	return c.size > 6*sd || c.n >= 4 && c.uneven < .15
}

// rhythm forecasts from one peak to the next; ok is false without a rhythm, or where it has been broken.
func (f *Foresight) rhythm(limit float64, e estimate, sd float64) (out Forecast, ok bool) {
	c := &f.cycles
	if c.n == 0 {
		return out, false
	}
	last := c.peaks[(c.n-1)%kept]
	low := c.trough // the trough after the last peak
	if c.falling {
		low = c.extreme
	}
	period, slope := c.period, c.slope
	if c.n == 1 { // troughs are all there is to go by
		period, slope = max(low.at-c.before.at, last.at-c.before.at), 0
		if !c.falling {
			slope = max(0, (low.value-c.before.value)/period)
		}
	}
	depth := last.value + slope*(low.at-last.at) - low.value
	depth = max(depth, c.size)
	doubt := max(1.5*c.scatter, sd, depth/(12+1.5*float64(min(c.n, kept))))
	if c.n == 1 {
		doubt = max(doubt, depth/6)
	}
	next := max(last.at+period, f.now)
	peak := last.value + slope*(next-last.at)
	if e.level > peak+2*doubt || !c.falling && f.now > last.at+1.5*period+10*f.step || f.now > last.at+2*period+10*f.step {
		return out, false
	}
	limit -= early(.5*depth/max(c.rise, f.step)*f.step, sd)
	if c.n > 2 && c.uneven > .4 && !c.falling && e.slope > 0 {
		// No rhythm to speak of: the next fall may come any time, and within half a mean period more likely not.
		left := max(0, limit-e.level) / e.slope
		if left < .5*period {
			return f.after(RhythmGrowth, max(left, f.step), e, f.now), true
		}
		return never(), true
	}
	if !c.falling && e.slope > 0 {
		if limit <= e.level {
			return f.after(RhythmGrowth, f.step, e, f.now), true
		}
		// The chance that this rise goes beyond the limit, as it has come up to here.
		if likely((limit-peak)/doubt, (e.level-peak)/doubt) {
			return f.after(RhythmGrowth, (limit-e.level)/e.slope, e, f.now), true
		}
	}
	if !(slope > 0) || slope*period*float64(min(c.n, kept)) < 2*max(c.scatter, sd) {
		return never(), true
	}
	more := math.Ceil(max(0, limit+doubt-peak) / (slope * period))
	peak += more * slope * period
	rise := min(max(c.rise, 0), period)
	lead := rise * min(1, (peak-limit)/(depth+slope*rise))
	return f.after(RhythmGrowth, max(next+more*period-lead-f.now, f.step), e, f.now), true
}

// leastChance is that of going beyond the limit in this rise, from which on it is foretold.
const leastChance = .6

// likely is whether a normal variate goes beyond a with more than leastChance, given that it goes beyond b <= a.
func likely(a, b float64) bool {
	switch {
	case a <= -.26: // it would without the condition
		return true
	case b < -1.5: // the condition says nothing
		return false
	}
	return math.Erfc(a*math.Sqrt2/2) > leastChance*math.Erfc(b*math.Sqrt2/2)
}
