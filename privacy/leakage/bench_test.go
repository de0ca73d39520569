package leakage

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkAuditCanaries(b *testing.B) {
	for _, method := range []Method{MethodOneRun, MethodOneRunGaussian} {
		for _, n := range []int{1000, 10000} {
			b.Run(fmt.Sprintf("%v/%d", method, n), func(b *testing.B) {
				members, others := shifted(9, n/2, 2)
				in := make([]bool, n)
				for i := range members {
					in[i] = true
				}
				scores := append(members, others...)
				b.ReportAllocs()
				for b.Loop() {
					_, err := AuditCanaries(scores, in, nil, Config{Method: method, Delta: 1e-5})
					require.NoError(b, err)
				}
			})
		}
	}
}

func BenchmarkAuditScores(b *testing.B) {
	members, others := shifted(9, 5000, 1)
	s, err := NewScores(members, others)
	require.NoError(b, err)
	for _, sel := range []Selection{Ranks{}, Fixed{1}, Split{}} {
		b.Run(fmt.Sprintf("%T", sel)[len("leakage."):], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := AuditScores(s, sel, Config{Delta: 1e-5})
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkBayesian(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := TwoRun{300, 1000, 10, 1000}.Bayesian(1e-5, 0.05)
		require.NoError(b, err)
	}
}

func BenchmarkSkewNormal(b *testing.B) {
	refs, _ := shifted(9, 200, 40)
	e, err := NewSampledExposure(30, refs)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := e.SkewNormal()
		require.NoError(b, err)
	}
}
