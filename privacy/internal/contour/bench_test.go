package contour

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkEpsilon takes both directions of one evaluation, from nothing.
func BenchmarkEpsilon(b *testing.B) {
	for _, steps := range []int64{1e2, 1e3, 1e4, 1e5, 1e6} {
		c := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: steps}}}
		b.Run(fmt.Sprintf("steps=%d", steps), func(b *testing.B) { both(b, c) })
	}
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("parts=%d", n), func(b *testing.B) { both(b, distinct(n)) })
	}
}

// distinct is a composition of n different parts.
func distinct(n int) Composition {
	r := rand.New(rand.NewPCG(7, 7))
	c := Composition{}
	for range n {
		p := Part{Rate: 0.005 + 0.01*r.Float64(), Sigma: 0.9 + 0.4*r.Float64(), Count: 1}
		if n < 100 {
			p.Count = 500
		}
		c.Parts = append(c.Parts, p)
	}
	return c
}

func both(b *testing.B, c Composition) {
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range [...]Direction{Remove, Add} {
			if _, err := c.Epsilon(d, 1e-5); err != nil {
				b.Fatal(err)
			}
		}
	}
}
