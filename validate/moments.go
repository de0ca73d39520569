package validate

import "math"

// Moments describes the finite values of a slice, and counts the others. It comes from one reading, and from [Moments.Merge]
// for data in parts. The zero Moments describes no values.
type Moments struct {
	FiniteReport
	Zero int     // values that are 0 or -0
	Mean float64 // of the finite values; 0 if there are none
	M2   float64 // sum of their squared deviations from Mean; +Inf where that overflows (deviations above 1e150)
}

// Variance returns the unbiased variance of the finite values, or NaN for fewer than 2.
func (m Moments) Variance() float64 {
	if n := m.Finite(); n >= 2 {
		return m.M2 / float64(n-1)
	}
	return math.NaN()
}

// Std returns the square root of Variance.
func (m Moments) Std() float64 { return math.Sqrt(m.Variance()) }

// Merge returns the description of both slices together (Chan, Golub and LeVeque 1979). Counts and limits are exact; Mean
// and M2 depend on the order of merging by rounding alone.
func (m Moments) Merge(o Moments) Moments {
	na, nb := float64(m.Finite()), float64(o.Finite())
	r := Moments{FiniteReport: m.FiniteReport.Merge(o.FiniteReport), Zero: m.Zero + o.Zero, Mean: m.Mean, M2: m.M2}
	switch {
	case nb == 0:
	case na == 0:
		r.Mean, r.M2 = o.Mean, o.M2
	default:
		n, d := na+nb, o.Mean-m.Mean
		if r.Mean = m.Mean + float64(d*(nb/n)); !isFinite(d) {
			r.Mean = float64(m.Mean*(na/n)) + float64(o.Mean*(nb/n))
		}
		r.M2 = m.M2 + o.M2 + float64(d*d*(na*(nb/n)))
	}
	return r
}

// Add adds one value (Welford 1962).
func (m *Moments) Add(x float64) {
	m.N++
	switch {
	case x != x:
		m.NaN++
		return
	case !isFinite(x):
		if x > 0 {
			m.PosInf++
		} else {
			m.NegInf++
		}
		return
	}
	n := m.Finite()
	if n == 1 {
		m.Min, m.Max = x, x
	} else if x < m.Min {
		m.Min = x
	} else if x > m.Max {
		m.Max = x
	}
	if math.Float64bits(x)&(1<<63-1) < 1<<52 {
		if x == 0 {
			m.Zero++
		} else {
			m.Subnormal++
		}
	}
	d := x - m.Mean
	if !isFinite(d) {
		m.Mean, m.M2 = float64(m.Mean*(float64(n-1)/float64(n)))+x/float64(n), math.Inf(1)
		return
	}
	m.Mean += d / float64(n)
	m.M2 += float64(d * (x - m.Mean))
}

// Describe reads all of xs once. On amd64 with AVX2 it reads faster than memory delivers; elsewhere the result is the same,
// bit for bit.
func Describe[T ~float32 | ~float64](xs []T) Moments {
	var m Moments
	if isSingle[T]() {
		m.add32(as32(xs))
	} else {
		m.add64(as64(xs))
	}
	return m
}

func (m *Moments) add32(xs []float32) {
	var kept [finiteBlock]float32
	for len(xs) > 0 {
		part := xs[:min(finiteBlock, len(xs))]
		if xs = xs[len(part):]; !allFinite(part) {
			part = kept[:copyFinite(&m.FiniteReport, kept[:], part)]
		}
		if n := len(part); n > 0 {
			pivot := m.pivot(float64(part[0]))
			b := describeBlock32(part, pivot)
			if b.cancels(n) {
				pivot += b.sum / float64(n)
				b = describeBlock32(part, pivot)
			}
			*m = m.Merge(b.moments(n, pivot))
		}
	}
}

func (m *Moments) add64(xs []float64) {
	var kept [finiteBlock]float64
	for len(xs) > 0 {
		part := xs[:min(finiteBlock, len(xs))]
		if xs = xs[len(part):]; !allFinite(part) {
			part = kept[:copyFinite(&m.FiniteReport, kept[:], part)]
		}
		if n := len(part); n > 0 {
			pivot := m.pivot(part[0])
			b := describeBlock64(part, pivot)
			if b.cancels(n) {
				pivot += b.sum / float64(n)
				b = describeBlock64(part, pivot)
			}
			*m = m.Merge(b.moments(n, pivot))
		}
	}
}

// pivot is a guess of the mean of the next block, from which deviations are taken.
func (m *Moments) pivot(first float64) float64 {
	if m.Finite() > 0 {
		return m.Mean
	}
	return first
}

// cancels reports whether the pivot was so far from the mean that the difference of sums would lose digits; the block is
// read again with a better one then, from the cache.
func (b block) cancels(n int) bool {
	return b.sum*b.sum/float64(n) > b.square/2 && isFinite(b.sum)
}

func (b block) moments(n int, pivot float64) Moments {
	m := Moments{FiniteReport: FiniteReport{N: n, Subnormal: b.tiny - b.zero, Min: b.lo, Max: b.hi}, Zero: b.zero}
	m.Mean = pivot + float64(b.sum/float64(n))
	m.M2 = max(0, b.square-float64(b.sum*b.sum)/float64(n))
	if !isFinite(m.Mean) || m.M2 != m.M2 { // beyond what can be summed: the middle of the range is as good as any
		m.Mean, m.M2 = b.lo/2+b.hi/2, math.Inf(1)
	}
	return m
}

// copyFinite copies what is finite, counts the rest in r and returns how many it copied.
func copyFinite[T ~float32 | ~float64](r *FiniteReport, to, from []T) (n int) {
	for _, x := range from {
		switch {
		case isFinite(x):
			to[n] = x
			n++
			continue
		case x != x:
			r.NaN++
		case x > 0:
			r.PosInf++
		default:
			r.NegInf++
		}
		r.N++
	}
	return n
}
