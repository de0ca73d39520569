package carbon

import (
	"fmt"
	"math"
	"time"
)

// Slot is what a [Policy] is asked about: the slot that begins now. Everything in it is known at that time.
type Slot struct {
	At      time.Time // when it begins; only a [Replanner] needs it
	Price   float64   // the intensity of this slot; NaN where it is not known
	Left    int       // slots up to the deadline, this one included
	Work    int       // slots that must still run
	Running bool      // the slot before ran
}

// Must reports whether the slot has to run for the work to be done by the deadline.
func (s Slot) Must() bool { return s.Work >= s.Left }

// Policy decides slot by slot, at the beginning of each, whether a job runs.
type Policy interface {
	// Run reports whether to run in the slot. It is asked once per slot, in order, while there is work.
	Run(s Slot) bool
}

// KMin runs in a slot whose price is at or below a threshold that falls as the work is done: k-min search, for when there
// is no history but bounds on the prices (Lorenz, Panagiotou, Steger, Optimal algorithms for k-search, 2009). Without a start
// cost and with prices in [L, U] it pays at most alpha times the optimum, the best ratio that any deterministic rule reaches.
// Create one with [NewKMin].
type KMin struct {
	thresholds []float64 // by work done
}

// NewKMin computes the thresholds for a number of slots of work and prices in [low, high], low > 0.
func NewKMin(work int, low, high float64) (*KMin, error) {
	d, err := NewDoubleThreshold(work, low, high, 0)
	if err != nil {
		return nil, err
	}
	return &KMin{thresholds: d.upper}, nil
}

// Run reports whether the slot is cheap enough, or has to be used, or its price is not known: nothing waits for want of data.
func (k *KMin) Run(s Slot) bool {
	return s.Work > 0 && (s.Must() || math.IsNaN(s.Price) || s.Price <= k.thresholds[max(0, len(k.thresholds)-s.Work)])
}

// DoubleThreshold is k-min search with a cost per start: a job that runs goes on up to an upper threshold, a paused one
// starts at a lower one, a start's cost below it (Lechowicz et al., The Online Pause and Resume Problem, 2023). Its ratio
// alpha is optimal among deterministic rules. Create one with [NewDoubleThreshold].
type DoubleThreshold struct {
	upper []float64 // by work done
	start float64
	alpha float64
}

// NewDoubleThreshold computes the thresholds for a number of slots of work, prices in [low, high], low > 0, and a cost per
// start. The start must cost less than high - low: otherwise no price makes up for a pause, and running at once is best.
//
// The thresholds balance, for every i of the k slots, the cost of having been given i slots at the threshold and then high
// prices to the end against alpha times the optimum: with u the upper, l = u - start the lower thresholds and u(k+1) - start = low,
// u(1) + ... + u(i) + start + (k-i) high = alpha (k l(i+1) + start).
func NewDoubleThreshold(work int, low, high, start float64) (*DoubleThreshold, error) {
	switch {
	case work < 1 || work > maxCells:
		return nil, fmt.Errorf("carbon: threshold: work of %d slots is not positive or too large", work)
	case !(low > 0 && high >= low && high <= math.MaxFloat64/1e6):
		return nil, fmt.Errorf("carbon: threshold: need 0 < low <= high, have %v and %v", low, high)
	case !(start >= 0 && (start < high-low || start == 0)):
		return nil, fmt.Errorf("carbon: threshold: a start of %v is not below high - low = %v", start, high-low)
	}
	k := float64(work)
	// What is left of low when the thresholds are made with alpha; it falls as alpha grows.
	rest := func(alpha float64) float64 {
		return high - (high*(1-1/alpha)-start*(1-1/k+1/(k*alpha)))*math.Pow(1+1/(k*alpha), k) - start - low
	}
	a, b := 1.0, 2.0
	for rest(b) > 0 && b < 1e12 {
		b *= 2
	}
	for range 200 {
		m := a + (b-a)/2
		if rest(m) > 0 {
			a = m
		} else {
			b = m
		}
	}
	d := &DoubleThreshold{upper: make([]float64, work), start: start, alpha: b}
	gap := high*(1-1/b) - start*(1-1/k+1/(k*b))
	for i := range d.upper {
		d.upper[i] = high - gap
		gap *= 1 + 1/(k*b)
	}
	return d, nil
}

// Ratio is alpha: with prices inside the bounds the rule costs at most alpha times the optimum.
func (d *DoubleThreshold) Ratio() float64 { return d.alpha }

// Run reports whether the slot is cheap enough, or has to be used, or its price is not known.
func (d *DoubleThreshold) Run(s Slot) bool {
	if s.Work <= 0 || s.Must() || math.IsNaN(s.Price) {
		return s.Work > 0
	}
	limit := d.upper[max(0, len(d.upper)-s.Work)]
	if !s.Running {
		limit -= d.start
	}
	return s.Price <= limit
}
