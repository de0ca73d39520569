// Package fft transforms real sequences whose length is a power of two, with a proved bound of the rounding error.
//
// For most uses make one Plan per length and call Forward and Inverse; a Plan owns its scratch memory, so every
// goroutine needs its own.
package fft

import (
	"fmt"
	"math"
	"math/bits"
)

// MaxLen is the greatest length of a Plan.
const MaxLen = 1 << 26

// Plan holds the roots of unity and the scratch memory for one length. It is not safe for concurrent use.
// The zero Plan has length 0 and transforms nothing.
type Plan struct {
	n    int
	root []complex128 // root[k] = exp(-2 pi i k/n) for k < n/2
	a, b []complex128 // ping and pong, n/2 each
}

// New returns a plan for real sequences of n numbers, n a power of two from 2 to MaxLen.
func New(n int) (*Plan, error) {
	if n < 2 || n > MaxLen || n&(n-1) != 0 {
		return nil, fmt.Errorf("fft: length %d is not a power of two from 2 to %d", n, MaxLen)
	}
	p := &Plan{n: n, root: make([]complex128, n/2), a: make([]complex128, n/2), b: make([]complex128, n/2)}
	for k := range p.root {
		p.root[k] = root(k, n)
	}
	return p, nil
}

// Clone returns a plan of the same length for another goroutine; it shares the roots of unity.
func (p *Plan) Clone() *Plan {
	return &Plan{n: p.n, root: p.root, a: make([]complex128, p.n/2), b: make([]complex128, p.n/2)}
}

// root is exp(-2 pi i k/n) for 0 <= k < n/2, by reduction to the first octant: the angle then is at most pi/4, its
// relative error at most 2u, and both parts are within 2 ulp.
func root(k, n int) complex128 {
	swap, neg := false, false
	if 4*k > n { // second quadrant of the half circle
		k, neg = n/2-k, true
	}
	if 8*k > n {
		k, swap = n/4-k, true
	}
	s, c := math.Sincos(2 * math.Pi * (float64(k) / float64(n)))
	if swap {
		s, c = c, s
	}
	if neg {
		c = -c
	}
	return complex(c, -s)
}

// Len is the number of real values.
func (p *Plan) Len() int { return p.n }

// RelErr bounds the rounding error of Forward and of Inverse on exact input: the 2-norm of the error is at most RelErr
// times the 2-norm of the exact result (for Forward over the whole spectrum, the mirrored half included).
//
// Proof, with u = 2^-53. A radix-4 stage is two levels of complex additions, each of relative error u in the 2-norm
// (each component is rounded once and the stage is a multiple of an isometry), and one multiplication by a root: at
// most sqrt(5) u for the product (Brent, Percival, Zimmermann 2007; fused operations only lower it) and 2.5 u for the
// root itself. That is 6.8 u for two powers of two. The last radix-2 stage costs u. Splitting the real spectrum from the complex one
// adds two additions and one product, 6.8 u. Errors of stages add up in the 2-norm because every stage is a multiple of
// an isometry; powers of u beyond the first are covered by rounding 3.4 and 6.8 up to 3.5 and 8.
func (p *Plan) RelErr() float64 {
	return (3.5*float64(bits.Len(uint(p.n))-1) + 8) * 0x1p-53
}

// Forward writes X[k] = sum_j x[j] exp(-2 pi i jk/n) for k = 0..n/2 into dst, which must hold n/2+1 numbers; src must
// hold n. It panics on other lengths. The other half of the spectrum is X[n-k] = conj(X[k]).
func (p *Plan) Forward(dst []complex128, src []float64) {
	p.check(len(dst), len(src))
	m := p.n / 2
	for j := range p.a {
		p.a[j] = complex(src[2*j], src[2*j+1])
	}
	z := p.transform()
	dst[0] = complex(real(z[0])+imag(z[0]), 0)
	dst[m] = complex(real(z[0])-imag(z[0]), 0)
	for k := 1; k <= m/2; k++ {
		zk, zm := z[k], z[m-k]
		e := complex((real(zk)+real(zm))/2, (imag(zk)-imag(zm))/2)
		o := complex((imag(zk)+imag(zm))/2, (real(zm)-real(zk))/2) // -i/2 (zk - conj zm)
		t := p.root[k] * o
		dst[k] = e + t
		dst[m-k] = complex(real(e)-real(t), imag(t)-imag(e))
	}
}

// Inverse writes x[j] = 1/n sum_k X[k] exp(2 pi i jk/n) into dst, which must hold n numbers, from the half spectrum
// X[0..n/2] in src. The imaginary parts of X[0] and X[n/2] are taken as zero. It panics on other lengths.
func (p *Plan) Inverse(dst []float64, src []complex128) {
	p.check(len(src), len(dst))
	m := p.n / 2
	x0, xm := real(src[0]), real(src[m])
	p.a[0] = complex(x0-xm, x0+xm) // parts swapped: the forward transform of swapped parts is the inverse one
	for k := 1; k <= m/2; k++ {
		xk, xr := src[k], src[m-k]
		e := complex(real(xk)+real(xr), imag(xk)-imag(xr))
		d := complex(real(xk)-real(xr), imag(xk)+imag(xr))
		w := p.root[k]
		o := complex(real(w), -imag(w)) * d
		zk := complex(real(e)-imag(o), imag(e)+real(o)) // e + i o
		zm := complex(real(e)+imag(o), real(o)-imag(e)) // conj(e) + i conj(o)
		p.a[k] = complex(imag(zk), real(zk))
		p.a[m-k] = complex(imag(zm), real(zm))
	}
	z := p.transform()
	scale := 1 / float64(p.n)
	for j, v := range z {
		dst[2*j] = imag(v) * scale
		dst[2*j+1] = real(v) * scale
	}
}

func (p *Plan) check(spectrum, values int) {
	if values != p.n || spectrum != p.n/2+1 {
		panic(fmt.Sprintf("fft: %d values and %d frequencies for a plan of length %d", values, spectrum, p.n))
	}
}

// transform is the complex transform of p.a: Stockham's self-sorting radix-4, decimation in frequency. It returns the
// buffer that holds the result and uses both.
func (p *Plan) transform() []complex128 {
	x, y := p.a, p.b
	n, s := len(x), 1
	for ; n >= 4; n, s = n/4, 4*s {
		m := n / 4
		for j := range m {
			w1 := p.root[2*j*s]
			w2 := p.root[4*j*s]
			w3 := w1
			if t := 6 * j * s; t < len(p.root) {
				w3 = p.root[t]
			} else {
				w3 = -p.root[t-len(p.root)]
			}
			xa, xb := x[s*j:s*j+s], x[s*(j+m):s*(j+m)+s]
			xc, xd := x[s*(j+2*m):s*(j+2*m)+s], x[s*(j+3*m):s*(j+3*m)+s]
			ya, yb := y[s*4*j:s*4*j+s], y[s*(4*j+1):s*(4*j+1)+s]
			yc, yd := y[s*(4*j+2):s*(4*j+2)+s], y[s*(4*j+3):s*(4*j+3)+s]
			for q := range xa {
				a, b, c, d := xa[q], xb[q], xc[q], xd[q]
				apc, amc, bpd, bmd := a+c, a-c, b+d, b-d
				jb := complex(-imag(bmd), real(bmd))
				ya[q] = apc + bpd
				yb[q] = w1 * (amc - jb)
				yc[q] = w2 * (apc - bpd)
				yd[q] = w3 * (amc + jb)
			}
		}
		x, y = y, x
	}
	if n == 2 {
		for q := range s {
			a, b := x[q], x[q+s]
			y[q], y[q+s] = a+b, a-b
		}
		x = y
	}
	return x
}
