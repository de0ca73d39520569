package privacy

import "math"

// RandomizedResponse reports the category of one record: the true one, or with probability Uniform one drawn uniformly from all, the true
// one included.
type RandomizedResponse struct {
	// Categories is the number of possible answers, from 2 to 2^30.
	Categories int `json:"categories"`
	// Uniform is the probability of a uniform draw, from 1e-100 to 1. 1 costs nothing.
	Uniform float64 `json:"uniform"`
	// Relation is ReplaceOne, or ReplaceSpecial where the other dataset answers with a uniform draw. Under AddRemove the number of answers
	// itself tells the datasets apart.
	Relation Relation `json:"relation"`
}

// Validate accepts what the fields say.
func (e RandomizedResponse) Validate() error {
	if e.Categories < 2 || e.Categories > maxSteps {
		return &InvalidError{"RandomizedResponse.Categories", e.Categories, "a whole number from 2 to 2^30"}
	}
	if !(e.Uniform >= 1e-100 && e.Uniform <= 1) {
		return &InvalidError{"RandomizedResponse.Uniform", e.Uniform, "a number from 1e-100 to 1"}
	}
	if e.Relation != ReplaceOne && e.Relation != ReplaceSpecial {
		return &InvalidError{"RandomizedResponse.Relation", e.Relation, "ReplaceOne or ReplaceSpecial"}
	}
	return nil
}

func (RandomizedResponse) kind() string         { return "randomized_response" }
func (e RandomizedResponse) relation() Relation { return e.Relation }

func (e RandomizedResponse) lower() []leaf {
	if e.Uniform == 1 {
		return nil
	}
	return []leaf{{answers{e.Categories, e.Uniform, e.Relation == ReplaceSpecial}, 1}}
}

// answers is k-ary randomized response with probability p of a uniform draw: a category answers itself with probability hi = 1-p+p/k
// and any other with lo = p/k. The alternative is another category, or (special) a uniform draw.
type answers struct {
	k       int
	p       float64
	special bool
}

func (answers) infinite() float64 { return 0 }

// logMoment is exact but for rounding. Between categories the losses are ±log(hi/lo), and 0 on the k-2 others. Against the uniform
// draw they are l = log(k·hi) >= 0 with probability hi and -s = log(k·lo) = log p < 0, or their negatives with 1/k and (k-1)/k.
func (m answers) logMoment(a float64) float64 {
	k := float64(m.k)
	hi, lo := 1-m.p+m.p/k, m.p/k
	if !m.special {
		return answerMoment(up(math.Log1p(k*(1-m.p)/m.p), 8), min(1, up(hi, 4)), a)
	}
	l, s := math.Log1p((k-1)*(1-m.p)), -math.Log(m.p)
	return max(twoPoint(hi, l, (k-1)*lo, s, a), twoPoint((k-1)/k, s, 1/k, l, a))
}

// concentrated is that of a pure mechanism of the largest loss.
func (m answers) concentrated() float64 {
	k := float64(m.k)
	return pureLoss{up(math.Log1p(k*(1-m.p)/m.p), 8)}.concentrated()
}

// twoPoint returns an upper bound on K(a-1), a > 1, of a loss that is l with probability p and -s with probability r, p+r = 1 and
// p·e^-l + r·e^s = 1. With c = a-1 and phi(t) = e^t-1-t >= 0,
//
//	e^K - 1 = p·phi(c·l) + r·phi(-c·s) + c·(p·phi(-l) + r·phi(s)).
//
// Rounding: l and s within 4 ulp and below 300, p and r within 8: an error of t moves phi(t) by at most 2+max(t,0) times that.
func twoPoint(p, l, r, s, a float64) float64 {
	c := a - 1
	t := c * l
	if t > 50 {
		return up(t+math.Log(p+r*math.Exp(-c*s-t)), 32)
	}
	return up(math.Log1p(up(p*phi(t)+r*phi(-c*s)+c*(p*phi(-l)+r*phi(s)), 1600)), 4)
}
