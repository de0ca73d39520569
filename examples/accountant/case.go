package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/surefoot-ml/surefoot/privacy"
)

// Case is one question, in the format that README.md documents. Fields that do not belong to the family, and unknown ones, are ignored.
type Case struct {
	ID       string          `json:"id"`
	Family   string          `json:"family"`
	Relation string          `json:"relation"`
	Steps    json.RawMessage `json:"steps"` // a number
	Delta    *float64        `json:"delta"`
	EpsGrid  []float64       `json:"eps_grid"`
	Orders   []float64       `json:"orders"`
	Expect   struct {
		Orders []float64 `json:"orders"`
	} `json:"expect"`

	Q             json.Number `json:"q"`
	Sigma         float64     `json:"sigma"`
	A             float64     `json:"a"` // decay of a discrete Laplace; slope of a schedule's q
	B             float64     `json:"b"` // scale of a Laplace; slope of a schedule's sigma
	Mu            float64     `json:"mu"`
	Sensitivity   int         `json:"sensitivity"`
	P             float64     `json:"p"`
	K             int         `json:"k"`
	Eps0          float64     `json:"eps0"`
	Delta0        float64     `json:"delta0"`
	Rho           float64     `json:"rho"`
	Xi            float64     `json:"xi"`
	RDP           []float64   `json:"rdp"`
	Sensitivities []float64   `json:"sensitivities"`
	Probs         []float64   `json:"probs"`
	Records       int         `json:"n"`
	MaxBatch      int         `json:"max_batch"`
	StepCounts    any         `json:"step_counts"` // a number or a list of numbers
	Bands         int         `json:"bands"`
	Iterations    int         `json:"iterations"`
	Mean          float64     `json:"mean"`
	Shape         float64     `json:"shape"`
	TargetEps     float64     `json:"target_eps"`
	Parts         []Part      `json:"parts"`
	Mechanism     string      `json:"mechanism"` // "exponential" or "permute_flip"
	N             int         `json:"N"`
	Q0            float64     `json:"q0"`
	Sigma0        float64     `json:"sigma0"`
}

// Part is one part of a heterogeneous run.
type Part struct {
	Q     float64 `json:"q"`
	Sigma float64 `json:"sigma"`
	Steps int     `json:"steps"`
}

// counted is count executions of an event.
type counted struct {
	event privacy.Event
	count int
}

var errFamily = errors.New("unknown family")

func (c *Case) steps() (int, error) {
	if len(c.Steps) == 0 {
		return 1, nil
	}
	var n int
	if err := json.Unmarshal(c.Steps, &n); err != nil {
		return 0, fmt.Errorf("steps: %w", err)
	}
	return n, nil
}

func (c *Case) q() (float64, error) {
	if c.Q == "" {
		return 1, nil
	}
	return c.Q.Float64()
}

func (c *Case) orders() []float64 {
	if len(c.Orders) > 0 {
		return c.Orders
	}
	return c.Expect.Orders
}

// relation maps "any" to AddRemove: a mechanism given by its guarantee alone holds for whichever relation that was.
func (c *Case) relation() (privacy.Relation, error) {
	if c.Relation == "any" || c.Relation == "" {
		return privacy.AddRemove, nil
	}
	var r privacy.Relation
	return r, r.UnmarshalText([]byte(c.Relation))
}

// fraction returns a sampling rate as batch and records: the decimal as it was written.
func fraction(q json.Number) (batch, records int, err error) {
	r, ok := new(big.Rat).SetString(q.String())
	if !ok || r.Sign() <= 0 || !r.Num().IsInt64() || !r.Denom().IsInt64() || r.Denom().Int64() > math.MaxInt32 {
		return 0, 0, fmt.Errorf("q = %s is no fraction of a data set of at most 2^31 records", q)
	}
	return int(r.Num().Int64()), int(r.Denom().Int64()), nil
}

// events returns what a case composes. sigma and b are noise over sensitivity, so the clip is chosen to make the sensitivity 1.
func (c *Case) events() ([]counted, error) {
	r, err := c.relation()
	if err != nil {
		return nil, err
	}
	n, err := c.steps()
	if err != nil {
		return nil, err
	}
	q, err := c.q()
	if err != nil {
		return nil, fmt.Errorf("q: %w", err)
	}
	clip := 1.0
	if r == privacy.ReplaceOne {
		clip = 0.5
	}
	one := func(e privacy.Event, err error) ([]counted, error) { return []counted{{e, n}}, err }
	poisson := func(q, sigma float64) privacy.Event {
		// Poisson sampling under replace_one states sigma over the clip, not over the distance of the two records.
		return privacy.Poisson{Rate: q, Gaussian: privacy.Gaussian{StdDev: sigma, Clip: 1, Relation: r}}
	}
	switch c.Family {
	case "poisson_gaussian", "rdp_poisson_gaussian", "poisson_gaussian_replace_one":
		return one(poisson(q, c.Sigma), nil)
	case "gaussian":
		return one(privacy.Gaussian{StdDev: c.Sigma, Clip: clip, Relation: r}, nil)
	case "gdp_convert":
		return one(privacy.Gaussian{StdDev: math.Nextafter(1/c.Mu, 0), Clip: clip, Relation: r}, nil)
	case "hetero":
		var parts []counted
		for _, p := range c.Parts {
			parts = append(parts, counted{poisson(p.Q, p.Sigma), p.Steps})
		}
		return parts, nil
	case "hetero_schedule":
		if c.N < 1 || c.N > 1<<20 {
			return nil, fmt.Errorf("a schedule of N = %d steps, want 1 to 2^20", c.N)
		}
		var parts []counted
		for t := range c.N {
			at := float64(t) / float64(c.N)
			parts = append(parts, counted{poisson(c.Q0*(1+c.A*at), c.Sigma0*(1+c.B*at)), 1})
		}
		return parts, nil
	case "laplace", "rdp_laplace":
		return one(privacy.Laplace{Scale: c.B, Clip: clip, Relation: r}, nil)
	case "subsampled_laplace":
		return one(privacy.Sampled{Rate: q, Event: privacy.Laplace{Scale: c.B, Clip: clip, Relation: r}}, nil)
	case "randomized_response":
		return one(privacy.RandomizedResponse{Categories: c.K, Uniform: c.P, Relation: r}, nil)
	case "eps_delta_dp":
		return one(privacy.Approximate{Epsilon: c.Eps0, Delta: c.Delta0, Relation: r}, nil)
	case "rdp_pure_dp":
		return one(privacy.Pure{Epsilon: c.Eps0, Relation: r}, nil)
	case "discrete_laplace":
		return one(privacy.DiscreteLaplace{Scale: 1 / c.A, Sensitivity: c.Sensitivity, Relation: r}, nil)
	case "discrete_gaussian":
		g := privacy.DiscreteGaussian{StdDev: c.Sigma, Sensitivity: c.Sensitivity, Relation: r}
		if q == 1 {
			return one(g, nil)
		}
		return one(privacy.Sampled{Rate: q, Event: g}, nil)
	case "mixture_of_gaussians":
		if len(c.Sensitivities) != len(c.Probs) {
			return nil, fmt.Errorf("%d sensitivities, %d probs", len(c.Sensitivities), len(c.Probs))
		}
		var parts []privacy.Component
		for i, s := range c.Sensitivities {
			parts = append(parts, privacy.Component{Shift: s, Weight: c.Probs[i]})
		}
		return one(privacy.NewMixture(c.Sigma, r, parts...))
	case "truncated_poisson_gaussian":
		return one(privacy.TruncatedPoisson{
			Rate: q, MaxBatch: c.MaxBatch, Records: c.Records,
			Gaussian: privacy.Gaussian{StdDev: c.Sigma, Clip: 1, Relation: r},
		}, nil)
	case "rdp_wor_gaussian":
		batch, records, err := fraction(c.Q)
		return one(privacy.FixedSize{
			Batch: batch, Records: records, Gaussian: privacy.Gaussian{StdDev: c.Sigma, Clip: clip, Relation: r},
		}, err)
	case "tree_aggregation":
		// A record is in one of the trees: the deepest costs most.
		steps, err := largest(c.StepCounts)
		return one(privacy.Tree{
			Steps: steps, Participations: 1, Spacing: 1, Gaussian: privacy.Gaussian{StdDev: c.Sigma, Clip: clip, Relation: r},
		}, err)
	case "amplified_bandmf":
		return one(privacy.Banded{
			Bands: c.Bands, Iterations: c.Iterations, Rate: q,
			Gaussian: privacy.Gaussian{StdDev: c.Sigma, Clip: 1, Relation: r},
		}, nil)
	case "exponential_and_permute_flip":
		if c.Mechanism == "permute_flip" {
			return one(privacy.PermuteAndFlip{Epsilon: c.Eps0, Relation: r}, nil)
		}
		return one(privacy.Exponential{Epsilon: c.Eps0, Relation: r}, nil)
	case "zcdp":
		return one(privacy.ZeroConcentrated{Rho: c.Rho, Xi: c.Xi, Relation: r}, nil)
	case "repeat_and_select":
		return c.repeatAndSelect(poisson(q, c.Sigma), n)
	}
	return nil, fmt.Errorf("%w %q", errFamily, c.Family)
}

// repeatAndSelect releases the best of a random number of runs of n steps: a truncated negative binomial with a given mean.
func (c *Case) repeatAndSelect(step privacy.Event, n int) ([]counted, error) {
	mean := func(gamma float64) float64 {
		if c.Shape == 0 {
			return (1/gamma - 1) / -math.Log(gamma)
		}
		return c.Shape * (1 - gamma) / (gamma * -math.Expm1(c.Shape*math.Log(gamma)))
	}
	lo, hi := 1e-6, 1-1e-9 // the mean falls from lo to hi
	if !(c.Mean >= mean(hi) && c.Mean <= mean(lo)) {
		return nil, fmt.Errorf("mean %g: want a number from %g to %g", c.Mean, mean(hi), mean(lo))
	}
	for range 200 {
		if mid := (lo + hi) / 2; mean(mid) > c.Mean {
			lo = mid
		} else {
			hi = mid
		}
	}
	runs := privacy.Repeated{Event: step, Count: int64(n)}
	return []counted{{privacy.Select{Event: runs, Shape: c.Shape, Gamma: lo}, 1}}, nil
}

func largest(v any) (int, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	most := 0
	for _, x := range list {
		f, ok := x.(float64)
		if !ok || f != math.Trunc(f) || f < 1 || f > math.MaxInt32 {
			return 0, fmt.Errorf("step_counts: %v is no number of steps", x)
		}
		most = max(most, int(f))
	}
	return most, nil
}
