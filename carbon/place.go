package carbon

import (
	"fmt"
	"math"
)

// PlaceTask is a job that may run in any of several zones, in one at a time.
type PlaceTask struct {
	Work  int     // slots that must run
	Start float64 // cost of each start, in units of the prices; running on in another zone is a start as well
	// Zone is where the job's data are now, an index into the prices.
	Zone    int
	Running bool // it ran there in the slot before
	// Move is the cost of a migration from one zone to another, [from][to], in units of the prices: the energy of the
	// transfer, in slots of running, times a typical intensity. Infinite forbids it. nil is no cost.
	Move [][]float64
	// Moves is the most migrations allowed; negative is no limit.
	Moves int
}

// Placement is what to do in one slot of a placement.
type Placement struct {
	Zone int // where the job's data are
	Run  bool
}

// Place finds where and when to run by an exact dynamic programme over (slot, work left, zone, running or paused, migrations
// left): no schedule with the same work and limits costs less. prices holds one row per zone, all of one length. The job moves, if
// it does, just before it runs. Work that does not fit is [ErrInfeasible].
func Place(prices [][]float64, t PlaceTask) (steps []Placement, cost float64, err error) {
	n, err := t.check(prices)
	if err != nil {
		return nil, 0, err
	}
	zones, k := len(prices), t.Work
	moves := t.Moves
	if moves < 0 || moves > k {
		moves = k
	}
	layer := (moves + 1) * zones * 2 // states per amount of work
	if k > 0 && layer > maxCells/(n*(k+1)) {
		return nil, 0, fmt.Errorf("carbon: place: %d slots x %d of work x %d zones x %d moves is too much", n, k, zones, moves)
	}
	state := func(w, m, z, running int) int { return w*layer + (m*zones+z)*2 + running }
	next, now := make([]float64, (k+1)*layer), make([]float64, (k+1)*layer)
	for i := layer; i < len(next); i++ {
		next[i] = math.Inf(1)
	}
	choice := make([]uint16, n*(k+1)*layer) // 0 pause, else 1 + the zone to run in
	for i := n - 1; i >= 0; i-- {
		clear(now[:layer])
		for w := 1; w <= k; w++ {
			for m := range moves + 1 {
				for z := range zones {
					for running := range 2 {
						at := state(w, m, z, running)
						best, to := next[state(w, m, z, 0)], uint16(0)
						for y := range zones {
							c := prices[y][i]
							left := m
							if y != z {
								if m == 0 {
									continue
								}
								left--
								c += t.move(z, y)
							}
							if y != z || running == 0 {
								c += t.Start
							}
							if c += next[state(w-1, left, y, 1)]; c < best || c == best && to == 0 && !math.IsInf(c, 1) {
								best, to = c, uint16(1+y)
							}
						}
						now[at], choice[i*(k+1)*layer+at] = best, to
					}
				}
			}
		}
		now, next = next, now
	}
	z, running, w, m := t.Zone, 0, k, moves
	if t.Running {
		running = 1
	}
	cost = next[state(w, m, z, running)]
	if math.IsInf(cost, 1) {
		return nil, 0, fmt.Errorf("%w: no zone that can be reached has room", ErrInfeasible)
	}
	steps = make([]Placement, n)
	for i := range steps {
		to := choice[i*(k+1)*layer+state(w, m, z, running)]
		running = 0
		if to > 0 {
			if y := int(to) - 1; y != z {
				z = y
				m--
			}
			w--
			running = 1
		}
		steps[i] = Placement{Zone: z, Run: to > 0}
	}
	return steps, cost, nil
}

func (t *PlaceTask) move(from, to int) float64 {
	if t.Move == nil {
		return 0
	}
	return t.Move[from][to]
}

func (t *PlaceTask) check(prices [][]float64) (slots int, err error) {
	if len(prices) == 0 || len(prices) > math.MaxUint16-1 {
		return 0, fmt.Errorf("carbon: place: %d zones", len(prices))
	}
	for z, row := range prices {
		if len(row) != len(prices[0]) {
			return 0, fmt.Errorf("carbon: place: zone %d has %d prices, zone 0 has %d", z, len(row), len(prices[0]))
		}
		if err := (Task{Work: t.Work, Start: t.Start}).check(row); err != nil {
			return 0, fmt.Errorf("zone %d: %w", z, err)
		}
	}
	if t.Zone < 0 || t.Zone >= len(prices) {
		return 0, fmt.Errorf("carbon: place: Zone %d of %d", t.Zone, len(prices))
	}
	if t.Move != nil && len(t.Move) != len(prices) {
		return 0, fmt.Errorf("carbon: place: Move has %d rows for %d zones", len(t.Move), len(prices))
	}
	for z, row := range t.Move {
		if len(row) != len(prices) {
			return 0, fmt.Errorf("carbon: place: Move has %d columns in row %d for %d zones", len(row), z, len(prices))
		}
		for y, c := range row {
			if !(c >= 0) {
				return 0, fmt.Errorf("carbon: place: Move from %d to %d costs %v", z, y, c)
			}
		}
	}
	return len(prices[0]), nil
}
