package privacy

import "math"

// ZeroConcentrated is any mechanism that is (Xi, Rho)-zero-concentrated differentially private: its Rényi divergence of every order a > 1
// is at most Xi + Rho·a (Bun, Steinke 2016, "Concentrated differential privacy", arXiv 1605.02065).
type ZeroConcentrated struct {
	// Rho is in nats, from 0 to 1e12.
	Rho float64 `json:"rho"`
	// Xi is in nats, from 0 to 1e6, mostly 0.
	Xi float64 `json:"xi,omitempty"`
	// Relation says for which datasets the guarantee holds; it must be set.
	Relation Relation `json:"relation"`
}

// Validate accepts what the fields say.
func (e ZeroConcentrated) Validate() error {
	if !(e.Rho >= 0 && e.Rho <= 1e12) {
		return &InvalidError{"ZeroConcentrated.Rho", e.Rho, "a number from 0 to 1e12"}
	}
	if !(e.Xi >= 0 && e.Xi <= maxLoss) {
		return &InvalidError{"ZeroConcentrated.Xi", e.Xi, "a number from 0 to 1e6"}
	}
	return checkRelation("ZeroConcentrated.Relation", e.Relation)
}

func (ZeroConcentrated) kind() string         { return "zero_concentrated" }
func (e ZeroConcentrated) relation() Relation { return e.Relation }

func (e ZeroConcentrated) lower() []leaf {
	if e.Rho == 0 && e.Xi == 0 {
		return nil
	}
	return []leaf{{affineLoss{e.Rho, e.Xi}, 1}}
}

// affineLoss is known by its curve alone.
type affineLoss struct{ rho, xi float64 }

func (affineLoss) infinite() float64 { return 0 }

func (m affineLoss) logMoment(a float64) float64 { return up((a-1)*(m.xi+m.rho*a), 4) }

// concentrated is rho where xi is 0; otherwise no rho covers orders near 1.
func (m affineLoss) concentrated() float64 {
	if m.xi > 0 {
		return math.Inf(1)
	}
	return m.rho
}
