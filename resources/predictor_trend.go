package resources

import "math"

// scales is the number of regressions kept side by side, over windows that grow by a factor of three.
const scales = 5

// memory is the mean age of an observation, in observations, in the regression of each scale. One that forgets
// exponentially with mean age N is about as sharp as a plain one over 3.5 N observations.
var memory = [scales]float64{5, 15, 45, 135, 405}

// regression is a line through past observations, weighted down with their age. The time origin is the last one.
type regression struct {
	w, x, xx, y, xy float64 // sums of the weight times 1, t, t², value, t·value
}

// move adds an observation dt after the last one.
func (r *regression) move(dt, keep, value float64) {
	// In this order: each sum is moved by those below it, which are still the old ones.
	r.xx = keep * (r.xx + dt*(dt*r.w-2*r.x))
	r.xy = keep * (r.xy - dt*r.y)
	r.x = keep * (r.x - dt*r.w)
	r.w = keep*r.w + 1
	r.y = keep*r.y + value
}

// line is the level at the last observation, and the slope.
func (r *regression) line() (level, slope float64) {
	d := r.w*r.xx - r.x*r.x
	if !(d > 0) {
		return r.y / r.w, 0 // a single observation
	}
	d = 1 / d
	return (r.y*r.xx - r.x*r.xy) * d, (r.w*r.xy - r.x*r.y) * d
}

// trend is the local linear trend of a series from which jumps have been taken out.
type trend struct {
	n    int // observations since the start
	regs [scales]regression
}

func (t *trend) observe(dt, value float64) {
	t.n++
	for i := range t.regs {
		t.regs[i].move(dt, 1-1/memory[i], value)
	}
}

// lift moves the past by the height of a jump.
func (t *trend) lift(by float64) {
	for i := range t.regs {
		r := &t.regs[i]
		r.y += by * r.w
		r.xy += by * r.x
	}
}

// levelErrs and slopeErrs are the standard errors for noise of 1 and observations at a distance of 1: 1.12 / √N and
// 1 / (2 N √N).
var (
	levelErrs = [scales]float64{.50088, .28918, .16696, .09639, .05565}
	slopeErrs = [scales]float64{.044721, .0086066, .0016563, .00031876, .000061346}
)

// giveBack is the share of a steepening that is not believed.
const giveBack = .3

// estimate is a level and a slope with their standard errors.
type estimate struct {
	level, slope       float64
	levelErr, slopeErr float64
}

// best is the estimate over the longest window on which the series is still a line: longer ones are taken in for as long
// as their slope and level are within the error bounds of all those before (Lepski's rule). sd is the standard deviation of
// the noise, step the seconds between observations. A slope that has only just become steeper is taken back a little towards
// that of the window that was too long.
func (t *trend) best(sd, step, agree float64) (chosen estimate) {
	perStep := sd / step
	slopes, levels := span{math.Inf(-1), math.Inf(1)}, span{math.Inf(-1), math.Inf(1)}
	for i := range scales {
		var e estimate
		e.level, e.slope = t.regs[i].line()
		all := float64(t.n) < 3.5*memory[i] // longer windows have no more in them
		if all {
			n := float64(t.n) / 3.5
			root := math.Sqrt(n)
			e.levelErr, e.slopeErr = 1.12*sd/root, perStep/(2*n*root)
		} else {
			e.levelErr, e.slopeErr = sd*levelErrs[i], perStep*slopeErrs[i]
		}
		if !slopes.has(e.slope) || !levels.has(e.level) {
			if e.slope < chosen.slope {
				chosen.slope -= giveBack * (chosen.slope - max(e.slope, 0))
			}
			return chosen
		}
		if chosen = e; all {
			return chosen
		}
		slopes.narrow(e.slope, agree*e.slopeErr)
		levels.narrow(e.level, agree*e.levelErr)
	}
	return chosen
}

// span is a range of values.
type span struct{ low, high float64 }

func (s *span) has(v float64) bool { return s.low <= v && v <= s.high }

func (s *span) narrow(v, err float64) { s.low, s.high = max(s.low, v-err), min(s.high, v+err) }

// skip lets time pass without an observation.
func (t *trend) skip(dt float64) {
	for i := range t.regs {
		r := &t.regs[i]
		r.xx += dt * (dt*r.w - 2*r.x)
		r.xy -= dt * r.y
		r.x -= dt * r.w
	}
}
