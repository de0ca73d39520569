package fft

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// unit is exp(-2 pi i k/n) to 200 bits, by the half-angle formulas from exp(-2 pi i/4) and repeated products.
func unit(n int) []([2]*big.Float) {
	f := func(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }
	c, s := f(1), f(0) // angle 0, then pi, pi/2, ...
	switch {
	case n >= 4:
		c, s = f(0), f(1)
		for m := 4; m < n; m *= 2 { // half the angle: cos(a/2) = sqrt((1+cos a)/2), sin(a/2) = sin a/(2 cos(a/2))
			h := f(0).Sqrt(f(0).Quo(f(0).Add(f(1), c), f(2)))
			s = f(0).Quo(s, f(0).Mul(f(2), h))
			c = h
		}
	case n == 2:
		c = f(-1)
	}
	out := make([][2]*big.Float, n)
	out[0] = [2]*big.Float{f(1), f(0)}
	for k := 1; k < n; k++ {
		a, b := out[k-1][0], out[k-1][1]
		re := f(0).Add(f(0).Mul(a, c), f(0).Mul(b, s)) // times c - i s, with b the imaginary part
		im := f(0).Sub(f(0).Mul(b, c), f(0).Mul(a, s))
		out[k] = [2]*big.Float{re, im}
	}
	return out
}

func random(rng *rand.Rand, n, kind int) []float64 {
	x := make([]float64, n)
	for j := range x {
		switch kind {
		case 0:
			x[j] = rng.NormFloat64()
		case 1:
			x[j] = math.Exp(-float64(j) * 30 / float64(n)) // a tilted law
		case 2:
			x[j] = 1
		default:
			x[j] = rng.ExpFloat64() * math.Exp(40*rng.Float64())
		}
	}
	return x
}

// TestForwardErrorBound compares with the definition, summed in 200 bits.
func TestForwardErrorBound(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 2; n <= 512; n *= 2 {
		w := unit(n)
		for kind := range 4 {
			x := random(rng, n, kind)
			p, err := New(n)
			require.NoError(t, err)
			got := make([]complex128, n/2+1)
			p.Forward(got, x)
			var diff, norm float64
			for k := 0; k <= n/2; k++ {
				re, im := new(big.Float).SetPrec(200), new(big.Float).SetPrec(200)
				for j, v := range x {
					b := new(big.Float).SetPrec(200).SetFloat64(v)
					u := w[j*k%n]
					re.Add(re, new(big.Float).SetPrec(200).Mul(b, u[0]))
					im.Add(im, new(big.Float).SetPrec(200).Mul(b, u[1]))
				}
				fre, _ := re.Float64()
				fim, _ := im.Float64()
				dre, _ := re.Sub(re, new(big.Float).SetFloat64(real(got[k]))).Float64()
				dim, _ := im.Sub(im, new(big.Float).SetFloat64(imag(got[k]))).Float64()
				weight := 2.0
				if k == 0 || k == n/2 {
					weight = 1
				}
				diff += weight * (dre*dre + dim*dim)
				norm += weight * (fre*fre + fim*fim)
			}
			require.LessOrEqual(t, math.Sqrt(diff), p.RelErr()*math.Sqrt(norm), "n=%d kind=%d", n, kind)
			if n >= 64 && kind == 0 {
				require.Greater(t, math.Sqrt(diff), p.RelErr()*math.Sqrt(norm)/200, "the bound says nothing, n=%d", n)
			}
		}
	}
}

// TestRoots: the assumption on the roots in the proof, against 200 bits.
func TestRoots(t *testing.T) {
	t.Parallel()
	const n = 4096
	w := unit(n)
	for k := range n / 2 {
		r := root(k, n)
		re, _ := new(big.Float).Sub(w[k][0], new(big.Float).SetFloat64(real(r))).Float64()
		im, _ := new(big.Float).Sub(w[k][1], new(big.Float).SetFloat64(imag(r))).Float64()
		require.LessOrEqual(t, math.Hypot(re, im), 2.5*0x1p-53, "k=%d", k)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 2; n <= 1<<16; n *= 2 {
		p, err := New(n)
		require.NoError(t, err)
		require.Equal(t, n, p.Len())
		x := random(rng, n, 0)
		f := make([]complex128, n/2+1)
		y := make([]float64, n)
		p.Forward(f, x)
		p.Inverse(y, f)
		var diff, norm float64
		for j := range x {
			diff += (x[j] - y[j]) * (x[j] - y[j])
			norm += x[j] * x[j]
		}
		require.LessOrEqual(t, math.Sqrt(diff), 2.01*p.RelErr()*math.Sqrt(norm), "n=%d", n)
	}
}

// TestClone: a clone transforms as its original does, at the same time.
func TestClone(t *testing.T) {
	t.Parallel()
	p, err := New(256)
	require.NoError(t, err)
	other := p.Clone()
	require.Equal(t, p.Len(), other.Len())
	x := random(rand.New(rand.NewPCG(5, 6)), 256, 0)
	a, b := make([]complex128, 129), make([]complex128, 129)
	done := make(chan struct{})
	go func() {
		defer close(done)
		other.Forward(b, x)
	}()
	p.Forward(a, x)
	<-done
	require.Equal(t, a, b)
}

// TestConvolution: the product of spectra is the spectrum of the cyclic convolution; integers come out exact.
func TestConvolution(t *testing.T) {
	t.Parallel()
	const n = 256
	rng := rand.New(rand.NewPCG(5, 6))
	p, err := New(n)
	require.NoError(t, err)
	a, b, want := make([]float64, n), make([]float64, n), make([]float64, n)
	for j := range a {
		a[j], b[j] = float64(rng.IntN(100)), float64(rng.IntN(100))
	}
	for i := range a {
		for j := range b {
			want[(i+j)%n] += a[i] * b[j]
		}
	}
	fa, fb := make([]complex128, n/2+1), make([]complex128, n/2+1)
	p.Forward(fa, a)
	p.Forward(fb, b)
	for k := range fa {
		fa[k] *= fb[k]
	}
	got := make([]float64, n)
	p.Inverse(got, fa)
	for j := range got {
		require.InDelta(t, want[j], got[j], 1e-7)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-4, 0, 1, 3, 12, MaxLen + 1, 2 * MaxLen} {
		_, err := New(n)
		require.ErrorContains(t, err, "fft: length", "n=%d", n)
	}
	p, err := New(8)
	require.NoError(t, err)
	require.Panics(t, func() { p.Forward(make([]complex128, 4), make([]float64, 8)) })
	require.Panics(t, func() { p.Inverse(make([]float64, 7), make([]complex128, 5)) })
}

func TestNoAllocations(t *testing.T) {
	p, err := New(64)
	require.NoError(t, err)
	f, x := make([]complex128, 33), make([]float64, 64)
	require.Zero(t, testing.AllocsPerRun(10, func() { p.Forward(f, x); p.Inverse(x, f) }))
}

func FuzzLinear(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(5))
	f.Fuzz(func(t *testing.T, a, b uint64, size uint8) {
		n := 2 << (size % 10)
		rng := rand.New(rand.NewPCG(a, b))
		p, err := New(n)
		require.NoError(t, err)
		x, y, z := random(rng, n, 0), random(rng, n, 0), make([]float64, n)
		for j := range z {
			z[j] = x[j] + y[j]
		}
		fx, fy, fz := make([]complex128, n/2+1), make([]complex128, n/2+1), make([]complex128, n/2+1)
		p.Forward(fx, x)
		p.Forward(fy, y)
		p.Forward(fz, z)
		for k := range fz {
			d := fz[k] - fx[k] - fy[k]
			require.Less(t, math.Hypot(real(d), imag(d)), 1e-12*float64(n))
		}
	})
}

func BenchmarkForward(b *testing.B) {
	for e := 10; e <= 20; e += 2 {
		b.Run(fmt.Sprintf("2^%d", e), func(b *testing.B) {
			p, err := New(1 << e)
			require.NoError(b, err)
			x := random(rand.New(rand.NewPCG(1, 1)), 1<<e, 0)
			f := make([]complex128, 1<<e/2+1)
			b.SetBytes(8 << e)
			b.ReportAllocs()
			for b.Loop() {
				p.Forward(f, x)
			}
		})
	}
}

func BenchmarkInverse(b *testing.B) {
	p, err := New(1 << 16)
	require.NoError(b, err)
	f := make([]complex128, 1<<15+1)
	p.Forward(f, random(rand.New(rand.NewPCG(1, 1)), 1<<16, 0))
	x := make([]float64, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		p.Inverse(x, f)
	}
}
