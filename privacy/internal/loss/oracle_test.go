package loss

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// folded is a PMF power made by direct convolution; losses beyond window either way are cut off, to Inf above and to the lowest
// point below (up), or dropped (down).
type folded struct {
	step, offset float64
	first        int
	mass         []float64
	inf          float64
}

func fold(p lattice.PMF, steps int, window float64, up bool) folded {
	cut := func(r folded) folded {
		first, mass, inf := r.first, r.mass, r.inf
		w := int((window - r.offset) / p.Step)
		bottom := int((-window - r.offset) / p.Step)
		for len(mass) > 1 && (first+len(mass)-1 > w || mass[len(mass)-1] < 1e-19) {
			if up {
				inf += mass[len(mass)-1]
			}
			mass = mass[:len(mass)-1]
		}
		for len(mass) > 1 && (first < bottom || mass[0] < 1e-19) {
			if up {
				mass[1] += mass[0]
			}
			mass, first = mass[1:], first+1
		}
		return folded{r.step, r.offset, first, mass, inf}
	}
	times := func(a, b folded) folded {
		out := make([]float64, len(a.mass)+len(b.mass)-1)
		for i, x := range a.mass {
			if x == 0 {
				continue
			}
			row := out[i : i+len(b.mass)]
			for j, y := range b.mass {
				row[j] += x * y
			}
		}
		return cut(folded{a.step, a.offset + b.offset, a.first + b.first, out, 1 - (1-a.inf)*(1-b.inf)})
	}
	square := cut(folded{p.Step, p.Offset, p.First, append([]float64(nil), p.Mass...), p.Inf})
	out := folded{step: p.Step, mass: []float64{1}}
	for n := steps; ; {
		if n&1 == 1 {
			out = times(out, square)
		}
		if n >>= 1; n == 0 {
			return out
		}
		square = times(square, square)
	}
}

func (f folded) delta(eps float64) float64 {
	d := f.inf
	for i, m := range f.mass {
		if l := f.offset + float64(f.first+i)*f.step; l > eps {
			d -= m * math.Expm1(eps-l)
		}
	}
	return d
}

func (f folded) epsilon(delta float64) float64 {
	lo, hi := 0.0, math.Max(1, f.offset+float64(f.first+len(f.mass))*f.step)
	if f.delta(0) <= delta {
		return 0
	}
	for range 60 {
		if mid := (lo + hi) / 2; f.delta(mid) <= delta {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// interval of eps of a composition of a law.
func bracket(t *testing.T, l lattice.Law, step float64, steps int, window, delta float64) (lo, hi float64) {
	t.Helper()
	up, down, err := l.Discretize(step, 1e-6*delta/float64(steps))
	require.NoError(t, err)
	sane(t, up, true)
	sane(t, down, false)
	return fold(down, steps, window, false).epsilon(delta), fold(up, steps, window, true).epsilon(delta)
}

// sane checks what every PMF must satisfy: masses that are probabilities, P-mass at least 1 above and at most 1 below.
func sane(t *testing.T, p lattice.PMF, up bool) {
	t.Helper()
	total := p.Inf
	for i, m := range p.Mass {
		require.True(t, m >= 0 && m <= 1+1e-6, "mass %d is %v", i, m)
		total += m
	}
	require.True(t, p.Inf >= 0 && p.Inf <= 1, "mass at infinity %v", p.Inf)
	if up {
		require.True(t, total >= 1-1e-13 && total < 1+1e-6, "total %v", total)
	} else {
		require.True(t, total <= 1+1e-13, "total %v", total)
	}
}

// dominates checks both curves of one step against bounds of the true one.
func dominates(t *testing.T, l lattice.Law, step, tail float64, curve func(eps float64) (lo, hi float64), eps []float64) {
	t.Helper()
	up, down, err := l.Discretize(step, tail)
	require.NoError(t, err)
	sane(t, up, true)
	sane(t, down, false)
	u := folded{up.Step, up.Offset, up.First, up.Mass, up.Inf}
	d := folded{down.Step, down.Offset, down.First, down.Mass, down.Inf}
	for _, e := range eps {
		lo, hi := curve(e)
		require.GreaterOrEqual(t, u.delta(e)*(1+1e-12)+1e-14, lo, "upper at %v", e)
		require.LessOrEqual(t, d.delta(e)*(1-1e-12)-1e-14, hi, "lower at %v", e)
	}
}

// golden returns the cases of a family of the shared reference file.
func golden(t *testing.T, family string, into func(raw json.RawMessage)) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "accounting", "golden.json"))
	if err != nil {
		t.Skip("no reference data beside the repository")
	}
	var file struct {
		Cases []json.RawMessage `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(data, &file))
	n := 0
	for _, raw := range file.Cases {
		var head struct {
			Family string `json:"family"`
		}
		require.NoError(t, json.Unmarshal(raw, &head))
		if head.Family == family {
			into(raw)
			n++
		}
	}
	require.Positive(t, n, "cases of %s", family)
}

// reference are the fields of a golden case that the tests use.
type reference struct {
	ID          string  `json:"id"`
	P           float64 `json:"p"`
	K           int     `json:"k"`
	B           float64 `json:"b"`
	A           float64 `json:"a"`
	Q           float64 `json:"q"`
	N           int64   `json:"n"`
	MaxBatch    int64   `json:"max_batch"`
	Sigma       float64 `json:"sigma"`
	Sensitivity int     `json:"sensitivity"`
	Eps0        float64 `json:"eps0"`
	Delta0      float64 `json:"delta0"`
	Steps       int     `json:"steps"`
	Delta       float64 `json:"delta"`
	Expect      struct {
		Exact struct {
			Eps json.RawMessage `json:"eps"`
		} `json:"exact"`
		PLD struct {
			Upper float64 `json:"eps_upper"`
		} `json:"pld"`
		Optimistic struct {
			Lower float64 `json:"eps_lower"`
		} `json:"pld_optimistic"`
	} `json:"expect"`
}

func (r reference) exact(t *testing.T) (float64, bool) {
	t.Helper()
	if r.Expect.Exact.Eps == nil {
		return 0, false
	}
	var x float64
	if json.Unmarshal(r.Expect.Exact.Eps, &x) == nil {
		return x, true
	}
	var s string
	require.NoError(t, json.Unmarshal(r.Expect.Exact.Eps, &s))
	require.NoError(t, json.Unmarshal([]byte(s), &x))
	return x, true
}

func references(t *testing.T, family string) []reference {
	t.Helper()
	var list []reference
	golden(t, family, func(raw json.RawMessage) {
		var r reference
		require.NoError(t, json.Unmarshal(raw, &r))
		list = append(list, r)
	})
	return list
}

// sweep reports whether the long rows run too.
func sweep() bool { return os.Getenv("SUREFOOT_SWEEP") != "" }
