package lattice

// PMF is a law of the privacy loss L = log(dP/dQ) under P on the lattice of the points Offset + i*Step, i an integer.
type PMF struct {
	Step   float64   // distance of two points, above 0
	Offset float64   // loss of the point i = 0
	First  int       // i of Mass[0]
	Mass   []float64 // Mass[k] is P(L = Offset + (First+k)*Step)
	Inf    float64   // P(L = +Inf)
}

// Law is the law of the privacy loss of one execution of one mechanism in one direction.
type Law interface {
	// Discretize puts the law on a lattice of the given step, with an offset of its own choice. For every real eps, and
	// after any composition, delta of upper is at least that of the law, rounding included, and delta of lower is at most that.
	// Up to tail of the P-mass at the largest losses may be moved to +Inf (upper) or dropped (lower).
	Discretize(step, tail float64) (upper, lower PMF, err error)
}

// put is one law of a part on a lattice: of both sides, or of the upper one alone where the law can tell it without the other. The lower
// law has no points where it has no mass.
func (p *Part) put(step, tail float64, by side) (upper, lower PMF, err error) {
	if l, ok := p.Law.(interface {
		Upper(step, tail float64) (PMF, error)
	}); ok && by == upperSide {
		upper, err = l.Upper(step, tail)
		lower = PMF{Step: step, Mass: []float64{0}}
	} else {
		upper, lower, err = p.Law.Discretize(step, tail)
	}
	if err == nil {
		err = check(&upper, &lower, step)
	}
	return upper, lower, err
}
