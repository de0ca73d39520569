package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// sample returns the bytes of a log with n entries, and its heads from the empty log on.
func sample(t testing.TB, n int) ([]byte, []Head) {
	f := &fakeFile{}
	l, err := newLog(f, "sample", Options{})
	require.NoError(t, err)
	heads := []Head{{}}
	for i := range n {
		_, err := l.AppendAt(t.Context(), day.Add(time.Duration(i)*time.Second),
			Event{Kind: KindNote, Run: "r1", Data: map[string]any{"i": i, "text": "Jürgen *J"}})
		require.NoError(t, err)
		heads = append(heads, l.Head())
	}
	require.NoError(t, l.Close())
	return f.data, heads
}

func collect(t testing.TB, r io.Reader) []Entry {
	var all []Entry
	for e, err := range Entries(r) {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func TestFormat(t *testing.T) {
	t.Parallel()
	data, heads := sample(t, 2)
	lines := strings.SplitAfter(string(data), "\n")
	require.Len(t, lines, 3)

	prev := make([]byte, 32)
	for i, line := range lines[:2] {
		body, rest, ok := strings.Cut(line, `,"prev":"`+hex.EncodeToString(prev)+`","hash":"`)
		require.True(t, ok)
		body += `,"prev":"` + hex.EncodeToString(prev)
		sum := sha256.Sum256([]byte("surefoot audit entry v1\x00" + string(prev) + body))
		require.Equal(t, hex.EncodeToString(sum[:])+"\"}\n", rest)
		require.Equal(t, Hash(sum), heads[i+1].Hash)
		prev = sum[:]
	}
	require.True(t, strings.HasPrefix(lines[0], `{"v":1,"seq":1,"time":"2026-03-01T12:00:00.123456789Z","kind":"note",`+
		`"run":"r1","data":{"i":0,"text":"Jürgen *J"},"prev":"0000`), lines[0])

	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &decoded), "a line is one JSON object")
	require.Equal(t, float64(2), decoded["seq"])
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{})
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	before := time.Now().UTC()
	seq, err := l.Append(t.Context(), Event{Kind: KindCharge, Run: "run/7", Data: map[string]float64{"epsilon": 0.25}})
	require.NoError(t, err)
	require.Equal(t, uint64(1), seq)
	cet := time.FixedZone("CET", 3600)
	seq, err = l.AppendAt(t.Context(), day.In(cet), Event{Kind: "app.loaded", Data: json.RawMessage("[ 1,\n 2 ]")})
	require.NoError(t, err)
	require.Equal(t, uint64(2), seq)
	_, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.NoError(t, err)
	head := l.Head()
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())

	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	all := collect(t, f)
	require.Len(t, all, 3)
	require.Equal(t, KindCharge, all[0].Kind)
	require.Equal(t, "run/7", all[0].Run)
	require.JSONEq(t, `{"epsilon":0.25}`, string(all[0].Data))
	require.False(t, all[0].Time.Before(before) || all[0].Time.After(time.Now()))
	require.Equal(t, Entry{Seq: 2, Time: day, Kind: "app.loaded", Data: json.RawMessage("[1,2]"),
		Prev: all[0].Hash, Hash: all[1].Hash}, all[1])
	require.Equal(t, "null", string(all[2].Data))
	require.Equal(t, all[2].Hash, head.Hash)

	rep, err := VerifyFile(path, head)
	require.NoError(t, err)
	size, err := f.Seek(0, io.SeekEnd)
	require.NoError(t, err)
	require.Equal(t, Report{Entries: 3, Bytes: size, First: all[0].Time, Last: all[2].Time, Head: head}, rep)

	l, err = Open(path, Options{})
	require.NoError(t, err)
	require.Equal(t, head, l.Head())
	seq, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.NoError(t, err)
	require.Equal(t, uint64(4), seq)
	require.NoError(t, l.Close())
	_, err = VerifyFile(path, head, l.Head())
	require.NoError(t, err)
}

func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	f := &fakeFile{}
	l, err := newLog(f, "x", Options{})
	require.NoError(t, err)
	defer l.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	long := strings.Repeat("x", 1<<16)
	for _, tt := range []struct {
		name string
		ctx  context.Context
		ev   Event
		want string
	}{
		{"no kind", nil, Event{}, `kind ""`},
		{"upper case", nil, Event{Kind: "Step"}, `kind "Step"`},
		{"line end", nil, Event{Kind: "a\nb"}, `kind "a\nb"`},
		{"long kind", nil, Event{Kind: Kind(long)}, "bytes more"},
		{"own kind", nil, Event{Kind: KindRecovered}, `kind "audit.recovered"`},
		{"run with quote", nil, Event{Kind: KindNote, Run: `a"b`}, `run "a\"b"`},
		{"long run", nil, Event{Kind: KindNote, Run: long}, "bytes more"},
		{"NaN", nil, Event{Kind: KindNote, Data: map[string]float64{"loss": math.NaN()}}, "unsupported value: NaN"},
		{"channel", nil, Event{Kind: KindNote, Data: make(chan int)}, "unsupported type"},
		{"not JSON", nil, Event{Kind: KindNote, Data: json.RawMessage(`{"a":`)}, "data of note event"},
		{"not UTF-8", nil, Event{Kind: KindNote, Data: json.RawMessage("\"\xff\"")}, "not valid UTF-8"},
		{"too large", nil, Event{Kind: KindNote, Data: strings.Repeat("x", MaxData)}, "the limit is 1048576"},
		{"ended context", ended, Event{Kind: KindNote}, "context canceled"},
	} {
		if tt.ctx == nil {
			tt.ctx = t.Context()
		}
		_, err := l.Append(tt.ctx, tt.ev)
		require.ErrorContains(t, err, tt.want, tt.name)
		require.Less(t, len(err.Error()), 400, tt.name)
		require.NotContains(t, err.Error(), "\n", tt.name)
	}
	_, err = l.AppendAt(t.Context(), time.Time{}, Event{Kind: KindNote})
	require.ErrorContains(t, err, "not in the years")
	_, err = l.AppendAt(t.Context(), day.AddDate(9000, 0, 0), Event{Kind: KindNote})
	require.ErrorContains(t, err, "not in the years")
	_, err = l.Append(t.Context(), Event{Kind: KindNote, Data: strings.Repeat("x", MaxData)})
	require.ErrorIs(t, err, ErrTooLarge)
	require.Empty(t, f.data, "a refused event leaves nothing behind")
	require.NoError(t, l.Err())

	_, err = l.Append(t.Context(), Event{Kind: KindNote, Data: strings.Repeat("x", MaxData-2)})
	require.NoError(t, err)
	require.Len(t, collect(t, bytes.NewReader(f.data)), 1)
}

func TestDataIsSafeToShow(t *testing.T) {
	t.Parallel()
	f := &fakeFile{}
	l, err := newLog(f, "x", Options{})
	require.NoError(t, err)
	const hostile = "a\nb\x1b[2J\x7f\u202egnp\u200b\U000e0041\u2028z é 日本"
	_, err = l.Append(t.Context(), Event{Kind: KindNote, Data: map[string]string{hostile: hostile}})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Equal(t, 1, bytes.Count(f.data, []byte("\n")))
	for _, r := range strings.TrimSuffix(string(f.data), "\n") {
		require.True(t, r >= ' ' && r != 0x7f && r != 0x202e && r != 0x200b && r != 0xe0041 && r != 0x2028, "%U", r)
	}
	require.Contains(t, string(f.data), "é 日本")
	var got map[string]string
	require.NoError(t, json.Unmarshal(collect(t, bytes.NewReader(f.data))[0].Data, &got))
	require.Equal(t, map[string]string{hostile: hostile}, got)
}

func TestFloat(t *testing.T) {
	t.Parallel()
	in := map[string]Float{"a": Float(math.NaN()), "b": Float(math.Inf(1)), "c": Float(math.Inf(-1)), "d": 0.1}
	text, err := json.Marshal(in)
	require.NoError(t, err)
	require.Equal(t, `{"a":"NaN","b":"+Inf","c":"-Inf","d":0.1}`, string(text))
	var out map[string]Float
	require.NoError(t, json.Unmarshal(text, &out))
	require.True(t, math.IsNaN(float64(out["a"])))
	delete(in, "a")
	delete(out, "a")
	require.Equal(t, in, out)
	var f Float
	require.Error(t, json.Unmarshal([]byte(`"nan"`), &f))
	require.Error(t, json.Unmarshal([]byte(`1e999`), &f))
}

func TestNilAndZero(t *testing.T) {
	t.Parallel()
	for _, l := range []*Log{nil, {}} {
		_, err := l.Append(t.Context(), Event{Kind: KindNote})
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, l.Err(), ErrClosed)
		require.Zero(t, l.Head())
		require.NoError(t, l.Close())
	}
	for _, r := range []*Recorder{nil, {}} {
		_, err := r.Admit(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		r.RecordBatch(t.Context(), 1, 1, 0, 0, nil)
		r.Done(0, nil)
	}
	_, err := Open(filepath.Join(t.TempDir(), "a"), Options{SyncEvery: -1})
	require.ErrorContains(t, err, "SyncEvery -1ns is negative")
}

func TestOpenRefusesFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Open(dir, Options{})
	require.Error(t, err)
	_, err = Open(filepath.Join(dir, "none", "a"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)

	shared := filepath.Join(dir, "shared")
	require.NoError(t, os.WriteFile(shared, nil, 0o600))
	require.NoError(t, os.Chmod(shared, 0o622))
	_, err = Open(shared, Options{})
	require.ErrorContains(t, err, "shared may be written by others (mode -rw--w--w-)")

	// A file that is no log is refused, and kept as it is, also without a single line end.
	for i, content := range []string{"weights\x00\x01", "hello\n", "{\"v\":1,\"seq\":2,", "{\"v\":2}", strings.Repeat("z", maxLine+9)} {
		other := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(other, []byte(content), 0o600))
		_, err = Open(other, Options{})
		var damage *DamageError
		require.ErrorAs(t, err, &damage)
		require.Equal(t, DamageError{Path: other, Seq: 1, Reason: damage.Reason}, *damage)
		kept, err := os.ReadFile(other)
		require.NoError(t, err)
		require.Equal(t, content, string(kept))
	}
}

func TestConcurrentAppend(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{0, time.Millisecond} {
		path := filepath.Join(t.TempDir(), "log")
		l, err := Open(path, Options{SyncEvery: every})
		require.NoError(t, err)
		const workers, each = 16, 40
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			acked = map[uint64]string{}
		)
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					run := fmt.Sprintf("w%d/%d", w, i)
					seq, err := l.Append(context.Background(), Event{Kind: KindStep, Run: run, Data: i})
					if err != nil {
						t.Error(err)
						return
					}
					_ = l.Head()
					mu.Lock()
					acked[seq] = run
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.NoError(t, l.Close())
		rep, err := VerifyFile(path, l.Head())
		require.NoError(t, err)
		require.Equal(t, uint64(workers*each), rep.Entries)
		f, err := os.Open(path)
		require.NoError(t, err)
		last := time.Time{}
		for _, e := range collect(t, f) {
			require.Equal(t, acked[e.Seq], e.Run)
			require.False(t, e.Time.Before(last))
			last = e.Time
		}
		require.NoError(t, f.Close())
	}
}

// Appends that race with Close are either refused or kept.
func TestCloseWhileAppending(t *testing.T) {
	t.Parallel()
	for range 50 {
		f := &fakeFile{}
		l, err := newLog(f, "x", Options{})
		require.NoError(t, err)
		var (
			wg    sync.WaitGroup
			acked atomic.Uint64
		)
		for range 8 {
			wg.Go(func() {
				for {
					if _, err := l.Append(context.Background(), Event{Kind: KindNote}); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					acked.Add(1)
				}
			})
		}
		for acked.Load() < 20 {
			runtime.Gosched()
		}
		for range 3 {
			wg.Go(func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, acked.Load(), l.Head().Seq)
		require.Len(t, collect(t, bytes.NewReader(f.durable)), int(acked.Load()))
	}
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fakeFile{}
		l, err := newLog(f, "x", Options{})
		require.NoError(t, err)
		syncs := 0
		f.failSync = func() error { syncs++; <-hold; return nil }
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := l.Append(t.Context(), Event{Kind: KindNote})
				require.NoError(t, err)
			})
			synctest.Wait()
		}
		close(hold)
		wg.Wait()
		require.Equal(t, 2, syncs, "99 entries gathered while the first was synced")
		require.NoError(t, l.Close())
	})
}

func TestHungDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fakeFile{}
		l, err := newLog(f, "x", Options{})
		require.NoError(t, err)
		f.failSync = func() error { <-hold; return nil }
		start := time.Now()
		var wg sync.WaitGroup
		for range 12 { // more than maxGroup in all: the last ones wait for a place
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := l.Append(ctx, Event{Kind: KindNote, Data: strings.Repeat("x", MaxData-2)})
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		wg.Wait()
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Zero(t, l.Head())
		close(hold)
		require.NoError(t, l.Close())
		rep, err := Verify(bytes.NewReader(f.data), l.Head())
		require.NoError(t, err)
		require.Less(t, rep.Entries, uint64(12))
		require.Greater(t, rep.Entries, uint64(3))
	})
}

func TestSyncEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFile{}
		l, err := newLog(f, "x", Options{SyncEvery: time.Second})
		require.NoError(t, err)
		var syncs atomic.Int64
		f.failSync = func() error { syncs.Add(1); return nil }
		for range 10 {
			_, err := l.Append(t.Context(), Event{Kind: KindNote})
			require.NoError(t, err)
		}
		require.Zero(t, syncs.Load())
		require.Zero(t, l.Head(), "nothing is durable yet")
		require.Len(t, collect(t, bytes.NewReader(f.data)), 10, "but all of it was handed over")
		<-time.After(time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, syncs.Load())
		require.Equal(t, uint64(10), l.Head().Seq)
		<-time.After(time.Hour)
		require.EqualValues(t, 1, syncs.Load(), "an idle log is left alone")
		_, err = l.Append(t.Context(), Event{Kind: KindNote})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.EqualValues(t, 2, syncs.Load())
		require.Equal(t, uint64(11), l.Head().Seq)
		require.Equal(t, f.data, f.durable)
	})
}

func TestPoison(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		break_ func(f *fakeFile)
		cause  error
		keeps  uint64 // entries found after reopening, of two acknowledged and one not
	}{
		{"disk full", func(f *fakeFile) {
			f.failWrite = func(p []byte) (int, error) { return len(p) / 2, syscall.ENOSPC }
		}, syscall.ENOSPC, 3}, // the third is the repair's
		{"nothing written", func(f *fakeFile) {
			f.failWrite = func([]byte) (int, error) { return 0, syscall.EIO }
		}, syscall.EIO, 2},
		{"fsync", func(f *fakeFile) { f.failSync = func() error { return syscall.EIO } }, syscall.EIO, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var logged bytes.Buffer
			f := &fakeFile{}
			l, err := newLog(f, "x.log", Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
			require.NoError(t, err)
			for range 2 {
				_, err := l.Append(t.Context(), Event{Kind: KindNote})
				require.NoError(t, err)
			}
			head := l.Head()
			tt.break_(f)
			_, err = l.Append(t.Context(), Event{Kind: KindNote})
			f.failWrite, f.failSync = nil, nil // a retry would succeed, and must not be made
			for range 3 {
				require.ErrorIs(t, err, ErrPoisoned)
				require.ErrorIs(t, err, tt.cause)
				var p interface{ Permanent() bool }
				require.ErrorAs(t, err, &p)
				require.True(t, p.Permanent())
				require.Contains(t, err.Error(), "x.log")
				_, err = l.Append(t.Context(), Event{Kind: KindNote})
			}
			require.ErrorIs(t, l.Err(), ErrPoisoned)
			require.Equal(t, head, l.Head())
			require.ErrorIs(t, l.Close(), tt.cause)
			require.True(t, f.closed)
			require.Equal(t, 1, strings.Count(logged.String(), "level=ERROR"))

			again, err := newLog(f, "x.log", Options{})
			require.NoError(t, err)
			require.Equal(t, tt.keeps, again.Head().Seq)
			_, err = again.Append(t.Context(), Event{Kind: KindNote})
			require.NoError(t, err)
			require.NoError(t, again.Close())
			_, err = Verify(bytes.NewReader(f.data), head, again.Head())
			require.NoError(t, err)
		})
	}
}

// A write that fails says nothing about what was written before it: those entries still get their fsync.
func TestPoisonKeepsWhatWasHandedOver(t *testing.T) {
	t.Parallel()
	f := &fakeFile{}
	l, err := newLog(f, "x", Options{SyncEvery: time.Hour})
	require.NoError(t, err)
	_, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.NoError(t, err)
	f.failWrite = func([]byte) (int, error) { return 0, syscall.ENOSPC }
	_, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorIs(t, l.Close(), syscall.ENOSPC)
	require.Equal(t, uint64(1), l.Head().Seq)
	require.Len(t, collect(t, bytes.NewReader(f.durable)), 1)
}

func TestOpenFailsWhereItCannotRepair(t *testing.T) {
	t.Parallel()
	data, _ := sample(t, 2)
	torn := data[:len(data)-40]
	for _, f := range []*fakeFile{
		{data: bytes.Clone(torn), failSync: func() error { return syscall.EIO }},
		{data: bytes.Clone(torn), failWrite: func([]byte) (int, error) { return 0, syscall.EIO }},
		{data: bytes.Clone(torn), crashAt: 2},
	} {
		_, err := newLog(f, "x", Options{})
		require.True(t, errors.Is(err, syscall.EIO) || errors.Is(err, errCrash), err)
	}
}
