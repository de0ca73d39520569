package resources

import "math"

// steps are the jumps of a series.
type steps struct {
	jumps [kept]turn // value is the height
	n     int

	height, least  float64 // mean and smallest
	period, uneven float64 // mean time between jumps, and the standard deviation of time and height, as shares of the means
}

func (s *steps) add(at, height float64) {
	s.jumps[s.n%kept] = turn{at, height}
	s.n++
	k := min(s.n, kept)
	s.height, s.least, s.uneven = 0, height, 0
	for i := s.n - k; i < s.n; i++ {
		h := s.jumps[i%kept].value
		s.height, s.least = s.height+h/float64(k), min(s.least, h)
	}
	if k < 2 {
		return
	}
	s.period = (at - s.jumps[(s.n-k)%kept].at) / float64(k-1)
	for i := s.n - k; i < s.n; i++ {
		r := s.jumps[i%kept].value/s.height - 1
		s.uneven += r * r / float64(k)
		if i > s.n-k {
			r := (s.jumps[i%kept].at-s.jumps[(i-1)%kept].at)/s.period - 1
			s.uneven += r * r / float64(k-1)
		}
	}
	s.uneven = math.Sqrt(s.uneven)
}

// stairs forecasts by jumps upwards that follow one another; ok is false where there are none.
func (f *Foresight) stairs(limit float64, e estimate, sd float64) (out Forecast, ok bool) {
	s := &f.steps
	k := min(s.n, kept)
	if k < 2 {
		return out, false
	}
	last, first := s.jumps[(s.n-1)%kept], s.jumps[(s.n-k)%kept]
	height, period := s.height, s.period
	overdue := 1.3 // periods after the last jump, from which on no more is expected
	if s.uneven > .3 {
		overdue = 2
	}
	if s.least < 0 || height < 3*sd || f.now > last.at+overdue*period {
		return out, false
	}
	age := f.now - first.at + period
	if s.lessen(limit - e.level) {
		return never(), true
	}
	if s.uneven > .3 { // growth on the whole, with no next step to wait for
		return f.after(StepGrowth, max(0, limit-1.5*sd-e.level)/(height/period+max(0, e.slope)), e, age), true
	}
	need := math.Ceil((limit - 1.5*sd - e.level) / height)
	left := max(0, last.at+period-f.now) + (need-1)*period
	return f.after(StepGrowth, left, e, age), true
}

// lessen is whether the jumps become smaller so fast that all those to come, as a geometric series, do not fill the room.
func (s *steps) lessen(room float64) bool {
	a, b := s.jumps[(s.n-1)%kept].value, s.jumps[(s.n-2)%kept].value
	ratio := a / b
	if s.n > 2 {
		ratio = max(ratio, b/s.jumps[(s.n-3)%kept].value)
	}
	return ratio < .75 && a*ratio/(1-ratio) < room
}
