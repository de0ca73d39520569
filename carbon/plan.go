package carbon

import (
	"errors"
	"fmt"
	"math"
)

// ErrInfeasible is returned for work that does not fit into the slots it is given.
var ErrInfeasible = errors.New("carbon: the work does not fit before the deadline")

const maxCells = 1 << 28 // of one programme: slots x work

// Task is what is left of a job, in slots of one length. It draws the same power in each slot it runs in.
type Task struct {
	// Work is how many slots must still run.
	Work int
	// Start is the cost of each start, in units of the prices: the energy of a start, in slots of running, times a typical
	// intensity.
	Start float64
	// Running says that the slot before the first one ran, so that going on is no start.
	Running bool
}

func (t Task) check(prices []float64) error {
	if t.Work < 0 {
		return fmt.Errorf("carbon: plan: Work %d is negative", t.Work)
	}
	if !(t.Start >= 0 && t.Start <= math.MaxFloat64) {
		return fmt.Errorf("carbon: plan: Start %v is not a finite number of at least 0", t.Start)
	}
	if t.Work > len(prices) {
		return fmt.Errorf("%w: %d slots of work in %d", ErrInfeasible, t.Work, len(prices))
	}
	if t.Work > 0 && len(prices) > maxCells/t.Work {
		return fmt.Errorf("carbon: plan: %d slots times %d of work is more than %d; take a longer step", len(prices), t.Work, maxCells)
	}
	for i, p := range prices {
		if !(math.Abs(p) <= math.MaxFloat64) {
			return fmt.Errorf("carbon: plan: price %v of slot %d is not a finite number", p, i)
		}
	}
	return nil
}

// Planner finds the slots to run in by an exact dynamic programme over (slot, work left, running or paused): no other
// schedule with the same work costs less. It holds only buffers, so it may be used again for any other task, and then
// allocates nothing; not concurrently. The zero Planner is ready.
//
// The prices are intensities: one number per slot, of any length, in any unit.
type Planner struct {
	idle, busy []float64 // the least cost from a slot on, by work left, after a pause and after running
	choice     []uint8   // per slot and work left: bit 0 run after a pause, bit 1 run after running
}

const (
	runIdle = 1 << iota
	runBusy
)

// Plan appends to dst whether to run in each slot and returns that and the least cost, starts included. Of schedules that
// cost the same it takes the one that runs sooner. Work that does not fit is [ErrInfeasible].
func (p *Planner) Plan(dst []bool, prices []float64, t Task) (run []bool, cost float64, err error) {
	if err := t.check(prices); err != nil {
		return dst, 0, err
	}
	n, k := len(prices), t.Work
	p.start(k)
	p.choice = grow(p.choice, n*(k+1))
	idle, busy := p.idle, p.busy
	for i := n - 1; i >= 0; i-- {
		x, row := prices[i], p.choice[i*(k+1):(i+1)*(k+1)]
		low := max(1, k-i) // less work left is out of reach in this slot
		for w := min(k, n-i); w >= low; w-- {
			go1, stay := x+busy[w-1], idle[w]
			var c uint8
			busy[w], idle[w] = stay, stay
			if go1 <= stay {
				busy[w] = go1
				c = runBusy
			}
			if fresh := go1 + t.Start; fresh <= stay {
				idle[w] = fresh
				c |= runIdle
			}
			row[w] = c
		}
	}
	cost = idle[k]
	if t.Running {
		cost = busy[k]
	}
	running, left := t.Running, k
	for i := range n {
		if left > 0 {
			c := p.choice[i*(k+1)+left]
			running = running && c&runBusy != 0 || !running && c&runIdle != 0
		} else {
			running = false
		}
		if running {
			left--
		}
		dst = append(dst, running)
	}
	return dst, cost, nil
}

// Next decides about the first slot alone: run in it, or not. With a nil spread that is the first decision of [Planner.Plan].
//
// spread says how much is still to be learned about each slot when it comes: a standard deviation, independent from slot to
// slot and taken as uniform. The programme then minimises the expected cost with decisions made slot by slot on what is known by
// then, so a slot not needed yet is worth more, the less is known: the value of waiting that a plan on the mean alone
// does not see. With a perfect forecast there is nothing to learn: give nil or zeros.
func (p *Planner) Next(prices, spread []float64, t Task) (run bool, err error) {
	if err := t.check(prices); err != nil {
		return false, err
	}
	if spread != nil && len(spread) != len(prices) {
		return false, fmt.Errorf("carbon: plan: %d spreads for %d prices", len(spread), len(prices))
	}
	for i, s := range spread {
		if !(s >= 0 && s <= math.MaxFloat64) {
			return false, fmt.Errorf("carbon: plan: spread %d is %v, want a finite number of at least 0", i, s)
		}
	}
	n, k := len(prices), t.Work
	if k == 0 || k == n {
		return k > 0, nil
	}
	p.start(k)
	for i := n - 1; i >= 1; i-- {
		low, high := max(1, k-i), min(k, n-i)
		if spread != nil && spread[i] > 0 {
			p.expect(prices[i], spread[i], t.Start, low, high)
		} else {
			p.choose(prices[i], t.Start, low, high)
		}
	}
	now := prices[0] + p.busy[k-1]
	if !t.Running {
		now += t.Start
	}
	return now <= p.idle[k], nil
}

// start sets the costs behind the last slot.
func (p *Planner) start(work int) {
	p.idle, p.busy = grow(p.idle, work+1), grow(p.busy, work+1)
	for w := range p.idle {
		p.idle[w], p.busy[w] = math.Inf(1), math.Inf(1)
	}
	p.idle[0], p.busy[0] = 0, 0
}

// choose goes back by one slot of a known price. Comparisons, not min: that has NaN to think of and takes twice as long.
func (p *Planner) choose(price, start float64, low, high int) {
	idle := p.idle[:high+1]
	busy := p.busy[:len(idle)]
	for w := high; w >= low; w-- {
		run, stay := price+busy[w-1], idle[w]
		busy[w] = stay
		if run < stay {
			busy[w] = run
		}
		if run += start; run < stay {
			idle[w] = run
		}
	}
}

// expect goes back by one slot of a price known up to a uniform error of the given standard deviation: for e uniform in
// [-b, b] and d = stay - run, E min(run + e, stay) = run for d >= b, stay for d <= -b, else stay - (d+b)^2/(4b).
func (p *Planner) expect(price, deviation, start float64, low, high int) {
	b := math.Sqrt(3) * deviation
	quarter := 1 / (4 * b)
	idle := p.idle[:high+1]
	busy := p.busy[:len(idle)]
	for w := high; w >= low; w-- {
		run, stay := price+busy[w-1], idle[w]
		d := stay - run
		if d >= start+b { // running is best whatever the price turns out, even from a pause
			busy[w], idle[w] = run, run+start
			continue
		}
		busy[w] = stay
		if d <= -b {
			continue
		}
		busy[w] = run
		if d < b {
			busy[w] = stay - (d+b)*(d+b)*quarter
		}
		if d -= start; d > -b {
			idle[w] = stay - (d+b)*(d+b)*quarter
		}
	}
}

// Cost is what a schedule costs at the prices, and how often it starts.
func Cost(prices []float64, run []bool, start float64, running bool) (cost float64, starts int) {
	for i, r := range run {
		if r {
			cost += prices[i]
			if !running {
				cost += start
				starts++
			}
		}
		running = r
	}
	return cost, starts
}

// BestWindow finds the contiguous stretch of the given length with the lowest sum of prices, the first one on a tie.
func BestWindow(prices []float64, length int) (at int, sum float64, err error) {
	if err := (Task{Work: length}).check(prices); err != nil {
		return 0, 0, err
	}
	for _, p := range prices[:length] {
		sum += p
	}
	current := sum
	for i := length; i < len(prices); i++ {
		current += prices[i] - prices[i-length]
		if current < sum {
			at, sum = i-length+1, current
		}
	}
	// Summed afresh: a sliding sum gathers rounding errors.
	sum = 0
	for _, p := range prices[at : at+length] {
		sum += p
	}
	return at, sum, nil
}
