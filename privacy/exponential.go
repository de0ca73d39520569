package privacy

import "math"

// Exponential chooses one of several candidates by the exponential mechanism (McSherry, Talwar 2007): a candidate wins with a
// probability in proportion to e^(Epsilon·score/(2·sensitivity)).
type Exponential struct {
	// Epsilon is in nats, from 1e-12 to 1e6.
	Epsilon float64 `json:"epsilon"`
	// Relation says for which datasets the sensitivity of the scores holds; it must be set.
	Relation Relation `json:"relation"`
}

// Validate accepts an Epsilon from 1e-12 to 1e6 and a set Relation.
func (e Exponential) Validate() error {
	if err := checkLoss("Exponential.Epsilon", e.Epsilon); err != nil {
		return err
	}
	return checkRelation("Exponential.Relation", e.Relation)
}

func (Exponential) kind() string         { return "exponential" }
func (e Exponential) relation() Relation { return e.Relation }
func (e Exponential) lower() []leaf      { return []leaf{{boundedRange{e.Epsilon}, 1}} }

// boundedRange is any mechanism whose loss, for each pair of datasets, stays in an interval [t, t+eps]: Durfee, Rogers 2019, "Practical
// differentially private top-k selection with pay-what-you-get composition", arXiv 1905.04273.
type boundedRange struct{ eps float64 }

func (boundedRange) infinite() float64 { return 0 }

// logMoment is the supremum over all such mechanisms, exact but for rounding. For a given t the moment is convex in the likelihood ratio,
// so the worst loss has the two values t+eps and t. With q the probability of the former under Q and E(x) = e^x-1,
//
//	K = log(1+q·E(a·eps)) - a·log(1+q·E(eps)),
//
// which has one stationary point in q, q = (E(a·eps) - a·E(eps))/(c·E(a·eps)·E(eps)), c = a-1: the maximum, since K is 0 at q = 0 and
// q = 1. There, with S(x) = sinh(x)/x, X = c·eps/2 and Y = eps/2,
//
//	K = a·log S(X+Y) - c·log S(X) - log S(Y) = c·log S(X+Y)/S(X) + log S(X+Y)/S(Y),
//
// both terms positive.
func (m boundedRange) logMoment(a float64) float64 {
	c := a - 1
	x, y := c*m.eps/2, m.eps/2
	return up(c*sinhcRatio(x, y)+sinhcRatio(y, x), 100)
}

// concentrated is eps²/8: by Hoeffding's lemma (Cesar, Rogers 2021, "Bounding, concentrating, and truncating", arXiv 2004.07223).
func (m boundedRange) concentrated() float64 { return up(m.eps*m.eps/8, 2) }

// sinhcRatio returns log of S(x+y)/S(x), S(x) = sinh(x)/x, for x, y > 0, within 60 ulp: the quotient is
// (cosh y + sinh y·coth x)·x/(x+y), and 1 is subtracted term by term.
func sinhcRatio(x, y float64) float64 {
	if y > 20 {
		e := math.Exp(-2 * y)
		return y + math.Log((x*(1+e)+(1-e)*(1+xCothM1(x)))/(2*(x+y)))
	}
	h := math.Sinh(y / 2)
	return math.Log1p((x*2*h*h + sinhM(y)*(1+xCothM1(x)) + y*xCothM1(x)) / (x + y))
}

// xCothM1 returns x·coth x - 1, x > 0.
func xCothM1(x float64) float64 {
	if x > 1 {
		return x/math.Tanh(x) - 1
	}
	h := math.Sinh(x / 2)
	return (x*2*h*h - sinhM(x)) / math.Sinh(x)
}

// sinhM returns sinh x - x, x > 0.
func sinhM(x float64) float64 {
	if x > 1 {
		return math.Sinh(x) - x
	}
	p := 1.0
	for k := 18.0; k > 3; k -= 2 {
		p = 1 + p*x*x/(k*(k+1))
	}
	return p * x * x * x / 6
}
