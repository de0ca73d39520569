package resources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// emergencyShare is a share in use that actions change.
type emergencyShare struct {
	mu   sync.Mutex
	used float64
	err  error
}

func (s *emergencyShare) set(used float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = used
}

func (s *emergencyShare) measure(context.Context) (Value[float64], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Value[float64]{V: s.used, OK: s.err == nil}, s.err
}

// drop is an action that takes a second and lowers the share.
func (s *emergencyShare) drop(name string, by float64) Action {
	return Action{Name: name, Do: func(ctx context.Context) error {
		pause(ctx, time.Second)
		s.set(s.used - by)
		return nil
	}}
}

func emergencyOf(t testing.TB, s *emergencyShare, cfg EmergencyConfig, actions ...Action) *Emergency {
	t.Helper()
	cfg.Name, cfg.Measure, cfg.Actions = "memory", s.measure, actions
	e, err := NewEmergency(cfg)
	require.NoError(t, err)
	return e
}

// emergencyStory is what was done, in words.
func emergencyStory(events []ActionEvent) (out []string) {
	for _, e := range events {
		line := e.Action + " " + e.Kind.String()
		if e.Kind == ActionEnded || e.Kind == ActionOverran {
			line += map[bool]string{true: ", effective", false: ", no effect"}[e.Effective]
		}
		if e.Err != nil {
			line += ": " + e.Err.Error()
		}
		out = append(out, line)
	}
	return out
}

// TestEmergencyInOrder: each action proves its effect; the next one comes only if it was not enough.
func TestEmergencyInOrder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		used   float64
		drops  []float64
		want   []string
		after  float64
		active bool
		failed bool
	}{
		"calm":                    {.949, []float64{.3}, nil, .949, false, false},
		"one is enough":           {.95, []float64{.3, .3}, []string{"a0 ended, effective"}, .65, false, false},
		"no effect":               {.97, []float64{0, .3}, []string{"a0 ended, no effect", "a1 ended, effective"}, .67, false, false},
		"some effect, not enough": {.99, []float64{.02, .3}, []string{"a0 ended, effective", "a1 ended, effective"}, .67, false, false},
		"too little to count":     {.99, []float64{.005, .3}, []string{"a0 ended, no effect", "a1 ended, effective"}, .685, false, false},
		"below At, above Until":   {.97, []float64{.05, .3}, []string{"a0 ended, effective"}, .92, true, false},
		"nothing helps":           {.97, []float64{0, 0}, []string{"a0 ended, no effect", "a1 ended, no effect"}, .97, true, true},
		"it gets worse":           {.97, []float64{-.02, .1}, []string{"a0 ended, no effect", "a1 ended, effective"}, .89, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &emergencyShare{used: tc.used}
			var actions []Action
			for i, by := range tc.drops {
				actions = append(actions, s.drop(fmt.Sprintf("a%d", i), by))
			}
			var told []ActionEvent
			e := emergencyOf(t, s, EmergencyConfig{OnAction: func(a ActionEvent) { told = append(told, a) }}, actions...)
			start := time.Now()
			r, err := e.Check(t.Context())
			require.Equal(t, tc.failed, errors.Is(err, ErrUnrelieved), name)
			require.Equal(t, tc.failed, err != nil, name)
			require.Equal(t, tc.want, emergencyStory(r.Actions), name)
			require.InDelta(t, tc.used, r.Before.V, 1e-12, name)
			require.InDelta(t, tc.after, r.After.V, 1e-12, name)
			require.Equal(t, tc.active, r.Active, name)
			require.Equal(t, tc.active, e.Active(), name)
			require.Equal(t, time.Duration(len(tc.want))*2*time.Second, time.Since(start), "%s: a second each, and one to settle", name)
			require.Len(t, told, 2*len(tc.want), name)
			for i, a := range told {
				require.Equal(t, i%2 == 0, a.Kind == ActionStarted, name)
				require.Equal(t, "memory", a.Resource)
				if i%2 == 1 {
					require.Equal(t, r.Actions[i/2], a, name)
					require.Equal(t, time.Second, a.Took, name)
				}
			}
			require.NoError(t, e.Close(t.Context()))
		})
	}
}

// TestEmergencyCoolDown: an emergency that comes back goes on where the plan was, and the mild actions come again in
// time.
func TestEmergencyCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &emergencyShare{}
		again := s.drop("stop", .3)
		again.CoolDown = -1
		e := emergencyOf(t, s, EmergencyConfig{}, s.drop("caches", .3), s.drop("shrink", .3), again)
		check := func() string {
			s.set(.96)
			r, err := e.Check(t.Context())
			require.NoError(t, err)
			return strings.Join(emergencyStory(r.Actions), "; ")
		}
		cooling := " skipped: resources: action is cooling down; "
		require.Equal(t, "caches ended, effective", check())
		<-time.After(time.Minute)
		require.Equal(t, "caches"+cooling+"shrink ended, effective", check())
		for range 2 {
			<-time.After(time.Minute)
			require.Equal(t, "caches"+cooling+"shrink"+cooling+"stop ended, effective", check())
		}
		<-time.After(2 * time.Minute)
		require.Equal(t, "caches ended, effective", check())
	})
}

func TestEmergencyUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &emergencyShare{}
		e := emergencyOf(t, s, EmergencyConfig{For: 10 * time.Second}, Action{Name: "none", Do: func(context.Context) error { return nil }, CoolDown: -1, Settle: -1})
		for i, row := range []struct {
			used   float64
			acts   bool
			active bool
		}{
			{.96, false, false}, // 0 s
			{.90, false, false}, // 5: one below begins it anew
			{.96, false, false}, // 10
			{.96, false, false}, // 15
			{.96, true, true},   // 20: for ten seconds
			{.94, false, true},  // 25
			{.96, true, true},   // 30: the same one, so at once
			{.90, false, true},  // 35: Until is not below
			{.899, false, false},
			{.96, false, false},
		} {
			s.set(row.used)
			r, err := e.Check(t.Context())
			require.Equal(t, row.acts, len(r.Actions) == 1, "%d", i)
			require.Equal(t, row.acts, errors.Is(err, ErrUnrelieved), "%d", i)
			require.Equal(t, row.active, r.Active, "%d", i)
			<-time.After(5 * time.Second)
		}
	})
}

// TestEmergencyBadActions: whatever an action does, the plan goes on, everything is told, and Close waits for what is
// left.
func TestEmergencyBadActions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("disk full")
		bug := errors.New("bug")
		release := make(chan struct{})
		s := &emergencyShare{used: .99}
		var told []ActionEvent
		var log bytes.Buffer
		e := emergencyOf(t, s, EmergencyConfig{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			OnAction: func(a ActionEvent) {
				told = append(told, a)
				if a.Action == "fails" {
					panic("a broken trail")
				}
			},
		},
			Action{Name: "panics", Do: func(context.Context) error { panic(bug) }},
			Action{Name: "exits", Do: func(context.Context) error { runtime.Goexit(); return nil }},
			Action{Name: "fails", Do: func(context.Context) error { return cause }},
			Action{Name: "overruns", Timeout: 5 * time.Second, Do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
			Action{Name: "hangs", Timeout: 5 * time.Second, CoolDown: -1, Do: func(context.Context) error { <-release; return cause }},
			s.drop("stops", .5),
		)
		start := time.Now()
		r, err := e.Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{
			`panics ended, no effect: resources: emergency: action "panics" panicked: bug`,
			`exits ended, no effect: resources: emergency: action "exits" ended its goroutine`,
			`fails ended, no effect: disk full`,
			`overruns ended, no effect: resources: action overran its time: 5s: context deadline exceeded`,
			`hangs overran, no effect: resources: action overran its time: 5s`,
			`stops ended, effective`,
		}, emergencyStory(r.Actions))
		require.Equal(t, 5*time.Second+6*time.Second+time.Second+6*time.Second, time.Since(start))
		require.ErrorIs(t, r.Actions[0].Err, bug)
		require.ErrorIs(t, r.Actions[2].Err, cause)
		require.ErrorIs(t, r.Actions[3].Err, ErrActionOverran)
		require.ErrorIs(t, r.Actions[3].Err, context.DeadlineExceeded)
		require.ErrorIs(t, r.Actions[4].Err, ErrActionOverran)
		require.Len(t, told, 12)
		require.Contains(t, log.String(), "a broken trail")
		require.Contains(t, log.String(), "overran its time")

		s.set(.99)
		r, err = e.Check(t.Context())
		require.ErrorIs(t, err, ErrUnrelieved)
		require.ErrorIs(t, r.Actions[4].Err, ErrStillRunning)
		require.Len(t, told, 12)

		closing, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, e.Close(closing), context.DeadlineExceeded)
		close(release)
		require.NoError(t, e.Close(t.Context()))
		require.Len(t, told, 13)
		require.Equal(t, []string{"hangs ended late: disk full"}, emergencyStory(told[12:]))
		_, err = e.Check(t.Context())
		require.ErrorIs(t, err, ErrEmergencyClosed)
	})
}

// TestEmergencyBlind: without a measurement nothing is done, and no step is taken further.
func TestEmergencyBlind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &emergencyShare{used: .99, err: errBlind}
		e := emergencyOf(t, s, EmergencyConfig{}, Action{Name: "blinds", Do: func(context.Context) error { s.err = errBlind; return nil }}, s.drop("stops", .5))
		r, err := e.Check(t.Context())
		require.ErrorIs(t, err, errBlind)
		require.ErrorContains(t, err, "resources: emergency: memory cannot be measured")
		require.Empty(t, r.Actions)
		s.err = nil
		r, err = e.Check(t.Context())
		require.ErrorIs(t, err, errBlind)
		require.Equal(t, []string{"blinds ended, no effect"}, emergencyStory(r.Actions))
		require.False(t, r.Actions[0].After.OK)
		require.True(t, r.Active)

		for _, measure := range []func(context.Context) (Value[float64], error){
			func(context.Context) (Value[float64], error) { return Of(math.NaN()), nil },
			func(context.Context) (Value[float64], error) { return Value[float64]{}, nil },
			func(context.Context) (Value[float64], error) { panic(errBlind) },
			func(ctx context.Context) (Value[float64], error) { <-ctx.Done(); return Value[float64]{}, ctx.Err() },
		} {
			e, err := NewEmergency(EmergencyConfig{Measure: measure, Actions: []Action{{Name: "x", Do: func(context.Context) error { t.Error("called"); return nil }}}})
			require.NoError(t, err)
			_, err = e.Check(t.Context())
			require.ErrorContains(t, err, "cannot be measured")
		}
		part, err := NewEmergency(EmergencyConfig{
			Measure: func(context.Context) (Value[float64], error) { return Of(.1), errBlind }, Actions: []Action{s.drop("x", 1)},
		})
		require.NoError(t, err)
		_, err = part.Check(t.Context())
		require.NoError(t, err, "a sample that comes with an error is good for what it has")
	})
}

func TestEmergencyContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutdown")
	synctest.Test(t, func(t *testing.T) {
		s := &emergencyShare{used: .99}
		release := make(chan struct{})
		var told []ActionEvent
		e := emergencyOf(t, s, EmergencyConfig{OnAction: func(a ActionEvent) { told = append(told, a) }},
			Action{Name: "hangs", Do: func(context.Context) error { <-release; return nil }}, s.drop("stops", .5))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(cause) })
		start := time.Now()
		_, err := e.Check(ctx)
		require.ErrorIs(t, err, cause)
		require.Equal(t, 4*time.Second, time.Since(start))
		require.Len(t, told, 2)
		require.ErrorIs(t, told[1].Err, cause)
		_, err = e.Check(ctx)
		require.ErrorIs(t, err, context.Canceled)
		close(release)
		require.NoError(t, e.Close(t.Context()))
	})
}

// TestEmergencyOneAtATime: a callback may check, and others do not wait.
func TestEmergencyOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &emergencyShare{used: .99}
		var e *Emergency
		e = emergencyOf(t, s, EmergencyConfig{OnAction: func(ActionEvent) {
			r, err := e.Check(context.Background())
			assert.NoError(t, err)
			assert.True(t, r.Busy && r.Active)
		}}, s.drop("stops", .5))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := e.Check(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		require.InDelta(t, .49, s.used, 1e-9)
	})
}

func TestEmergencyWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &emergencyShare{used: .5}
		var log bytes.Buffer
		e := emergencyOf(t, s, EmergencyConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}, s.drop("caches", .3))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { e.Watch(ctx, 10*time.Second) })
		<-time.After(time.Minute)
		s.set(.99)
		<-time.After(15 * time.Second)
		synctest.Wait()
		require.InDelta(t, .69, s.used, 1e-9)
		require.Contains(t, log.String(), `msg="resources emergency: action ended" resource=memory action=caches before=0.99 after=0.69 effective=true`)
		s.mu.Lock()
		s.err = errBlind
		s.mu.Unlock()
		<-time.After(15 * time.Second)
		synctest.Wait()
		require.Contains(t, log.String(), "cannot be measured")
		cancel()
		wg.Wait()
		require.NoError(t, e.Close(t.Context()))
		e.Watch(t.Context(), time.Second) // closed: it returns
	})
}

func TestEmergencyNilAndConfig(t *testing.T) {
	t.Parallel()
	for _, e := range []*Emergency{nil, new(Emergency)} {
		r, err := e.Check(t.Context())
		require.NoError(t, err)
		require.Zero(t, r)
		require.False(t, e.Active())
		require.NoError(t, e.Close(t.Context()))
	}
	s := &emergencyShare{}
	ok := s.drop("ok", .1)
	for want, cfg := range map[string]EmergencyConfig{
		"Measure is nil":       {Actions: []Action{ok}},
		"no Actions":           {Measure: s.measure},
		"At 1.5":               {Measure: s.measure, Actions: []Action{ok}, At: 1.5},
		"At NaN":               {Measure: s.measure, Actions: []Action{ok}, At: math.NaN()},
		"Until 0.96":           {Measure: s.measure, Actions: []Action{ok}, Until: .96},
		"Effect is -1":         {Measure: s.measure, Actions: []Action{ok}, Effect: -1},
		"For is -1":            {Measure: s.measure, Actions: []Action{ok}, For: -1},
		"Timeout is -1":        {Measure: s.measure, Actions: []Action{ok}, Timeout: -1},
		`Name "ok" is empty`:   {Measure: s.measure, Actions: []Action{ok, ok}},
		`Name "" is empty`:     {Measure: s.measure, Actions: []Action{{Do: ok.Do}}},
		"Do is nil":            {Measure: s.measure, Actions: []Action{{Name: "x"}}},
		`"x": Timeout is -1ns`: {Measure: s.measure, Actions: []Action{{Name: "x", Do: ok.Do, Timeout: -1}}},
	} {
		_, err := NewEmergency(cfg)
		require.ErrorContains(t, err, "resources: emergency: ")
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, "event 99", ActionEventKind(99).String())
	text, err := json.Marshal(ActionEndedLate)
	require.NoError(t, err)
	require.Equal(t, `"ended late"`, string(text))
	text, err = json.Marshal(ActionEvent{Action: "x", Kind: ActionEnded, Before: Of(.97), Err: errBlind})
	require.NoError(t, err)
	require.JSONEq(t, `{"at":"0001-01-01T00:00:00Z","resource":"","action":"x","kind":"ended","before":0.97,"after":null,"effective":false,"took_ns":0,"error":"no /proc"}`, string(text))
}

func BenchmarkEmergencyCalm(b *testing.B) {
	s := &emergencyShare{used: .5}
	e := emergencyOf(b, s, EmergencyConfig{}, s.drop("x", .1))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Check(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
