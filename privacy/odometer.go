package privacy

import "math"

// Odometer says at every step what has been spent, for interactions in which the events, and the moment to stop or to look, depend
// on what was released. For a delta fixed in advance, whatever the schedule turns out to be, the privacy loss exceeds the reading
// at any time at all with probability at most delta; so the interaction up to any stopping time is (reading, delta)-differentially private. It costs
// some percent more than an accountant's epsilon, which holds for schedules fixed in advance only. A [Filter] is the tool to stay within a
// budget: it costs nothing more.
//
// At every order a of a fixed list, e^((a-1)·(loss - sum of the divergences)) is a supermartingale from 1, also where each event depends on
// what came before. By Ville's inequality the loss ever exceeds sum + log(m/delta)/(a-1) with probability at most delta/m; with m
// orders the smallest of these bounds is exceeded with probability at most delta (Feldman, Zrnic 2021; Lécuyer 2021, "Practical privacy
// filters and odometers with Rényi differential privacy").
//
// The zero Odometer is ready. All methods are safe for concurrent use; an Odometer must not be copied.
type Odometer struct {
	recorder
	ladder ladder
}

// Epsilon returns the reading at delta, 0 < delta < 1. Events with an infinite loss are refused here: their probability may depend on
// what was released.
func (o *Odometer) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	if lost := infinite(o.snapshot()); lost > 0 {
		return Interval{}, noBound("odometer", "an event may lose everything")
	}
	orders := odometerOrders()
	share := math.Nextafter(delta/float64(len(orders)), 0)
	if !(share > 0) {
		return Interval{}, &InvalidError{"delta", delta, "large enough for a share of it"}
	}
	in, err := o.ladder.epsilon(&o.recorder, orders, share, true)
	if err == nil && in.Method != nothing().Method {
		in.Method = "odometer, " + in.Method
	}
	return in, err
}

// odometerOrders are 1+c, c from 1/16 to 4096 in steps of a factor of sqrt(2).
func odometerOrders() []float64 {
	var orders []float64
	for i := -8; i <= 24; i++ {
		orders = append(orders, 1+math.Exp2(float64(i)/2))
	}
	return orders
}
