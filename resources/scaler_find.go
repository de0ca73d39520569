package resources

import "fmt"

// search is a search by trials.
type search struct {
	*Scaler
	next    int  // to be tried; 0 at the end
	good    int  // the largest size tried that is fit for use
	bad     int  // the smallest one that is not; 0 for none
	ranOut  bool // the smallest bad one ran out of memory, rather than out of headroom
	unknown bool // some good one was without figures
}

// trial takes in one trial and chooses the next. The caller holds mu.
func (f *search) trial(u BatchUse, ranOut bool) error {
	f.learnLimit(u.Limit)
	bound, known := f.bound(f.cfg.Headroom)
	if !ranOut && u.Used.OK {
		f.model.add(u.Size, float64(u.Used.V))
	}
	measured := known && u.Used.OK
	switch {
	case ranOut:
		f.fail(u.Size)
		f.want = f.size // fail was about training; what is wanted is what is found in the end
		f.bad, f.ranOut = u.Size, true
	case measured && float64(u.Used.V) > bound:
		f.bad, f.ranOut = u.Size, false
	default:
		f.good = max(f.good, u.Size)
		f.proven = max(f.proven, u.Size)
		f.unknown = f.unknown || !measured
	}
	if f.bad > 0 && f.bad <= f.cfg.Min {
		if u.Err != nil {
			return fmt.Errorf("%w: %d examples: %w", ErrNothingFits, u.Size, u.Err)
		}
		return fmt.Errorf("%w: %d examples take %d of %d bytes, and a share of %v is to be free", ErrNothingFits, u.Size, u.Used.V, u.Limit.V, f.cfg.Headroom)
	}
	f.next = f.choose(bound, measured)
	return nil
}

func (f *search) choose(bound float64, measured bool) int {
	step := f.cfg.Multiple
	if f.good == 0 { // so there is a bad one, above Min
		return f.half(f.bad)
	}
	lo, hi := f.good+step, f.cfg.Max
	if f.bad > 0 {
		hi = min(hi, f.bad-step)
		if f.bad-f.good <= max(step, f.good/20) {
			return 0
		}
	}
	hi = min(hi, max(lo, 2*f.good-f.good*2%step))
	if lo > hi {
		return 0
	}
	if fit, ok := f.model.fit(); ok && measured && !f.unknown {
		if n := fit.largest(lo, hi, step, bound); n > 0 {
			return n
		}
		if fit.lo < fit.hi && (f.bad > 0 || fit.at(lo)+fit.spread > bound) {
			return 0
		}
		return lo // nothing is known of the slope yet
	}
	if f.bad == 0 {
		return hi
	}
	return f.down((f.good + f.bad) / 2)
}

// result is the size found.
func (f *search) result() int {
	if f.unknown && f.ranOut {
		return min(f.good, f.ceiling())
	}
	return f.good
}
