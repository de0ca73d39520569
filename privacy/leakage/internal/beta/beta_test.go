package beta

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

type row struct {
	a, b         float64
	at           Point
	below, above float64
}

// table reads testdata/tails.json: tails with 25 digits by mpmath, 60 digits of working precision.
func table(t *testing.T) []row {
	t.Helper()
	data, err := os.ReadFile("testdata/tails.json")
	require.NoError(t, err)
	var file struct{ Rows [][6]any }
	require.NoError(t, json.Unmarshal(data, &file))
	var rows []row
	for _, r := range file.Rows {
		below, err := strconv.ParseFloat(r[4].(string), 64)
		require.NoError(t, err)
		above, err := strconv.ParseFloat(r[5].(string), 64)
		require.NoError(t, err)
		rows = append(rows, row{r[0].(float64), r[1].(float64), Point{r[2].(float64), r[3].(float64)}, below, above})
	}
	require.Greater(t, len(rows), 200)
	return rows
}

func TestTailAgreesWithManyDigits(t *testing.T) {
	t.Parallel()
	worst := 0.0
	for _, r := range table(t) {
		below, above := Tail(r.at, r.a, r.b)
		off := max(math.Abs(below/r.below-1), math.Abs(above/r.above-1))
		require.Less(t, off, 0.6*Err, "%+v: %v %v", r, below, above)
		worst = max(worst, off)
		above, below = Tail(Point{r.at.Y, r.at.X}, r.b, r.a) // the mirrored law
		require.InEpsilon(t, r.below, below, 0.6*Err)
		require.InEpsilon(t, r.above, above, 0.6*Err)
	}
	t.Logf("largest relative error %.2g", worst)
}

func TestQuantileEnclosesTheRoot(t *testing.T) {
	t.Parallel()
	for _, r := range table(t) {
		if r.below > 0.9 { // the digits of p do not hold the tail above it
			continue
		}
		lo, hi := Quantile(r.below, r.a, r.b)
		require.LessOrEqual(t, lo.X, r.at.X*(1+0x1p-52), "%+v", r)
		require.GreaterOrEqual(t, hi.X, r.at.X*(1-0x1p-52), "%+v", r)
		require.InEpsilon(t, lo.X, hi.X, 1e-9, "%+v", r)
		require.LessOrEqual(t, math.Abs(lo.X+lo.Y-1), 0x1p-52)
		below, above := Tail(lo, r.a, r.b)
		_, high := bounds(below, above)
		require.LessOrEqual(t, high, r.below)
		below, above = Tail(hi, r.a, r.b)
		low, _ := bounds(below, above)
		require.GreaterOrEqual(t, low, r.below)
	}
}

func TestQuantileOfKnownLaws(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{1e-300, 1e-12, 0.025, 0.5, 0.975, 1 - 1e-12} {
		lo, hi := Quantile(p, 1, 1) // uniform
		require.LessOrEqual(t, lo.X, p)
		require.GreaterOrEqual(t, hi.X, p)
		require.InEpsilon(t, p, lo.X, 1e-9)
		lo, hi = Quantile(p, 40, 1) // x^40
		require.InEpsilon(t, math.Pow(p, 1./40), lo.X, 1e-9)
		require.LessOrEqual(t, lo.X, hi.X)
		lo, hi = Quantile(p, 0.5, 0.5) // the arcsine law
		require.LessOrEqual(t, lo.X, hi.X)
		if s := math.Sin(math.Pi / 2 * p); s > 1e-150 { // the square of others is no float64
			require.InEpsilon(t, s*s, lo.X, 1e-9)
		}
	}
}

func TestRefusesWhatIsNoLaw(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, c := range [][3]float64{{0, 1, 1}, {1, 1, 1}, {nan, 1, 1}, {.5, 0, 1}, {.5, 1, -1}, {.5, nan, 1}, {.5, 1, nan}} {
		lo, hi := Quantile(c[0], c[1], c[2])
		require.True(t, math.IsNaN(lo.X) && math.IsNaN(hi.Y), "%v", c)
	}
	below, above := Tail(Point{nan, 0.5}, 1, 1)
	require.True(t, math.IsNaN(below) && math.IsNaN(above))
	below, _ = Tail(Point{0.5, 0.5}, nan, 1)
	require.True(t, math.IsNaN(below))
}

func BenchmarkTail(b *testing.B) {
	for _, n := range []float64{100, 1e4, 1e6} {
		b.Run(strconv.FormatFloat(n, 'g', -1, 64), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Tail(Point{0.49, 0.51}, n/2, n/2)
			}
		})
	}
}

func BenchmarkQuantile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Quantile(0.025, 11, 990)
	}
}

func FuzzQuantile(f *testing.F) {
	f.Add(0.05, 3.0, 98.0)
	f.Add(1e-300, 0.5, 1e6)
	f.Add(0.999999, 1e6, 0.5)
	f.Fuzz(func(t *testing.T, p, a, b float64) {
		if !(a >= 0.5 && b >= 0.5 && a+b <= MaxSum) {
			t.Skip()
		}
		lo, hi := Quantile(p, a, b)
		if !(p > 0 && p < 1) {
			require.True(t, math.IsNaN(lo.X))
			return
		}
		require.True(t, lo.X >= 0 && lo.X <= hi.X && hi.X <= 1, "%v %v", lo, hi)
		below, _ := Tail(lo, a, b)
		require.LessOrEqual(t, below, p)
		below, _ = Tail(hi, a, b)
		require.GreaterOrEqual(t, below, p)
	})
}
