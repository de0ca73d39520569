package logging

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counter is a writer that keeps nothing.
type counter struct{ n, bytes int }

func (c *counter) Write(p []byte) (int, error) {
	c.n++
	c.bytes += len(p)
	return len(p), nil
}

// record10 logs a record of about 320 bytes with ten attributes.
func record10(ctx context.Context, l *slog.Logger, i int) {
	l.LogAttrs(ctx, slog.LevelInfo, "training step completed",
		slog.String("run", "imdb-bert-2026-03-10"),
		slog.Int("step", i),
		slog.Int("epoch", 3),
		slog.Float64("loss", 0.43127),
		slog.Float64("epsilon", 1.7324),
		slog.Float64("grad_norm", 0.98213),
		slog.Duration("took", 1250*time.Millisecond),
		slog.String("worker", "node-17.cluster.internal"),
		slog.Bool("clipped", true),
		slog.String("shard", "/data/train/part-00017-of-00256.jsonl"),
	)
}

// keySet is what the common advice amounts to: a set of names, and ReplaceAttr.
func keySet() func([]string, slog.Attr) slog.Attr {
	set := map[string]bool{}
	for _, k := range []string{"password", "passwd", "secret", "token", "api_key", "authorization", "cookie"} {
		set[k] = true
	}
	return func(_ []string, a slog.Attr) slog.Attr {
		if set[strings.ToLower(a.Key)] {
			return slog.String(a.Key, "[redacted]")
		}
		return a
	}
}

// lineRegexps is redaction of the finished line.
type lineRegexps struct {
	w    io.Writer
	list []*regexp.Regexp
}

func (l *lineRegexps) Write(p []byte) (int, error) {
	for _, re := range l.list {
		p = re.ReplaceAll(p, []byte("[redacted]"))
	}
	return l.w.Write(p)
}

func BenchmarkHandler(b *testing.B) {
	scoped := With(context.Background(), Scope{Run: "imdb-bert-2026-03-10", Trace: NewTrace(), Step: 17, Attempt: 1})
	ours := func(w io.Writer) slog.Handler {
		h, err := New(slog.NewJSONHandler(w, nil), Config{})
		require.NoError(b, err)
		return h
	}
	for _, bm := range []struct {
		name string
		ctx  context.Context
		h    func(w io.Writer) slog.Handler
	}{
		{"slog-json", context.Background(), func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }},
		{"slog-key-set", context.Background(), func(w io.Writer) slog.Handler {
			return slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: keySet()})
		}},
		{"slog-three-regexps", context.Background(), func(w io.Writer) slog.Handler {
			return slog.NewJSONHandler(&lineRegexps{w, []*regexp.Regexp{
				regexp.MustCompile(`(?i)(password|secret|token|api_key)["=:\s]+\S+`),
				regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`), regexp.MustCompile(`\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b`),
			}}, nil)
		}},
		{"ours", context.Background(), ours},
		{"ours-scoped", scoped, ours},
	} {
		b.Run(bm.name, func(b *testing.B) {
			var out counter
			l := slog.New(bm.h(&out))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				record10(bm.ctx, l, i)
				i++
			}
			b.ReportMetric(float64(out.bytes)/float64(out.n), "bytes/record")
		})
	}
}

func BenchmarkStructAndError(b *testing.B) {
	v := config{"https://host/p", "x", map[string]any{"lr": 0.001, "layers": []int{1, 2, 3}}}
	err := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	for _, ours := range []bool{false, true} {
		b.Run(map[bool]string{false: "slog-json", true: "ours"}[ours], func(b *testing.B) {
			var out counter
			var h slog.Handler = slog.NewJSONHandler(&out, nil)
			if ours {
				h, _ = New(h, Config{})
			}
			l := slog.New(h)
			b.ReportAllocs()
			for b.Loop() {
				l.LogAttrs(context.Background(), slog.LevelInfo, "m", slog.Any("config", v), slog.Any("error", err))
			}
		})
	}
}

func BenchmarkToFile(b *testing.B) {
	for _, async := range []bool{false, true} {
		b.Run(map[bool]string{false: "file", true: "async"}[async], func(b *testing.B) {
			f, err := OpenFile(filepath.Join(b.TempDir(), "train.log"), FileConfig{MaxSize: 16 << 20, Keep: 2})
			require.NoError(b, err)
			var w io.Writer = f
			var queue *Async
			if async {
				queue, err = NewAsync(f, AsyncConfig{Wait: -1})
				require.NoError(b, err)
				w = queue
			}
			l, _ := newLogger(b, w, Config{})
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				record10(context.Background(), l, i)
				i++
			}
			require.NoError(b, queue.Close(context.Background()))
			require.NoError(b, f.Close())
			require.EqualValues(b, i, f.Stats().Written)
		})
	}
}

// BenchmarkRatio takes turns, so that what else the machine does slows all of them. It reports medians as multiples of
// slog's own handler.
func BenchmarkRatio(b *testing.B) {
	var out counter
	json := slog.NewJSONHandler(&out, nil)
	redacting, err := New(json, Config{})
	require.NoError(b, err)
	loggers := []*slog.Logger{slog.New(json), slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: keySet()})), slog.New(redacting)}
	var took [3][]time.Duration
	i := 0
	for b.Loop() {
		for k, l := range loggers {
			start := time.Now()
			for range 50 {
				record10(context.Background(), l, i)
				i++
			}
			took[k] = append(took[k], time.Since(start))
		}
	}
	median := func(k int) float64 {
		slices.Sort(took[k])
		return float64(took[k][len(took[k])/2])
	}
	b.ReportMetric(median(1)/median(0), "key-set/slog")
	b.ReportMetric(median(2)/median(0), "ours/slog")
}
