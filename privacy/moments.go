package privacy

// Moments is the moments accountant as it was published (Abadi et al. 2016, "Deep learning with differential privacy", Theorem 2):
// integer moments lambda and epsilon = (K(lambda) + log(1/delta))/lambda, with exact log moments K. It is a bound, looser than RDP on
// the same orders because of its conversion, and is here for comparison with figures that were computed that way. Use [Best].
//
// The zero Moments uses lambda from 1 to 32, as the paper does. All methods are safe for concurrent use; a Moments must not be copied.
type Moments struct {
	recorder
	highest int
	ladder  ladder
}

const (
	usualMoments = 32
	mostMoments  = 4096
)

// NewMoments returns an accountant that uses the moments lambda = 1 to highest, at most 4096; 0 stands for 32. Where the best one is the
// highest, Converged is false.
func NewMoments(highest int) (*Moments, error) {
	if highest < 0 || highest > mostMoments {
		return nil, &InvalidError{"highest", highest, "a number from 0 to 4096"}
	}
	return &Moments{highest: highest}, nil
}

func (m *Moments) orders() []float64 {
	n := m.highest
	if n == 0 {
		n = usualMoments
	}
	orders := make([]float64, n)
	for i := range orders {
		orders[i] = float64(i + 2) // the moment lambda is the one of Rényi order lambda+1
	}
	return orders
}

// Epsilon returns an upper bound on the epsilon of everything recorded, at delta, 0 < delta < 1.
func (m *Moments) Epsilon(delta float64) (Interval, error) {
	return m.ladder.epsilon(&m.recorder, m.orders(), delta, true)
}

// Delta returns an upper bound on the delta of everything recorded, at eps >= 0: the tail bound of the same theorem.
func (m *Moments) Delta(eps float64) (Interval, error) {
	return m.ladder.delta(&m.recorder, m.orders(), eps, true)
}
