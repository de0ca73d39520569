package noise

import (
	"math"
	"slices"
)

// span returns where the values of p end in a vector, of which those of the parts before it end at from.
func (p *part) span(index []int, from int) (to int) {
	if index == nil {
		return p.end
	}
	n, _ := slices.BinarySearch(index[from:], p.end)
	return from + n
}

// factors finds what each part of a vector is multiplied by to turn it into grid steps, clipped.
func factors[F float](a *Accumulator, index []int, g []F, norms []float64) (clipped, ok bool) {
	f := a.unit / a.clip
	from := 0
	for i := range a.parts {
		p := &a.parts[i]
		to := p.span(index, from)
		n, scale := math.NaN(), 1.0
		switch {
		case norms != nil:
			if norms[i] >= 0 && norms[i] <= math.MaxFloat64 {
				n = norms[i] * (1 + 0x1p-20)
			}
		case index == nil:
			n, scale = norm(g[from:to])
		default:
			n, scale = normSparse(index[from:to], g[from:to], p.first, p.end)
		}
		p.factor = f
		switch {
		case math.IsNaN(n):
			a.forget()
			return false, false
		case n/scale*f > p.threshold:
			clipped = true
			p.factor = p.threshold / n * scale
		}
		from = to
	}
	return clipped, true
}

func (a *Accumulator) forget() {
	for i := range a.parts {
		a.parts[i].factor = 0
	}
}

// deposit adds a vector, times the factors of its parts. It measures what it adds in integers: a contribution that is longer than it may
// be, because a caller's norm was wrong or the argument for threshold, is taken out again. Sensitivity rests on that alone.
func deposit[F float](a *Accumulator, index []int, g []F) bool {
	from := 0
	for i := range a.parts {
		p := &a.parts[i]
		to := p.span(index, from)
		n, ok := 0, false
		if index == nil && p.square < 1<<53 {
			n, ok = addDense(a.sum[p.first:p.end], g[from:to], p.factor, p.square)
		} else if index == nil {
			n, ok = addEach(a.sum[p.first:p.end], nil, g[from:to], p.factor, p.square)
		} else {
			n, ok = addEach(a.sum, index[from:to], g[from:to], p.factor, p.square)
		}
		if !ok {
			withdraw(a, index, g[:from+n])
			return false
		}
		from = to
	}
	return true
}

// withdraw takes out what deposit has added of a vector, of which it got through g.
func withdraw[F float](a *Accumulator, index []int, g []F) {
	from := 0
	for i := range a.parts {
		p := &a.parts[i]
		to := min(p.span(index, from), len(g))
		for j := from; j < to; j++ {
			at := j
			if index != nil {
				at = index[j]
			}
			a.sum[at] -= steps(float64(g[j]), p.factor)
		}
		from = to
	}
}

// addDense adds the vector, times f, to sum. It returns how many coordinates it has added, all of them, and whether their squared norm is at most
// limit, which is below 2^53.
func addDense[F float](sum []int64, g []F, f float64, limit uint64) (added int, ok bool) {
	n, square := wideSteps(sum, g, f)
	square += addSteps(sum[n:], g[n:], f)
	return len(g), square <= float64(limit)
}

// addEach is addDense of a vector that is g[j] at index[j], or dense if index is nil, for a limit of up to 2^62. It stops where the squared
// norm passes it. One step moves square by at most that, so that it cannot wrap around unseen.
func addEach[F float](sum []int64, index []int, g []F, f float64, limit uint64) (added int, ok bool) {
	var square uint64
	for j, x := range g {
		if !(math.Abs(float64(x)*f) <= 0x1p31) {
			return j, false
		}
		at := j
		if index != nil {
			at = index[j]
		}
		n := steps(float64(x), f)
		sum[at] += n
		if square += uint64(n * n); square > limit {
			return j + 1, false
		}
	}
	return len(g), true
}
