package lattice

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSurvey prints widths and times of random cases; it runs when SUREFOOT_SURVEY gives their number.
func TestSurvey(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("SUREFOOT_SURVEY"))
	if err != nil {
		t.Skip("SUREFOOT_SURVEY is not set")
	}
	type answer struct{ width, ms float64 }
	groups := map[string][]answer{}
	rng := rand.New(rand.NewPCG(41, 42))
	lu := func(a, b float64) float64 { return math.Exp(math.Log(a) + rng.Float64()*math.Log(b/a)) }
	for range n {
		q, s, count, delta := lu(1e-6, 1), lu(.3, 20), int(lu(1, 1e6)), lu(1e-12, 1e-2)
		var b Bound
		t0 := time.Now()
		both, err := Epsilons([][]Part{{{Law: poisson(t, q, s, false), Count: count}}, {{Law: poisson(t, q, s, true), Count: count}}}, delta, 0)
		require.NoError(t, err, "q=%v s=%v T=%v delta=%v", q, s, count, delta)
		for _, d := range both {
			b = Bound{max(b.Lower, d.Lower), max(b.Upper, d.Upper)}
		}
		a := answer{0, time.Since(t0).Seconds() * 1e3}
		if b.Upper > 0 {
			a.width = (b.Upper - b.Lower) / b.Upper
		}
		tq := float64(count) * q
		name := "Tq > 20"
		switch {
		case tq < 1e-3:
			name = "Tq < 1e-3"
		case tq < 1:
			name = "Tq 1e-3..1"
		case tq < 20:
			name = "Tq 1..20"
		}
		groups[name] = append(groups[name], a)
		if !(a.width < .03) {
			fmt.Printf("q=%v s=%v T=%v delta=%v: %v\n", q, s, count, delta, b)
		}
	}
	for name, list := range groups {
		at := func(f func(answer) float64, p float64) float64 {
			v := make([]float64, len(list))
			for i, a := range list {
				v[i] = f(a)
			}
			slices.Sort(v)
			return v[int(p*float64(len(v)-1))]
		}
		w, m := func(a answer) float64 { return a.width }, func(a answer) float64 { return a.ms }
		fmt.Printf("%-10s %4d cases: width p50 %.1e p90 %.1e max %.1e, time p50 %.0f p90 %.0f ms\n",
			name, len(list), at(w, .5), at(w, .9), at(w, 1), at(m, .5), at(m, .9))
	}
}
