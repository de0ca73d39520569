package resources

import (
	"math"
	"math/rand/v2"
)

// foreTrace is one generated series. Limit differs from 1 only where a kind changes it; at is in samples and regular unless a
// kind loses some.
type foreTrace struct {
	at, value, limit []float64
	slow             float64 // time between samples, where that is not 1
}

func (s *foreTrace) pace() float64 { return max(1, s.slow) }

func (s *foreTrace) add(at, value, limit float64) {
	s.at, s.value, s.limit = append(s.at, at), append(s.value, max(0, value)), append(s.limit, limit)
}

// foreKind generates series of one shape. draw is the state of a seed after the draws that all kinds share.
type foreKind struct {
	name  string
	leak  bool
	build func(d *foreDraw) foreTrace
}

type foreDraw struct {
	*rand.Rand
	seed                 uint64
	base, slope, sd, tau float64
	per                  int
	ar, walk, last       float64
}

func newForeDraw(seed uint64) *foreDraw {
	d := &foreDraw{Rand: rand.New(rand.NewPCG(seed, 0x5eed)), seed: seed}
	d.base = .15 + .25*d.Float64()
	d.slope = (1.05 - d.base) / (200 + 300*d.Float64())
	d.sd = .004 + .01*d.Float64()
	d.tau = 30 + 60*d.Float64()
	d.per = 20 + d.IntN(60)
	return d
}

// student is a variate of Student's law with three degrees of freedom, scaled to a standard deviation of 1.
func (d *foreDraw) student() float64 {
	a, b, c := d.NormFloat64(), d.NormFloat64(), d.NormFloat64()
	return d.NormFloat64() / math.Sqrt(a*a+b*b+c*c)
}

// regress is the next value of an AR(1) process with a standard deviation of 1.
func (d *foreDraw) regress(phi float64) float64 {
	d.ar = phi*d.ar + math.Sqrt(1-phi*phi)*d.NormFloat64()
	return d.ar
}

// over generates n samples at a regular pace with normal noise.
func foreOver(n int, f func(d *foreDraw, x float64) float64) func(*foreDraw) foreTrace {
	return func(d *foreDraw) (s foreTrace) {
		for x := range n {
			v := f(d, float64(x))
			s.add(float64(x), v+d.sd*d.NormFloat64(), 1)
		}
		return s
	}
}

// quiet is over without the noise: f brings its own.
func foreQuiet(n int, f func(d *foreDraw, x float64) float64) func(*foreDraw) foreTrace {
	return func(d *foreDraw) (s foreTrace) {
		for x := range n {
			s.add(float64(x), f(d, float64(x)), 1)
		}
		return s
	}
}

// foreReference are those that the published reference scores were measured on.
var foreReference = []foreKind{
	{"leak_linear", true, foreOver(600, func(d *foreDraw, x float64) float64 { return d.base + d.slope*x })},
	{"leak_sawtooth", true, foreOver(600, func(d *foreDraw, x float64) float64 {
		per := float64(d.per)
		return d.base + d.slope*x + .12*math.Mod(x, per)/per - .06
	})},
	{"leak_diurnal", true, foreOver(600, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope*x + .08*math.Sin(2*math.Pi*x/(3*float64(d.per)))
	})},
	{"leak_accel", true, foreOver(600, func(d *foreDraw, x float64) float64 {
		r := x / (350 + 30*float64(d.seed%5))
		return d.base + (1.02-d.base)*r*r
	})},
	{"leak_steps", true, foreOver(600, func(d *foreDraw, x float64) float64 {
		per := float64(d.per)
		return d.base + d.slope*per*math.Floor(x/per)
	})},
	{"leak_late", true, foreOver(600, func(d *foreDraw, x float64) float64 {
		return d.base + max(0, x-300)*(1-d.base)/(60+2*d.tau)
	})},
	{"ok_flat", false, foreOver(600, func(d *foreDraw, x float64) float64 { return .3 + .6*float64(d.seed%7)/7 })},
	{"ok_warmup", false, foreOver(600, func(d *foreDraw, x float64) float64 {
		top := .7 + .22*float64(d.seed%8)/8
		return d.base + (top-d.base)*(1-math.Exp(-x/d.tau))
	})},
	{"ok_epochs", false, foreOver(600, func(d *foreDraw, x float64) float64 {
		top, per := .75+.15*float64(d.seed%4)/4, 2*float64(d.per)
		return d.base + (top-d.base)*math.Mod(x, per)/per
	})},
	{"ok_step", false, foreOver(600, func(d *foreDraw, x float64) float64 {
		if x > 150+5*float64(d.seed%50) {
			return d.base + .3
		}
		return d.base
	})},
	{"ok_bursts", false, foreOver(600, func(d *foreDraw, x float64) float64 {
		if math.Mod(x, 2*float64(d.per)) < 6 {
			return .75
		}
		return .4
	})},
}

// foreTuning were looked at while the predictor was made, besides those of the reference.
var foreTuning = []foreKind{
	{"leak_student", true, foreQuiet(600, func(d *foreDraw, x float64) float64 { return d.base + d.slope*x + d.sd*d.student() })},
	{"leak_ar", true, foreQuiet(600, func(d *foreDraw, x float64) float64 { return d.base + d.slope*x + d.sd*d.regress(.8) })},
	{"leak_triangle", true, foreOver(1200, func(d *foreDraw, x float64) float64 {
		u := math.Mod(x, float64(d.per)) / float64(d.per)
		return d.base + d.slope/2*x + .1*math.Abs(2*u-1)
	})},
	{"leak_missing", true, func(d *foreDraw) (s foreTrace) {
		for x := range 600 {
			v := d.base + d.slope*float64(x) + d.sd*d.NormFloat64()
			if d.Float64() > .3 {
				s.add(float64(x), v, 1)
			}
		}
		return s
	}},
	{"ok_ar", false, foreQuiet(1000, func(d *foreDraw, x float64) float64 { return .6 + .03*d.regress(.95) })},
	{"ok_epochs_uneven", false, func(d *foreDraw) (s foreTrace) {
		v, top := d.base, .8
		for x := range 1000 {
			if v >= top {
				v, top = d.base, .65+.2*d.Float64()
			}
			v += .6 / float64(2*d.per)
			s.add(float64(x), v+d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"ok_sine", false, foreOver(2000, func(d *foreDraw, x float64) float64 {
		return .6 + .2*math.Sin(2*math.Pi*x/(5*float64(d.per)))
	})},
	{"leak_growth", true, foreOver(800, func(d *foreDraw, x float64) float64 { // by a share of what is there
		return d.base * math.Exp(x*d.slope/(.5-.25*d.base))
	})},
	{"leak_gc_slowing", true, foreOver(900, func(d *foreDraw, x float64) float64 { // each collection later than the last
		t, per := 0.0, float64(d.per)/2
		for t+per <= x {
			t, per = t+per, per*1.15
		}
		return d.base + d.slope*.8*x + .002*(x-t)
	})},
	{"leak_square", true, foreOver(1500, func(d *foreDraw, x float64) float64 { // day and night
		per := 4 * float64(d.per)
		day := 0.0
		if math.Mod(x, per) < per/3 {
			day = .12
		}
		return d.base + d.slope/3*x + day
	})},
	{"leak_two_rhythms", true, foreOver(1500, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope/3*x + .06*math.Sin(2*math.Pi*x/float64(d.per)) + .04*math.Sin(2*math.Pi*x/(5.3*float64(d.per)))
	})},
	{"leak_random_steps", true, foreOver(900, func(d *foreDraw, x float64) float64 { // requests that each keep something
		if d.Float64() < .2 {
			d.walk += d.slope * 5 * d.ExpFloat64()
		}
		return d.base + d.walk
	})},
	{"leak_limit_cut", true, func(d *foreDraw) (s foreTrace) { // memory.max is edited while the job runs
		cut := 100 + 100*d.Float64()
		for x := range 600 {
			limit := 1.0
			if float64(x) >= cut {
				limit = .85
			}
			s.add(float64(x), d.base+d.slope*float64(x)+d.sd*d.NormFloat64(), limit)
		}
		return s
	}},
	{"leak_long", true, foreQuiet(8000, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope/14*x + d.sd*d.regress(.6)
	})},
	{"leak_irregular", true, func(d *foreDraw) (s foreTrace) { // sampled when a step ends
		for x := 0.0; x < 700; x += .3 + 1.4*d.Float64() {
			s.add(x, d.base+d.slope*x+.03*math.Sin(x/6)+d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"ok_log", false, foreOver(2000, func(d *foreDraw, x float64) float64 { // a cache that fills ever more slowly
		return d.base + .07*math.Log1p(x/d.tau*3)
	})},
	{"ok_wander", false, foreQuiet(3000, func(d *foreDraw, x float64) float64 { // a walk between two walls
		d.walk += .01 * d.NormFloat64()
		w := math.Mod(math.Abs(d.walk), .8)
		return .3 + min(w, .8-w)
	})},
	{"ok_student", false, foreQuiet(2000, func(d *foreDraw, x float64) float64 { return min(.99, .75+2*d.sd*d.student()) })},
	{"ok_uneven_load", false, foreOver(2000, func(d *foreDraw, x float64) float64 { // jobs of random size come and go
		if d.Float64() < .03 {
			d.last = .5 * d.Float64()
		}
		return .3 + d.last
	})},
	{"ok_limit_raised", false, func(d *foreDraw) (s foreTrace) {
		for x := range 1000 {
			limit := 1.0
			if x >= 500 {
				limit = 1.5
			}
			v := .4 + .3*float64(min(x, 500))/500 + .2*float64(max(0, x-600))/400
			s.add(float64(x), v+d.sd*d.NormFloat64(), limit)
		}
		return s
	}},
	{"ok_day_week", false, foreOver(6000, func(d *foreDraw, x float64) float64 {
		day := 5 * float64(d.per)
		return .55 + .15*math.Sin(2*math.Pi*x/day) + .1*math.Sin(2*math.Pi*x/(7*day))
	})},
	{"ok_two_warmups", false, foreOver(1200, func(d *foreDraw, x float64) float64 { // a second data set is loaded later
		v := d.base + .3*(1-math.Exp(-x/d.tau))
		if x > 600 {
			v += .2 * (1 - math.Exp(-(x-600)/d.tau))
		}
		return v
	})},
	{"leak_gc_random", true, func(d *foreDraw) (s foreTrace) { // collections at random times, of what is garbage then
		garbage := 0.0
		for x := range 900 {
			garbage += .003
			if d.Float64() < 1/float64(d.per) {
				garbage *= .1
			}
			s.add(float64(x), d.base+d.slope*.7*float64(x)+garbage+d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"leak_epochs", true, foreOver(2500, func(d *foreDraw, x float64) float64 { // ramp and free, and not all is freed
		per := 2 * float64(d.per)
		return d.base + .3*math.Mod(x, per)/per + d.slope/5*x
	})},
	{"leak_slowing", true, foreOver(900, func(d *foreDraw, x float64) float64 { return d.base + (1.05-d.base)*math.Sqrt(x/(400+4*d.tau)) })},
	{"leak_ar_diurnal", true, foreQuiet(1500, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope/3*x + .06*math.Sin(2*math.Pi*x/(4*float64(d.per))) + d.sd*d.regress(.7)
	})},
	{"leak_late_student", true, foreQuiet(900, func(d *foreDraw, x float64) float64 {
		return d.base + max(0, x-400)*(1-d.base)/(100+3*d.tau) + d.sd*d.student()
	})},
	{"leak_sparse", true, func(d *foreDraw) (s foreTrace) { // half the samples lost, in runs
		lost := 0
		for x := range 700 {
			if lost--; lost < -10 && d.Float64() < .1 {
				lost = 10
			}
			v := d.base + d.slope*float64(x) + d.sd*d.NormFloat64()
			if lost <= 0 {
				s.add(float64(x), v, 1)
			}
		}
		return s
	}},
	{"leak_slow_sampling", true, func(d *foreDraw) (s foreTrace) { // a sample every ten units
		s.slow = 10
		for x := range 600 {
			s.add(10*float64(x), d.base+d.slope*float64(x)+d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"leak_very_long", true, foreOver(20_000, func(d *foreDraw, x float64) float64 {
		per := 10 * float64(d.per)
		return d.base + d.slope/30*x + .1*math.Abs(math.Sin(math.Pi*x/per))
	})},
	{"ok_gc_random", false, func(d *foreDraw) (s foreTrace) {
		garbage := 0.0
		for x := range 2000 {
			garbage += .005
			if garbage > .5 || d.Float64() < 1/float64(d.per) {
				garbage *= .1
			}
			s.add(float64(x), .3+garbage+d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"ok_shrinking", false, foreOver(2000, func(d *foreDraw, x float64) float64 { return .3 + .6*math.Exp(-x/(5*d.tau)) })},
	{"ok_two_levels", false, foreOver(2000, func(d *foreDraw, x float64) float64 { // training and evaluation in turn
		if math.Mod(x, 3*float64(d.per)) < float64(d.per) {
			return .85
		}
		return .55
	})},
	{"ok_sawtooth_fast", false, foreOver(2000, func(d *foreDraw, x float64) float64 { return .6 + .3*math.Mod(x, 12)/12 })},
	{"ok_ramp_and_hold", false, foreOver(1500, func(d *foreDraw, x float64) float64 { // a data set is read in, at one pace
		return d.base + (.75-d.base)*min(1, x/(150+d.tau))
	})},
	{"ok_ar_strong", false, foreQuiet(5000, func(d *foreDraw, x float64) float64 { return .6 + .06*d.regress(.99) })},
}
