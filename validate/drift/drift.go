// Package drift tells whether two samples, such as the reference data and those of today, come from the same distribution.
//
// For most uses call [Numbers] on two sketches of a column, or [Categories] on two counts of its values, and look at the results
// whose Drift is set. A statistic of two finite samples of one distribution is never zero, and the smaller they are the larger it
// is. So every threshold here follows from the sample sizes: without drift, a test alarms in a share of at most Alpha of
// all comparisons. Divide Alpha by the number of columns that are compared at a time (Bonferroni).
//
// The statistics are the largest distance of the distribution functions (Kolmogorov and Smirnov), the population stability index
// (PSI) and the Jensen-Shannon divergence, both over bins of equal weight, and for categories the largest difference of
// shares. With P and Q the shares of B bins in samples of n and m values of one distribution,
//
//	PSI = Σ (P-Q) ln(P/Q)       is about (1/n + 1/m) χ²(B-1), and
//	JS  = H((P+Q)/2) - (H(P)+H(Q))/2 is about (1/n + 1/m) χ²(B-1) / (8 ln 2) bits,
//
// by the expansion of both to second order, in which they are multiples of Pearson's statistic. Bins are made of the two samples
// together, so that each expects at least 10 values of either one, and half a value is added to each count.
package drift

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/validate/sketch"
)

// Options are the zero Options for most uses.
type Options struct {
	Alpha float64 // share of false alarms; 0.001 if zero
	Bins  int     // at most, in [2, 1000]; 10 if zero. Small samples get fewer
	// Least are the values below which a statistic is no drift however sure it is, by name: in large samples, differences
	// without any meaning are significant. 0.1 is the usual one for "psi".
	Least map[string]float64
}

// ErrOptions is matched by the error for options that make no sense.
var ErrOptions = errors.New("drift: impossible options")

func (o Options) filled() (Options, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.001
	}
	if o.Bins == 0 {
		o.Bins = 10
	}
	if !(o.Alpha > 0 && o.Alpha < 0.5) || o.Bins < 2 || o.Bins > 1000 {
		return o, fmt.Errorf("%w: alpha is %v, must be in (0, 0.5); bins is %d, must be in [2, 1000]", ErrOptions, o.Alpha, o.Bins)
	}
	return o, nil
}

// Names of the statistics.
const (
	KS   = "ks"   // in [0, 1]
	PSI  = "psi"  // from 0 up
	JS   = "js"   // in bits, in [0, 1]
	LInf = "linf" // in [0, 1]
)

// Result is one statistic of two samples, with what is needed to find it again by hand.
type Result struct {
	Statistic string  `json:"statistic"`
	Value     float64 `json:"value"`
	Expected  float64 `json:"expected"`  // mean of Value without drift, about
	Threshold float64 `json:"threshold"` // that Value must be above to be drift
	P         float64 `json:"p"`         // probability of such a Value without drift, at most
	N         uint64  `json:"n"`         // values of the reference
	M         uint64  `json:"m"`         // values compared to it
	Bins      int     `json:"bins,omitempty"`
	Drift     bool    `json:"drift"`
}

func (r Result) String() string {
	return fmt.Sprintf("%s %.4g, threshold %.4g, p %.2g (%d and %d values, %d bins)", r.Statistic, r.Value, r.Threshold, r.P, r.N, r.M, r.Bins)
}

func (r Result) judged(o Options) Result {
	r.Threshold = max(r.Threshold, o.Least[r.Statistic])
	r.Drift = r.Value > r.Threshold
	return r
}

// sizes returns 1/n + 1/m.
func sizes(n, m uint64) float64 { return 1/float64(n) + 1/float64(m) }

// Numbers compares the finite numbers of two sketches. With a sample of none it returns no results. The KS distance is taken
// where the sketches are exact and is never above the one of the data themselves.
func Numbers(reference, current *sketch.Quantiles, o Options) ([]Result, error) {
	o, err := o.filled()
	if err != nil || reference.N() == 0 || current.N() == 0 {
		return nil, err
	}
	n, m := reference.N(), current.N()
	type pair struct{ n, m uint64 }
	buckets := map[float64]pair{} // by their lower edges, which are the same in all sketches
	for b := range reference.Buckets() {
		buckets[b.Low+0] = pair{n: b.Count}
	}
	for b := range current.Buckets() {
		p := buckets[b.Low+0]
		p.m += b.Count
		buckets[b.Low+0] = p
	}
	var ks float64
	var a, b uint64
	counts := binner{least: least(n, m), all: n + m, bins: o.Bins}
	for _, low := range slices.Sorted(maps.Keys(buckets)) {
		p := buckets[low]
		a += p.n
		b += p.m
		ks = max(ks, math.Abs(float64(a)/float64(n)-float64(b)/float64(m)))
		counts.add(p.n, p.m)
	}
	results := []Result{kolmogorov(ks, n, m, o)}
	return append(results, binned(counts.done(), n, m, o)...), nil
}

// kolmogorov uses the tail 2 exp(-2 d² nm/(n+m)), above that of the limit of Kolmogorov (1933) and Smirnov (1939) everywhere.
func kolmogorov(d float64, n, m uint64, o Options) Result {
	s := sizes(n, m)
	return Result{Statistic: KS, Value: d, Expected: 0.8687 * math.Sqrt(s), Threshold: math.Sqrt(math.Log(2/o.Alpha) / 2 * s),
		P: min(1, 2*math.Exp(-2*d*d/s)), N: n, M: m}.judged(o)
}

// least is how many values of both samples a bin must have to expect 10 of the smaller one.
func least(n, m uint64) float64 { return 10 * float64(n+m) / float64(min(n, m)) }

// binner puts neighbours into bins of about equal weight.
type binner struct {
	least float64
	all   uint64
	bins  int

	n, m   uint64 // of the open bin
	closed [][2]float64
	before uint64
}

func (b *binner) add(n, m uint64) {
	b.n += n
	b.m += m
	b.before += n + m
	edge := float64(b.all) * float64(len(b.closed)+1) / float64(b.bins)
	if float64(b.n+b.m) >= b.least && float64(b.before) >= edge {
		b.closed = append(b.closed, [2]float64{float64(b.n), float64(b.m)})
		b.n, b.m = 0, 0
	}
}

// done returns the bins. What is left over goes to the last one if it is too little for one of its own.
func (b *binner) done() [][2]float64 {
	switch last := len(b.closed) - 1; {
	case b.n+b.m == 0:
	case last < 0 || float64(b.n+b.m) >= b.least:
		b.closed = append(b.closed, [2]float64{float64(b.n), float64(b.m)})
	default:
		b.closed[last][0] += float64(b.n)
		b.closed[last][1] += float64(b.m)
	}
	return b.closed
}

// binned returns PSI and JS of the counts in bins.
func binned(counts [][2]float64, n, m uint64, o Options) []Result {
	bins := len(counts)
	if bins < 2 {
		return nil // too few values, or all alike
	}
	var psi, js float64
	all := [2]float64{float64(n) + float64(bins)/2, float64(m) + float64(bins)/2}
	for _, c := range counts {
		p, q := (c[0]+0.5)/all[0], (c[1]+0.5)/all[1]
		psi += (p - q) * math.Log(p/q)
		js += p/2*math.Log2(2*p/(p+q)) + q/2*math.Log2(2*q/(p+q))
	}
	s, freedom := sizes(n, m), float64(bins-1)
	critical := chiQuantile(freedom, o.Alpha)
	result := func(name string, value, unit float64) Result {
		return Result{Statistic: name, Value: value, Expected: unit * freedom, Threshold: unit * critical,
			P: chiTail(freedom, value/unit), N: n, M: m, Bins: bins}.judged(o)
	}
	return []Result{result(PSI, max(0, psi), s), result(JS, min(1, max(0, js)), s/(8*math.Ln2))}
}

// Categories compares how often each value occurs. Values too rare to be compared one by one are taken together.
func Categories(reference, current map[string]int64, o Options) ([]Result, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	var n, m uint64
	names := map[string]bool{}
	for _, counts := range []map[string]int64{reference, current} {
		for name, count := range counts {
			if count < 0 {
				return nil, fmt.Errorf("%w: count of %q is %d", ErrOptions, name, count)
			}
			names[name] = true
		}
	}
	for _, count := range reference {
		n += uint64(count)
	}
	for _, count := range current {
		m += uint64(count)
	}
	if n == 0 || m == 0 {
		return nil, nil
	}
	var rare [2]float64
	var counts [][2]float64
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := [2]float64{float64(reference[name]), float64(current[name])}
		if c[0]+c[1] >= least(n, m) {
			counts = append(counts, c)
		} else {
			rare[0] += c[0]
			rare[1] += c[1]
		}
	}
	if rare[0]+rare[1] > 0 {
		counts = append(counts, rare)
	}
	results := []Result{largest(counts, n, m, o)}
	if rare[0]+rare[1] < least(n, m) && len(counts) > 1 && rare[0]+rare[1] > 0 { // too little for a bin of its own
		last := len(counts) - 2
		counts[last][0] += rare[0]
		counts[last][1] += rare[1]
		counts = counts[:last+1]
	}
	return append(results, binned(counts, n, m, o)...), nil
}

// largest bounds each difference of shares by the inequality of Bernstein under exchange of the samples, and all of them by
// the sum of the probabilities.
func largest(counts [][2]float64, n, m uint64, o Options) Result {
	var d, threshold, expected float64
	s, bins := sizes(n, m), float64(len(counts))
	p := 0.0
	for _, c := range counts {
		diff := math.Abs(c[0]/float64(n) - c[1]/float64(m))
		share := (c[0] + c[1] + 1) / (float64(n+m) + 2)
		variance := share * (1 - share) * s
		log := math.Log(2 * bins / o.Alpha)
		// Bernstein: P(|X| > t) <= 2 exp(-t² / (2 (variance + b t/3))) with steps of b.
		b := 1/float64(n) + 1/float64(m)
		t := b*log/3 + math.Sqrt(b*b*log*log/9+2*variance*log)
		d, threshold = max(d, diff), max(threshold, t)
		expected = max(expected, math.Sqrt(2*variance/math.Pi))
		if variance+b*diff/3 > 0 {
			p += 2 * math.Exp(-diff*diff/(2*(variance+b*diff/3)))
		}
	}
	return Result{Statistic: LInf, Value: d, Expected: expected, Threshold: min(1, threshold), P: min(1, p), N: n, M: m, Bins: len(counts)}.judged(o)
}

// chiQuantile and chiTail are the upper quantile and tail of χ² with k degrees of freedom, by the cube root that is nearly
// normal (Wilson and Hilferty 1931).
func chiQuantile(k, alpha float64) float64 {
	z := math.Sqrt2 * math.Erfinv(1-2*alpha)
	root := 1 - 2/(9*k) + z*math.Sqrt(2/(9*k))
	return k * root * root * root
}

func chiTail(k, x float64) float64 {
	z := (math.Cbrt(x/k) - 1 + 2/(9*k)) / math.Sqrt(2/(9*k))
	return 0.5 * math.Erfc(z/math.Sqrt2)
}
