package carbon

import "math"

// neighbour is another zone: its values, and the ratio of the two levels over the last week.
type neighbour struct {
	zone   string
	values memoryRing
	ratios memoryRing // as known at each of the own zone's slots
	ratio  float64    // the newest; NaN before a day of common values
	gauges [len(neighbourAges)]gauge
	scope  Scope
}

// neighbourAges are the ages of the ratio, in hours, at which the errors are followed.
var neighbourAges = [...]float64{1, 12, 24, 72, 168}

// neighbourPrior is the error to expect before any was seen: the median over six zones of 2022 (Electricity Maps) of the
// mean absolute error as a share of the mean, own measurement.
const neighbourPrior = .15

// memoryRing keeps the values of the newest slots.
type memoryRing struct {
	slots  []int64
	values []float64
}

func newMemoryRing(n int) memoryRing {
	r := memoryRing{make([]int64, n), make([]float64, n)}
	for i := range r.slots {
		r.slots[i] = -1
	}
	return r
}

func (r *memoryRing) put(slot int64, v float64) {
	if i := slot % int64(len(r.slots)); slot >= r.slots[i] {
		r.slots[i], r.values[i] = slot, v
	}
}

func (r *memoryRing) get(slot int64) float64 {
	if slot < 0 {
		return math.NaN()
	}
	if i := slot % int64(len(r.slots)); r.slots[i] == slot {
		return r.values[i]
	}
	return math.NaN()
}

func newNeighbour(zone string, perDay int) *neighbour {
	n := &neighbour{zone: zone, values: newMemoryRing(9 * perDay), ratios: newMemoryRing(9 * perDay), ratio: math.NaN()}
	for i := range n.gauges {
		n.gauges[i] = newGauge(neighbourPrior)
	}
	return n
}

// observe scores what the neighbour would have said for a slot of the own zone, at every age of the ratio, and then takes the
// slot into the ratio. The slot is the newest but one, because values of two zones seldom come in step.
func (n *neighbour) observe(slot int64, l *Learner) {
	own, theirs := l.value(slot), n.values.get(slot)
	if !math.IsNaN(own) && !math.IsNaN(theirs) {
		for i, age := range neighbourAges {
			ratio := n.ratios.get(slot - int64(math.Round(age*l.perHour)))
			if said := theirs * ratio; !math.IsNaN(said) {
				n.gauges[i].add((own - said) / max(said, 1))
			}
		}
	}
	var a, b, common float64
	for s := slot; s > slot-7*int64(l.perDay); s-- {
		x, y := l.value(s), n.values.get(s)
		if !math.IsNaN(x) && !math.IsNaN(y) {
			a += x
			b += y
			common++
		}
	}
	if common >= float64(l.perDay) && a > 0 && b > 0 {
		n.ratio = a / b
		n.ratios.put(slot, n.ratio)
	}
}

// at is what the neighbour says for a slot, and the expected error as a share of it; NaN where it says nothing.
func (n *neighbour) at(slot int64, age float64) (v, share, low, high float64) {
	v = n.values.get(slot) * n.ratio
	if math.IsNaN(v) || v > float64(MaxIntensity) {
		return math.NaN(), 0, 0, 0
	}
	var size, lower, upper [len(neighbourAges)]float64
	worst := 0.0
	for i := range n.gauges {
		g := &n.gauges[i]
		worst = max(worst, g.expected()) // a ratio does not become better with age
		size[i], lower[i], upper[i] = worst, g.quantile(.1), g.quantile(.9)
	}
	ages := neighbourAges[:]
	share = atAge(ages, size[:], age)
	return v, share, v + max(v, 1)*atAge(ages, lower[:], age), v + max(v, 1)*atAge(ages, upper[:], age)
}
