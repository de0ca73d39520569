package resources

import (
	"math"
	"sort"
	"time"
)

// Foresight is the [Predictor] of this package. It takes a series apart into a local trend, jumps, and rises and falls
// around the long-run line, and forecasts from those that are there: where a trend gets to the limit, the next jump, or the
// peak of a rise. Growth is believed only as far ahead as a quarter of the time that it has lasted already, unless
// MinConfidence says otherwise.
//
// It takes constant memory and allocates nothing. Observations may be missing or uneven in time. Not safe for concurrent
// use. The zero Foresight is ready.
type Foresight struct {
	// MinConfidence is the [Forecast.Confidence] below which the forecast is Never. Default 0.8.
	MinConfidence float64
	// MinHistory is the number of observations before the first forecast. Default 40.
	MinHistory int

	origin, last time.Time
	now          float64 // seconds since origin, of last
	step         float64 // mean seconds between observations
	value        float64 // the last
	n            int
	back         int // observations in a row that were not later than last

	trend       trend
	pred, slope float64    // level and slope of its shortest regression
	long        regression // like its longest, jumps left in
	drift, lean float64    // slope of long, and what is believed of it: little at the start

	sd              float64     // of the one-step errors
	first           [12]float64 // second differences at the start, in order of size
	before, earlier float64     // the last two values, at the start
	odd             float64     // share of late observations that were outliers

	// How the series keeps to the line of the middle scale: the mean distance, the mean square around that, the number of
	// crossings per observation, and the side that the last one looked at was on.
	bias, stray, crossings float64
	below                  bool

	jump   jump
	steps  steps
	cycles cycles
}

const (
	agreement  = 2.0 // standard errors
	outlying   = 5.0 // standard deviations
	every      = 4   // observations between looks at what changes slowly
	settled    = 24  // observations from which on there is a line to be an outlier of
	confirming = 3   // outliers on the same side that make a jump
)

// jump is one that has not been confirmed yet.
type jump struct {
	n   int
	sum float64 // of the heights
	at  float64
}

// Observe takes the next value. NaN and infinite values are left out, as are those that are not later than the last;
// after three of these in a row the clock is taken to have been set back, and time goes on from there.
func (f *Foresight) Observe(at time.Time, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	if f.n == 0 {
		f.origin, f.last, f.n, f.value, f.before = at, at, 1, value, value
		f.trend.observe(0, value)
		f.pred = value
		f.cycles.start(0, value)
		return
	}
	dt := float64(at.Sub(f.last)) * 1e-9
	if !(dt > 0) {
		if f.back++; f.back < 3 {
			return
		}
		dt = f.step
		if dt == 0 {
			dt = 1
		}
		f.origin = at.Add(-time.Duration((f.now + dt) * float64(time.Second)))
	}
	f.back = 0
	f.n++
	f.last = at
	f.now += dt
	if f.n > 60 {
		f.step += (dt - f.step) * (1.0 / 60)
	} else {
		f.step += (dt - f.step) / float64(f.n-1)
	}
	f.value = value
	f.take(dt, value)
}

func (f *Foresight) take(dt, value float64) {
	err := value - (f.pred + f.slope*dt)
	f.sd = max(f.sd, 1e-9*math.Abs(value)) // rounding is noise, too
	if f.n <= len(f.first)+2 {
		f.begin(value)
	} else {
		outlier := math.Abs(err) > outlying*f.sd && f.n > settled
		if outlier {
			f.odd += (1 - f.odd) * (1.0 / 30)
		} else {
			f.odd -= f.odd * (1.0 / 30)
		}
		// The scale of the noise is that of the one-step errors, with large ones cut: .92 is what the cut leaves of the
		// variance of normal noise. Outliers do not count, unless they have become the rule.
		if !outlier || f.odd > .4 {
			cut := min(math.Abs(err), 2*f.sd)
			f.sd = math.Sqrt(f.sd*f.sd + (cut*cut*(1/.92)-f.sd*f.sd)*(1.0/60))
		}
		if outlier {
			f.outlier(dt, err)
			return
		}
	}
	f.jump = jump{}
	f.trend.observe(dt, value)
	f.pred, f.slope = f.trend.regs[0].line()
	f.redden(value)
	f.turn(dt)
}

// redden measures how red the noise is: how far the series strays from the line of the middle scale, and how rarely it
// crosses it. Noise or a short rhythm that keeps to one side for a while must not pass for a trend.
func (f *Foresight) redden(value float64) {
	if f.n%2 != 0 || f.n < 30 {
		return
	}
	level, _ := f.trend.regs[2].line()
	r := value - level
	f.bias += (r - f.bias) * (1.0 / 60)
	r -= f.bias
	crossed := 0.0
	if math.Signbit(r) != f.below {
		crossed, f.below = 1./2, !f.below
	}
	f.stray += (r*r - f.stray) * (1.0 / 60)
	f.crossings += (crossed - f.crossings) * (1.0 / 60)
}

// begin takes the scale from the median of the first second differences: a spike spoils but three of them.
func (f *Foresight) begin(value float64) {
	second := math.Abs(value - 2*f.before + f.earlier)
	f.earlier, f.before = f.before, value
	n := f.n - 3
	if n < 0 {
		return
	}
	i := sort.SearchFloat64s(f.first[:n], second)
	copy(f.first[i+1:n+1], f.first[i:n])
	f.first[i] = second
	f.sd = max(.72*f.first[n/2], 1e-9*math.Abs(value)) // the standard deviation of a one-step error is 1.18 that of the noise
}

// turn looks for turning points of the smoothed series.
func (f *Foresight) turn(dt float64) {
	f.long.move(dt, 1-1/memory[scales-1], f.pred)
	if f.n >= 20 && f.n%every == 0 { // it changes slowly
		_, f.drift = f.long.line()
		f.lean = f.drift * float64(f.n) / float64(f.n+80)
	}
	f.cycles.observe(f.now, dt, f.pred, f.lean, f.sd)
}

// outlier holds a value back until it is clear whether it is a jump.
func (f *Foresight) outlier(dt, err float64) {
	if f.jump.n > 0 && math.Signbit(err) != math.Signbit(f.jump.sum) {
		f.jump = jump{}
	}
	if f.jump.n == 0 {
		f.jump.at = f.now
	}
	f.jump.n++
	f.jump.sum += err
	f.pred += f.slope * dt // the line goes on meanwhile
	f.trend.skip(dt)
	if f.jump.n < confirming {
		return
	}
	by := f.jump.sum / float64(f.jump.n)
	f.trend.lift(by)
	f.pred += by
	f.steps.add(f.jump.at, by)
	f.jump = jump{}
	f.turn(dt)
}

// Forecast is about the limit as of the last observation.
func (f *Foresight) Forecast(limit float64) Forecast {
	minHistory := f.MinHistory
	if minHistory == 0 {
		minHistory = 40
	}
	switch {
	case f.n == 0 || math.IsNaN(limit):
		return never()
	case f.value >= limit:
		return Forecast{Confidence: 1}
	case f.n < minHistory:
		return never()
	}
	sd := max(f.sd, math.SmallestNonzeroFloat64)
	e := f.trend.best(sd, f.step, agreement)
	if f.jump.n > 0 && f.jump.sum < 0 { // if it is a fall, it is from here that the series rises again
		e.level += f.jump.sum / float64(f.jump.n)
	}
	if out, ok := f.stairs(limit, e, sd); ok {
		return out
	}
	age := f.now - f.cycles.trough.at
	if f.cycles.marked(sd) {
		if out, ok := f.rhythm(limit, e, sd); ok {
			return out
		}
		// Beyond what the rhythm led to expect: this rise will give way, as those before did.
		if f.drift > 0 {
			e.slope = min(e.slope, f.drift)
		}
		return f.line(limit, e, sd, age)
	}
	wander := 0.0
	if f.cycles.n > 0 && f.cycles.size > 2*sd {
		wander, age = f.cycles.size/2, f.now
	}
	if f.crossings > .04 && f.crossings < .1 && f.n > 60 {
		// White noise crosses every other time; so many times fewer are the observations that count.
		wander = max(wander, math.Sqrt(.5*f.stray/f.crossings))
	}
	if wander > sd {
		e = f.trend.best(wander, f.step, agreement)
	}
	if top := f.cycles.top(); f.cycles.n > 0 && f.cycles.size > 2*sd && e.level > top.value {
		e.slope = min(e.slope, (e.level-top.value)/(f.now-top.at)) // no faster than from the last peak on, its fall included
	}
	return f.line(limit, e, sd, age)
}

// line forecasts a trend.
func (f *Foresight) line(limit float64, e estimate, sd, age float64) Forecast {
	if !(e.slope > 3*e.slopeErr) {
		return never()
	}
	return f.after(TrendGrowth, (limit-early(e.slope*f.step, sd)-e.level)/e.slope, e, age)
}

// after is a forecast in seconds, if growth that has lasted for age is to be believed as far as that.
func (f *Foresight) after(g Growth, left float64, e estimate, age float64) Forecast {
	left = max(left, 0.001*f.step) // 0 is for a limit that has been reached
	confidence := age / (age + left)
	least := f.MinConfidence
	if least == 0 {
		least = 0.8
	}
	if !(confidence >= least) || !(left <= 1e9) { // NaN, too
		return never()
	}
	return Forecast{Left: seconds(left), Earliest: seconds(left * .55), Latest: seconds(left * 2.1), Confidence: confidence, Growth: g}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// early is by how much noise takes a rising line over a limit before the line itself gets there: the height c sd of
// the line below the limit at which the chance that some sample has been over it is one half. With a rise of r sd per
// sample it solves the integral of -ln Phi over (c, infinity) = r ln 2; this is a fit to within 0.1 sd for r from 0.002 to 2.
func early(rise, sd float64) float64 {
	// The bits of a float64 are a logarithm already, to within .03, which is near enough and spares most of the time.
	log := (float64(math.Float64bits(2.2*rise/sd))*0x1p-52 - 1022.957) * math.Ln2
	return sd * max(-1, math.Sqrt(max(0, -1.9*log))-.45)
}

// Shift is a jump of the level of a series, up or down.
type Shift struct {
	At time.Time
	By float64
}

// LastShift is the last jump that was found, three observations after it at the soonest.
func (f *Foresight) LastShift() (Shift, bool) {
	if f.steps.n == 0 {
		return Shift{}, false
	}
	j := f.steps.jumps[(f.steps.n-1)%kept]
	return Shift{At: f.origin.Add(seconds(j.at)), By: j.value}, true
}
