package contour

import "math"

// lane is the width of the blocks in which the nodes are taken: the working set stays in the first-level cache and the partial
// sums stay short.
const lane = 64

// resync is the number of rotations after which the phases are computed anew.
const resync = 16

// phases adds sum_j wt_j (e^(i k theta_j) - 1), theta_j = h (l_j - m), to re[k], im[k] for k = 0..len(re)-1. What it computes is
// phi-1 and not phi, so that its error is proportional to k theta.
//
// Nodes k come in groups of five around a centre: with D = wt (e^(i a theta)-1) and E_b = e^(i b theta)-1,
//
//	wt (e^(i (a+-b) theta)-1) = D + D (Re E_b +- i Im E_b) + wt (Re E_b +- i Im E_b), b = 1, 2,
//
// so that four products serve two nodes; the centre moves by D <- D + (D E_5 + wt E_5).
type phases struct {
	dr, di, c1, s1, c2, s2, rr, ri, wr, wi, th, wt [lane]float64
	n                                              int // lanes in use
}

// rotation bounds the error of one summand of add, over u wt |k theta|, plus the summation over n nodes. With theta = h(l-m)
// (rounding 2u, in A_R), E_1 errs by 12u|theta| (sine and cosine of theta/2), E_2 by 17u|2 theta|, E_4 by 22u|4 theta|, E_5 by
// 30u|5 theta|. A rotation adds (30+6+3+2)u|5 theta| + u|k theta|, at most 16 times between two computations anew (12u|k theta|):
// 69u|k theta|. The products with E_b, |D| <= wt min(2,|k theta|), and the constant term add at most 46u|k theta|.
// Sums: a block of 64, then n/64 partial sums.
func rotation(n float64) float64 {
	return unit * (120 + lane + 6 + n/lane)
}

func (p *phases) add(g *grid, sign, m, h float64, re, im []float64) {
	for lo := 0; lo < len(g.wt); lo += lane {
		hi := min(lo+lane, len(g.wt))
		p.start(g.ell[lo:hi], g.wt[lo:hi], sign, m, h)
		p.block(re, im)
	}
}

// start sets the phases of a block at k = 0.
func (p *phases) start(ell, wt []float64, sign, m, h float64) {
	p.n = len(ell)
	for i, w := range wt {
		p.th[i], p.wt[i] = h*(sign*ell[i]-m), w
		c1, s1 := turn(p.th[i])
		c2, s2 := c1*(c1+2)-s1*s1, 2*s1*(c1+1)
		c4, s4 := c2*(c2+2)-s2*s2, 2*s2*(c2+1)
		c5, s5 := c4+c1+(c4*c1-s4*s1), s4+s1+(c4*s1+s4*c1)
		p.c1[i], p.s1[i], p.c2[i], p.s2[i], p.rr[i], p.ri[i] = c1, s1, c2, s2, c5, s5
		p.wr[i], p.wi[i] = w*c5, w*s5
		p.dr[i], p.di[i] = 0, 0
	}
}

// turn returns e^(ix)-1.
func turn(x float64) (re, im float64) {
	s, c := math.Sincos(x / 2)
	return -2 * s * s, 2 * s * c
}

// block adds the five-node groups around k = 0, 5, 10, ...
func (p *phases) block(re, im []float64) {
	n := len(re)
	var k1r, k1i, k2r, k2i float64
	for i, w := range p.wt[:p.n] {
		k1r += w * p.c1[i]
		k1i += w * p.s1[i]
		k2r += w * p.c2[i]
		k2i += w * p.s2[i]
	}
	for centre := 0; centre-2 < n; centre += 5 {
		if centre > 0 && centre%(5*resync) == 0 {
			a := float64(centre)
			for i, w := range p.wt[:p.n] {
				c, s := turn(a * p.th[i])
				p.dr[i], p.di[i] = w*c, w*s
			}
		}
		var zr, zi, ac, bs, as, bc, ac2, bs2, as2, bc2 float64
		for i := range p.dr[:p.n] {
			a, b := p.dr[i], p.di[i]
			zr += a
			zi += b
			ac += a * p.c1[i]
			bs += b * p.s1[i]
			as += a * p.s1[i]
			bc += b * p.c1[i]
			ac2 += a * p.c2[i]
			bs2 += b * p.s2[i]
			as2 += a * p.s2[i]
			bc2 += b * p.c2[i]
			c, s := p.rr[i], p.ri[i]
			p.dr[i] = a + (a*c - b*s + p.wr[i])
			p.di[i] = b + (a*s + b*c + p.wi[i])
		}
		if k := centre - 2; k > 0 {
			re[k] += zr + (ac2 + bs2) + k2r
			im[k] += zi + (bc2 - as2) - k2i
		}
		if k := centre - 1; k > 0 && k < n {
			re[k] += zr + (ac + bs) + k1r
			im[k] += zi + (bc - as) - k1i
		}
		if k := centre; k < n {
			re[k] += zr
			im[k] += zi
		}
		if k := centre + 1; k < n {
			re[k] += zr + (ac - bs) + k1r
			im[k] += zi + (bc + as) + k1i
		}
		if k := centre + 2; k < n {
			re[k] += zr + (ac2 - bs2) + k2r
			im[k] += zi + (bc2 + as2) + k2i
		}
	}
}
