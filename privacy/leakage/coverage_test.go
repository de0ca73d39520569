package leakage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// nominal is the alpha of the simulated audits.
const nominal = 0.05

// tolerable is the largest number of false bounds that is compatible with nominal: two standard errors above it.
func tolerable() int { return int(audits*nominal + 2*math.Sqrt(audits*nominal*(1-nominal))) }

// simulate counts the audits of which each answer is true, in parallel, each with a generator of its own.
func simulate(seed uint64, answers int, audit func(rng *rand.Rand, answer []bool)) []int {
	var wg sync.WaitGroup
	var next atomic.Int64
	counts := make([]atomic.Int64, answers)
	for range 4 {
		wg.Go(func() {
			answer := make([]bool, answers)
			for i := next.Add(1); i <= audits; i = next.Add(1) {
				clear(answer)
				audit(rand.New(rand.NewPCG(seed, uint64(i))), answer)
				for k, yes := range answer {
					if yes {
						counts[k].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	plain := make([]int, answers)
	for k := range plain {
		plain[k] = int(counts[k].Load())
	}
	return plain
}

// mechanism draws the score of a member or a non-member; it is (epsilon, delta)-DP, and mu-GDP where mu is not negative.
type mechanism struct {
	name               string
	epsilon, delta, mu float64
	score              func(rng *rand.Rand, member bool) float64
}

// mechanisms are known exactly: noise alone; randomised responses, whose epsilon is reached by one threshold, with jitter that makes the
// others possible; a record revealed with probability delta; and the Gaussian mechanism.
func mechanisms() []mechanism {
	response := func(epsilon float64) mechanism {
		honest := 1 / (1 + math.Exp(-epsilon))
		return mechanism{fmt.Sprintf("response %g", epsilon), epsilon, 0, -1, func(rng *rand.Rand, member bool) float64 {
			s := math.Abs(rng.NormFloat64())
			if member == (rng.Float64() < honest) {
				return s
			}
			return -s
		}}
	}
	return []mechanism{
		{"noise", 0, 0, 0, func(rng *rand.Rand, _ bool) float64 { return rng.NormFloat64() }},
		{"noise, delta", 0, 1e-5, 0, func(rng *rand.Rand, _ bool) float64 { return rng.NormFloat64() }},
		response(1),
		response(3),
		{"revealed", 0, 0.02, -1, func(rng *rand.Rand, member bool) float64 {
			s := rng.NormFloat64()
			if rng.Float64() < 0.02 {
				if s = 10 + math.Abs(s); !member {
					s = -s
				}
			}
			return s
		}},
		{"gauss 1", 4.377178095681225, 1e-5, 1, func(rng *rand.Rand, member bool) float64 {
			if member {
				return rng.NormFloat64() + 1
			}
			return rng.NormFloat64()
		}},
	}
}

func (m mechanism) canaries(rng *rand.Rand, n int) (scores []float64, in []bool) {
	scores, in = make([]float64, n), make([]bool, n)
	for i := range scores {
		in[i] = rng.Uint64()&1 == 1
		scores[i] = m.score(rng, in[i])
	}
	return scores, in
}

func (m mechanism) scores(rng *rand.Rand, members, others int) *Scores {
	a, b := make([]float64, members), make([]float64, others)
	for i := range a {
		a[i] = m.score(rng, true)
	}
	for i := range b {
		b[i] = m.score(rng, false)
	}
	s, err := NewScores(a, b)
	if err != nil {
		panic(err)
	}
	return s
}

func covered(t *testing.T, name string, count int) {
	t.Helper()
	t.Logf("%-55s %4d of %d false: %.2f %%", name, count, audits, 100*float64(count)/audits)
	require.LessOrEqual(t, count, tolerable(), "%s: %d of %d bounds exceed the truth", name, count, audits)
}

// must makes a bound of an audit that cannot fail.
func must(r Report, err error) Report {
	if err != nil {
		panic(err)
	}
	return r
}

// table keeps bounds by their counts, of which there are few.
type table struct{ known sync.Map }

func (b *table) bound(key any, compute func() float64) float64 {
	v, ok := b.known.Load(key)
	if !ok {
		v = compute()
		b.known.Store(key, v)
	}
	return v.(float64)
}

func TestCoverageOfCanaries(t *testing.T) {
	t.Parallel()
	const m = 240
	plans := []struct {
		name    string
		guesses []Guesses
	}{
		{"all guessed", []Guesses{{m / 2, m / 2}}},
		{"40 guessed", []Guesses{{20, 20}}},
		{"default", DefaultGuesses(m)},
		{"30 numbers of upper ends", func() (list []Guesses) {
			for k := 8; k <= m; k += 8 {
				list = append(list, Guesses{k, 0})
			}
			return list
		}()},
	}
	for i, mech := range mechanisms() {
		var bounds table
		type key struct {
			OneRun
			mu   bool
			part float64
		}
		counts := simulate(uint64(100+i), 2*len(plans), func(rng *rand.Rand, answer []bool) {
			scores, in := mech.canaries(rng, m)
			r := rank(scores, in)
			for j, p := range plans {
				part := nominal / float64(len(p.guesses))
				var eps, mu float64
				for _, g := range p.guesses {
					o := r.count(g)
					eps = max(eps, bounds.bound(key{o, false, part}, func() float64 { return o.epsilon(0, mech.delta, part) }))
					if mech.mu >= 0 {
						mu = max(mu, bounds.bound(key{o, true, part}, func() float64 { return o.mu(0, part) }))
					}
				}
				answer[2*j], answer[2*j+1] = eps > mech.epsilon, mu > max(0, mech.mu)
				if rng.IntN(100) == 0 { // what the table speeds up is what an audit does
					full := must(AuditCanaries(scores, in, p.guesses, Config{Alpha: nominal, Delta: mech.delta}))
					if math.Abs(full.Epsilon-eps) > 1e-9 {
						panic(fmt.Sprint(full, eps))
					}
				}
			}
		})
		for j, p := range plans {
			covered(t, "one run, "+mech.name+", "+p.name, counts[2*j])
			if mech.mu >= 0 {
				covered(t, "one run Gaussian, "+mech.name+", "+p.name, counts[2*j+1])
			}
		}
	}
}

// The same simulation finds the fault that it is there to find: of all numbers of guesses the best is kept, as if it had been the only one.
func TestUncorrectedSelectionFails(t *testing.T) {
	t.Parallel()
	const m = 600
	for i, mech := range mechanisms()[:4] {
		var bounds table
		count := simulate(uint64(1000+i), 1, func(rng *rand.Rand, answer []bool) {
			scores, in := mech.canaries(rng, m)
			r := rank(scores, in)
			for k := 1; k <= m/2 && !answer[0]; k++ {
				o := r.count(Guesses{k, k})
				answer[0] = bounds.bound(o, func() float64 { return o.pValue(mech.epsilon, mech.delta) }) <= nominal
			}
		})[0]
		t.Logf("uncorrected, %-20s %4d of %d false: %.1f %%", mech.name, count, audits, 100*float64(count)/audits)
		require.Greater(t, float64(count), 0.10*audits, mech.name)
		require.Less(t, float64(count), 0.40*audits, mech.name)
	}
}

func TestCoverageOfScores(t *testing.T) {
	t.Parallel()
	const members, others = 150, 120
	selections := []Selection{Fixed{0}, Split{Seed: 1}, Ranks{}, Ranks{FalsePositives: []int{12}}}
	methods := []Method{MethodClopperPearson, MethodGaussian, MethodJeffreys}
	for i, mech := range mechanisms() {
		if mech.name == "noise, delta" { // so small a delta changes nothing here
			continue
		}
		apply := func(sel Selection, method Method) bool {
			_, ranks := sel.(Ranks)
			return !(ranks && method == MethodJeffreys || mech.mu < 0 && method == MethodGaussian)
		}
		counts := simulate(uint64(2000+i), len(selections)*len(methods), func(rng *rand.Rand, answer []bool) {
			s := mech.scores(rng, members, others)
			for j, sel := range selections {
				for k, method := range methods {
					if !apply(sel, method) {
						continue
					}
					cfg := Config{Method: method, Alpha: nominal, Delta: mech.delta}
					r := cfg.report(members, others)
					if err := sel.audit(s, cfg, &r); err != nil {
						panic(err)
					}
					answer[j*len(methods)+k] = r.Epsilon > mech.epsilon || r.Mu > max(0, mech.mu)
				}
			}
		})
		for j, sel := range selections {
			for k, method := range methods {
				if apply(sel, method) {
					covered(t, fmt.Sprintf("%v, %s, %T%+v", method, mech.name, sel, sel), counts[j*len(methods)+k])
				}
			}
		}
	}
}

// The Bayesian bound is above the truth if the posterior of the truth is at most alpha, which takes one integral instead of fifty.
func TestCoverageOfBayesian(t *testing.T) {
	t.Parallel()
	const members, others = 60, 60
	for i, mech := range mechanisms() {
		var posteriors table
		count := simulate(uint64(3000+i), 2, func(rng *rand.Rand, answer []bool) {
			c, err := mech.scores(rng, members, others).At(0)
			if err != nil {
				panic(err)
			}
			if c.FalseNegatives+c.FalsePositives > members {
				return
			}
			p := posteriors.bound(c, func() float64 { return c.posterior(mech.epsilon, mech.delta) })
			plain, err := c.Jeffreys(mech.delta, nominal)
			if err != nil {
				panic(err)
			}
			answer[0], answer[1] = p <= nominal/2 && plain > 0, p <= nominal
		})
		for k, name := range []string{"audited Bayesian, ", "published Bayesian, "} {
			t.Logf("%-55s %4d of %d false: %.2f %%", name+mech.name, count[k], audits, 100*float64(count[k])/audits)
		}
		if mech.epsilon == 0 {
			require.LessOrEqual(t, count[0], tolerable())
		} else if mech.delta == 0 { // both directions reach epsilon at once: this is where a credible bound is none of confidence
			require.Greater(t, count[1], tolerable())
			require.LessOrEqual(t, count[0], 3*tolerable())
		}
	}
	for _, c := range []TwoRun{{15, 60, 20, 60}, {3, 60, 8, 60}} {
		eps, err := c.Bayesian(0, nominal/2)
		require.NoError(t, err)
		require.InDelta(t, nominal/2, c.posterior(eps, 0), 1e-9)
		require.Equal(t, eps, must(AuditCounts(c, Config{Method: MethodBayesian, Alpha: nominal})).Epsilon)
	}
	null, err := TwoRun{30, 60, 30, 60}.Bayesian(0, nominal)
	require.NoError(t, err)
	require.Positive(t, null, "as documented")
	require.Zero(t, must(AuditCounts(TwoRun{30, 60, 30, 60}, Config{Method: MethodBayesian, Alpha: nominal})).Epsilon)
}

func TestCoverageOfIntervals(t *testing.T) {
	t.Parallel()
	gauss := mechanisms()[5]
	const members, others = 90, 130
	outside := func(v Interval, err error, truth float64) bool {
		if err != nil {
			panic(err)
		}
		return !(v.Lower <= truth && truth <= v.Upper)
	}
	above := func(lower float64, err error, truth float64) bool {
		if err != nil {
			panic(err)
		}
		return lower > truth
	}
	q, base := 1/(1+math.Exp(-1)), 1/(1+math.Exp(1)) // epsilon 1 at delta 0
	// Between the thresholds 1 and 2 of scores that are rounded down, the curve of rules with a coin is straight.
	atTie := lowerTail(0) - (lowerTail(0)-lowerTail(-1))*(lowerTail(-1)-0.1)/(lowerTail(-1)-lowerTail(-2))
	names := []string{
		"AUC", "TPR at FPR 0.02", "TPR at FPR 0.1", "TPR at FPR 0.5", "TPR at FPR 0.1, rounded scores", "Clopper-Pearson interval", "exposure",
		"attack, sampled baseline", "attack, known baseline", "attack, mu", "attack, advantage",
	}
	counts := simulate(4000, len(names), func(rng *rand.Rand, answer []bool) {
		s := gauss.scores(rng, members, others)
		v, err := s.AUCInterval(nominal)
		answer[0] = outside(v, err, lowerTail(1/math.Sqrt2))
		for i, fpr := range []float64{0.02, 0.1, 0.5} {
			v, err := s.Power(fpr, nominal)
			answer[1+i] = outside(v, err, lowerTail(normalQuantile(fpr)+1))
		}
		rounded := mechanism{score: func(rng *rand.Rand, m bool) float64 { return math.Floor(gauss.score(rng, m)) }}
		v, err = rounded.scores(rng, members, others).Power(0.1, nominal)
		answer[4] = outside(v, err, atTie)
		v, err = Proportion{binomial(rng, 70, 0.13), 70}.ClopperPearson(nominal)
		answer[5] = outside(v, err, 0.13)
		e, err := NewSampledExposure(-1.5, s.others)
		if err != nil {
			panic(err)
		}
		lower, err := e.Lower(nominal)
		answer[6] = above(lower, err, -math.Log2(lowerTail(-1.5)))
		hits, misses := Proportion{binomial(rng, 150, q), 150}, Proportion{binomial(rng, 100, base), 100}
		lower, err = Attack{Hits: hits, Baseline: misses}.Epsilon(0, nominal)
		answer[7] = above(lower, err, 1)
		lower, err = Attack{Hits: hits, Kappa: base}.Epsilon(0, nominal)
		answer[8] = above(lower, err, 1)
		lower, err = Attack{Hits: Proportion{binomial(rng, 150, lowerTail(normalQuantile(0.1)+1)), 150}, Kappa: 0.1}.Mu(nominal)
		answer[9] = above(lower, err, 1)
		v, err = Attack{Hits: hits, Baseline: misses}.Advantage(nominal)
		answer[10] = outside(v, err, q-base)
	})
	for i, name := range names {
		covered(t, name, counts[i])
	}
}

func binomial(rng *rand.Rand, n int, p float64) int {
	k := 0
	for range n {
		if rng.Float64() < p {
			k++
		}
	}
	return k
}
