package bench

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/surefoot-ml/surefoot/privacy/noise"
)

func gradient(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	g := make([]float32, n)
	for i := range g {
		g[i] = float32(rng.NormFloat64())
	}
	return g
}

// Clip one gradient and add it to a sum: 64 KiB of float32, from cache. Ours rounds to the integer grid and measures the integers too;
// the peers add in floating point.
func BenchmarkClipAndAccumulate(b *testing.B) {
	const n, clip = 16 << 10, 1.0
	g := gradient(n)
	wide := make([]float64, n)
	for i, x := range g {
		wide[i] = float64(x)
	}
	run := func(name string, bytes int, add func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(bytes))
			for b.Loop() {
				add()
			}
		})
	}
	ours := must(noise.NewAccumulator(n, clip))
	sum32, sum64 := make([]float32, n), make([]float64, n)
	var blas gonum.Implementation
	run("float32/surefoot", 4*n, func() {
		if err := ours.AddFloat32(g); err != nil {
			panic(err)
		}
	})
	run("float32/gonum_DDot_Axpy", 4*n, func() {
		s := blas.Dsdot(n, g, 1, g, 1)
		blas.Saxpy(n, float32(min(1, clip/math.Sqrt(s))), g, 1, sum32, 1)
	})
	run("float32/plain", 4*n, func() {
		s := 0.0
		for _, x := range g {
			s += float64(x) * float64(x)
		}
		f := float32(min(1, clip/math.Sqrt(s)))
		for i, x := range g {
			sum32[i] += f * x
		}
	})
	run("float64/surefoot", 8*n, func() {
		if err := ours.Add(wide); err != nil {
			panic(err)
		}
	})
	run("float64/gonum_Ddot_Axpy", 8*n, func() {
		s := blas.Ddot(n, wide, 1, wide, 1)
		blas.Daxpy(n, min(1, clip/math.Sqrt(s)), wide, 1, sum64, 1)
	})
	run("float64/plain", 8*n, func() {
		s := 0.0
		for _, x := range wide {
			s += x * x
		}
		f := min(1, clip/math.Sqrt(s))
		for i, x := range wide {
			sum64[i] += f * x
		}
	})
}

// Gaussian samples from a cryptographic source. Ours are exact, on integers.
func BenchmarkGaussian(b *testing.B) {
	const n = 1 << 14
	run := func(name string, fill func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fill()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/sample")
		})
	}
	var src noise.Crypto
	whole, real := make([]int64, n), make([]float64, n)
	rounded, discrete := must(noise.Rounded(1<<20)), must(noise.Discrete(1<<20))
	run("surefoot_rounded", func() { rounded.Fill(whole, &src) })
	run("surefoot_discrete", func() {
		for i := range whole {
			whole[i] = discrete.Sample(&src)
		}
	})
	rng := rand.New(&src)
	run("math_rand_ziggurat_AES_CTR", func() {
		for i := range real {
			real[i] = rng.NormFloat64()
		}
	})
	normal := distuv.Normal{Sigma: 1, Src: &src}
	run("gonum_distuv_AES_CTR", func() {
		for i := range real {
			real[i] = normal.Rand()
		}
	})
}
