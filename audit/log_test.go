package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// testKey is a key that is the same in each run.
func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// quiet are the options of a log that signs only when told to.
var quiet = Options{Key: testKey(1), Origin: "example.com/log", CheckpointEvery: -1}

// newDisk has blocks of the size of those that disks have.
func newDisk() *durabletest.Disk {
	d := durabletest.New()
	d.Block = 512
	return d
}

func mustOpen(t testing.TB, d *durabletest.Disk, opts Options) *Log {
	t.Helper()
	l, err := openIn(d, "x", opts)
	require.NoError(t, err)
	return l
}

// fill appends notes.
func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := int(l.Head().Size) - 1; n > 0; i, n = i+1, n-1 {
		_, err := l.AppendAt(t.Context(), day.Add(time.Duration(i)*time.Second),
			Event{Kind: KindNote, Run: "r1", Data: map[string]any{"i": i, "text": "Jürgen"}})
		require.NoError(t, err)
	}
}

// sample is a disk with a closed log of n entries, and its heads from the empty log on.
func sample(t testing.TB, n int) (*durabletest.Disk, []Head) {
	d := newDisk()
	l := mustOpen(t, d, quiet)
	heads := []Head{{}, l.Head()}
	for range n - 1 {
		fill(t, l, 1)
		heads = append(heads, l.Head())
	}
	require.NoError(t, l.Close())
	return d, heads
}

func collect(t testing.TB, d *durabletest.Disk) []Entry {
	t.Helper()
	var all []Entry
	for e, err := range entries(d, "x") {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func check(t testing.TB, d *durabletest.Disk, trust Trust) Report {
	t.Helper()
	rep, err := verify(d, "x", trust, func(*Entry) bool { return true })
	require.NoError(t, err)
	return rep
}

// The layout, the hashes and the signature are as the specifications have them, by independent code.
func TestFormat(t *testing.T) {
	t.Parallel()
	const n = 300
	d, heads := sample(t, n)
	files := d.Files()
	bundle := files["tile/entries/000"]
	var texts [][]byte
	for _, part := range [][]byte{bundle, files["tile/entries/001.p/44"]} {
		for len(part) > 0 {
			size := int(part[0])<<8 | int(part[1])
			texts = append(texts, part[2:2+size])
			part = part[2+size:]
		}
	}
	require.Len(t, texts, n)
	require.Equal(t, `{"cid":"","data":{"i":0,"text":"Jürgen"},"kind":"note","run":"r1","seq":2,`+
		`"time":"2026-03-01T12:00:00.123456789Z","v":2}`, string(texts[1]))

	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, _ error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	var level0 []byte
	for i, text := range texts {
		hashes, err := tlog.StoredHashes(int64(i), text, read)
		require.NoError(t, err)
		stored = append(stored, hashes...)
		level0 = append(level0, hashes[0][:]...)
		root, err := tlog.TreeHash(int64(i+1), read)
		require.NoError(t, err)
		require.Equal(t, Head{uint64(i + 1), Hash(root)}, heads[i+1])
	}
	require.Equal(t, level0[:256*32], files["tile/0/000"])
	require.Equal(t, level0[256*32:], files["tile/0/001.p/44"])
	require.Len(t, files["tile/1/000.p/1"], 32)

	vkey, err := note.NewEd25519VerifierKey("example.com/log", testKey(1).Public().(ed25519.PublicKey))
	require.NoError(t, err)
	v, err := note.NewVerifier(vkey)
	require.NoError(t, err)
	signed, err := note.Open(files["checkpoint"], note.VerifierList(v))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("example.com/log\n%d\n%s\n", n, base64.StdEncoding.EncodeToString(heads[n].Hash[:])), signed.Text)

	var first struct{ Data struct{ Key string } }
	require.NoError(t, json.Unmarshal(texts[0], &first))
	require.Equal(t, vkey, first.Data.Key)
	require.Equal(t, Hash(sha256.Sum256(append([]byte{0}, texts[0]...))), heads[1].Hash)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := Open(dir, Options{})
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		info, ierr := e.Info()
		require.NoError(t, errors.Join(err, ierr))
		want := os.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))

	before := time.Now().UTC()
	ctx := WithCorrelation(t.Context(), "req-1 \n")
	require.Equal(t, "req-1__", Correlation(ctx))
	seq, err := l.Append(ctx, Event{Run: "run/7", Data: Charge{Count: 1, Epsilon: 0.25, Delta: Float(math.Inf(1))}})
	require.NoError(t, err)
	require.Equal(t, uint64(2), seq)
	cet := time.FixedZone("CET", 3600)
	seq, err = l.AppendAt(t.Context(), day.In(cet), Event{Kind: "app.loaded", Data: json.RawMessage("[ 1,\n 2e0 ]")})
	require.NoError(t, err)
	require.Equal(t, uint64(3), seq)
	_, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.NoError(t, err)
	head := l.Head()
	key := l.Key()
	require.Contains(t, key, "surefoot-audit/")
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	require.Equal(t, head, l.Head())

	var all []Entry
	for e, err := range Entries(dir) {
		require.NoError(t, err)
		all = append(all, e)
	}
	require.Len(t, all, 4)
	require.Equal(t, KindCreated, all[0].Kind)
	require.Equal(t, KindCharge, all[1].Kind)
	require.Equal(t, "run/7", all[1].Run)
	require.Equal(t, "req-1__", all[1].Correlation)
	require.Equal(t, `{"count":1,"delta":"+Inf","epsilon":0.25}`, string(all[1].Data))
	require.False(t, all[1].Time.Before(before) || all[1].Time.After(time.Now()))
	require.Equal(t, Entry{Seq: 3, Time: day, Kind: "app.loaded", Data: json.RawMessage("[1,2]")}, all[2])
	require.Equal(t, "null", string(all[3].Data))

	rep, err := Verify(dir, Trust{Keys: []string{key}, Heads: []Head{head}})
	require.NoError(t, err)
	require.Equal(t, Report{Entries: 4, First: all[0].Time, Last: all[3].Time, Head: head, Signed: head, Key: key}, rep)

	l, err = Open(dir, Options{})
	require.NoError(t, err)
	require.Equal(t, head, l.Head())
	require.Equal(t, key, l.Key())
	seq, err = l.Append(t.Context(), Event{Kind: KindNote})
	require.NoError(t, err)
	require.Equal(t, uint64(5), seq, "a log that was closed needs no recovery")
	_, err = Verify(dir, Trust{Heads: []Head{head, l.Head()}})
	require.NoError(t, err, "while it is open, with what the journal alone has")
	require.NoError(t, l.Close())
	_, err = Verify(dir, Trust{Keys: []string{key}, Heads: []Head{l.Head(), head, {}, head}})
	require.NoError(t, err)
	_, err = Open(dir, Options{Key: testKey(9)})
	require.ErrorIs(t, err, ErrKey)
	_, err = Open(dir, Options{Origin: "example.com/other"})
	require.ErrorContains(t, err, "has origin surefoot-audit/")
	_, err = Verify(t.TempDir(), Trust{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := mustOpen(t, d, quiet)
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
		{"large integer", nil, Event{Kind: KindNote, Data: uint64(1<<63 + 1)}, "2^53"},
		{"repeated name", nil, Event{Kind: KindNote, Data: json.RawMessage(`{"a":1,"b":2,"\u0061":3}`)}, "repeated name"},
		{"too large", nil, Event{Kind: KindNote, Data: strings.Repeat("x", MaxData)}, "the limit is 64000"},
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
	_, err := l.AppendAt(t.Context(), time.Time{}, Event{Kind: KindNote})
	require.ErrorContains(t, err, "not in the years")
	_, err = l.AppendAt(t.Context(), day.AddDate(9000, 0, 0), Event{Kind: KindNote})
	require.ErrorContains(t, err, "not in the years")
	_, err = l.Append(t.Context(), Event{Kind: KindNote, Data: strings.Repeat("x", MaxData)})
	require.ErrorIs(t, err, ErrTooLarge)
	require.EqualValues(t, 1, l.Head().Size, "a refused event leaves nothing behind")
	require.NoError(t, l.Err())

	_, err = l.Append(WithCorrelation(t.Context(), long), Event{Kind: Kind("k" + long[:63]), Run: long[:128], Data: strings.Repeat("x", MaxData-2)})
	require.NoError(t, err, "the largest entry fits into a bundle")
	require.Len(t, collect(t, d), 2)
}

func TestShownSafely(t *testing.T) {
	t.Parallel()
	const hostile = "a\nb\x1b[2J\x7f\u202egnp\u200b\U000e0041\u2028z é 日本"
	text, err := json.Marshal(map[string]string{hostile: hostile})
	require.NoError(t, err)
	data, err := new(canonicalizer).append(nil, text)
	require.NoError(t, err)
	shown := Printable(data)
	for _, r := range string(shown) {
		require.True(t, r >= ' ' && r != 0x7f && r != 0x202e && r != 0x200b && r != 0xe0041 && r != 0x2028, "%U", r)
	}
	require.Contains(t, string(shown), "é 日本")
	for _, form := range [][]byte{data, shown} {
		var got map[string]string
		require.NoError(t, json.Unmarshal(form, &got))
		require.Equal(t, map[string]string{hostile: hostile}, got)
	}
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
		require.ErrorIs(t, l.Post(t.Context(), Event{Kind: KindNote}), ErrClosed)
		require.ErrorIs(t, l.Err(), ErrClosed)
		_, err = l.Checkpoint(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		_, err = l.Prune(t.Context(), 9, "")
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, l.RotateKey(t.Context(), nil), ErrClosed)
		require.Zero(t, l.Head())
		require.Zero(t, l.Stats())
		require.Zero(t, l.Key())
		require.NoError(t, l.Close())
	}
	for _, r := range []*Recorder{nil, {}} {
		_, err := r.Admit(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		r.RecordBatch(t.Context(), 1, 1, 0, 0, nil)
		r.Done(0, nil)
	}
	for _, opts := range []Options{{OnFailure: 9}, {WitnessTimeout: -1}, {Origin: "a b"}} {
		_, err := Open(filepath.Join(t.TempDir(), "a"), opts)
		require.Error(t, err)
	}
}

func TestConcurrentAppend(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := Open(dir, Options{CheckpointEvery: time.Millisecond})
	require.NoError(t, err)
	const workers, each = 16, 60
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
	for range 20 { // a log in use verifies at any time
		head := l.Head()
		rep, err := Verify(dir, Trust{Heads: []Head{head}})
		require.NoError(t, err)
		require.GreaterOrEqual(t, rep.Entries, head.Size)
	}
	wg.Wait()
	require.NoError(t, l.Close())
	rep, err := Verify(dir, Trust{Heads: []Head{l.Head()}})
	require.NoError(t, err)
	require.Equal(t, uint64(workers*each+1), rep.Entries)
	require.Equal(t, rep.Head, rep.Signed)
	last := time.Time{}
	for e, err := range Entries(dir) {
		require.NoError(t, err)
		require.Equal(t, acked[e.Seq], e.Run)
		require.False(t, e.Time.Before(last))
		last = e.Time
	}
}

// Appends that race with Close are either refused or kept.
func TestCloseWhileAppending(t *testing.T) {
	t.Parallel()
	for range 50 {
		d := newDisk()
		l := mustOpen(t, d, quiet)
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
		rep := check(t, d.PowerLoss(durabletest.None), Trust{Heads: []Head{l.Head()}})
		require.GreaterOrEqual(t, rep.Signed.Size, acked.Load()+1)
		require.Equal(t, rep.Signed, rep.Head)
	}
}
