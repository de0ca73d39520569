package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// benchEvent takes about 300 bytes as an entry.
var benchEvent = Event{Kind: KindStep, Run: "resnet-7", Data: json.RawMessage(
	`{"attempt":1,"batch":1234,"error":"` + strings.Repeat("x", 110) + `","run_ns":80000000,"wait_ns":1000000}`)}

// grouped is the least that shares syncs: callers add to a buffer, and the first to find the disk free writes all of it.
type grouped struct {
	f   durable.File
	end int64

	disk sync.Mutex
	mu   sync.Mutex
	buf  []byte
	gen  int // of the buffer
	done int // generation that is on stable storage
}

func (g *grouped) append(p []byte) error {
	g.mu.Lock()
	g.buf = append(g.buf, p...)
	mine := g.gen
	g.mu.Unlock()
	g.disk.Lock()
	defer g.disk.Unlock()
	if g.done > mine {
		return nil
	}
	g.mu.Lock()
	buf := g.buf
	g.buf = nil
	g.gen++
	g.mu.Unlock()
	if _, err := g.f.WriteAt(buf, g.end); err != nil {
		return err
	}
	g.end += int64(len(buf))
	g.done = g.gen
	return g.f.Sync()
}

// BenchmarkAck waits for each entry. The peer writes as many bytes with the same sync; both take turns, since a disk is
// never twice the same.
func BenchmarkAck(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			dir := b.TempDir()
			l, err := Open(filepath.Join(dir, "log"), Options{})
			require.NoError(b, err)
			f, err := durable.OS(dir).Create("plain")
			require.NoError(b, err)
			plain, line := &grouped{f: f}, make([]byte, 300)
			n := 300 * (1 + writers/8)
			var ours, theirs time.Duration
			for b.Loop() {
				ours += each(b, writers, n, func() error {
					_, err := l.Append(context.Background(), benchEvent)
					return err
				})
				theirs += each(b, writers, n, func() error { return plain.append(line) })
			}
			b.ReportMetric(float64(b.N*n)/ours.Seconds(), "appends/s")
			b.ReportMetric(float64(b.N*n)/theirs.Seconds(), "plain/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-plain")
			require.NoError(b, l.Close())
			require.NoError(b, f.Close())
		})
	}
}

// each calls do n times from so many goroutines.
func each(b *testing.B, writers, n int, do func() error) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkPost is what a caller pays who does not wait. It is kept from overrunning the disk, as a training loop is by its
// steps: the wait for room is not counted.
func BenchmarkPost(b *testing.B) {
	ctx := context.Background()
	step := Step{Batch: 1234, Attempt: 1, Wait: 1e6, Run: 8e7, Error: strings.Repeat("x", 110)}
	for name, post := range map[string]func(l *Log) error{
		"raw":  func(l *Log) error { return l.Post(ctx, benchEvent) },
		"step": func(l *Log) error { s := step; return l.Post(ctx, Event{Run: "resnet-7", Kind: KindStep, Data: &s}) },
		"map": func(l *Log) error {
			return l.Post(ctx, Event{Run: "resnet-7", Kind: KindNote, Data: map[string]any{"loss": 0.25, "step": 7, "text": step.Error}})
		},
	} {
		b.Run(name, func(b *testing.B) {
			l, err := Open(filepath.Join(b.TempDir(), "log"), Options{})
			require.NoError(b, err)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := post(l); err != nil {
					b.Fatal(err)
				}
				if n++; n%4096 == 0 {
					b.StopTimer()
					_, err := l.Checkpoint(ctx)
					require.NoError(b, err)
					b.StartTimer()
				}
			}
			require.NoError(b, l.Close())
			require.Zero(b, l.Stats().Dropped)
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "log")
	l, err := Open(dir, Options{CheckpointEvery: -1})
	require.NoError(b, err)
	const n = 200_000
	for i := range n {
		require.NoError(b, l.Post(context.Background(), benchEvent))
		if i%8192 == 0 {
			_, err := l.Checkpoint(context.Background())
			require.NoError(b, err)
		}
	}
	require.NoError(b, l.Close())
	b.ReportAllocs()
	for b.Loop() {
		rep, err := Verify(dir, Trust{})
		if err != nil || rep.Entries < n {
			b.Fatal(rep, err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkCanonical(b *testing.B) {
	var c canonicalizer
	data := benchEvent.Data.(json.RawMessage)
	var out []byte
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		out, _ = c.append(out[:0], data)
	}
}

func TestPostAllocates(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	if raceEnabled {
		t.Skip("a sync.Pool loses things under the race detector")
	}
	l, err := Open(filepath.Join(t.TempDir(), "log"), Options{CheckpointEvery: -1})
	require.NoError(t, err)
	ctx := context.Background()
	require.LessOrEqual(t, testing.AllocsPerRun(2000, func() { _ = l.Post(ctx, benchEvent) }), 2.0)
	require.NoError(t, l.Close())
}
