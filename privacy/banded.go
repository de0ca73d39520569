package privacy

// Banded is a whole run of the matrix mechanism with correlated noise on Poisson batches drawn in turn from fixed groups: a lower
// triangular C with Bands bands and columns of length at most 1, the records split into Bands groups by a rule that does not look at the
// data, and step i drawing each record of group i mod Bands with probability Rate (Choquette-Choo et al. 2023, "(Amplified) banded matrix
// factorization", arXiv 2306.08153, Theorems 4 and 5). It is one event for the run, not one for a step. Bands = 1 is DP-SGD.
type Banded struct {
	// Bands is the number of bands of C and of groups.
	Bands int `json:"bands"`
	// Iterations is the number of steps of the run.
	Iterations int `json:"iterations"`
	// Rate is the probability, or an upper bound on the probability, that a record of the group whose turn it is enters the batch.
	Rate float64 `json:"rate"`
	// Gaussian is the noise before correlation. Where columns of C are longer than 1, its Clip includes the length of the longest.
	Gaussian Gaussian `json:"gaussian"`
}

// Validate accepts Bands and Iterations from 1 on, a Rate from 0 to 1 and a valid Gaussian.
func (b Banded) Validate() error {
	if b.Bands < 1 {
		return &InvalidError{"Banded.Bands", b.Bands, "a whole number from 1"}
	}
	if b.Iterations < 1 {
		return &InvalidError{"Banded.Iterations", b.Iterations, "a whole number from 1"}
	}
	if !(b.Rate >= 0 && b.Rate <= 1) {
		return &InvalidError{"Banded.Rate", b.Rate, "a number from 0 to 1"}
	}
	return b.Gaussian.Validate()
}

func (Banded) kind() string         { return "banded" }
func (b Banded) relation() Relation { return b.Gaussian.Relation }

// lower: a group has its turn every Bands steps, so that the columns it touches are orthogonal: each turn is a Poisson of its own.
func (b Banded) lower() []leaf {
	leaves := Poisson{b.Rate, b.Gaussian}.lower()
	for i := range leaves {
		leaves[i].count *= int64((b.Iterations-1)/b.Bands + 1)
	}
	return leaves
}
