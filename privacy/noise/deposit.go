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
func (a *Accumulator) factors(index []int, g, norms []float64) (clipped, ok bool) {
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

// deposit adds a vector, times the factors of its parts. threshold keeps contributions below the squared norm allowed; should it
// ever fail to, the contribution is taken out again: the sensitivity is a fact about integers and rests on no floating-point argument.
func (a *Accumulator) deposit(index []int, g []float64, untrusted bool) bool {
	from := 0
	for i := range a.parts {
		p := &a.parts[i]
		to := p.span(index, from)
		n, square := to-from, uint64(0)
		switch {
		case untrusted:
			n, square = addChecked(a.sum[p.first:p.end], g[from:to], p.factor, p.square)
		case index == nil:
			square = addDense(a.sum[p.first:p.end], g[from:to], p.factor)
		default:
			square = addSparse(a.sum, index[from:to], g[from:to], p.factor)
		}
		if n < to-from || square > p.square {
			a.withdraw(index, g[:from+n])
			return false
		}
		from = to
	}
	return true
}

// withdraw takes out what deposit has added of a vector, of which it got through g.
func (a *Accumulator) withdraw(index []int, g []float64) {
	from := 0
	for i := range a.parts {
		p := &a.parts[i]
		to := min(p.span(index, from), len(g))
		for j := from; j < to; j++ {
			at := j
			if index != nil {
				at = index[j]
			}
			a.sum[at] -= steps(g[j], p.factor)
		}
		from = to
	}
}

// Adding 1.5·2^52 leaves a float64 no bits below one: it rounds to even, and the integer stands in the low bits.
const shifter = 0x1.8p52

// steps rounds x·f, which must be below 2^51, to an integer. The conversion forbids fusing, so that every machine has the same bits.
func steps(x, f float64) int64 {
	return int64(math.Float64bits(float64(x*f)+shifter)) - int64(math.Float64bits(shifter))
}

// addDense adds the vector, times f, to sum, and returns its squared norm. Two lanes keep the multiplier busy.
func addDense(sum []int64, g []float64, f float64) uint64 {
	sum = sum[:len(g)]
	var s, t uint64
	i := 0
	for ; i+2 <= len(g) && i+2 <= len(sum); i += 2 {
		m, n := steps(g[i], f), steps(g[i+1], f)
		sum[i] += m
		sum[i+1] += n
		s += uint64(m * m)
		t += uint64(n * n)
	}
	for ; i < len(g); i++ {
		n := steps(g[i], f)
		sum[i] += n
		s += uint64(n * n)
	}
	return s + t
}

func addSparse(sum []int64, index []int, g []float64, f float64) (square uint64) {
	for j, x := range g {
		n := steps(x, f)
		sum[index[j]] += n
		square += uint64(n * n)
	}
	return square
}

// addChecked is addDense that assumes nothing about the length of the vector: it stops where the squared norm passes limit, at most
// 2^62, and returns how many coordinates it has added. One step moves square by less than 2^63, so that it cannot wrap around unseen.
func addChecked(sum []int64, g []float64, f float64, limit uint64) (added int, square uint64) {
	for i, x := range g {
		if !(math.Abs(x*f) <= 0x1p31) {
			return i, math.MaxUint64
		}
		n := steps(x, f)
		sum[i] += n
		if square += uint64(n * n); square > limit {
			return i + 1, square
		}
	}
	return len(g), square
}
