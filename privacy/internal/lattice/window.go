package lattice

import (
	"fmt"
	"math"
	"sync"

	"github.com/surefoot-ml/surefoot/internal/fft"
)

// window composes one side of a law on one lattice and bounds what the period hides. The PMF is entrywise at least the
// composition (upper; mass above the window is in Inf, mass below it on the first point) or, up to the mass slack, at
// most (lower). first is the lowest loss of the window. wide makes the result fit for
// another tilt.
func window(parts []power, tilt, first float64, fp *fft.Plan, upper, wide bool) (pmf PMF, slack float64, err error) {
	var off, eoff, inf float64
	for _, p := range parts {
		t := float64(p.count) * p.pmf.Offset
		off += t
		eoff += 4 * unit * (math.Abs(t) + math.Abs(off))
		inf += float64(p.count) * math.Log1p(-p.pmf.Inf)
	}
	step := parts[0].pmf.Step
	at := math.Floor((first - off) / step)
	if !(math.Abs(at) < 1<<45) {
		return PMF{}, 0, fmt.Errorf("lattice: window at %v steps", at)
	}
	f, err := fold(parts, tilt, int64(at), fp, upper)
	if err != nil {
		return PMF{}, 0, err
	}
	n := float64(fp.Len())
	lo, hi := at*step, (at+n)*step // losses less the offset
	below, above, beyond := tails(parts, tilt, lo, hi)
	pmf = PMF{Step: step, Offset: off, First: 0, Mass: f.masses(upper)}
	if int64(int(at)) == int64(at) {
		pmf.First = int(at)
	} else {
		pmf.Offset += at * step
		eoff += 8 * unit * (math.Abs(pmf.Offset) + math.Abs(at*step))
	}
	if upper {
		pmf.Offset += eoff
		pmf.Mass[0] += below
		pmf.Inf = -math.Expm1(inf)*(1+8*unit) + above
	} else {
		// A lower law that lost mass may be completed at a loss below all: +Inf outweighs it, in any composition.
		pmf.Inf = max(0, -math.Expm1(inf)*(1-1e-12))
		pmf.Offset -= eoff
		cl := tilt * step * n
		slack = below*math.Exp(-cl)/-math.Expm1(-cl)*(1+1e-9) + beyond
	}
	pmf.trim(chernoff(parts, tilt, wide), -at)
	if !(below >= 0) || !(pmf.Inf >= 0) || !(slack >= 0) {
		return PMF{}, 0, fmt.Errorf("lattice: bound of the window is not a number")
	}
	return pmf, slack, nil
}

// windows composes both sides of a law side by side; the lower one is empty, nothing released, where low is.
func windows(up, low []power, tilt, first float64, n int, wide bool) (f factor, slack float64, err error) {
	f.lower = PMF{Step: up[0].pmf.Step, Mass: []float64{1}}
	fp, err := fft.New(n)
	if err != nil {
		return f, 0, err
	}
	var wg sync.WaitGroup
	var lower error
	if len(low) > 0 {
		other := fp.Clone()
		wg.Go(func() { f.lower, slack, lower = window(low, tilt, first, other, false, wide) })
	}
	f.upper, _, err = window(up, tilt, first, fp, true, wide)
	wg.Wait()
	if err == nil {
		err = lower
	}
	return f, slack, err
}

// trim lowers masses, which a lower law can always bear, and those of an upper law as far as tail allows, which bounds P(L >= l) for the loss l less the offset: the
// law with the tail sums S_k = min(S_(k+1) + Mass[k], tail(l_k)), from masses that dominate one by one, still dominates in the stochastic order, hence in every
// delta and after composition. So rounding that is small under one tilt does not grow under another. shift is the index
// of the loss 0 less that of Mass[0].
func (p *PMF) trim(tail func(l float64) float64, shift float64) {
	s, slack := 0.0, 1+4*unit*float64(len(p.Mass)+4) // for the rounding of s
	limit := math.Inf(1)
	for i := len(p.Mass) - 1; i >= 0; i-- {
		if i%rungs == rungs-1 || i == len(p.Mass)-1 { // the tail of a lower point bounds those above as well
			limit = tail((float64(i-i%rungs)-shift)*p.Step) * slack
		}
		next := max(s, min(s+p.Mass[i], limit))
		p.Mass[i] = min(p.Mass[i], (next-s)*(1+4*unit)+4*unit*s)
		s = next
	}
}

// chernoff is a tail for trim: the least of e^(K(s)-s l) over s = 0, the sum of all masses, and some s around the tilt if wide.
func chernoff(parts []power, tilt float64, wide bool) func(l float64) float64 {
	k, z := []float64{max(0, logMoments(parts, 0))}, []float64{0}
	for s := tilt / 4; wide && s < 40*tilt; s *= 1.6 {
		if v := logMoments(parts, s); v < 1e3 {
			k, z = append(k, v), append(z, s)
		}
	}
	return func(l float64) float64 {
		best := k[0]
		for i, s := range z {
			best = min(best, k[i]-s*l+8*unit*math.Abs(s*l))
		}
		return math.Exp(best)
	}
}

// tails bounds, by Chernoff with the moments of the laws on the lattice themselves (losses less the offset):
// P(L < lo), P(L >= hi), and the mass that the period brings from above into the window, sum over m >= 1 of
// e^(tilt m period) P(L >= lo + m period) <= e^(K(s)-s lo) / (e^((s-tilt) period) - 1) for every s > tilt.
// Where to bound is chosen on a coarse copy of the laws.
func tails(parts []power, tilt, lo, hi float64) (below, above, beyond float64) {
	below, above, beyond = 1, 1, math.Inf(1)
	period := hi - lo
	rough := make([]sketch, len(parts))
	for i, p := range parts {
		rough[i] = p.coarse()
	}
	low, high, right := 0.0, 0.0, 0.0
	lowest, highest, rightmost := math.Inf(1), math.Inf(1), math.Inf(1)
	for s := 0.05 / period; s*period < 1e6; s *= 1.2 {
		if v := logMomentOf(rough, -s) + s*lo; v < lowest {
			lowest, low = v, s
		}
		up := logMomentOf(rough, s)
		if v := up - s*hi; v < highest {
			highest, high = v, s
		}
		if v := up - s*lo - (s-tilt)*period; s > tilt && v < rightmost {
			rightmost, right = v, s
		}
		if !(up < 1e12) {
			break
		}
	}
	// The copy says too little of greater s: a few smaller ones besides.
	for i := range 4 {
		if s := low * math.Pow(0.5, float64(i)); s > 0 {
			below = min(below, math.Exp(logMoments(parts, -s)+s*lo+8*unit*s*math.Abs(lo)))
		}
		if s := high * math.Pow(0.5, float64(i)); s > 0 {
			above = min(above, math.Exp(logMoments(parts, s)-s*hi+8*unit*s*math.Abs(hi)))
		}
		if s := tilt * math.Pow(right/tilt, 1-0.2*float64(i)); s > tilt {
			g := (s - tilt) * period
			beyond = min(beyond, math.Exp(logMoments(parts, s)-s*lo+8*unit*s*math.Abs(lo)-g)/-math.Expm1(-g)*(1+1e-9))
		}
	}
	return below, above, beyond
}

// coarse gathers the masses in bins that widen with the distance from the fullest point.
func (p *power) coarse() sketch {
	s := sketch{count: float64(p.count)}
	mode := 0
	for i, m := range p.pmf.Mass {
		if m > p.pmf.Mass[mode] {
			mode = i
		}
	}
	var total float64
	bin := func(i, j int) {
		var m, mean float64
		for k := i; k < j; k++ {
			m += p.pmf.Mass[k]
			mean += p.pmf.Mass[k] * float64(k-i)
		}
		if m > 0 {
			s.loss = append(s.loss, (float64(p.pmf.First+i)+mean/m)*p.pmf.Step)
			s.mass = append(s.mass, m)
			total += m
		}
	}
	n := len(p.pmf.Mass)
	for i, j := mode, 0; i < n; i = j {
		j = min(n, i+1+(i-mode)/16)
		bin(i, j)
	}
	for i, j := mode, 0; i > 0; i = j {
		j = max(0, i-1-(mode-i)/16)
		bin(j, i)
	}
	for i := range s.mass {
		s.mass[i] /= total
	}
	return s
}
