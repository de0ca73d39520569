package carbon

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Level is one setting of a job that can be scaled: how much power it draws and how fast it is.
type Level struct {
	Power float64 // relative to any unit of power
	Speed float64 // work per slot
}

// Part says that a share of a slot's length is spent at a level of the curve.
type Part struct {
	Slot  int
	Level int // index into the curve
	Share float64
}

// Scale spreads work over the slots of a job whose power can be chosen slot by slot: the shares of each slot at each level, in
// the order of the slots, that do the work with the least sum of price times power times share. What a slot's shares leave
// is idle and costs nothing; starts and changes of level are taken to cost nothing either.
//
// The answer is exact. Within a slot levels can be mixed by time, so what counts is the upper concave hull of the curve from (0, 0);
// on it each further piece of work costs more power than the one before, so taking the cheapest pieces price times power over
// speed first, over all slots, is optimal: an exchange of any two pieces costs at least as much. This is the marginal
// allocation of CarbonScaler (Hanafy et al., 2023) without its rounding to whole slots. At most one slot ends within a piece.
// Work that does not fit even at the fastest level is [ErrInfeasible].
func Scale(prices []float64, curve []Level, work float64) (parts []Part, cost float64, err error) {
	if err := (Task{}).check(prices); err != nil {
		return nil, 0, err
	}
	if !(work >= 0 && work <= math.MaxFloat64) {
		return nil, 0, fmt.Errorf("carbon: scale: work %v is not a finite number of at least 0", work)
	}
	hull, err := concave(curve)
	if err != nil {
		return nil, 0, err
	}
	type piece struct {
		slot, rung int
		price      float64 // per unit of work
	}
	pieces := make([]piece, 0, len(prices)*(len(hull)-1))
	for i, price := range prices {
		if price < 0 {
			return nil, 0, fmt.Errorf("carbon: scale: price %v of slot %d is negative", price, i)
		}
		for j := 1; j < len(hull); j++ {
			p := (hull[j].Power - hull[j-1].Power) / (hull[j].Speed - hull[j-1].Speed)
			pieces = append(pieces, piece{i, j, price * p})
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { // ties: the earlier slot, the lower rung
		return cmp.Compare(a.price, b.price)
	})
	rung := make([]int, len(prices))
	partial, share := -1, 0.0
	left := work
	for _, p := range pieces {
		if left <= work*1e-12 { // rounding
			break
		}
		more := hull[p.rung].Speed - hull[p.rung-1].Speed
		if more > left {
			partial, share = p.slot, left/more
			cost += p.price * left
			left = 0
			break
		}
		rung[p.slot] = p.rung
		left -= more
		cost += p.price * more
	}
	if left > work*1e-12 {
		return nil, 0, fmt.Errorf("%w: %v of %v are left at the fastest level", ErrInfeasible, left, work)
	}
	for i, r := range rung {
		below, upper := 1.0, 0.0
		if i == partial {
			below, upper = 1-share, share
		}
		if r > 0 && below > 0 {
			parts = append(parts, Part{i, hull[r].index, below})
		}
		if upper > 0 {
			parts = append(parts, Part{i, hull[r+1].index, upper})
		}
	}
	return parts, cost, nil
}

type rung struct {
	Level
	index int // in the curve; -1 for idle
}

// concave returns the corners of the upper concave hull of speed over power, from idle to the fastest level.
func concave(curve []Level) ([]rung, error) {
	rungs := []rung{{index: -1}}
	for i, l := range curve {
		if !(l.Power > 0 && l.Power <= math.MaxFloat64/1e6 && l.Speed > 0 && l.Speed <= math.MaxFloat64/1e6) {
			return nil, fmt.Errorf("carbon: scale: level %d: power %v and speed %v must be positive", i, l.Power, l.Speed)
		}
		rungs = append(rungs, rung{l, i})
	}
	if len(curve) == 0 {
		return nil, fmt.Errorf("carbon: scale: the curve is empty")
	}
	slices.SortStableFunc(rungs, func(a, b rung) int {
		return cmp.Or(cmp.Compare(a.Power, b.Power), cmp.Compare(b.Speed, a.Speed))
	})
	hull := rungs[:1:1]
	for _, r := range rungs[1:] {
		if r.Speed <= hull[len(hull)-1].Speed {
			continue // slower for at least as much power
		}
		for len(hull) > 1 {
			a, b := hull[len(hull)-2], hull[len(hull)-1]
			if (b.Speed-a.Speed)*(r.Power-a.Power) > (r.Speed-a.Speed)*(b.Power-a.Power) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, r)
	}
	return hull, nil
}
