package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

var errRefused = errors.New("refused")

func newFailover(t testing.TB, cfg breaker.FailoverConfig) *breaker.Failover {
	t.Helper()
	f, err := breaker.NewFailover(cfg)
	require.NoError(t, err)
	return f
}

// abc are three targets, given out of order, which depend on a network, two of them by way of a rack.
func abc() breaker.FailoverConfig {
	return breaker.FailoverConfig{
		Targets: []breaker.Target{
			{Name: "c", Priority: 3},
			{Name: "a", Priority: 1, DependsOn: []string{"rack"}},
			{Name: "b", Priority: 2, DependsOn: []string{"rack"}},
		},
		Components: []breaker.Component{{Name: "rack", DependsOn: []string{"net"}}, {Name: "net"}},
	}
}

func TestFailoverTable(t *testing.T) {
	t.Parallel()
	type event struct {
		after  time.Duration // since the row before
		name   string
		health float64
		active string
		lost   bool // Report returns ErrNoTarget
	}
	const min = time.Minute
	for name, test := range map[string]struct {
		cfg    breaker.FailoverConfig
		events []event
	}{
		"thresholds": {abc(), []event{
			{0, "a", .3, "a", false}, // not below .3
			{min, "a", .29, "b", false},
			{min, "a", .7, "b", false},
			{5*min - 1, "a", .7, "b", false}, // not for all of Hold
			{1, "a", .7, "a", false},
		}},
		"a dip starts the hold anew": {abc(), []event{
			{0, "a", 0, "b", false},
			{min, "a", 1, "b", false},
			{4 * min, "a", .69, "b", false},
			{time.Second, "a", 1, "b", false},
			{4 * min, "a", 1, "b", false},
			{min, "b", 1, "a", false}, // any report will do to see that the hold is over
		}},
		"a healthy standby stays standby": {abc(), []event{
			{0, "a", .4, "a", false}, // bad, but has not failed
			{0, "b", 1, "a", false},
			{time.Hour, "b", 1, "a", false},
			{time.Hour, "c", 1, "a", false},
			{time.Hour, "a", .2, "b", false},
			{time.Hour, "c", 1, "b", false}, // nor does one of lower priority take over later
		}},
		"failback to the best": {abc(), []event{
			{0, "b", 0, "a", false},
			{0, "a", 0, "c", false},
			{0, "b", 1, "c", false},
			{min, "a", 1, "c", false},
			{4 * min, "b", 1, "b", false}, // the first whose hold is over
			{min, "a", 1, "a", false},
		}},
		"a dependency's failure reaches its dependents": {abc(), []event{
			{0, "net", .2, "c", false}, // a and b fail through rack
			{min, "a", 1, "c", false},  // whatever they say of themselves
			{min, "net", .3, "c", false},
			{5*min - 1, "net", 1, "c", false},
			{1, "net", 1, "a", false}, // held since the network came back
		}},
		"nobody left": {abc(), []event{
			{0, "net", 0, "c", false},
			{0, "c", .1, "c", true}, // still named as active
			{0, "c", .3, "c", false},
			{0, "c", .1, "c", true},
			{0, "net", 1, "a", false},
		}},
		"stale reports": {breaker.FailoverConfig{
			Targets: []breaker.Target{{Name: "a"}, {Name: "b", Priority: 1}},
			Stale:   min,
		}, []event{
			{min, "b", 1, "a", false},
			{1, "b", 1, "b", false}, // a was not heard of for more than a minute
			{0, "a", 1, "b", false},
			{min, "b", 1, "b", false},
			{0, "a", 1, "b", false},
			{min, "b", 1, "b", false},
			{1, "b", 1, "b", false},
			{0, "a", 1, "b", false}, // after a gap: not good all the time
			{min, "b", 1, "b", false},
			{0, "a", 1, "b", false},
			{min, "b", 1, "b", false},
			{0, "a", 1, "b", false},
			{min, "b", 1, "b", false},
			{0, "a", 1, "b", false},
			{min, "b", 1, "b", false},
			{0, "a", 1, "b", false},
			{min - 1, "b", 1, "b", false},
			{1, "b", 1, "a", false},
		}},
		"a gap that no other report fell into": {breaker.FailoverConfig{
			Targets: []breaker.Target{{Name: "a"}, {Name: "b", Priority: 1}},
			Stale:   min, Hold: 70 * time.Second,
		}, []event{
			{0, "a", 0, "b", false},
			{0, "a", 1, "b", false},
			{50 * time.Second, "b", 1, "b", false},
			{11 * time.Second, "a", 1, "b", false}, // stale for a second
			{49 * time.Second, "b", 1, "b", false},
			{11 * time.Second, "a", 1, "b", false},
			{10*time.Second - 1, "b", 1, "b", false},
			{1, "b", 1, "a", false},
		}},
		"equals by the order of the list, without failback": {breaker.FailoverConfig{
			Targets: []breaker.Target{{Name: "x"}, {Name: "y"}, {Name: "z"}},
			Hold:    1,
		}, []event{
			{0, "x", 0, "y", false},
			{0, "x", 1, "y", false},
			{time.Hour, "x", 1, "y", false},
			{0, "y", 0, "x", false},
		}},
		"own thresholds": {breaker.FailoverConfig{
			Targets:   []breaker.Target{{Name: "a"}, {Name: "b", Priority: 1}},
			FailBelow: .5, FailbackAt: .5, Hold: min,
		}, []event{
			{0, "a", .49, "b", false},
			{0, "a", .5, "b", false},
			{min, "a", .5, "a", false},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFailover(t, test.cfg)
				for i, e := range test.events {
					<-time.After(e.after)
					err := f.Report(t.Context(), e.name, e.health)
					if e.lost {
						require.ErrorIs(t, err, breaker.ErrNoTarget, "row %d", i)
					} else {
						require.NoError(t, err, "row %d", i)
					}
					require.Equal(t, e.active, f.Active(), "row %d", i)
				}
			})
		})
	}
}

// asked is what the callbacks of a target were asked, and how they answer.
type asked struct {
	log            []string
	ready, perform map[string]error
}

func (a *asked) target(name string, priority int) breaker.Target {
	return breaker.Target{
		Name: name, Priority: priority,
		Ready: func(context.Context) error {
			a.log = append(a.log, name+"?")
			return a.ready[name]
		},
		Activate: func(_ context.Context, from string) error {
			a.log = append(a.log, from+">"+name)
			return a.perform[name]
		},
	}
}

func TestFailoverRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &asked{ready: map[string]error{"b": errRefused}, perform: map[string]error{"c": errRefused}}
		f := newFailover(t, breaker.FailoverConfig{
			Targets:  []breaker.Target{a.target("a", 0), a.target("b", 1), a.target("c", 2), a.target("d", 3), a.target("e", 4)},
			Attempts: 2,
		})
		ctx := t.Context()
		require.Empty(t, a.log, "the first target is not activated by NewFailover")

		err := f.Report(ctx, "a", 0)
		require.ErrorIs(t, err, breaker.ErrNoTarget)
		require.ErrorIs(t, err, errRefused)
		require.EqualError(t, err, `breaker: no target takes over from "a", which has failed, health 0; `+
			`target "b": not ready: refused; target "c": not activated: refused`)
		require.Equal(t, []string{"b?", "c?", "a>c"}, a.log, "no more than Attempts were asked")
		require.Equal(t, "a", f.Active(), "the old target stays active")
		require.ErrorIs(t, f.System().Members[2].Refusal, errRefused)

		a.log = nil
		require.NoError(t, f.Report(ctx, "a", 0))
		require.Equal(t, []string{"d?", "a>d"}, a.log, "those that refused are passed over")
		require.Equal(t, "d", f.Active())

		// They may take over by way of a failback once they are well, but not within their pause.
		a.log, a.ready, a.perform = nil, nil, nil
		<-time.After(5 * time.Minute)
		require.NoError(t, f.Report(ctx, "d", 1))
		require.Equal(t, []string{"b?", "d>b"}, a.log)
		require.NoError(t, f.System().Members[1].Refusal)

		// A refused failback leaves things as they are, and is no error; the next of higher priority is not worse for it.
		a.log, a.ready = nil, map[string]error{"a": errRefused}
		require.NoError(t, f.Report(ctx, "a", 1))
		<-time.After(5 * time.Minute)
		require.NoError(t, f.Report(ctx, "a", 1))
		require.Equal(t, []string{"a?"}, a.log)
		require.Equal(t, "b", f.Active())
		require.ErrorIs(t, f.System().Members[0].Refusal, errRefused)
		<-time.After(30*time.Second - 1)
		require.NoError(t, f.Report(ctx, "a", 1))
		require.Equal(t, []string{"a?"}, a.log)
		<-time.After(1)
		a.ready = nil
		require.NoError(t, f.Report(ctx, "a", 1))
		require.Equal(t, []string{"a?", "a?", "b>a"}, a.log)
		require.Equal(t, "a", f.Active())

		var way []string
		for _, s := range f.Switches() {
			way = append(way, fmt.Sprintf("%s>%s %v", s.From, s.To, s.Reason))
		}
		require.Equal(t, []string{
			"a>d target failed", "d>b preferred target recovered", "b>a preferred target recovered",
		}, way)
	})
}

func TestFailoverCallbacks(t *testing.T) {
	t.Parallel()

	t.Run("may call everything", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var (
				f    *breaker.Failover
				told []breaker.Switch
			)
			all := func(ctx context.Context, active string) {
				require.Equal(t, active, f.Active())
				require.NoError(t, f.Report(ctx, "a", 0), "the goroutine that switches takes account of it")
				require.NoError(t, f.Check(ctx))
				require.Equal(t, active, f.System().Active)
				require.Len(t, f.Switches(), len(told))
				_, _ = f.Trend("a")
			}
			f = newFailover(t, breaker.FailoverConfig{
				Targets: []breaker.Target{{Name: "a"}, {
					Name: "b", Priority: 1,
					Ready:    func(ctx context.Context) error { all(ctx, "a"); return nil },
					Activate: func(ctx context.Context, from string) error { all(ctx, from); return nil },
				}},
				OnSwitch: func(s breaker.Switch) {
					told = append(told, s)
					all(context.Background(), "b")
					panic("a listener's panic")
				},
			})
			require.NoError(t, f.Report(t.Context(), "a", .1))
			require.Equal(t, []breaker.Switch{{From: "a", To: "b", Reason: breaker.TargetFailed, At: time.Now()}}, told)
			require.Equal(t, "b", f.Active())
		})
	})

	t.Run("a report during a switch is not lost", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			f := newFailover(t, breaker.FailoverConfig{Targets: []breaker.Target{
				{Name: "a"},
				{Name: "b", Priority: 1, Activate: func(context.Context, string) error { <-gate; return nil }},
				{Name: "c", Priority: 2},
			}})
			var wait sync.WaitGroup
			wait.Go(func() { require.NoError(t, f.Report(t.Context(), "a", 0)) })
			synctest.Wait()
			require.Equal(t, "a", f.Active(), "active while another one is activated")
			require.NoError(t, f.Report(t.Context(), "b", 0), "does not wait")
			close(gate)
			wait.Wait()
			require.Equal(t, "c", f.Active())
			require.Len(t, f.Switches(), 2)
		})
	})

	for name, end := range map[string]func(){"panic": func() { panic("activation") }, "goexit": exit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFailover(t, breaker.FailoverConfig{Targets: []breaker.Target{
					{Name: "a"},
					{Name: "b", Priority: 1, Activate: func(context.Context, string) error { end(); return nil }},
					{Name: "c", Priority: 2},
				}})
				var (
					wait  sync.WaitGroup
					value any
				)
				wait.Go(func() {
					defer func() { value = recover() }()
					_ = f.Report(t.Context(), "a", 0)
				})
				wait.Wait()
				require.Equal(t, name == "panic", value == "activation", "it goes on to the caller")
				require.ErrorContains(t, f.System().Members[1].Refusal, `"b" panicked`)
				require.NoError(t, f.Report(t.Context(), "a", 0))
				require.Equal(t, "c", f.Active(), "a target that panicked is passed over, and nothing hangs")
			})
		})
	}

	t.Run("end of the context", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFailover(t, breaker.FailoverConfig{Targets: []breaker.Target{
				{Name: "a"},
				{Name: "b", Priority: 1, Ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
			}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := f.Report(ctx, "a", 0)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, breaker.ErrNoTarget)
			require.ErrorContains(t, err, `target "b": not ready`)
			require.NoError(t, f.System().Members[1].Refusal, "the end of the context is not the target's doing")
			require.ErrorIs(t, f.Report(ctx, "a", .2), context.DeadlineExceeded)
			require.InDelta(t, .2, f.System().Members[0].Health, 0, "the report counts")
			require.NoError(t, f.Report(ctx, "a", .3), "nothing is due")
		})
	})
}

func TestFailoverCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			fails error
			hang  bool
		)
		f := newFailover(t, breaker.FailoverConfig{
			Targets: []breaker.Target{
				{Name: "a", DependsOn: []string{"net"}, Check: func(ctx context.Context) (float64, error) {
					if hang {
						<-ctx.Done()
						return 0, ctx.Err()
					}
					return 1, fails
				}},
				{Name: "b", Priority: 1},
				{Name: "c", Priority: 2, Check: func(context.Context) (float64, error) { panic("check") }},
				{Name: "d", Priority: 3, Check: func(context.Context) (float64, error) { return math.NaN(), nil }},
			},
			Components: []breaker.Component{{Name: "net", Check: func(context.Context) (float64, error) { return .9, nil }}},
		})
		health := func() (h []float64) {
			for _, m := range f.System().Members {
				h = append(h, math.Round(m.Health*1e6)/1e6)
			}
			return h
		}
		ctx := t.Context()
		err := f.Check(ctx)
		require.ErrorContains(t, err, `check of "c": panic: check`)
		require.ErrorContains(t, err, `check of "d": health NaN is not between 0 and 1`)
		require.Equal(t, []float64{1, 1, .9, .9, .9}, health())

		fails = errRefused
		require.ErrorIs(t, f.Check(ctx), errRefused)
		require.Equal(t, []float64{.9, 1, .8, .8, .9}, health(), "a check that found out nothing is no failure yet")

		fails, hang = nil, true
		start := time.Now()
		require.ErrorIs(t, f.Check(ctx), context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(start), "all at the same time")
		require.Equal(t, []float64{.8, 1, .7, .7, .9}, health())

		brief, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		require.ErrorIs(t, f.Check(brief), context.DeadlineExceeded)
		require.InDelta(t, .8, health()[0], 1e-9, "the caller's own end counts nothing")

		for range 6 {
			require.Error(t, f.Check(ctx))
		}
		require.Equal(t, "b", f.Active(), "six more unanswered checks fail the target")
		for range 6 {
			require.Error(t, f.Check(ctx))
		}
		require.Equal(t, []float64{0, 1, 0, 0, .9}, health(), "never below 0")
	})
}

func TestFailoverHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFailover(t, breaker.FailoverConfig{
			Targets: []breaker.Target{{Name: "a"}, {Name: "b", Priority: 1}}, History: 3,
		})
		start := time.Now()
		for range 5 {
			<-time.After(time.Second)
			require.NoError(t, f.Report(t.Context(), "b", 1))
			require.NoError(t, f.Report(t.Context(), "a", .1))
			<-time.After(time.Second)
			require.NoError(t, f.Report(t.Context(), "a", 1))
			require.NoError(t, f.Report(t.Context(), "b", .2))
		}
		got := f.Switches()
		require.Equal(t, []breaker.Switch{
			{"b", "a", breaker.TargetFailed, .2, start.Add(8 * time.Second)},
			{"a", "b", breaker.TargetFailed, .1, start.Add(9 * time.Second)},
			{"b", "a", breaker.TargetFailed, .2, start.Add(10 * time.Second)},
		}, got)
		got[0].From = "changed"
		require.Equal(t, "b", f.Switches()[0].From, "what is returned is the caller's")
	})
}

func TestNewFailover(t *testing.T) {
	t.Parallel()
	two := []breaker.Target{{Name: "a"}, {Name: "b"}}
	on := func(name string, on ...string) breaker.Component { return breaker.Component{Name: name, DependsOn: on} }
	for want, cfg := range map[string]breaker.FailoverConfig{
		"Targets is empty": {},
		"number 2 of Targets and Components has no Name": {Targets: []breaker.Target{{Name: "a"}, {}}},
		`two of Targets and Components are named "a"`:    {Targets: two, Components: []breaker.Component{on("a")}},
		`"x" depends on "y", which is no target`:         {Targets: two, Components: []breaker.Component{on("x", "y")}},
		`"a" depends on "z"`:                             {Targets: []breaker.Target{{Name: "a", DependsOn: []string{"z"}}}},
		"cycle: x → x":                                   {Targets: two, Components: []breaker.Component{on("x", "x")}},
		"cycle: x → y → z → x":                           {Targets: two, Components: []breaker.Component{on("x", "a", "y"), on("y", "z"), on("z", "x")}},
		"cycle: a → x → a":                               {Targets: []breaker.Target{{Name: "a", DependsOn: []string{"x"}}}, Components: []breaker.Component{on("x", "a")}},
		"FailBelow NaN":                                  {Targets: two, FailBelow: math.NaN()},
		"FailbackAt 1.1":                                 {Targets: two, FailbackAt: 1.1},
		"CheckPenalty -0.1":                              {Targets: two, CheckPenalty: -.1},
		"FailbackAt 0.2 is below":                        {Targets: two, FailbackAt: .2},
		"FailbackAt 0.7 is below":                        {Targets: two, FailBelow: .8},
		"Hold -1ns is negative":                          {Targets: two, Hold: -1},
		"Attempts -1 is negative":                        {Targets: two, Attempts: -1},
		"TrendReports 2 is below":                        {Targets: two, TrendReports: 2},
		"TrendReports -3 is below":                       {Targets: two, TrendReports: -3},
		"History -1 is negative":                         {Targets: two, History: -1},
	} {
		f, err := breaker.NewFailover(cfg)
		require.Nil(t, f)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "breaker: ")
	}
	// Two ways to the same component are no cycle.
	newFailover(t, breaker.FailoverConfig{Targets: two, Components: []breaker.Component{on("x", "y", "z"), on("y", "z"), on("z")}})
}

func TestFailoverReportErrors(t *testing.T) {
	t.Parallel()
	f := newFailover(t, abc())
	for _, h := range []float64{math.NaN(), -.1, 1.1, math.Inf(1)} {
		require.ErrorContains(t, f.Report(t.Context(), "a", h), "not between 0 and 1")
	}
	require.ErrorContains(t, f.Report(t.Context(), "d", 1), `"d" is no target or component`)
	require.InDelta(t, 1, f.System().Mean, 1e-9)

	for _, f := range []*breaker.Failover{nil, {}} {
		require.Empty(t, f.Active())
		require.Error(t, f.Report(t.Context(), "a", 1))
		require.Error(t, f.Check(t.Context()))
		require.Empty(t, f.Switches())
		require.Equal(t, breaker.System{State: breaker.SystemFailed}, f.System())
		_, ok := f.Trend("a")
		require.False(t, ok)
	}
}

// Many goroutines at once: the race detector watches, one activation at a time, and each from the active target.
func TestFailoverConcurrently(t *testing.T) {
	t.Parallel()
	var (
		f       *breaker.Failover
		running sync.Mutex
		target  = func(name string, priority int) breaker.Target {
			return breaker.Target{Name: name, Priority: priority, Activate: func(_ context.Context, from string) error {
				if !running.TryLock() {
					t.Error("two activations at the same time")
					return errRefused
				}
				defer running.Unlock()
				if from != f.Active() {
					t.Errorf("activated from %q while %q is active", from, f.Active())
				}
				return nil
			}}
		}
	)
	f = newFailover(t, breaker.FailoverConfig{
		Targets: []breaker.Target{target("a", 0), target("b", 1), target("c", 2)}, Hold: 1, Pause: 1,
	})
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 300 {
				_ = f.Report(t.Context(), string(rune('a'+(g+i)%3)), float64((i*7+g)%11)/10)
				_, _ = f.Active(), f.System()
			}
		})
	}
	wait.Wait()
	last := ""
	for _, s := range f.Switches() {
		if last != "" {
			require.Equal(t, last, s.From)
		}
		last = s.To
	}
	require.Equal(t, last, f.Active())
}

func TestActiveAllocs(t *testing.T) {
	f := newFailover(t, abc())
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = f.Active() }))
}
