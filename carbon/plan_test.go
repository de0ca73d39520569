package carbon

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// brute tries every schedule.
func brute(prices []float64, t Task) float64 {
	best := math.Inf(1)
	for mask := range 1 << len(prices) {
		if bits.OnesCount(uint(mask)) != t.Work {
			continue
		}
		run := make([]bool, len(prices))
		for i := range run {
			run[i] = mask>>i&1 == 1
		}
		cost, _ := Cost(prices, run, t.Start, t.Running)
		best = min(best, cost)
	}
	return best
}

func randomPrices(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(rng.IntN(40)) * 10 // ties
	}
	return out
}

func TestPlanIsOptimal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var p Planner
	for range 600 {
		n := 1 + rng.IntN(11)
		prices := randomPrices(rng, n)
		task := Task{Work: rng.IntN(n + 1), Start: float64(rng.IntN(3)) * 55, Running: rng.IntN(2) == 1}
		run, cost, err := p.Plan(nil, prices, task)
		require.NoError(t, err)
		require.Len(t, run, n)
		require.InDelta(t, brute(prices, task), cost, 1e-9)
		again, _ := Cost(prices, run, task.Start, task.Running)
		require.InDelta(t, cost, again, 1e-9)
		done := 0
		for _, r := range run {
			if r {
				done++
			}
		}
		require.Equal(t, task.Work, done)
		if task.Work > 0 {
			next, err := p.Next(prices, nil, task)
			require.NoError(t, err)
			require.Equal(t, run[0], next)
			next, err = p.Next(prices, make([]float64, n), task)
			require.NoError(t, err)
			require.Equal(t, run[0], next, "a spread of zero")
		}
		if task.Work > 0 {
			at, sum, err := BestWindow(prices, task.Work)
			require.NoError(t, err)
			for i := 0; i+task.Work <= n; i++ {
				other := 0.0
				for _, x := range prices[i : i+task.Work] {
					other += x
				}
				require.LessOrEqual(t, sum, other)
				if i < at {
					require.Less(t, sum, other)
				}
			}
		}
	}
}

// TestPlanWithSpread checks the expected cost of deciding slot by slot against one computed on a fine grid of prices.
func TestPlanWithSpread(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		n := 2 + rng.IntN(4)
		prices, spread := randomPrices(rng, n), randomPrices(rng, n)
		for i := range spread {
			spread[i] /= 8
		}
		start := float64(rng.IntN(2)) * 40
		const grid = 2000
		var value func(i, left int, running bool) float64
		value = func(i, left int, running bool) float64 {
			if left == 0 {
				return 0
			}
			if left > n-i {
				return math.Inf(1)
			}
			go1, stay := value(i+1, left-1, true), value(i+1, left, false)
			if !running {
				go1 += start
			}
			sum := 0.0
			for j := range grid {
				e := ((float64(j)+.5)/grid*2 - 1) * math.Sqrt(3) * spread[i]
				sum += min(prices[i]+e+go1, stay)
			}
			return sum / grid
		}
		for work := 1; work < n; work++ {
			var p Planner
			for _, running := range []bool{false, true} {
				now := prices[0] + value(1, work-1, true)
				if !running {
					now += start
				}
				wait := value(1, work, false)
				if math.Abs(now-wait) < .01 {
					continue // within the error of the grid
				}
				run, err := p.Next(prices, spread, Task{Work: work, Start: start, Running: running})
				require.NoError(t, err)
				require.Equal(t, now < wait, run, "%v +- %v, work %d, start %v", prices, spread, work, start)
			}
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	var p Planner
	for name, tc := range map[string]struct {
		prices []float64
		task   Task
	}{
		"negative work":  {[]float64{1}, Task{Work: -1}},
		"too much work":  {[]float64{1}, Task{Work: 2}},
		"no slots":       {nil, Task{Work: 1}},
		"NaN price":      {[]float64{1, math.NaN()}, Task{Work: 1}},
		"infinite price": {[]float64{1, math.Inf(1)}, Task{Work: 1}},
		"NaN start":      {[]float64{1, 1}, Task{Work: 1, Start: math.NaN()}},
		"negative start": {[]float64{1, 1}, Task{Work: 1, Start: -1}},
	} {
		_, _, err := p.Plan(nil, tc.prices, tc.task)
		require.Error(t, err, name)
		_, err = p.Next(tc.prices, nil, tc.task)
		require.Error(t, err, name)
	}
	_, _, err := p.Plan(nil, []float64{1}, Task{Work: 2})
	require.ErrorIs(t, err, ErrInfeasible)
	_, err = p.Next([]float64{1, 2}, []float64{1}, Task{Work: 1})
	require.Error(t, err)
	_, _, err = p.Plan(nil, make([]float64, 1<<20), Task{Work: 1 << 19})
	require.ErrorContains(t, err, "longer step")
	run, cost, err := p.Plan(nil, nil, Task{})
	require.NoError(t, err)
	require.Empty(t, run)
	require.Zero(t, cost)
}

// band is an outlook that knows an interval for each slot and no more; the truth may be anywhere inside.
type band struct {
	start     time.Time
	low, high []float64
}

func (b *band) Outlook(dst *Outlook, from time.Time, n int) error {
	i := int(from.Sub(b.start) / time.Hour)
	dst.Mean, dst.Spread, dst.nodes = grow(dst.Mean, n), grow(dst.Spread, n), nil
	for j := range n {
		l, h := b.low[i+j], b.high[i+j]
		dst.Mean[j] = (l + h) / 2
		// The quantile of the normal distribution at .95 is the upper end.
		dst.Spread[j] = spreadShare * (h - l) / 2 / 1.6448536269514722
	}
	return nil
}

// TestRegretCapHolds: whatever happens inside the band, the job costs at most (1+cap) times run-now.
func TestRegretCapHolds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	paused, bound := 0, 0
	for range 3000 {
		work := 1 + rng.IntN(8)
		n := work + rng.IntN(14)
		b := &band{start: noon}
		truth := make([]float64, n)
		for i := range n {
			mid := 100 + 300*rng.Float64()
			half := mid * rng.Float64() * rng.Float64()
			b.low, b.high = append(b.low, mid-half), append(b.high, mid+half)
			switch rng.IntN(3) { // at the ends, where it hurts
			case 0:
				truth[i] = mid - half
			case 1:
				truth[i] = mid + half
			default:
				truth[i] = mid + half*(2*rng.Float64()-1)
			}
		}
		start, limit := float64(rng.IntN(3))*30, []float64{.001, .02, .1, .5}[rng.IntN(4)]
		r, err := NewReplanner(ReplannerConfig{Outlooks: b, Start: start, RegretCap: limit, Margin: 1})
		require.NoError(t, err)
		free, err := NewReplanner(ReplannerConfig{Outlooks: b, Start: start})
		require.NoError(t, err)
		cost := follow(r, truth, work, start)
		now, _ := Cost(truth, ones(work), start, false)
		require.LessOrEqual(t, cost, (1+limit)*now*(1+1e-12)+1e-9)
		if cost != now {
			paused++
		}
		if cost != follow(free, truth, work, start) {
			bound++
		}
	}
	require.Greater(t, paused, 500, "a cap under which nothing waits tests nothing")
	require.Greater(t, bound, 50, "nor one that never binds")
}

func ones(n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = true
	}
	return out
}

// follow runs a job by a policy and returns what it costs.
func follow(p Policy, prices []float64, work int, start float64) float64 {
	run := make([]bool, len(prices))
	running := false
	for i, price := range prices {
		if work == 0 {
			break
		}
		s := Slot{At: noon.Add(time.Duration(i) * time.Hour), Price: price, Left: len(prices) - i, Work: work, Running: running}
		running = s.Must() || p.Run(s)
		if run[i] = running; running {
			work--
		}
	}
	cost, _ := Cost(prices, run, start, false)
	if work > 0 {
		return math.Inf(1)
	}
	return cost
}

func TestReplannerRunsWithoutAnOutlook(t *testing.T) {
	t.Parallel()
	l, err := NewLearner(LearnerConfig{})
	require.NoError(t, err)
	for _, limit := range []float64{0, .1} {
		r, err := NewReplanner(ReplannerConfig{Outlooks: l, RegretCap: limit})
		require.NoError(t, err)
		require.True(t, r.Run(Slot{At: noon, Price: math.NaN(), Left: 10, Work: 2}))
		require.True(t, r.Run(Slot{At: noon.Add(time.Hour), Price: 300, Left: 9, Work: 1}))
		require.False(t, r.Run(Slot{At: noon, Price: 300, Left: 9}), "no work")
	}
	for _, cfg := range []ReplannerConfig{{}, {Outlooks: l, Start: -1}, {Outlooks: l, RegretCap: math.NaN()}, {Outlooks: l, Margin: -1}} {
		_, err := NewReplanner(cfg)
		require.Error(t, err)
	}
}

func TestScaleIsOptimal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		prices := randomPrices(rng, 1+rng.IntN(4))
		curve := make([]Level, 1+rng.IntN(3))
		fastest := 0.0
		for i := range curve {
			curve[i] = Level{Power: float64(1 + rng.IntN(6)), Speed: float64(1 + rng.IntN(6))}
			fastest = max(fastest, curve[i].Speed)
		}
		most := fastest * float64(len(prices))
		work := math.Floor(most * rng.Float64())
		parts, cost, err := Scale(prices, curve, work)
		require.NoError(t, err)
		used, done, spent := make([]float64, len(prices)), 0.0, 0.0
		for _, p := range parts {
			used[p.Slot] += p.Share
			done += p.Share * curve[p.Level].Speed
			spent += p.Share * curve[p.Level].Power * prices[p.Slot]
		}
		for _, u := range used {
			require.LessOrEqual(t, u, 1+1e-9)
		}
		require.InDelta(t, work, done, 1e-9)
		require.InDelta(t, cost, spent, 1e-9)
		// Lower bound by duality: for any price of work y the cost is at least y work - sum of the best profit per slot; the
		// largest over the breakpoints of y is the optimum.
		best := 0.0
		for _, x := range prices {
			for _, a := range append([]Level{{}}, curve...) {
				for _, b := range curve {
					if b.Speed == a.Speed {
						continue
					}
					y := x * (b.Power - a.Power) / (b.Speed - a.Speed)
					if y < 0 {
						continue
					}
					bound := y * work
					for _, price := range prices {
						profit := 0.0
						for _, l := range curve {
							profit = max(profit, y*l.Speed-price*l.Power)
						}
						bound -= profit
					}
					best = max(best, bound)
				}
			}
		}
		require.InDelta(t, best, cost, 1e-6)
		_, _, err = Scale(prices, curve, most+.1)
		require.ErrorIs(t, err, ErrInfeasible)
	}
	for _, curve := range [][]Level{nil, {{0, 1}}, {{1, 0}}, {{math.NaN(), 1}}} {
		_, _, err := Scale([]float64{1}, curve, 1)
		require.Error(t, err)
	}
	_, _, err := Scale([]float64{-1}, []Level{{1, 1}}, 1)
	require.Error(t, err)
	_, _, err = Scale([]float64{1}, []Level{{1, 1}}, math.NaN())
	require.Error(t, err)
}

func TestPlaceIsOptimal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 10))
	for range 150 {
		zones, n := 1+rng.IntN(3), 1+rng.IntN(5)
		task := PlaceTask{Work: rng.IntN(n + 1), Start: float64(rng.IntN(2)) * 50, Zone: rng.IntN(zones), Running: rng.IntN(2) == 1, Moves: rng.IntN(4) - 1}
		prices := make([][]float64, zones)
		for z := range prices {
			prices[z] = randomPrices(rng, n)
			row := randomPrices(rng, zones)
			if rng.IntN(6) == 0 {
				row[rng.IntN(zones)] = math.Inf(1)
			}
			task.Move = append(task.Move, row)
		}
		best := math.Inf(1)
		var try func(i, left, zone, moves int, running bool, cost float64)
		try = func(i, left, zone, moves int, running bool, cost float64) {
			if left == 0 {
				best = min(best, cost)
				return
			}
			if i == n {
				return
			}
			try(i+1, left, zone, moves, false, cost)
			for z := range zones {
				c, m := cost+prices[z][i], moves
				if z != zone {
					if m == 0 {
						continue
					}
					m--
					c += task.Move[zone][z]
				}
				if z != zone || !running {
					c += task.Start
				}
				try(i+1, left-1, z, m, true, c)
			}
		}
		try(0, task.Work, task.Zone, task.Moves, task.Running, 0)
		steps, cost, err := Place(prices, task)
		require.NoError(t, err)
		require.InDelta(t, best, cost, 1e-9)
		zone, running, moves, again, done := task.Zone, task.Running, 0, 0.0, 0
		for i, s := range steps {
			if s.Run {
				done++
				again += prices[s.Zone][i]
				if s.Zone != zone {
					moves++
					again += task.Move[zone][s.Zone]
				}
				if s.Zone != zone || !running {
					again += task.Start
				}
			} else {
				require.Equal(t, zone, s.Zone, "a paused job stays")
			}
			zone, running = s.Zone, s.Run
		}
		require.Equal(t, task.Work, done)
		require.InDelta(t, cost, again, 1e-9)
		if task.Moves >= 0 {
			require.LessOrEqual(t, moves, task.Moves)
		}
	}
	one := [][]float64{{1, 2}}
	for name, tc := range map[string]struct {
		prices [][]float64
		task   PlaceTask
	}{
		"no zones":      {nil, PlaceTask{}},
		"uneven":        {[][]float64{{1}, {1, 2}}, PlaceTask{}},
		"zone":          {one, PlaceTask{Zone: 1}},
		"work":          {one, PlaceTask{Work: 3}},
		"rows":          {one, PlaceTask{Move: [][]float64{{0}, {0}}}},
		"columns":       {one, PlaceTask{Move: [][]float64{{0, 0}}}},
		"negative move": {one, PlaceTask{Move: [][]float64{{-1}}}},
		"NaN move":      {one, PlaceTask{Move: [][]float64{{math.NaN()}}}},
	} {
		_, _, err := Place(tc.prices, tc.task)
		require.Error(t, err, name)
	}
}

func TestPlanningDoesNotAllocate(t *testing.T) {
	l := taught(t, time.Hour, 30*24)
	var o Outlook
	var p Planner
	var run []bool
	step := func() {
		require.NoError(t, l.Outlook(&o, l.Latest(), 192))
		_, err := p.Next(o.Mean, o.Spread, Task{Work: 24, Start: 30})
		require.NoError(t, err)
		run, _, err = p.Plan(run[:0], o.Mean, Task{Work: 24, Start: 30})
		require.NoError(t, err)
	}
	step()
	require.Zero(t, testing.AllocsPerRun(20, step))
}

func BenchmarkReplan(b *testing.B) {
	l := taught(b, time.Hour, 60*24)
	var o Outlook
	var p Planner
	var run []bool
	require.NoError(b, l.Outlook(&o, l.Latest(), 192))
	b.Run("outlook+next", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = l.Outlook(&o, l.Latest(), 192)
			_, _ = p.Next(o.Mean, o.Spread, Task{Work: 24, Start: 30})
		}
	})
	b.Run("next", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Next(o.Mean, o.Spread, Task{Work: 24, Start: 30})
		}
	})
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			run, _, _ = p.Plan(run[:0], o.Mean, Task{Work: 24, Start: 30})
		}
	})
	at := l.Latest()
	b.Run("observe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			at = at.Add(time.Hour)
			_ = l.Observe(reading(wave(at), at, at.Add(time.Hour)))
		}
	})
}
