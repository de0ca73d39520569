package loss

import (
	"fmt"
	"math"
)

// Weights is a law of a count: probabilities enclosed by Lower and Upper.
type Weights struct {
	First        int64     // count of the first entry
	Lower, Upper []float64 // probability of First+i
	Beyond       float64   // bound of the probability of all other counts
}

// maxCounts bounds the counts that are summed.
const maxCounts = 1 << 22

// Binomial returns the law of the number of successes of n independent trials of probability q, without the counts at the ends
// that together have at most the probability tail. With n = m draws with replacement from N records and q = 1/N it weighs the
// sensitivities 2j of add/remove (each hit displaces one other record).
func Binomial(n int64, q, tail float64) (Weights, error) {
	if n < 0 || n > 1<<40 {
		return Weights{}, parameter("trials", n, "0 to 2^40")
	}
	if !(q >= 0 && q <= 1) {
		return Weights{}, parameter("probability", q, "0 to 1")
	}
	if n == 0 || q == 0 {
		return certain(0), nil
	}
	if q == 1 {
		return certain(n), nil
	}
	odds := q / (1 - q)
	mode := min(n, int64(float64(n+1)*q))
	return weigh(0, n, mode, tail, func(j int64) float64 { return float64(n-j) / float64(j+1) * odds })
}

// Hypergeometric returns the law of the number of marked records in a batch of draws out of population, drawn without
// replacement, where marked records are marked; ends are dropped as in Binomial.
func Hypergeometric(population, marked, draws int64, tail float64) (Weights, error) {
	if population < 1 || population > 1<<40 {
		return Weights{}, parameter("population", population, "1 to 2^40")
	}
	if marked < 0 || marked > population {
		return Weights{}, parameter("marked records", marked, fmt.Sprint("0 to ", population))
	}
	if draws < 0 || draws > population {
		return Weights{}, parameter("draws", draws, fmt.Sprint("0 to ", population))
	}
	lo, hi := max(0, marked+draws-population), min(marked, draws)
	rest := population - marked - draws
	mode := int64(float64(marked+1) * (float64(draws+1) / float64(population+2)))
	return weigh(lo, hi, min(hi, max(lo, mode)), tail, func(j int64) float64 {
		return float64(marked-j) / float64(j+1) * (float64(draws-j) / float64(rest+j+1))
	})
}

func certain(n int64) Weights { return Weights{First: n, Lower: []float64{1}, Upper: []float64{1}} }

// weigh builds a law on lo..hi from the ratios P(j+1)/P(j), which fall with j: start at 1 near the mode, multiply outwards and
// divide by the sum. A ratio errs by at most 8 ulp, so the k-th weight from the start by 9k ulp, whatever the sum of
// all; what is left out is below the geometric series of the last ratio.
func weigh(lo, hi, mode int64, tail float64, ratio func(int64) float64) (Weights, error) {
	if !inOpen(tail, 0, 1) {
		return Weights{}, parameter("tail", tail, "a number above 0 and below 1")
	}
	const floor = 1e-300
	right, left := []float64{1}, []float64(nil)
	beyond, total := 0.0, 1.0
	for j := mode; j < hi; j++ {
		w := right[len(right)-1] * ratio(j)
		if w < floor {
			beyond += remainder(w, ratio(j+1))
			break
		}
		if right = append(right, w); len(right) > maxCounts {
			return Weights{}, fmt.Errorf("%w: more than %d counts", ErrTooLarge, maxCounts)
		}
		total += w
	}
	for j, w := mode, 1.0; j > lo; j-- {
		w /= ratio(j - 1)
		if w < floor {
			back := 0.0
			if j-1 > lo {
				back = 1 / ratio(j-2)
			}
			beyond += remainder(w, back)
			break
		}
		if left = append(left, w); len(left) > maxCounts {
			return Weights{}, fmt.Errorf("%w: more than %d counts", ErrTooLarge, maxCounts)
		}
		total += w
	}
	steps := float64(max(len(left), len(right)))
	totalErr := 10*ulp*steps + float64(len(left)+len(right)+8)*ulp + beyond
	out := Weights{First: mode - int64(len(left))}
	at := func(i int) (w, k float64) { // weight of the i-th count, and its distance from the mode
		if i < len(left) {
			return left[len(left)-1-i], float64(len(left) - i)
		}
		return right[i-len(left)], float64(i - len(left))
	}
	n := len(left) + len(right)
	from, to := 0, n
	for sum := 0.0; from < to-1; from++ {
		w, _ := at(from)
		if sum += w / total; sum > tail/2 {
			break
		}
		beyond += w
	}
	for sum := 0.0; to-1 > from; to-- {
		w, _ := at(to - 1)
		if sum += w / total; sum > tail/2 {
			break
		}
		beyond += w
	}
	for i := from; i < to; i++ {
		w, k := at(i)
		e := near(w/total, 10*ulp*(k+1)+totalErr)
		out.Lower, out.Upper = append(out.Lower, e.lo), append(out.Upper, math.Min(1, e.hi))
	}
	out.First += int64(from)
	out.Beyond = beyond / total * (1 + 4*totalErr + 64*ulp*steps)
	return out, nil
}

// remainder bounds the sum of a series from w on whose ratios are at most r.
func remainder(w, r float64) float64 {
	if r < 0 || math.IsNaN(r) {
		r = 0
	}
	if r >= 1 {
		return 1
	}
	return math.Max(w, 1e-308) / (1 - r) * (1 + 1e-9)
}

// tailOf encloses the probability of counts of at least k.
func (w Weights) tailOf(k int64) interval {
	var t interval
	for i := len(w.Lower) - 1; i >= 0 && w.First+int64(i) >= k; i-- {
		t.lo += w.Lower[i]
		t.hi += w.Upper[i]
	}
	n := float64(len(w.Lower)+2) * ulp
	return interval{t.lo * (1 - n), math.Min(1, (t.hi+w.Beyond)*(1+n))}
}
