package privacy

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Toeplitz is a whole run of the matrix mechanism with correlated noise: with C the lower triangular Toeplitz matrix of the coefficients, x
// the sums of all steps and Z independent noise of Gaussian, the run releases C·x + Z, or anything made from it such as x + C^-1·Z
// (Choquette-Choo et al. 2023, "(Amplified) banded matrix factorization", arXiv 2306.08153). It is one event for the run, not one for
// a step. NewToeplitz makes it; the zero Toeplitz is invalid.
type Toeplitz struct {
	run  Run
	list string // the coefficients: a Toeplitz is comparable
}

// SqrtToeplitz is a Toeplitz whose coefficients are those of the square root of the prefix sum matrix, 1, 1/2, 3/8, ..., c(j) = c(j-1)·(2j-1)/2j,
// or the first Bands of them (Fichtenberger, Henzinger, Upadhyay 2022, "Constant matters", arXiv 2202.11205).
type SqrtToeplitz struct {
	Run Run `json:"run"`
	// Bands is the number of coefficients other than 0, from 1 on; Run.Steps stands for all of them.
	Bands int `json:"bands"`
}

// Run says which steps of a run one record may contribute to.
type Run struct {
	// Steps is the number of steps, up to 2^20.
	Steps int `json:"steps"`
	// Participations is the largest number of steps that one record contributes to.
	Participations int `json:"participations"`
	// Separation is the smallest distance of two such steps, 1 for consecutive ones.
	Separation int `json:"separation"`
	// Gaussian is the noise of one entry of Z, and the bound on the contribution of one record to one step.
	Gaussian Gaussian `json:"gaussian"`
}

const (
	maxRunSteps     = 1 << 20
	maxCoefficients = 4096
	maxDirect       = 1 << 22 // terms that are summed one by one
	maxDense        = 1 << 22 // operations for which the whole matrix is looked at
)

// NewToeplitz returns the mechanism of 1 to 4096 coefficients, the diagonal first; those not given are 0. Each is at most 1e50 in
// absolute value, and the first is not 0.
func NewToeplitz(r Run, coefficients ...float64) (Toeplitz, error) {
	texts := make([]string, len(coefficients))
	for i, c := range coefficients {
		texts[i] = strconv.FormatFloat(c+0, 'g', -1, 64)
	}
	t := Toeplitz{r, strings.Join(texts, " ")}
	return t, t.Validate()
}

// Run returns the steps that one record may contribute to.
func (t Toeplitz) Run() Run { return t.run }

// Coefficients returns the coefficients, the diagonal first.
func (t Toeplitz) Coefficients() []float64 {
	var list []float64
	for text := range strings.FieldsSeq(t.list) {
		c, _ := strconv.ParseFloat(text, 64) // as it was written
		list = append(list, c)
	}
	return list
}

// Validate accepts what NewToeplitz accepts.
func (t Toeplitz) Validate() error {
	if err := t.run.validate("Toeplitz"); err != nil {
		return err
	}
	c := t.Coefficients()
	if len(c) < 1 || len(c) > maxCoefficients {
		return &InvalidError{"number of Toeplitz coefficients", len(c), "a number from 1 to 4096"}
	}
	for i, x := range c {
		if !(math.Abs(x) <= 1e50) || i == 0 && !(math.Abs(x) >= 1e-50) {
			return &InvalidError{"Toeplitz coefficient", x, "a number of at most 1e50, the first not below 1e-50"}
		}
	}
	return scaledGaussian(t.run.Gaussian, t.Sensitivity()).Validate()
}

// Sensitivity is how far one record moves C·x, in units of its contribution to one step, rounded up. It is exact but for rounding for one
// participation, for coefficients that do not reach as far as Separation, and for such as are not negative and do not
// increase; else an upper bound.
func (t Toeplitz) Sensitivity() float64 { return t.run.sensitivity(t.Coefficients()) }

// Validate accepts a valid Run and Bands from 1 to its Steps.
func (t SqrtToeplitz) Validate() error {
	if err := t.Run.validate("SqrtToeplitz"); err != nil {
		return err
	}
	if t.Bands < 1 || t.Bands > t.Run.Steps {
		return &InvalidError{"SqrtToeplitz.Bands", t.Bands, "a whole number from 1 to Run.Steps"}
	}
	return scaledGaussian(t.Run.Gaussian, t.Sensitivity()).Validate()
}

// Sensitivity is how far one record moves C·x, in units of its contribution to one step, rounded up, exact but for rounding.
func (t SqrtToeplitz) Sensitivity() float64 {
	c := make([]float64, t.Bands)
	c[0] = 1
	for j := 1; j < len(c); j++ {
		c[j] = c[j-1] * (1 - 0.5/float64(j))
	}
	return up(t.Run.sensitivity(c), 4*float64(len(c)))
}

// validate refuses AddRemove: a record more would shift the steps of the others.
func (r Run) validate(name string) error {
	if r.Steps < 1 || r.Steps > maxRunSteps {
		return &InvalidError{name + " Run.Steps", r.Steps, "a whole number from 1 to 2^20"}
	}
	if r.Participations < 1 || r.Participations > maxRunSteps {
		return &InvalidError{name + " Run.Participations", r.Participations, "a whole number from 1 to 2^20"}
	}
	if r.Separation < 1 || r.Separation > maxRunSteps {
		return &InvalidError{name + " Run.Separation", r.Separation, "a whole number from 1 to 2^20"}
	}
	if err := r.Gaussian.Validate(); err != nil {
		return err
	}
	if r.Gaussian.Relation == AddRemove {
		return &InvalidError{name + " Run.Gaussian.Relation", AddRemove, "ReplaceSpecial or ReplaceOne"}
	}
	return nil
}

// sensitivity bounds the length of a sum of columns of C, in any signs, over the patterns that the run allows.
//
// The square of the length of column i is the sum of c² over what fits below the diagonal, which falls with i. So where columns of
// a pattern are orthogonal, and for one participation, the leading pattern 0, b, 2b, ... is the worst. It is the worst as well where the
// coefficients are not negative and do not increase (Kalinin, Lampert 2024, "Banded square root matrix factorization", arXiv 2405.13763,
// Theorem 2). Otherwise the columns' lengths add up at most, or the bound of dense holds.
func (r Run) sensitivity(c []float64) float64 {
	n, b := r.Steps, r.Separation
	k := min(r.Participations, (n-1)/b+1)
	c = c[:min(len(c), n)]
	if monotone(c) {
		return r.leading(c, k)
	}
	squares := make([]float64, len(c)+1) // of the first columns' coefficients
	for i, x := range c {
		squares[i+1] = up(squares[i]+x*x, 2)
	}
	orthogonal, triangle := 0.0, 0.0
	for i := range k {
		d := squares[min(len(c), n-i*b)]
		orthogonal = up(orthogonal+d, 2)
		triangle = up(triangle+up(math.Sqrt(d), 2), 2)
	}
	if k == 1 || len(c) <= b {
		return up(math.Sqrt(orthogonal), 2)
	}
	if n <= maxDense/n/k {
		return min(triangle, r.dense(c, k))
	}
	return triangle
}

func monotone(c []float64) bool {
	for i := 1; i < len(c); i++ {
		if !(c[i] <= c[i-1]) {
			return false
		}
	}
	return c[len(c)-1] >= 0
}

// leading is the length of the sum of the columns 0, b, 2b, ... of non-negative coefficients: entry i is the sum of c over i, i-b, ...
func (r Run) leading(c []float64, k int) float64 {
	n, b := r.Steps, r.Separation
	var sum compensated
	if k <= maxDirect/n {
		for i := range n {
			y := 0.0
			for j, m := i, 0; j >= 0 && m < k; j, m = j-b, m+1 {
				if j < len(c) {
					y += c[j]
				}
			}
			sum.add(y * y)
		}
		return up(math.Sqrt(up(sum.value(), 2*float64(k)+16)), 2)
	}
	y := make([]float64, n)
	for i := range n {
		if i < len(c) {
			y[i] = c[i]
		}
		if i >= b {
			y[i] += y[i-b]
		}
		if j := i - k*b; j >= 0 && j < len(c) {
			y[i] -= c[j]
		}
		slack := 4 * ulp * float64(i/b+1) * float64(k) * c[0] // two roundings a step, of values up to k·c[0]
		sum.add((y[i] + slack) * (y[i] + slack))
	}
	return up(math.Sqrt(up(sum.value(), 16)), 2)
}

// dense is the bound of the same paper on the sum of |X(i,j)| over pairs of a pattern, X = C^T·C: the best pattern for the sums over j, each
// the best pattern of its row.
func (r Run) dense(c []float64, k int) float64 {
	n := r.Steps
	at := func(i int) float64 {
		if i < len(c) {
			return c[i]
		}
		return 0
	}
	// Up from the last row: X(i,j) = X(i+1,j+1) + c(n-1-i)·c(n-1-j). The error is a few ulp of the same sum of absolute values.
	x := make([][2]float64, n+1) // the row below, of values and of absolute values
	rows := make([]float64, n)
	row := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		for j := range n { // ascending: x[j+1] is still the row below
			t := at(n-1-i) * at(n-1-j)
			x[j] = [2]float64{x[j+1][0] + t, x[j+1][1] + math.Abs(t)}
			row[j] = up(math.Abs(x[j][0])+2*float64(n)*ulp*x[j][1], 4)
		}
		rows[i] = r.best(row, k)
	}
	return up(math.Sqrt(r.best(rows, k)), 2)
}

// best returns the largest sum of d over at most k places at least Separation apart, for d >= 0.
func (r Run) best(d []float64, k int) float64 {
	n := len(d)
	below, here := make([]float64, n+1), make([]float64, n+1)
	for range k {
		for i := n - 1; i >= 0; i-- {
			here[i] = max(here[i+1], d[i]+below[min(n, i+r.Separation)])
		}
		below, here = here, below
	}
	return up(below[0], 2*float64(k))
}

func (Toeplitz) kind() string             { return "toeplitz" }
func (t Toeplitz) relation() Relation     { return t.run.Gaussian.Relation }
func (SqrtToeplitz) kind() string         { return "sqrt_toeplitz" }
func (t SqrtToeplitz) relation() Relation { return t.Run.Gaussian.Relation }

// lower: the whole run is one Gaussian, also where x depends on what was released before (Denisov, McMahan, Rush, Smith, Thakurta 2022,
// "Improved differential privacy for SGD via optimal private linear operators on adaptive streams", arXiv 2202.08312, Theorem 2.1).
func (t Toeplitz) lower() []leaf {
	return scaledGaussian(t.run.Gaussian, t.Sensitivity()).lower()
}

func (t SqrtToeplitz) lower() []leaf {
	return scaledGaussian(t.Run.Gaussian, t.Sensitivity()).lower()
}

type toeplitzJSON struct {
	Run          Run       `json:"run"`
	Coefficients []float64 `json:"coefficients"`
}

// String returns the run and the coefficients.
func (t Toeplitz) String() string {
	data, err := json.Marshal(toeplitzJSON{t.run, t.Coefficients()})
	if err != nil {
		return "invalid Toeplitz"
	}
	return string(data)
}

// MarshalJSON writes {"run", "coefficients"}.
func (t Toeplitz) MarshalJSON() ([]byte, error) {
	return json.Marshal(toeplitzJSON{t.run, t.Coefficients()})
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (t *Toeplitz) UnmarshalJSON(data []byte) error {
	var v toeplitzJSON
	if err := strict(data, &v); err != nil {
		return err
	}
	own, err := NewToeplitz(v.Run, v.Coefficients...)
	if err != nil {
		return err
	}
	*t = own
	return nil
}
