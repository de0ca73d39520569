package leakage

import (
	"fmt"
	"math"
	"slices"
)

// RMIA scores membership by how many examples of a population the target example beats: the share of z with
//
//	(p(x | target)/p(x)) / (p(z | target)/p(z)) > Gamma
//
// where p(x) is a mean over reference models (Zarifzadeh, Liu, Shokri 2024, "Low-cost high-power membership inference attacks", which
// compares with >=). All values are probabilities that models give to the right answer.
type RMIA struct {
	// Gamma is how many times better, 2 by default.
	Gamma float64
}

// References are the probabilities that the target model and reference models give to the right answers of examples.
type References struct {
	Target []float64
	// Models has a row per example with one probability per reference model. A probability of zero is one.
	Models [][]float64
}

// Online takes reference models of which about half were trained with each x, and none with a z.
func (r RMIA) Online(x, z References) ([]float64, error) { return r.score(x, z, 1) }

// Offline takes reference models trained without x and without z. The mean that half of them with x would have is estimated as
// ((1+a)·mean + (1-a))/2, with 0 <= a <= 1 tuned by the caller.
func (r RMIA) Offline(x, z References, a float64) ([]float64, error) { return r.score(x, z, a) }

func (r RMIA) score(x, z References, a float64) ([]float64, error) {
	gamma := r.Gamma
	if gamma == 0 {
		gamma = 2
	}
	if !(gamma > 0 && gamma <= math.MaxFloat64) {
		return nil, invalid("Gamma", gamma, "a finite number above 0")
	}
	if !(a >= 0 && a <= 1) {
		return nil, invalid("a", a, "0 to 1")
	}
	xs, err := x.ratios("x", a)
	if err != nil {
		return nil, err
	}
	zs, err := z.ratios("z", a)
	if err != nil {
		return nil, err
	}
	slices.Sort(zs)
	scores := make([]float64, len(xs))
	for i, rx := range xs {
		beaten := search(len(zs), func(j int) bool { return !exceeds(rx, zs[j], gamma) })
		scores[i] = float64(beaten) / float64(len(zs))
	}
	return scores, nil
}

// exceeds compares x/z with gamma; nothing exceeds infinity, and nothing that is zero exceeds anything.
func exceeds(x, z, gamma float64) bool {
	if z == 0 {
		return x > 0
	}
	return x/z > gamma // of two infinities it is no number
}

// ratios are p(x | target)/p(x).
func (r References) ratios(name string, a float64) ([]float64, error) {
	if err := checkCount("number of "+name, len(r.Target), 1, maxCount); err != nil {
		return nil, err
	}
	if len(r.Models) != len(r.Target) {
		return nil, invalid("rows of "+name+".Models", len(r.Models), fmt.Sprintf("%d, one per target", len(r.Target)))
	}
	ratios := make([]float64, len(r.Target))
	for i, p := range r.Target {
		row := r.Models[i]
		if len(row) == 0 || len(row) != len(r.Models[0]) {
			return nil, invalid(fmt.Sprintf("reference models of %s[%d]", name, i), len(row), "at least 1, as many as the others")
		}
		mean := 0.0
		for j, q := range row {
			if !(q >= 0 && q <= 1) {
				return nil, invalid(fmt.Sprintf("%s.Models[%d][%d]", name, i, j), q, "0 to 1")
			}
			mean += q / float64(len(row))
		}
		if !(p >= 0 && p <= 1) {
			return nil, invalid(fmt.Sprintf("%s.Target[%d]", name, i), p, "0 to 1")
		}
		if p > 0 { // zero over zero is zero: no sign of a member
			ratios[i] = p / (((1+a)*mean + (1 - a)) / 2)
		}
	}
	return ratios, nil
}
