package noise

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// sameKernels requires the bits of plain Go from the instructions of the machine, whatever the numbers are.
func sameKernels[F float](t *testing.T, g []F, f float64) {
	t.Helper()
	wide, plain := [lanes]float64{1, 0, 3}, [lanes]float64{1, 0, 3}
	n := wideSquares(&wide, g)
	addSquares(&wide, g[n:], 1)
	addSquares(&plain, g, 1)
	for i := range plain {
		if !math.IsNaN(plain[i]) || !math.IsNaN(wide[i]) {
			require.Equal(t, math.Float64bits(plain[i]), math.Float64bits(wide[i]), "lane %d", i)
		}
	}
	a, b := make([]int64, len(g)), make([]int64, len(g))
	for i := range a {
		a[i] = int64(i) - 5<<40
		b[i] = a[i]
	}
	n, square := wideSteps(a, g, f)
	square += addSteps(a[n:], g[n:], f)
	wantSquare := addSteps(b, g, f)
	require.Equal(t, b, a)
	exact, finite := new(big.Int), true
	for _, x := range g {
		y := math.RoundToEven(float64(x) * f)
		if finite = finite && !math.IsNaN(y) && !math.IsInf(y, 0); finite {
			n, _ := big.NewFloat(y).Int(nil)
			exact.Add(exact, n.Mul(n, n))
		}
	}
	if finite && exact.BitLen() <= 53 {
		require.EqualValues(t, exact.Uint64(), square)
		require.EqualValues(t, exact.Uint64(), wantSquare)
	} else {
		require.False(t, square < 0x1p53)
		require.False(t, wantSquare < 0x1p53)
	}
}

func FuzzKernels(f *testing.F) {
	var seed []byte
	for _, x := range []float64{1, -2.5, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 5e-324, -0x1p31, 0x1p31, 3, 0x1p51, -0x1p52, 0x1p53, 1.5, .5, 2.5, 7} {
		seed = binary.LittleEndian.AppendUint64(seed, math.Float64bits(x))
	}
	f.Add(seed, 1.0)
	f.Add(seed, 1e-10)
	f.Add(make([]byte, 300), 3.0)
	f.Fuzz(func(t *testing.T, raw []byte, factor float64) {
		if len(raw) > 4096 || math.IsNaN(factor) {
			t.Skip()
		}
		g, h := make([]float64, len(raw)/8), make([]float32, len(raw)/4)
		for i := range g {
			g[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		for i := range h {
			h[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		sameKernels(t, g, factor)
		sameKernels(t, h, factor)
	})
}

func TestKernels(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(91, 0))
	for n := range 80 {
		for _, scale := range []float64{1e-320, 1e-30, 1, 1e5, 1e9, 1e30} {
			g, h := make([]float64, n), make([]float32, n)
			for i := range g {
				g[i] = rng.NormFloat64() * scale
				h[i] = float32(g[i])
			}
			sameKernels(t, g, rng.Float64())
			sameKernels(t, h, rng.Float64())
			if n > 0 { // not aligned
				sameKernels(t, g[1:], 1)
				sameKernels(t, h[1:], 1)
			}
		}
	}
	for _, x := range []float64{math.MaxFloat64, 0x1p63, 0x1p51, 0x1p52, 0x1.8p52, -0x1.8p52, -0x1p53, 0x1p26, -0x1p26, -0x1p26 - 1, 0x1p26 - 1, 0x1p26 + 1, math.NaN(), math.Inf(1)} {
		for at := range 9 {
			g := make([]float64, 9)
			g[at] = x
			sameKernels(t, g, 1)
		}
	}
}

// Gradients in float32 have the bits of the same gradients in float64, in every kind of accumulator.
func TestFloat32(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(92, 0))
	for _, make2 := range []func() *Accumulator{
		func() *Accumulator { return accumulator(t, 5000, 3) },
		func() *Accumulator { return layered(t, Layer{3000, 1}, Layer{2000, 2}) },
		func() *Accumulator { return layered(t, Layer{4999, 1e-3}, Layer{1, 1}) },
		func() *Accumulator { return adapting(t, 5000, 1, Quantile{Batch: 10}) },
	} {
		a, b := make2(), make2()
		for record := range 30 {
			g, h := make([]float64, 5000), make([]float32, 5000)
			for i := range g {
				h[i] = float32(rng.NormFloat64() * math.Exp(rng.NormFloat64()-4))
				if record == 20 {
					h[i] *= 1e38
				}
				g[i] = float64(h[i])
			}
			switch record {
			case 10:
				h[4321], g[4321] = float32(math.NaN()), math.NaN()
			case 11:
				h[8], g[8] = float32(math.Inf(-1)), math.Inf(-1)
			case 12:
				h[0], g[0] = math.MaxFloat32, math.MaxFloat32
			}
			require.NoError(t, a.Add(g))
			require.NoError(t, b.AddFloat32(h))
			require.Equal(t, a, b)
		}
		require.Equal(t, 2, a.Dropped())
		require.Positive(t, a.Clipped())
		require.ErrorIs(t, a.AddFloat32(make([]float32, 4999)), ErrInvalid)
	}
	// A sum of squares in float32 stops growing at 2^24 equal terms: most of the norm would be lost.
	h := make([]float32, 20_000_000)
	for i := range h {
		h[i] = .1
	}
	n, _ := norm(h)
	require.GreaterOrEqual(t, n, float64(float32(.1))*math.Sqrt(20_000_000))
	require.InEpsilon(t, n, float64(float32(.1))*math.Sqrt(20_000_000), 1e-8)
}

// The gradient of a linear layer is an outer product: its norm is that of the input times that of the output's gradient, without the
// gradient being there. Sums clipped by such norms are those clipped by measured ones.
func TestNormsOfLinearLayers(t *testing.T) {
	t.Parallel()
	const in, out, batch = 40, 30, 64
	rng := rand.New(rand.NewPCG(93, 0))
	measured, given := layered(t, Layer{in * out, 1}, Layer{out, .5}), layered(t, Layer{in * out, 1}, Layer{out, .5})
	for range batch {
		x, d := make([]float64, in), make([]float64, out)
		var xx, dd float64
		for i := range x {
			x[i] = rng.NormFloat64() / 4
			xx += x[i] * x[i]
		}
		for i := range d {
			d[i] = rng.NormFloat64() / 8
			dd += d[i] * d[i]
		}
		g := make([]float64, 0, in*out+out)
		for _, a := range d {
			for _, b := range x {
				g = append(g, a*b)
			}
		}
		g = append(g, d...)
		require.NoError(t, measured.Add(g))
		require.NoError(t, given.AddWithNorm(g, math.Sqrt(xx*dd), math.Sqrt(dd)))
	}
	require.Zero(t, given.Dropped())
	require.Equal(t, measured.Clipped(), given.Clipped())
	require.Greater(t, measured.Clipped(), batch/4)
	a, b := make([]float64, measured.Dim()), make([]float64, measured.Dim())
	grid := measured.clip / measured.unit
	require.NoError(t, measured.Release(a, 1, NewNotPrivate(94)))
	require.NoError(t, given.Release(b, 1, NewNotPrivate(94)))
	for i := range a { // the same noise: each record may differ by a step, and by 2^-20 where it is clipped
		require.InDelta(t, a[i], b[i], 2*batch*grid)
	}
}
