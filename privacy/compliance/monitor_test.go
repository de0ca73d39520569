package compliance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// site is what a monitor collects from.
type site struct {
	mu      sync.Mutex
	e       Evidence
	err     error
	panics  bool
	calls   int
	changes []Change
	errs    []error
}

func (s *site) collect(context.Context) (Evidence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.panics {
		panic("collector")
	}
	e := s.e
	e.Run.At, e.Files.At = time.Now(), time.Now()
	return e, s.err
}

func (s *site) take() (out []Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, s.changes = s.changes, nil
	return out
}

func (s *site) set(change func(*Evidence)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.e)
}

func small(t testing.TB) *Assessor {
	t.Helper()
	a, err := New(Config{Rules: Default().Only(func(c Check) bool { return c.ID == "pipeda-1-owner" || c.ID == "gdpr-5-1-f-files" })})
	require.NoError(t, err)
	return a
}

func (s *site) monitor(t testing.TB, cfg MonitorConfig) *Monitor {
	t.Helper()
	cfg.Assessor, cfg.Subject, cfg.Collect = small(t), "run-7", s.collect
	cfg.OnChange = func(c Change) { s.mu.Lock(); s.changes = append(s.changes, c); s.mu.Unlock() }
	cfg.OnError = func(err error) { s.mu.Lock(); s.errs = append(s.errs, err); s.mu.Unlock() }
	m, err := NewMonitor(cfg)
	require.NoError(t, err)
	return m
}

func newSite() *site {
	return &site{e: Evidence{Run: Observe(Run{ID: "r", Owner: "o"}, "m", testNow()), Files: Observe([]File{{"a", 0o600}}, "f", testNow())}}
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		m := s.monitor(t, MonitorConfig{Every: time.Hour})
		defer m.Close()
		synctest.Wait()
		first := s.take()
		require.Len(t, first, 2, "every finding is new")
		require.Nil(t, first[0].Before)
		require.Equal(t, Pass, first[0].After.State)
		require.False(t, first[0].Worse())

		<-time.After(5 * time.Hour)
		synctest.Wait()
		require.Equal(t, 6, s.calls)
		require.Empty(t, s.take(), "nothing changed, though the evidence is of another time")

		s.set(func(e *Evidence) { e.Files.Value = []File{{"a", 0o644}} })
		m.Notify()
		<-time.After(time.Second) // the spacing after the last one
		synctest.Wait()
		got := s.take()
		require.Len(t, got, 1)
		require.Equal(t, "gdpr-5-1-f-files", got[0].After.Check)
		require.Equal(t, Pass, got[0].Before.State)
		require.Equal(t, Fail, got[0].After.State)
		require.True(t, got[0].Worse())
		last, ok := m.Last()
		require.True(t, ok)
		require.Equal(t, last.Hash, got[0].Result)

		s.set(func(e *Evidence) { e.Files.Value = []File{{"a", 0o644}, {"b", 0o666}} })
		m.Notify()
		<-time.After(time.Second)
		synctest.Wait()
		got = s.take()
		require.Len(t, got, 1, "another reason for the same state")
		require.False(t, got[0].Worse())

		s.set(func(e *Evidence) { e.Files.Value = []File{{"a", 0o600}, {"b", 0o600}} })
		<-time.After(time.Hour)
		synctest.Wait()
		got = s.take()
		require.Len(t, got, 1)
		require.Equal(t, Pass, got[0].After.State)
	})
}

// TestMonitorStorm: many events make few assessments, and one that follows the last of them.
func TestMonitorStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		m := s.monitor(t, MonitorConfig{Every: time.Hour, Spacing: time.Second})
		defer m.Close()
		for range 10000 {
			m.Notify()
			<-time.After(time.Millisecond)
		}
		s.set(func(e *Evidence) { e.Run.Value.Owner = "" })
		m.Notify()
		<-time.After(time.Second)
		synctest.Wait()
		require.LessOrEqual(t, s.calls, 12)
		got := s.take()
		require.Equal(t, Fail, got[len(got)-1].After.State)
	})
}

func TestMonitorCollectFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		m := s.monitor(t, MonitorConfig{Every: time.Hour})
		defer m.Close()
		synctest.Wait()
		s.take()
		broken := errors.New("ledger is away")
		s.mu.Lock()
		s.err, s.e.Files, s.e.Run.Value = broken, Fact[[]File]{}, Run{ID: "r", Owner: "o"}
		s.mu.Unlock()
		a, err := m.Assess(t.Context())
		require.ErrorIs(t, err, broken)
		require.Len(t, a.Findings, 2)
		require.ErrorIs(t, s.errs[0], broken)
		s.mu.Lock()
		s.panics = true
		s.mu.Unlock()
		a, err = m.Assess(t.Context())
		require.ErrorContains(t, err, "panic")
		require.Equal(t, Unknown, a.State)
		require.Zero(t, a.Count(Pass))
		for _, c := range s.take() {
			if c.After.Check == "pipeda-1-owner" {
				require.Equal(t, Unknown, c.After.State, "evidence that cannot be had is missing")
			}
		}
	})
}

// TestMonitorRestart: with the assessment from before, only what changed meanwhile is a change.
func TestMonitorRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		m := s.monitor(t, MonitorConfig{})
		synctest.Wait()
		last, ok := m.Last()
		require.True(t, ok)
		m.Close()
		m.Close()
		_, err := m.Assess(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		s.take()
		s.set(func(e *Evidence) { e.Run.Value.Owner = "" })
		m = s.monitor(t, MonitorConfig{Last: &last})
		synctest.Wait()
		m.Close()
		got := s.take()
		require.Len(t, got, 1)
		require.Equal(t, "pipeda-1-owner", got[0].After.Check)
		require.Equal(t, Pass, got[0].Before.State)
	})
}

// TestMonitorClose: Close cancels what is being collected and waits; a collection that was cut short says nothing.
func TestMonitorClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes, ended int
		m, err := NewMonitor(MonitorConfig{
			Assessor: small(t),
			Collect: func(ctx context.Context) (Evidence, error) {
				<-ctx.Done()
				<-time.After(time.Minute)
				ended++
				return Evidence{}, ctx.Err()
			},
			OnChange: func(Change) { changes++ },
		})
		require.NoError(t, err)
		synctest.Wait()
		go func() { _, _ = m.Assess(context.Background()) }()
		synctest.Wait()
		m.Close()
		require.Equal(t, 1, ended, "the other one had not begun")
		require.Zero(t, changes)
		_, ok := m.Last()
		require.False(t, ok)
	})
}

// TestMonitorReentrant: a callback may ask the monitor.
func TestMonitorReentrant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		var m *Monitor
		ready := make(chan struct{})
		n := 0
		m, err := NewMonitor(MonitorConfig{Assessor: small(t), Collect: s.collect, OnChange: func(Change) {
			<-ready
			n++
			m.Notify()
			_, _ = m.Last()
			_, _ = m.Assess(context.Background())
		}})
		require.NoError(t, err)
		close(ready)
		<-time.After(time.Minute)
		m.Close()
		require.Equal(t, 2, n)
	})
}

// TestMonitorCallbackPanics: what a callback does must not end the training that is watched.
func TestMonitorCallbackPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		var errs []string
		m, err := NewMonitor(MonitorConfig{
			Assessor: small(t), Collect: s.collect,
			OnChange: func(c Change) { panic(c.After.Check) },
			OnError: func(err error) {
				if errs = append(errs, err.Error()); len(errs) == 2 {
					panic("again")
				}
			},
		})
		require.NoError(t, err)
		synctest.Wait()
		m.Close()
		require.Equal(t, []string{"compliance: OnChange: panic: gdpr-5-1-f-files", "compliance: OnChange: panic: pipeda-1-owner"}, errs)
		require.EqualValues(t, 3, m.Panics())
	})
}

// TestMonitorSeesAll: a change is one even where the reasons that are shown stay the same.
func TestMonitorSeesAll(t *testing.T) {
	t.Parallel()
	a, now := newAssessor(t), testNow()
	columns := func(n int) Evidence {
		e := good()
		e.Datasets.Value[0].Columns = nil
		for i := range n {
			e.Datasets.Value[0].Columns = append(e.Datasets.Value[0].Columns, Column{string(rune('a' + i)), CategoryPersonal, false, true})
		}
		return e
	}
	files := func(n int) Evidence {
		e := good()
		e.Files.Value = nil
		for i := range n {
			e.Files.Value = append(e.Files.Value, File{string(rune('a' + i%32)), 0o644})
		}
		return e
	}
	earlier := good()
	earlier.Erasure.Value.Earlier = []string{"run-7"}
	for _, tt := range []struct {
		check         string
		before, after Evidence
		same          bool
	}{
		{"gdpr-5-1-c-columns", columns(10), columns(11), false},
		{"gdpr-5-1-c-columns", columns(10), columns(10), true},
		{"gdpr-5-1-f-files", files(25), files(26), false},
		{"gdpr-17-erasure", good(), earlier, false},
	} {
		before, after := finding(t, a.Assess("x", tt.before, now), tt.check), finding(t, a.Assess("x", tt.after, now.Add(time.Second)), tt.check)
		require.Equal(t, tt.same, same(before, after), tt.check)
	}
}

func TestNewMonitorRefuses(t *testing.T) {
	t.Parallel()
	s := newSite()
	for _, cfg := range []MonitorConfig{{}, {Assessor: small(t)}, {Assessor: small(t), Collect: s.collect, Every: -1}, {Assessor: small(t), Collect: s.collect, Spacing: -1}} {
		_, err := NewMonitor(cfg)
		require.ErrorIs(t, err, ErrInvalid)
	}
}
