package resources

import "math"

// foreTuning2 were held out at first; two defects that they showed were mended then.
var foreTuning2 = []foreKind{
	{"leak_noisy_share", true, foreQuiet(700, func(d *foreDraw, x float64) float64 { // noise that grows with the value
		return (d.base + d.slope*x) * (1 + 1.5*d.sd*d.NormFloat64())
	})},
	{"leak_working_days", true, foreOver(2500, func(d *foreDraw, x float64) float64 {
		day := 1.5 * float64(d.per)
		load := 0.0
		if math.Mod(x, 7*day) < 5*day {
			load = .05 * (1 - math.Cos(2*math.Pi*x/day))
		}
		return d.base + d.slope/4*x + load
	})},
	{"leak_gogc", true, func(d *foreDraw) (s foreTrace) { // collected when a quarter more than what lives
		garbage := 0.0
		for x := range 1500 {
			live := d.base + d.slope/3*float64(x)
			if garbage += .004; garbage > .25*live {
				garbage = 0
			}
			s.add(float64(x), live+garbage+.5*d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"leak_faster", true, foreOver(900, func(d *foreDraw, x float64) float64 { // twice as fast from some time on
		return d.base + d.slope*.5*(x+max(0, x-200-2*d.tau))
	})},
	{"leak_ar_student", true, foreQuiet(700, func(d *foreDraw, x float64) float64 {
		d.ar = .6*d.ar + d.student()
		return d.base + d.slope*x + .8*d.sd*d.ar
	})},
	{"leak_pages", true, foreQuiet(700, func(d *foreDraw, x float64) float64 { // in whole pages
		return math.Round((d.base+d.slope*x+.5*d.sd*d.NormFloat64())*50) / 50
	})},
	{"leak_bursts", true, foreOver(700, func(d *foreDraw, x float64) float64 {
		if math.Mod(x, 3*float64(d.per)) < 5 {
			return d.base + d.slope*x + .1
		}
		return d.base + d.slope*x
	})},
	{"leak_limit_moves", true, func(d *foreDraw) (s foreTrace) { // up, then down below what it was
		for x := range 700 {
			limit := 1.0
			switch {
			case x > 220:
				limit = .9
			case x > 100:
				limit = 1.3
			}
			s.add(float64(x), d.base+d.slope*float64(x)+d.sd*d.NormFloat64(), limit)
		}
		return s
	}},
	{"leak_diurnal_missing", true, func(d *foreDraw) (s foreTrace) { // every five units, a quarter lost
		s.slow = 5
		for x := range 1500 {
			v := d.base + d.slope/3*float64(x) + .05*math.Sin(2*math.Pi*float64(x)/(2*float64(d.per))) + d.sd*d.NormFloat64()
			if d.Float64() > .25 {
				s.add(5*float64(x), v, 1)
			}
		}
		return s
	}},
	{"leak_long_sawtooth", true, foreOver(6000, func(d *foreDraw, x float64) float64 {
		return d.base + d.slope/10*x + .1*math.Mod(x, float64(d.per))/float64(d.per)
	})},
	{"ok_epochs_ar", false, func(d *foreDraw) (s foreTrace) {
		x0, length, top := 0, 2*d.per, .85
		for x := range 2000 {
			if x-x0 >= length {
				x0, length, top = x, d.per+d.IntN(2*d.per), .7+.2*d.Float64()
			}
			s.add(float64(x), d.base+(top-d.base)*float64(x-x0)/float64(length)+d.sd*d.regress(.7), 1)
		}
		return s
	}},
	{"ok_gogc", false, func(d *foreDraw) (s foreTrace) {
		garbage := 0.0
		for x := range 2000 {
			if garbage += .02 * d.Float64(); garbage > .42 {
				garbage = 0
			}
			s.add(float64(x), .45+garbage+.5*d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"ok_checkpoints", false, foreOver(2000, func(d *foreDraw, x float64) float64 {
		if math.Mod(x, float64(d.per)) < 3 {
			return .9
		}
		return .5
	})},
	{"ok_lesser_steps", false, foreOver(1200, func(d *foreDraw, x float64) float64 { // each half of the one before
		return d.base + (.85-d.base)*(1-math.Pow(.5, math.Floor(x/(2*float64(d.per)))))
	})},
	{"ok_on_off", false, func(d *foreDraw) (s foreTrace) {
		on := false
		for x := range 2000 {
			if d.Float64() < 1/float64(d.per) {
				on = !on
			}
			v := .3
			if on {
				v = .88
			}
			s.add(float64(x), v+d.sd*d.NormFloat64(), 1)
		}
		return s
	}},
	{"ok_slow_sine", false, foreOver(6000, func(d *foreDraw, x float64) float64 {
		return .6 + .32*math.Sin(2*math.Pi*x/(20*float64(d.per)))
	})},
	{"ok_wander_high", false, foreQuiet(4000, func(d *foreDraw, x float64) float64 { return min(.99, .78+.04*d.regress(.97)) })},
	{"ok_warmup_slow", false, foreOver(4000, func(d *foreDraw, x float64) float64 {
		return d.base + (.9-d.base)*(1-math.Exp(-x/(8*d.tau)))
	})},
}
