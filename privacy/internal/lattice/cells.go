package lattice

import "math"

// cells are the moments of a law over the cells [ref_k, ref_(k+1)] of losses, ref_k = offset + k*step: cell i is
// k = first+i, and its d is int (1 - e^(ref_k-L)) dP >= 0.
type cells struct {
	step  float64
	first int
	list  []moments
}

func (c *cells) at(k int) *moments {
	return &c.list[k-c.first]
}

// dots is the upper law by connecting the dots (Doroshenko et al. 2022, arXiv 2207.04380): b = d/(1-e^-g) of the mass of a
// cell goes to its upper point, the rest to the lower one. P- and Q-mass are kept, so under Q the ratio e^L becomes a
// mean-preserving spread and every delta grows, after composition too. An error of d or p is added: mass only moves up.
// The result begins at c.first and has one point more than c has cells.
func (c *cells) dots() []float64 {
	out := make([]float64, len(c.list)+1)
	w := -math.Expm1(-c.step)
	for i, m := range c.list {
		p := m.p + m.ep
		b := min(p, max(0, m.d+m.ed)/w*(1+4*unit))
		out[i+1] += b
		out[i] += p - b
	}
	for i := range out {
		out[i] *= 1 + 4*unit
	}
	return out
}

// merge is the lower law by post-processing: a share lam of cell k-1 and a share mu of cell k become one output, whose
// ratio is at least e^(ref_k) if mu d_k >= lam f_(k-1), f = int (e^(ref_k-L) - 1) dP over cell k-1 = p(e^g-1) - d e^g, and
// is reported as e^(ref_k). With equality nothing is lost to first order. The shares follow from one another; the recursion
// is stable towards the greater masses, so it runs up to the fullest cell and down to it. Where a cell cannot give what is
// asked, less is taken and the rest rounded down. Cells whose d is not certainly above 0 are left out; atom is the
// index of one whose d may be 0 (its error is part of the offset). open ends are cuts through a law that goes on: there the recursion
// starts with the shares of a smooth density.
func (c *cells) merge(atom int, openBottom, openTop bool) []float64 {
	n := len(c.list)
	out := make([]float64, n+1)
	if n == 0 {
		return out
	}
	up, grow := math.Expm1(c.step)*(1+8*unit), math.Exp(c.step)
	p, d, f := make([]float64, n), make([]float64, n), make([]float64, n)
	mode := 0
	for i, m := range c.list {
		p[i], d[i] = max(0, m.p-m.ep), m.d-m.ed
		f[i] = (m.p+m.ep)*up - (d[i]-8*unit*math.Abs(d[i]))*grow
		if !(d[i] > 0) {
			d[i] = 0
			if i != atom {
				p[i], f[i] = 0, 0
			}
		}
		if !(p[i] > 0 && f[i] > 0) {
			p[i], d[i], f[i] = 0, 0, math.Inf(1)
		}
		if p[i] > p[mode] {
			mode = i
		}
	}
	left := 1.0 // share of the fullest cell not yet given away
	if openTop && mode < n-1 && p[n-1] > 0 {
		left = min(1, 0.5*math.Sqrt(p[n-2]/p[n-1]))
	}
	for i := n - 1; i > mode; i-- {
		lam := left * d[i] / f[i-1] * (1 - 8*unit)
		if i-1 == mode {
			lam = min(lam, 1)
		} else if !(lam <= 0.98) {
			lam = 0.5
		}
		out[i] += left*p[i] + lam*p[i-1]
		left = 1 - lam
	}
	lam := 1.0
	if openBottom && mode > 0 && p[1] > 0 {
		lam = max(0, 1-0.5*math.Sqrt(p[0]/p[1]))
		out[0] += (1 - lam) * p[0]
	}
	for i := 1; i <= mode; i++ {
		limit := 0.98
		if i == mode {
			limit = left
		}
		mu := lam * f[i-1] / d[i] * (1 + 8*unit)
		keep := lam
		if p[i-1] == 0 {
			mu, keep = 0, 0
		} else if !(mu <= limit) {
			if mu = 0.5; i == mode {
				mu = left
			}
			keep = mu * d[i] / f[i-1] * (1 - 8*unit)
			if keep = min(keep, lam); !(keep >= 0) {
				keep = 0
			}
			out[i-1] += (lam - keep) * p[i-1]
		}
		out[i] += keep*p[i-1] + mu*p[i]
		lam = 1 - mu
		if i == mode {
			left -= mu
		}
	}
	out[mode] += left * p[mode]
	for i := range out {
		out[i] *= 1 - 16*unit
	}
	return out
}
