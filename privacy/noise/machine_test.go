package noise

import (
	"encoding/binary"
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Equal words and gradients give equal batches, sums and noise on every machine, with its instructions or without.
func TestSameOnEveryMachine(t *testing.T) {
	t.Parallel()
	h := fnv.New64a()
	write := func(n int64) { _ = binary.Write(h, binary.LittleEndian, n) }
	src := NewNotPrivate(101)
	for _, sigma := range []uint64{1, 1 << 20, 1 << 40} {
		samples := make([]int64, 50_000)
		rounded(t, sigma).Fill(samples, src)
		for _, y := range samples {
			write(y)
		}
	}
	for _, rate := range []float64{1e-6, .01, .4} {
		for range 5 {
			for _, i := range poisson(t, 10_000, rate).Draw(nil, src) {
				write(int64(i))
			}
		}
	}
	a := accumulator(t, 3001, 25)
	for record := range 20 {
		g, single := make([]float64, 3001), make([]float32, 3001)
		for i := range g { // no function of package math, whose results differ from machine to machine
			g[i] = float64(int64(src.Uint64())) * 0x1p-63
			if record%2 == 0 {
				g[i] *= g[i] * g[i]
			}
			single[i] = float32(g[i])
		}
		require.NoError(t, a.Add(g))
		require.NoError(t, a.AddFloat32(single))
	}
	require.Equal(t, 20, a.Clipped(), "half of 40")
	for _, n := range a.sum {
		write(n)
	}
	require.Equal(t, uint64(0x11ca0c3953716fd), h.Sum64())
}
