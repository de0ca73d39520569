package breaker_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// load is what the tests measure, and mode what their steps go by.
type (
	load struct{ Memory, Errors float64 }
	mode struct {
		Evaluate bool
		Batch    int
	}
)

func memory(m load) float64 { return m.Memory }

func newDegrader(t testing.TB, cfg breaker.DegraderConfig[load, mode]) *breaker.Degrader[load, mode] {
	t.Helper()
	d, err := breaker.NewDegrader(cfg)
	require.NoError(t, err)
	return d
}

func threeLevels() breaker.DegraderConfig[load, mode] {
	return breaker.DegraderConfig[load, mode]{
		Name:   "job",
		Normal: mode{true, 64},
		Levels: []breaker.Level[load, mode]{
			{
				Name: "no evaluation", Settings: mode{false, 64},
				Enter: breaker.Above("memory", memory, .8), Exit: breaker.Below("memory", memory, .7),
			},
			{
				Name: "half a batch", Settings: mode{false, 32},
				Enter: breaker.Above("memory", memory, .9), Exit: breaker.Below("memory", memory, .8),
			},
			{
				Name: "small batch", Settings: mode{false, 8},
				Enter: breaker.Condition[load]{
					Name:  "out of memory or failing",
					Holds: func(m load) bool { return m.Memory > .95 || m.Errors > .5 },
				},
				Exit: breaker.Condition[load]{
					Name:  "memory and no failures",
					Holds: func(m load) bool { return m.Memory < .85 && m.Errors < .1 },
				},
			},
		},
	}
}

func TestDegraderTable(t *testing.T) {
	t.Parallel()
	type event struct {
		after time.Duration // since the row before
		m     load
		level int
	}
	const min = time.Minute
	nan := math.NaN()
	for name, events := range map[string][]event{
		"hysteresis": {
			{0, load{.8, 0}, 0},    // not above .8
			{0, load{.81, 0}, 1},   // worse: at once
			{min, load{.7, 0}, 1},  // between exit and entry
			{min, load{.79, 0}, 1}, // the same
			{0, load{.69, 0}, 0},
			{min, load{.75, 0}, 0}, // the same measurement, from below
		},
		"dwell": {
			{0, load{.85, 0}, 1},
			{min - 1, load{0, 0}, 1},
			{1, load{0, 0}, 0},
			{0, load{.85, 0}, 1}, // a level of more severity does not wait, even after a level just left
			{1, load{.91, 0}, 2},
			{min - 1, load{0, 0}, 2}, // since this level began
			{1, load{0, 0}, 1},
			{min - 1, load{0, 0}, 1}, // once more for the next
			{1, load{0, 0}, 0},
		},
		"up at once to the highest, down one by one": {
			{0, load{0, .6}, 3}, // by failures alone; memory is fine all the time
			{time.Hour, load{0, .2}, 3},
			{0, load{0, 0}, 2},
			{time.Hour, load{0, 0}, 1},
			{time.Hour, load{0, 0}, 0},
		},
		"down into the gap of a milder level": {
			{0, load{.99, 0}, 3},
			{min, load{.82, 0}, 2},
			{min, load{.82, 0}, 2}, // not below .8
			{min, load{.75, 0}, 1},
			{min, load{.75, 0}, 1}, // not below .7
			{min, load{.65, 0}, 0},
		},
		"from the middle up": {
			{0, load{.91, 0}, 2},
			{min, load{.85, 0}, 2}, // the entry of a milder level is met: nothing new
			{0, load{.85, .6}, 3},
			{min, load{.99, 0}, 3},
		},
		"what is not known changes nothing": {
			{0, load{nan, nan}, 0},
			{0, load{.85, nan}, 1},
			{time.Hour, load{nan, nan}, 1},
			{0, load{math.Inf(-1), 0}, 0},
			{0, load{math.Inf(1), 0}, 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := threeLevels()
				d := newDegrader(t, cfg)
				for i, e := range events {
					<-time.After(e.after)
					require.Equal(t, e.level, d.Update(e.m), "row %d", i)
					level, name := d.Level()
					require.Equal(t, e.level, level, "row %d", i)
					want, wantName := cfg.Normal, "normal"
					if level > 0 {
						want, wantName = cfg.Levels[level-1].Settings, cfg.Levels[level-1].Name
					}
					require.Equal(t, wantName, name, "row %d", i)
					require.Equal(t, want, d.Settings(), "row %d: what a step reads changes with the level", i)
				}
			})
		})
	}
}

func TestDegraderChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			d    *breaker.Degrader[load, mode]
			told []breaker.LevelChange[load]
		)
		cfg := threeLevels()
		cfg.OnChange = func(c breaker.LevelChange[load]) {
			told = append(told, c)
			level, name := d.Level()
			require.Equal(t, c.To, level)
			require.Equal(t, c.ToName, name)
			last, ok := d.Last()
			require.True(t, ok)
			require.Equal(t, c, last)
			require.Equal(t, level, d.Update(c.Measured))
			panic("a listener's panic")
		}
		d = newDegrader(t, cfg)
		_, ok := d.Last()
		require.False(t, ok)
		start := time.Now()
		require.Equal(t, 2, d.Update(load{.92, 0}))
		<-time.After(time.Minute)
		require.Equal(t, 1, d.Update(load{.75, 0}))
		<-time.After(time.Minute)
		require.Equal(t, 0, d.Update(load{.1, 0}))
		require.Equal(t, []breaker.LevelChange[load]{
			{"job", 0, 2, "normal", "half a batch", "memory above 0.9", load{.92, 0}, start},
			{"job", 2, 1, "half a batch", "no evaluation", "memory below 0.8", load{.75, 0}, start.Add(time.Minute)},
			{"job", 1, 0, "no evaluation", "normal", "memory below 0.7", load{.1, 0}, start.Add(2 * time.Minute)},
		}, told)
	})
}

// A slow listener holds up nobody and hears everything in order; one that ends its goroutine takes no lock with it.
func TestDegraderListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			gate  = make(chan struct{})
			first sync.Once
			told  []int
		)
		cfg := threeLevels()
		cfg.OnChange = func(c breaker.LevelChange[load]) {
			first.Do(func() { <-gate })
			told = append(told, c.To)
			if c.To == 2 {
				exit()
			}
		}
		d := newDegrader(t, cfg)
		var wait sync.WaitGroup
		wait.Go(func() { d.Update(load{.85, 0}) })
		synctest.Wait()
		require.Equal(t, 2, d.Update(load{.92, 0}))
		require.Equal(t, mode{false, 32}, d.Settings(), "steps do not wait for the listener")
		require.Empty(t, told)
		close(gate)
		wait.Wait()
		require.Equal(t, []int{1, 2}, told)
		require.Equal(t, 3, d.Update(load{.99, 0}))
		require.Equal(t, []int{1, 2, 3}, told)
	})
}

func TestNewDegrader(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*breaker.DegraderConfig[load, mode]){
		"0 Levels": func(c *breaker.DegraderConfig[load, mode]) { c.Levels = nil },
		"64 Levels": func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels = make([]breaker.Level[load, mode], 64)
		},
		"Dwell -1ns":         func(c *breaker.DegraderConfig[load, mode]) { c.Dwell = -1 },
		"level 2 has no":     func(c *breaker.DegraderConfig[load, mode]) { c.Levels[1].Name = "" },
		`"normal" of`:        func(c *breaker.DegraderConfig[load, mode]) { c.Levels[1].Name = "normal" },
		`"no evaluation" of`: func(c *breaker.DegraderConfig[load, mode]) { c.Levels[2].Name = "no evaluation" },
		// A condition that says nothing is an error, and is not taken as met.
		`"half a batch": Enter has no Name`: func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels[1].Enter = breaker.Condition[load]{}
		},
		`"small batch": Exit "x" is no condition`: func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels[2].Exit = breaker.Condition[load]{Name: "x"}
		},
		`Enter "x above NaN" is no condition`: func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels[0].Enter = breaker.Above("x", memory, math.NaN())
		},
		`Exit "x below 1" is no condition`: func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels[0].Exit = breaker.Below[load]("x", nil, 1)
		},
		// A level that a step cannot tell from another one would only be words.
		`"no evaluation" changes nothing: its Settings are those of "normal"`: func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels[0].Settings = c.Normal
		},
		`"small batch" changes nothing: its Settings are those of "no evaluation"`: func(c *breaker.DegraderConfig[load, mode]) {
			c.Levels[2].Settings = c.Levels[0].Settings
		},
	} {
		cfg := threeLevels()
		spoil(&cfg)
		d, err := breaker.NewDegrader(cfg)
		require.Nil(t, d)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "breaker: ")
	}

	cfg := threeLevels()
	d := newDegrader(t, cfg)
	cfg.Levels[0].Settings = mode{true, 1}
	cfg.Levels[0].Enter = breaker.Above("memory", memory, 1)
	d.Update(load{.85, 0})
	require.Equal(t, mode{false, 64}, d.Settings(), "the levels are the Degrader's own")

	for _, d := range []*breaker.Degrader[load, mode]{nil, {}} {
		require.Zero(t, d.Settings())
		require.Zero(t, d.Update(load{1, 1}))
		level, name := d.Level()
		require.Zero(t, level)
		require.Equal(t, "normal", name)
		_, ok := d.Last()
		require.False(t, ok)
	}
}

// 63 levels, each with its bit.
func TestManyLevels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := breaker.DegraderConfig[load, mode]{Dwell: 1}
		for i := range 63 {
			cfg.Levels = append(cfg.Levels, breaker.Level[load, mode]{
				Name: fmt.Sprint(i), Settings: mode{Batch: i + 1},
				Enter: breaker.Above("memory", memory, float64(i)), Exit: breaker.Below("memory", memory, float64(i)),
			})
		}
		d := newDegrader(t, cfg)
		require.Equal(t, 63, d.Update(load{Memory: 100}))
		for want := 62; want >= 0; want-- {
			<-time.After(1)
			require.Equal(t, want, d.Update(load{Memory: -1}))
		}
		for i := 1; i <= 63; i++ {
			require.Equal(t, i, d.Update(load{Memory: float64(i) - .5}))
			require.Equal(t, mode{Batch: i}, d.Settings())
		}
	})
}

// A condition that panics changes nothing and locks nothing.
func TestConditionPanics(t *testing.T) {
	t.Parallel()
	cfg := threeLevels()
	cfg.Levels[2].Enter.Holds = func(m load) bool {
		if m.Errors > 1 {
			panic("condition")
		}
		return false
	}
	d := newDegrader(t, cfg)
	require.PanicsWithValue(t, "condition", func() { d.Update(load{.99, 2}) })
	require.Equal(t, 2, d.Update(load{.99, 0}))
}

func TestDegraderConcurrently(t *testing.T) {
	t.Parallel()
	cfg := threeLevels()
	cfg.Dwell = 1
	level := 0
	cfg.OnChange = func(c breaker.LevelChange[load]) { // one at a time: no lock
		if c.From != level || c.To == level {
			t.Errorf("from %d to %d after %d", c.From, c.To, level)
		}
		level = c.To
	}
	d := newDegrader(t, cfg)
	all := []mode{cfg.Normal, cfg.Levels[0].Settings, cfg.Levels[1].Settings, cfg.Levels[2].Settings}
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 500 {
				d.Update(load{float64((i*7+g)%11) / 10, float64(i%5) / 10})
				if s := d.Settings(); !slices.Contains(all, s) {
					t.Errorf("settings of no level: %v", s)
				}
			}
		})
	}
	wait.Wait()
	got, _ := d.Level()
	require.Equal(t, level, got)
}

func TestDegraderAllocs(t *testing.T) {
	d := newDegrader(t, threeLevels())
	sum := 0
	require.Zero(t, testing.AllocsPerRun(100, func() { sum += d.Settings().Batch }))
	require.Zero(t, testing.AllocsPerRun(100, func() { sum += d.Update(load{.75, 0}) }))
	require.NotZero(t, sum)
}

// playLevels does what data says with a Degrader, and compares it with the rules, applied to the list of measurements.
func playLevels(t *testing.T, data []byte) {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		c := data[0]
		data = data[1:]
		return int(c)
	}
	type limits struct{ enter, exit float64 }
	var (
		rules   []limits
		told    []int
		want    []int
		measure = func(m float64) float64 { return m }
		cfg     = breaker.DegraderConfig[float64, int]{
			Dwell:    time.Duration(1+next()%30) * time.Second,
			OnChange: func(c breaker.LevelChange[float64]) { told = append(told, c.To) },
		}
	)
	for i := range 1 + next()%6 { // not in order, and with overlaps as well as gaps
		l := limits{float64(next() % 20), float64(next() % 20)}
		rules = append(rules, l)
		cfg.Levels = append(cfg.Levels, breaker.Level[float64, int]{
			Name: fmt.Sprint(i), Settings: i + 1,
			Enter: breaker.Above("m", measure, l.enter), Exit: breaker.Below("m", measure, l.exit),
		})
	}
	d, err := breaker.NewDegrader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	level, since := 0, time.Now()
	for n := 0; len(data) > 0; n++ {
		op := next()
		if op%3 == 0 {
			<-time.After(time.Duration(next()%100) * 200 * time.Millisecond)
			continue
		}
		m := float64(op % 21)
		old := level
		for l := len(rules); l > old; l-- {
			if m > rules[l-1].enter {
				level = l
				break
			}
		}
		if level == old && old > 0 && time.Since(since) >= cfg.Dwell && m < rules[old-1].exit && !(m > rules[old-1].enter) {
			level--
		}
		if level != old {
			since = time.Now()
			want = append(want, level)
		}
		if got := d.Update(m); got != level || d.Settings() != level || !slices.Equal(told, want) {
			t.Fatalf("move %d: level %d, settings %d, told %v, want %d, %v", n, got, d.Settings(), told, level, want)
		}
	}
}

func FuzzDegrader(f *testing.F) {
	seeds(f, 200)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		synctest.Test(t, func(t *testing.T) { playLevels(t, data) })
	})
}

func TestDegraderLikeModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(11, 12))
		for range 300 {
			playLevels(t, randomBytes(rnd, 400))
		}
	})
}

func BenchmarkDegrader(b *testing.B) {
	d := newDegrader(b, threeLevels())
	b.Run("Settings", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = d.Settings()
		}
	})
	b.Run("Update", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = d.Update(load{.75, 0})
		}
	})
}

func BenchmarkFailover(b *testing.B) {
	f := newFailover(b, abc())
	b.Run("Active", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = f.Active()
		}
	})
	b.Run("Report", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		for b.Loop() {
			_ = f.Report(ctx, "b", .9)
		}
	})
}
