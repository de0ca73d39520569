package privacy

import (
	"encoding/json"
	"math"
)

// Allocation is a whole run in which each record contributes to exactly Times of the Steps steps of an epoch, drawn uniformly and
// independently of the other records, and kept secret (balls in bins; Feldman, Shenfeld 2025, "Privacy amplification by random
// allocation", arXiv 2502.08202). It is one event for all epochs. Batches cut from a shuffled list are something else and cost much more.
type Allocation struct {
	// Steps is the number of steps of an epoch, up to 2^20.
	Steps int
	// Times is the number of steps of an epoch that a record contributes to.
	Times int
	// Epochs is the number of epochs.
	Epochs int
	// Fixed is set where the steps of a record are drawn once and kept for all epochs, which costs far more than drawing anew.
	Fixed bool
	// Gaussian is applied to the sum of every step, under ReplaceSpecial: there is no bound here for another relation.
	Gaussian Gaussian
}

const maxAllocation = 1 << 20

// Validate accepts Steps from 1 to 2^20, Times from 1 to Steps, Epochs from 1 to 2^30 and a valid Gaussian under ReplaceSpecial.
func (a Allocation) Validate() error {
	if a.Steps < 1 || a.Steps > maxAllocation {
		return &InvalidError{"Allocation.Steps", a.Steps, "a whole number from 1 to 2^20"}
	}
	if a.Times < 1 || a.Times > a.Steps {
		return &InvalidError{"Allocation.Times", a.Times, "a whole number from 1 to Steps"}
	}
	if a.Epochs < 1 || a.Epochs > maxRecords {
		return &InvalidError{"Allocation.Epochs", a.Epochs, "a whole number from 1 to 2^30"}
	}
	if err := a.Gaussian.Validate(); err != nil {
		return err
	}
	if r := a.Gaussian.Relation; r != ReplaceSpecial {
		return &InvalidError{"Allocation.Gaussian.Relation", r, "ReplaceSpecial"}
	}
	if a.Fixed {
		return scaledGaussian(a.Gaussian, root(a.Epochs)).Validate()
	}
	return nil
}

func (Allocation) kind() string         { return "allocation" }
func (a Allocation) relation() Relation { return a.Gaussian.Relation }

// lower: Times of Steps cost at most as much as one step of each of Times parts of the epoch (Lemma 3.2 of the paper), that is of Steps/Times
// steps, of one more in the first Steps mod Times. With one assignment for all epochs the outputs of a step may be averaged over them:
// the run is one epoch at StdDev/√Epochs.
func (a Allocation) lower() []leaf {
	g, epochs := a.Gaussian, int64(a.Epochs)
	if a.Fixed {
		g, epochs = scaledGaussian(g, root(a.Epochs)), 1
	}
	part := func(steps int) mechanism {
		if steps == 1 {
			return sampledGaussian{1, g.Multiplier()}
		}
		return allocated{steps, g.Multiplier()}
	}
	size, longer := a.Steps/a.Times, a.Steps%a.Times
	leaves := []leaf{{part(size), int64(a.Times-longer) * epochs}}
	if longer > 0 {
		leaves = append(leaves, leaf{part(size + 1), int64(longer) * epochs})
	}
	return leaves
}

type allocationJSON struct {
	Steps    int      `json:"steps"`
	Times    int      `json:"times"`
	Epochs   int      `json:"epochs"`
	Fixed    *bool    `json:"fixed"` // required: leaving it out must not make a run cheaper
	Gaussian Gaussian `json:"gaussian"`
}

// MarshalJSON writes {"steps", "times", "epochs", "fixed", "gaussian"}.
func (a Allocation) MarshalJSON() ([]byte, error) {
	return json.Marshal(allocationJSON{a.Steps, a.Times, a.Epochs, &a.Fixed, a.Gaussian})
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (a *Allocation) UnmarshalJSON(data []byte) error {
	var v allocationJSON
	if err := strict(data, &v); err != nil {
		return err
	}
	if v.Fixed == nil {
		return &InvalidError{"Allocation.Fixed", "missing", "true or false"}
	}
	*a = Allocation{v.Steps, v.Times, v.Epochs, *v.Fixed, v.Gaussian}
	return nil
}

// allocated is one epoch in which a record contributes to one of `steps` >= 2 steps, at the noise multiplier sigma: P = mean of N(e_i, sigma²I)
// over i, Q = N(0, sigma²I) in as many dimensions. With independent L_i = e^((2x_i-1)/(2sigma²)), x_i ~ N(0, sigma²), of mean 1, and S their
// mean, removing has the moment E[S^a], adding E[S^(1-a)].
type allocated struct {
	steps int
	sigma float64
}

func (allocated) infinite() float64 { return 0 }

// logMoment is the larger of the moments of removing and adding, and never above the Gaussian.
func (m allocated) logMoment(a float64) float64 {
	c, s2 := a-1, m.sigma*m.sigma
	plain := up(a*c/(2*s2), 6)
	remove := min(plain, m.remove(a))
	// The geometric mean is at most the arithmetic mean: -log S is at most a normal of mean 1/(2sigma²) and variance 1/(steps·sigma²)
	// (Theorem 4.5 of the paper).
	add := min(plain, up(c/(2*s2)+c*c/(2*s2*float64(m.steps)), 8))
	if add > remove {
		if k, ok := m.add(a, remove); ok {
			add = min(add, k)
		}
	}
	return max(remove, add)
}

const maxAllocationOrder = 192

// remove returns an upper bound on log E[S^a]. At whole orders it is exact but for rounding; log E[S^a] is convex in a and 0 at 1.
func (m allocated) remove(a float64) float64 {
	n := math.Floor(a)
	if !(n < maxAllocationOrder) {
		return math.Inf(1)
	}
	k := m.moments(int(n) + 1)
	f := a - n
	return up((1-f)*k[int(n)]+f*k[int(n)+1], 8)
}

// moments returns upper bounds on log E[S^n] for n up to top, by doubling the number of terms: for a mean S of u+v terms, of which S' is the
// mean of u and S" of v, E[S^n] - 1 is the mean over k from Binomial(n, u/(u+v)) of E[S'^k]·E[S"^(n-k)] - 1 >= 0.
func (m allocated) moments(top int) []float64 {
	factorial := make([]float64, top+1) // logarithms
	one := make([]float64, top+1)
	var sum compensated
	for n := 1; n <= top; n++ {
		sum.add(math.Log(float64(n)))
		factorial[n] = sum.value()
		one[n] = up(float64(n)*float64(n-1)/(2*m.sigma*m.sigma), 4)
	}
	one[1] = 0
	join := func(u, v int, x, y []float64) []float64 {
		logU, logV := math.Log(float64(u)/float64(u+v)), math.Log(float64(v)/float64(u+v))
		z := make([]float64, top+1)
		for n := 2; n <= top; n++ {
			var sum scaled
			for k := 0; k <= n; k++ {
				l := x[k] + y[n-k]
				if l == 0 {
					continue
				}
				share := float64(k)*logU + float64(n-k)*logV
				e := factorial[n] - factorial[k] - factorial[n-k] + share
				eta := 12*factorial[n] - 4*share + 4*l + 20
				if l > 50 {
					sum.add(e+l, 1, eta)
				} else {
					sum.add(e, math.Expm1(l), eta)
				}
			}
			z[n] = sum.log1p(1, 0)
		}
		return z
	}
	var mean func(steps int) []float64
	mean = func(steps int) []float64 {
		switch {
		case steps == 1:
			return one
		case steps%2 == 1:
			return join(steps-1, 1, mean(steps-1), one)
		}
		half := mean(steps / 2)
		return join(steps/2, steps/2, half, half)
	}
	return mean(m.steps)
}
