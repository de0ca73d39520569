package lattice

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/surefoot-ml/surefoot/internal/fft"

	"github.com/stretchr/testify/require"
)

// direct is delta(eps) of masses at losses.
func direct(loss, mass []float64, eps float64) float64 {
	var d float64
	for i, l := range loss {
		if l > eps {
			d += mass[i] * -math.Expm1(eps-l)
		}
	}
	return d
}

// TestCells: for random laws on a fine lattice the coarse upper law lies above at every eps and the lower one below.
func TestCells(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(31, 32))
	for i := range 60 {
		fine := PMF{Step: 0.001 * (1 + rng.Float64()), Offset: rng.NormFloat64() * 0.1, First: rng.IntN(200) - 100}
		fine.Mass = make([]float64, 1+rng.IntN(400))
		var sum float64
		for k := range fine.Mass {
			switch i % 3 {
			case 0:
				fine.Mass[k] = rng.Float64()
			case 1:
				fine.Mass[k] = math.Exp(-float64(k) / 20)
			default:
				fine.Mass[k] = math.Exp(-math.Pow((float64(k)-150)/30, 2)) + 1e-9*rng.Float64()
			}
			sum += fine.Mass[k]
		}
		var loss []float64
		for k := range fine.Mass {
			fine.Mass[k] /= sum
			loss = append(loss, fine.Offset+float64(fine.First+k)*fine.Step)
		}
		step := 0.0003 + 0.03*rng.Float64()
		up, low, err := fine.onto(step)
		require.NoError(t, err)
		var total float64
		gap := 0.0
		for e := loss[0] - 0.1; e < loss[len(loss)-1]+0.1; e += 0.0021 {
			d := direct(loss, fine.Mass, e)
			u, l := direct(points(up), up.Mass, e), direct(points(low), low.Mass, e)
			require.GreaterOrEqual(t, u, d-1e-14, "case %d eps %v", i, e)
			require.LessOrEqual(t, l, d+1e-14, "case %d eps %v", i, e)
			require.InDelta(t, u, newCurve(up).at(e, true), 1e-12)
			gap = max(gap, u-l)
		}
		for _, m := range low.Mass {
			total += m
		}
		require.InDelta(t, 1, total, 1e-9)
		require.Less(t, gap, step)
	}
}

func points(p PMF) []float64 {
	var out []float64
	for k := range p.Mass {
		out = append(out, p.Offset+float64(p.First+k)*p.Step)
	}
	return out
}

// TestFold: the tilted composition against repeated convolution, within its own bound.
func TestFold(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(33, 34))
	for range 60 {
		var parts []power
		exact := []float64{1}
		first := 0
		for range 1 + rng.IntN(2) {
			p := PMF{Step: 0.05, First: rng.IntN(7) - 3, Mass: make([]float64, 1+rng.IntN(6))}
			var sum float64
			for k := range p.Mass {
				p.Mass[k] = rng.ExpFloat64()
				sum += p.Mass[k]
			}
			for k := range p.Mass {
				p.Mass[k] /= sum
			}
			n := 1 + rng.IntN(6)
			parts = append(parts, power{p, n})
			for range n {
				next := make([]float64, len(exact)+len(p.Mass)-1)
				for i, a := range exact {
					for j, b := range p.Mass {
						next[i+j] += a * b
					}
				}
				exact, first = next, first+p.First
			}
		}
		for _, upper := range []bool{true, false} {
			pmf, slack, err := window(parts, 3*rng.Float64(), float64(first)*0.05-1, plan512(t), upper, rng.IntN(2) == 0)
			require.NoError(t, err)
			require.Less(t, slack, 1e-9)
			var exactTail float64
			for k := len(exact) - 1; k >= 0; k-- {
				m := exact[k]
				at := int(math.Round((float64(first+k)*0.05-pmf.Offset)/0.05)) - pmf.First
				got := pmf.Mass[at]
				exactTail += m
				if upper { // in the stochastic order
					tail := pmf.Inf
					for _, v := range pmf.Mass[at:] {
						tail += v
					}
					require.GreaterOrEqual(t, tail, exactTail*(1-1e-13))
				} else {
					require.LessOrEqual(t, got, m+slack+m*1e-14)
				}
				require.InDelta(t, m, got, 1e-6)
			}
		}
	}
}

// TestPrior: composing what was composed agrees with composing at once, also after encoding.
func TestPrior(t *testing.T) {
	t.Parallel()
	m, w := poisson(t, .005, .9, false), poisson(t, 1e-5, .6, false)
	all, err := Epsilon([]Part{{Law: m, Count: 200}, {Law: w, Count: 3000}}, 1e-6)
	require.NoError(t, err)
	a, err := Compose([]Part{{Law: m, Count: 100}}, 1e-6)
	require.NoError(t, err)
	b, err := Compose([]Part{{Law: w, Count: 3000}}, 1e-6)
	require.NoError(t, err)
	data, err := a.MarshalBinary()
	require.NoError(t, err)
	var back Composed
	require.NoError(t, back.UnmarshalBinary(data))
	again, err := back.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, data, again)
	for _, c := range []*Composed{a, &back} {
		got, err := Epsilon([]Part{{Prior: c, Count: 2}, {Prior: b, Count: 1}, {Prior: &Composed{}, Count: 3}}, 1e-6)
		require.NoError(t, err)
		require.LessOrEqual(t, max(got.Lower, all.Lower), min(got.Upper, all.Upper), "%v %v", got, all)
		require.Less(t, got.Upper-got.Lower, 1e-2*got.Upper, "%v %v", got, all)
	}
	x, err := a.Delta(.2)
	require.NoError(t, err)
	y, err := back.Delta(.2)
	require.NoError(t, err)
	require.Equal(t, x, y, "a query after resuming differs")
	y, err = a.Delta(.2)
	require.NoError(t, err)
	require.Equal(t, x, y, "a query changed the state")
}

// TestCurve: many queries of one composition are consistent: delta falls, and eps(delta(eps)) meets eps.
func TestCurve(t *testing.T) {
	t.Parallel()
	c, err := Compose([]Part{{Law: poisson(t, .01, 1, false), Count: 500}}, 1e-6)
	require.NoError(t, err)
	last := Bound{1, 1}
	for e := -1.0; e < 4; e += .05 {
		d, err := c.Delta(e)
		require.NoError(t, err)
		require.LessOrEqual(t, d.Lower, last.Upper)
		if e > 0 && d.Lower > 0 {
			back, err := c.Epsilon(d.Lower)
			require.NoError(t, err)
			require.GreaterOrEqual(t, back.Upper, e*(1-1e-9))
			back, err = c.Epsilon(d.Upper)
			require.NoError(t, err)
			require.LessOrEqual(t, back.Lower, e*(1+1e-9))
		}
		last = d
	}
}

// small is an encoded composition of two factors.
func small(t testing.TB) []byte {
	f := factor{
		lower: PMF{Step: .5, First: -1, Mass: []float64{.2, .3, .4}},
		upper: PMF{Step: .5, Offset: .01, First: -1, Mass: []float64{.2, .3, .49}, Inf: .01},
	}
	data, err := (&Composed{factors: []factor{f, f}, slack: 1e-9, cap: math.Inf(1), zero: 1}).MarshalBinary()
	require.NoError(t, err)
	return data
}

// reseal sets the checksum right after a change.
func reseal(b []byte) []byte {
	body := len(b) - 4
	binary.LittleEndian.PutUint32(b[body:], crc32.Checksum(b[:body], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := small(t)
	var c Composed
	require.NoError(t, c.UnmarshalBinary(good))
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x40
		require.ErrorIs(t, c.UnmarshalBinary(b), ErrEncoding, "byte %d", i)
	}
	for n := range len(good) {
		require.ErrorIs(t, c.UnmarshalBinary(good[:n]), ErrEncoding)
	}
	require.ErrorIs(t, c.UnmarshalBinary(reseal(append(bytes.Clone(good), 0, 0, 0, 0))), ErrEncoding)
	for at := 8; at < len(good)-4; at += 8 { // NaN anywhere with a right checksum
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint64(b[at:], math.Float64bits(math.NaN()))
		require.ErrorIs(t, c.UnmarshalBinary(reseal(b)), ErrEncoding, "at %d", at)
	}
	again, err := c.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, good, again, "a refusal changed the receiver")
}

func FuzzDecode(f *testing.F) {
	f.Add(small(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 12 {
			data = reseal(bytes.Clone(data))
		}
		var c Composed
		if c.UnmarshalBinary(data) != nil {
			return
		}
		again, err := c.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, data, again)
		for _, e := range []float64{-1, 0, .5, 3} {
			if d, err := c.Delta(e); err == nil {
				require.True(t, d.Lower >= 0 && d.Lower <= d.Upper && d.Upper <= 1)
			}
		}
	})
}

func FuzzCompose(f *testing.F) {
	f.Add(.01, 1.0, uint16(10), 1e-5, false)
	f.Add(1e-6, .3, uint16(65535), 1e-9, false)
	f.Add(.8253619517564322, .32111016883876603, uint16(1), 9.1e-11, true)
	f.Fuzz(func(t *testing.T, q, sigma float64, count uint16, delta float64, add bool) {
		m, err := Poisson(q, sigma, add)
		if err != nil || count == 0 || !(delta > 0 && delta < 1) {
			return
		}
		p, err := newPlan([]Part{{Law: m, Count: int(count)}}, delta, upperSide)
		if err != nil {
			return
		}
		meet := Bound{0, math.Inf(1)}
		for _, n := range []int{1 << 8, 1 << 9} {
			c, err := p.compose(n)
			if err != nil {
				return
			}
			b, err := c.Epsilon(delta)
			require.NoError(t, err)
			meet = Bound{max(meet.Lower, b.Lower), min(meet.Upper, b.Upper)}
			require.LessOrEqual(t, meet.Lower, meet.Upper)
		}
		if count == 1 {
			s := crossing(newSingle(m).delta, delta)
			require.LessOrEqual(t, max(s.Lower, meet.Lower), min(s.Upper, meet.Upper))
		}
	})
}

func plan512(t *testing.T) *fft.Plan {
	p, err := fft.New(512)
	require.NoError(t, err)
	return p
}

func BenchmarkEpsilon(b *testing.B) {
	for _, row := range []struct {
		name  string
		q, s  float64
		n     int
		delta float64
	}{{"rare", 1e-6, .5, 100000, 1e-6}, {"few", .01, .7, 5, 1e-6}, {"many", .01, 1, 1000, 1e-5}} {
		b.Run(row.name, func(b *testing.B) {
			x, y := poisson(b, row.q, row.s, false), poisson(b, row.q, row.s, true)
			b.ReportAllocs()
			for b.Loop() {
				for _, m := range []*Mixture{x, y} {
					_, err := Epsilon([]Part{{Law: m, Count: row.n}}, row.delta)
					require.NoError(b, err)
				}
			}
		})
	}
}
