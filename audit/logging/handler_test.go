package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/audit/redact"
)

// buffer is a writer that many goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newLogger(t testing.TB, w io.Writer, cfg Config) (*slog.Logger, *Handler) {
	t.Helper()
	h, err := New(slog.NewJSONHandler(w, nil), cfg)
	require.NoError(t, err)
	return slog.New(h), h
}

func parse(t testing.TB, text string) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		m := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		list = append(list, m)
	}
	return list
}

// The whole chain keeps the contract of slog.Handler, with and without attributes from the context.
func TestSlogContract(t *testing.T) {
	t.Parallel()
	for _, inContext := range []bool{false, true} {
		for _, overflow := range []Overflow{Block, DropNewest, DropOldest} {
			t.Run(fmt.Sprint(inContext, overflow), func(t *testing.T) {
				var out buffer
				queue, err := NewAsync(&out, AsyncConfig{Overflow: overflow})
				require.NoError(t, err)
				cfg := Config{}
				if inContext {
					cfg.Context = func(context.Context) []slog.Attr { return []slog.Attr{slog.Int("from_context", 1)} }
				}
				_, h := newLogger(t, queue, cfg)
				require.NoError(t, slogtest.TestHandler(h, func() []map[string]any {
					require.NoError(t, queue.Close(context.Background()))
					list := parse(t, out.String())
					for _, m := range list {
						require.Equal(t, inContext, m["from_context"] != nil)
					}
					return list
				}))
				require.Zero(t, h.Stats().Failed)
			})
		}
	}
}

type valuer struct{ v any }

func (v valuer) LogValue() slog.Value { return slog.AnyValue(v.v) }

type config struct {
	URL   string
	Token string
	Inner map[string]any
}

func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2"
	for _, ctx := range []context.Context{context.Background(), With(context.Background(), Scope{Run: "r password=" + hidden, Correlation: "https://u:" + hidden + "@h"})} {
		var out buffer
		for _, inner := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			h, err := New(inner, Config{})
			require.NoError(t, err)
			err = fmt.Errorf("dial: %w", errors.New("redis://:"+hidden+"@host refused"))
			v := config{"https://u:" + hidden + "@h/p", hidden, map[string]any{"list": []any{map[string]string{"api_key": hidden}}}}
			l := slog.New(h)
			for _, l := range []*slog.Logger{
				l, l.With("secret", hidden), l.With("v", v), l.WithGroup("g"), l.WithGroup("g").With("cfg", &v).WithGroup("h"),
				l.WithGroup("credentials").With("user", hidden), l.WithGroup("credentials").WithGroup("deep"),
			} {
				l.InfoContext(ctx, "login password="+hidden, "error", err, "v", v, "p", &v, "token", hidden, "lv", valuer{valuer{v}},
					slog.Group("g", slog.String("passwd", hidden), slog.Any("m", v.Inner)), "s", redact.NewSecret(hidden),
					"raw", json.RawMessage(`{"jwt":"`+hidden+`"}`), "bytes", []byte("pwd="+hidden))
			}
			l.WithGroup("credentials").InfoContext(ctx, "m", "a", hidden, slog.Group("b", slog.String("c", hidden)))
			require.EqualValues(t, 8, h.Stats().Handled)
		}
		require.NotContains(t, out.String(), hidden)
		require.Contains(t, out.String(), "[redacted:token]")
		require.Contains(t, out.String(), "login password=[redacted:password]")
	}
}

func TestFinalValues(t *testing.T) {
	t.Parallel()
	var out buffer
	l, _ := newLogger(t, &out, Config{})
	l.Info("loss", "nan", math.NaN(), "inf", math.Inf(-1), "f", 0.25, "nested", map[string]float64{"x": math.Inf(1)}, "d", time.Second,
		slog.Group("g", "nan", math.NaN()), "list", []float64{math.NaN()}, "n", 7)
	require.NotContains(t, out.String(), "!ERROR")
	m := parse(t, out.String())[0]
	for key, want := range map[string]any{
		"nan": "NaN", "inf": "-Inf", "f": 0.25, "nested": map[string]any{"x": "+Inf"}, "d": 1e9, "g": map[string]any{"nan": "NaN"},
		"list": []any{"NaN"}, "n": 7.0,
	} {
		require.Equal(t, want, m[key], key)
	}
}

type bomb struct{}

func (bomb) Error() string                { panic("hunter2") }
func (bomb) LogValue() slog.Value         { panic("hunter2") }
func (bomb) MarshalJSON() ([]byte, error) { panic("hunter2") }

type failing struct {
	slog.Handler
	err error
}

func (f failing) Handle(context.Context, slog.Record) error {
	if f.err == nil {
		panic("hunter2")
	}
	return f.err
}
func (f failing) Enabled(context.Context, slog.Level) bool { return true }

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	var out buffer
	l, h := newLogger(t, &out, Config{})
	l.Info("m", "bomb", bomb{}, "list", []any{bomb{}})
	require.Equal(t, Stats{Handled: 1}, h.Stats())
	require.NotContains(t, out.String(), "hunter2")

	h, err := New(failing{err: errors.New("disk full at https://u:hunter2@h")}, Config{})
	require.NoError(t, err)
	slog.New(h).With("a", "b").Info("m")
	require.EqualValues(t, 1, h.Stats().Failed)
	require.ErrorContains(t, h.Stats().Err, "disk full")
	require.NotContains(t, h.Stats().Err.Error(), "hunter2")

	h, err = New(failing{}, Config{})
	require.NoError(t, err)
	require.NotPanics(t, func() { slog.New(h).Info("m") })
	require.Equal(t, uint64(1), h.Stats().Failed)
}

func (f failing) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f failing) WithGroup(string) slog.Handler      { return f }

func TestScopeStandsOutsideGroups(t *testing.T) {
	t.Parallel()
	var out buffer
	l, _ := newLogger(t, &out, Config{})
	trace, err := ParseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	require.NoError(t, err)
	ctx := With(context.Background(), Scope{Run: "r1", Trace: trace})
	ctx = With(ctx, Scope{Step: 17, Attempt: 2, Correlation: "req-9"})
	require.Equal(t, Scope{Run: "r1", Trace: trace, Step: 17, Attempt: 2, Correlation: "req-9"}, From(ctx))
	l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").InfoContext(ctx, "m", "c", 3)
	l.WithGroup("empty").InfoContext(ctx, "m")
	l.InfoContext(context.Background(), "m")
	list := parse(t, out.String())
	for _, m := range list[:2] {
		require.Equal(t, "r1", m[RunKey])
		require.Equal(t, "0af7651916cd43dd8448eb211c80319c", m[TraceKey])
		require.Equal(t, "b7ad6b7169203331", m[SpanKey])
		require.EqualValues(t, 17, m[StepKey])
		require.EqualValues(t, 2, m[AttemptKey])
		require.Equal(t, "req-9", m[CorrelationKey])
	}
	require.EqualValues(t, 1, list[0]["a"])
	require.Equal(t, map[string]any{"b": 2.0, "h": map[string]any{"c": 3.0}}, list[0]["g"])
	require.NotContains(t, list[1], "empty")
	require.Len(t, list[2], 3)
	require.Equal(t, Scope{}, From(context.Background()))
}

func TestLevelPerCategory(t *testing.T) {
	t.Parallel()
	var out buffer
	var privacy slog.LevelVar
	privacy.Set(slog.LevelDebug)
	l, _ := newLogger(t, &out, Config{Level: slog.LevelWarn, Levels: map[string]slog.Leveler{"privacy": &privacy, "noisy": slog.LevelError}})
	p := l.With("category", "privacy")
	for _, tt := range []struct {
		l    *slog.Logger
		at   slog.Level
		want bool
	}{
		{l, slog.LevelInfo, false}, {l, slog.LevelWarn, true}, {p, slog.LevelDebug, true}, {l.With("category", "noisy"), slog.LevelWarn, false},
		{p.With("category", "other"), slog.LevelInfo, false}, {p.WithGroup("g").With("category", "noisy"), slog.LevelDebug, true},
		{l.With("k", "privacy"), slog.LevelInfo, false},
	} {
		require.Equal(t, tt.want, tt.l.Enabled(context.Background(), tt.at))
	}
	p.Debug("seen")
	privacy.Set(slog.LevelError)
	p.Warn("not seen")
	require.Len(t, parse(t, out.String()), 1)

	_, err := New(nil, Config{})
	require.ErrorContains(t, err, "logging: ")
	_, err = New(slog.DiscardHandler, Config{Levels: map[string]slog.Leveler{"x": nil}})
	require.ErrorContains(t, err, `"x"`)
	for _, h := range []*Handler{nil, {}} {
		require.False(t, slog.New(h).Enabled(context.Background(), slog.LevelError))
		require.NoError(t, h.Handle(context.Background(), slog.Record{}))
		require.Equal(t, Stats{}, h.Stats())
		require.NotPanics(t, func() { slog.New(h).With("a", 1).WithGroup("g").Error("x") })
	}
}

func TestSourceAndConcurrency(t *testing.T) {
	t.Parallel()
	var out buffer
	h, err := New(slog.NewJSONHandler(&out, &slog.HandlerOptions{AddSource: true}), Config{})
	require.NoError(t, err)
	l := slog.New(h)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			l := l.With("g", g)
			for i := range 50 {
				l.InfoContext(With(context.Background(), Scope{Step: uint64(i + 1)}), "m", "i", i, "token", "x", "e", errors.New("pwd=x"))
			}
		})
	}
	wg.Wait()
	list := parse(t, out.String())
	require.Len(t, list, 400)
	for _, m := range list {
		require.EqualValues(t, m[StepKey], m["i"].(float64)+1)
		require.Contains(t, m["source"].(map[string]any)["file"], "handler_test.go")
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	tr := NewTrace()
	again, err := ParseTraceparent(tr.Traceparent())
	require.NoError(t, err)
	require.Equal(t, tr, again)
	child := tr.Child()
	require.Equal(t, tr.ID, child.ID)
	require.NotEqual(t, tr.Span, child.Span)
	for _, bad := range []string{
		"", "00", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
	} {
		_, err := ParseTraceparent(bad)
		require.ErrorContains(t, err, "logging: traceparent ", bad)
	}
	_, err = ParseTraceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")
	require.NoError(t, err)
}

func FuzzTraceparent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, s string) {
		tr, err := ParseTraceparent(s)
		if err != nil {
			require.Equal(t, Trace{}, tr)
			return
		}
		require.Equal(t, s[2:traceparentLen], tr.Traceparent()[2:])
	})
}
