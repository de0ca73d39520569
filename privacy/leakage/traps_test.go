package leakage

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// shifted draws scores of members that are higher by a shift.
func shifted(seed uint64, n int, shift float64) (members, others []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for range n {
		members = append(members, rng.NormFloat64()+shift)
		others = append(others, rng.NormFloat64())
	}
	return members, others
}

func negated(values []float64) []float64 {
	n := make([]float64, len(values))
	for i, v := range values {
		n[i] = -v
	}
	return n
}

// everyAudit runs each method with each selection that takes it, on scores and on the same scores as canaries.
func everyAudit(members, others []float64, check func(name string, r Report, err error)) {
	s, err := NewScores(members, others)
	if err != nil {
		check("NewScores", Report{}, err)
	} else {
		for _, method := range []Method{MethodClopperPearson, MethodGaussian, MethodJeffreys, MethodBayesian} {
			for _, sel := range []Selection{Ranks{}, Fixed{0}, Split{Seed: 3}} {
				if _, ranks := sel.(Ranks); ranks && method != MethodClopperPearson && method != MethodGaussian {
					continue
				}
				r, err := AuditScores(s, sel, Config{Method: method, Delta: 1e-5})
				check(fmt.Sprintf("%v %T", method, sel), r, err)
			}
		}
	}
	scores := append(append([]float64{}, members...), others...)
	in := make([]bool, len(scores))
	for i := range members {
		in[i] = true
	}
	for _, method := range []Method{MethodOneRun, MethodOneRunGaussian} {
		for _, guesses := range [][]Guesses{nil, {{len(members), len(others)}}, {{1, 0}}} {
			r, err := AuditCanaries(scores, in, guesses, Config{Method: method, Delta: 1e-5})
			check(fmt.Sprintf("%v %v", method, guesses), r, err)
		}
	}
}

func TestLeakageIsSeen(t *testing.T) {
	t.Parallel()
	members, others := shifted(1, 400, 4)
	count := 0
	everyAudit(members, others, func(name string, r Report, err error) {
		require.NoError(t, err, name)
		if r.Epsilon > 1 {
			count++
		}
	})
	require.Equal(t, 10+4, count, "all but those with one guess")
}

// Trap: swapped signs, constant scores and ties must not look like leakage.
func TestNoLeakageWhereNoneIsShown(t *testing.T) {
	t.Parallel()
	zero := func(name string, r Report, err error) {
		require.NoError(t, err, name)
		require.Zero(t, r.Epsilon, name)
		require.Zero(t, r.Mu, name)
		require.Equal(t, Unclaimed, r.Verdict)
	}
	members, others := shifted(2, 300, 4)
	everyAudit(negated(members), negated(others), zero)
	same := make([]float64, 100)
	everyAudit(same, same, zero)
	for i := range same {
		same[i] = float64(i % 2)
	}
	everyAudit(same, same, zero)
	infinite := []float64{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	everyAudit(infinite, infinite, zero)
}

// Trap: with one example, or a few, nothing can be shown.
func TestFewExamplesShowLittle(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 4; n++ {
		members, others := shifted(3, n, 100)
		everyAudit(members, others, func(name string, r Report, err error) {
			if err != nil {
				require.ErrorIs(t, err, ErrTooFew, name)
				return
			}
			// For a test without errors, Clopper and Pearson leave 1-(alpha/2)^(1/n) for either rate, here at least 0.6; Bayes less.
			if r.Method.confident() && n <= 2 {
				require.Zero(t, r.Epsilon, "%d: %s", n, name)
			}
			require.Less(t, r.Epsilon, 4.0, "%d: %s", n, name)
		})
	}
}

// Trap: NaN is refused everywhere, by the name of its place.
func TestNaNIsRefused(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	everyAudit([]float64{1, nan}, []float64{0, 1}, func(name string, _ Report, err error) {
		require.ErrorIs(t, err, ErrInvalid, name)
		require.Contains(t, err.Error(), "[1] = NaN", name)
	})
	for name, err := range map[string]error{
		"threshold": second((&Scores{[]float64{1}, []float64{1}, nil, nil}).At(nan)),
		"alpha":     second(Proportion{1, 2}.Lower(nan)),
		"delta":     second(TwoRun{1, 2, 1, 2}.ClopperPearson(nan, 0.05)),
		"epsilon":   second(OneRun{3, 2, 1}.PValue(nan, 0)),
		"p":         second(Logit(nan)),
		"loss":      second(LogitOfLoss(nan)),
		"canary":    second(NewSampledExposure(nan, []float64{1, 2})),
		"rank":      second(Exposure(nan, 10)),
		"space":     second(Exposure(1, nan)),
		"kappa":     second(ReconstructionLimit(nan, 1)),
		"mu":        second(ReconstructionLimit(0.1, nan)),
		"eta":       second(Within([]float64{1}, nan)),
		"distances": second(Within([]float64{nan}, 1)),
		"Kappa":     Attack{Hits: Proportion{1, 2}, Kappa: nan}.Validate(),
		"target[0]": second(LiRA{}.Offline([]float64{nan}, [][]float64{{1, 2}})),
		"out[0][1]": second(LiRA{}.Offline([]float64{1}, [][]float64{{1, nan}})),
		"Gamma":     second(RMIA{Gamma: nan}.Online(References{[]float64{1}, [][]float64{{1}}}, References{[]float64{1}, [][]float64{{1}}})),
		"Claim":     second(AuditCounts(TwoRun{1, 2, 1, 2}, Config{Claim: nan})),
		"Alpha":     second(AuditCounts(TwoRun{1, 2, 1, 2}, Config{Alpha: nan})),
	} {
		require.ErrorIs(t, err, ErrInvalid, name)
		require.Contains(t, err.Error(), "NaN", name)
	}
}

func second[T any](_ T, err error) error { return err }

// Trap: a false positive rate below one in the number of non-members is not measurable.
func TestTooFewNonMembersForTheRate(t *testing.T) {
	t.Parallel()
	members, others := shifted(4, 200, 5)
	s, err := NewScores(members, others)
	require.NoError(t, err)
	_, err = s.Power(0.001, 0.05)
	require.ErrorIs(t, err, ErrTooFew)
	require.ErrorContains(t, err, "needs 1000 non-members, not 200")
	v, err := s.Power(0.005, 0.05)
	require.NoError(t, err, "measurable, though not with confidence")
	require.Zero(t, v.Lower)
	v, err = s.Power(0.1, 0.05)
	require.NoError(t, err)
	require.Greater(t, v.Lower, 0.9)
	for _, fpr := range []float64{-0.1, 1.1, math.NaN()} {
		require.ErrorIs(t, second(s.Power(fpr, 0.05)), ErrInvalid)
		require.ErrorIs(t, second(s.TPR(fpr)), ErrInvalid)
		require.ErrorIs(t, second(s.HullTPR(fpr)), ErrInvalid)
	}
}

// Trap: there is no selection of a best threshold without a price: what a Selection may be is closed, and its zero values correct.
func TestMoreRulesCostMore(t *testing.T) {
	t.Parallel()
	members, others := shifted(5, 300, 1)
	s, err := NewScores(members, others)
	require.NoError(t, err)
	one, err := AuditScores(s, Ranks{FalsePositives: []int{20}}, Config{})
	require.NoError(t, err)
	require.Equal(t, 1, one.Rules)
	var many []int
	for k := range 100 {
		many = append(many, k)
	}
	all, err := AuditScores(s, Ranks{FalsePositives: many}, Config{})
	require.NoError(t, err)
	require.Equal(t, 100, all.Rules)
	// What the rank of 20 alone shows is not shown by it as one of a hundred.
	twenty := TwoRun{notAbove(s.members, s.others[len(s.others)-21]), 300, 20, 300}
	require.Equal(t, twenty.errors(0.025).epsilon(0), one.Epsilon)
	require.Greater(t, one.Epsilon, twenty.errors(0.025/100).epsilon(0))
	require.GreaterOrEqual(t, all.Epsilon, twenty.errors(0.025/100).epsilon(0))

	for name, sel := range map[string]Selection{
		"a rank twice": Ranks{FalsePositives: []int{3, 3}}, "a rank too high": Ranks{FalseNegatives: []int{300}},
		"a negative rank": Ranks{FalseNegatives: []int{-1}}, "no ranks": Ranks{FalsePositives: []int{}},
		"no share": Split{Share: 1}, "share": Split{Share: math.NaN()},
	} {
		_, err := AuditScores(s, sel, Config{})
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	for _, m := range []Method{MethodJeffreys, MethodBayesian, MethodOneRun, 99} {
		_, err := AuditScores(s, nil, Config{Method: m, Delta: 1e-5})
		require.ErrorIs(t, err, ErrInvalid, m)
	}
}

// A split by places is no split of a sorted list: a fixed seed always tests the same ranks.
func TestSortedListIsNotSplit(t *testing.T) {
	t.Parallel()
	up := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	down := []float64{8, 7, 6, 5, 4, 3, 2, 1}
	mixed := []float64{1, 3, 2, 4, 5, 6, 7, 8}
	for _, c := range []struct {
		members, others []float64
		refused         bool
	}{{up, mixed, true}, {mixed, down, true}, {mixed, mixed, false}} {
		s, err := NewScores(c.members, c.others)
		require.NoError(t, err)
		_, err = AuditScores(s, Split{Seed: 1}, Config{})
		require.Equal(t, c.refused, errors.Is(err, ErrInvalid), "%v", err)
	}
}

// Trap: reference models of the wrong number or shape.
func TestShapesOfReferences(t *testing.T) {
	t.Parallel()
	x := []float64{1, 2}
	good := [][]float64{{1, 2, 3}, {1, 2, 4}}
	for name, rows := range map[string][][]float64{
		"too few rows": {{1, 2}}, "one model": {{1, 2}, {1}}, "none": {{}, {}}, "no spread": {{1, 1}, {1, 2}}, "infinite": {{1, 2}, {1, math.Inf(1)}},
	} {
		_, err := LiRA{}.Offline(x, rows)
		require.True(t, errors.Is(err, ErrInvalid) || errors.Is(err, ErrTooFew), name)
		_, err = LiRA{}.Online(x, good, rows)
		require.Error(t, err, name)
		_, err = LiRA{}.Online(x, rows, good)
		require.Error(t, err, name)
	}
	_, err := LiRA{Shared: true}.Offline(x, [][]float64{{1, 1}, {1, 2}})
	require.NoError(t, err, "the shared spread is not zero")
	p := []float64{0.5, 0.25}
	for name, rows := range map[string][][]float64{
		"too few rows": {{.5}}, "ragged": {{.5}, {.5, .5}}, "none": {{}, {}}, "above 1": {{.5}, {1.5}}, "negative": {{.5}, {-1}},
	} {
		_, err := RMIA{}.Online(References{p, rows}, References{p, [][]float64{{.5}, {.5}}})
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	require.ErrorIs(t, second(RMIA{}.Offline(References{p, [][]float64{{.5}, {.5}}}, References{p, [][]float64{{.5}, {.5}}}, 1.5)), ErrInvalid)
}

// Trap: offline LiRA is one-sided: far below the reference models is no sign of a member.
func TestOfflineLiRAIsOneSided(t *testing.T) {
	t.Parallel()
	refs := []float64{-1, 0, 1}
	scores, err := LiRA{}.Offline([]float64{-50, -2, 0, 2, 50}, [][]float64{refs, refs, refs, refs, refs})
	require.NoError(t, err)
	require.IsIncreasing(t, scores)
	require.Less(t, scores[0], -1000.0)
	require.InDelta(t, math.Log(0.5), scores[2], 1e-12)
	require.LessOrEqual(t, scores[4], 0.0)
}

// Trap: a probability of zero keeps its mask.
func TestZeroKeepsItsMask(t *testing.T) {
	t.Parallel()
	in, out, err := ByMask([][]float64{{0, 0.5, 0}, {1, 0, 0}}, [][]bool{{true, false, false}, {false, false, true}})
	require.NoError(t, err)
	require.Equal(t, [][]float64{{0}, {0}}, in)
	require.Equal(t, [][]float64{{0.5, 0}, {1, 0}}, out)
	for _, mask := range [][][]bool{{{true, false, false}}, {{true}, {false, false, true}}} {
		_, _, err := ByMask([][]float64{{0, 0.5, 0}, {1, 0, 0}}, mask)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, _, err = ByMask([][]float64{{0, 0.5}, {1}}, [][]bool{{true, false}, {true}})
	require.ErrorIs(t, err, ErrInvalid)
	// Zeros in a ratio: nothing beats a z that the reference models find impossible; zero over zero is no sign.
	z := References{[]float64{0.5, 0}, [][]float64{{0, 0}, {0, 0}}}
	scores, err := RMIA{}.Online(References{[]float64{0.5, 0, 0.1}, [][]float64{{0, 0}, {0, 0}, {0.1, 0.1}}}, z)
	require.NoError(t, err)
	require.Equal(t, []float64{0.5, 0, 0.5}, scores)
}
