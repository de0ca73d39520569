package compliance

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func newPseudonymizer(t testing.TB, seed byte) *Pseudonymizer {
	t.Helper()
	p, err := NewPseudonymizer(bytes.Repeat([]byte{seed}, 32))
	require.NoError(t, err)
	return p
}

func TestPseudonymizer(t *testing.T) {
	t.Parallel()
	key := []byte("a key of some length, kept apart")
	p, err := NewPseudonymizer(key)
	require.NoError(t, err)
	for _, id := range []string{"", "patient-7", strings.Repeat("long", 1000)} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte("p" + id))
		got := p.Of(id)
		require.Equal(t, h.Sum(nil)[:16], got[:])
	}
	require.NotEqual(t, p.Key(), newPseudonymizer(t, 1).Key())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", p, p, p, p), "97") // the key's first byte, in any writing
	for _, n := range []int{0, 15, 65} {
		_, err := NewPseudonymizer(make([]byte, n))
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestPseudonymAllocs(t *testing.T) {
	p := newPseudonymizer(t, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Of("patient-7") }))
}

// world is a made history with the naive answer.
type world struct {
	list    map[Pseudonym]time.Time
	batches []Batch
}

func makeWorld(r *rand.Rand, p *Pseudonymizer) world {
	w := world{list: map[Pseudonym]time.Time{}}
	start := testNow()
	who := func() Pseudonym { return p.Of(fmt.Sprint(r.IntN(300))) }
	for range r.IntN(40) {
		w.list[who()] = start.Add(time.Duration(r.IntN(100)) * time.Second)
	}
	for run := range 1 + r.IntN(3) {
		for n := range r.IntN(20) {
			b := Batch{Run: fmt.Sprintf("run-%d", run), Number: uint64(n), Time: start.Add(time.Duration(r.IntN(100)) * time.Second)}
			size := r.IntN(8)
			if r.IntN(10) == 0 {
				size = 4090 + r.IntN(10)
			}
			for range size {
				b.IDs = append(b.IDs, who())
			}
			w.batches = append(w.batches, b)
		}
	}
	return w
}

func (w world) naive() (found int64, earlier map[string]bool, ids int64) {
	earlier = map[string]bool{}
	for _, b := range w.batches {
		for _, id := range b.IDs {
			ids++
			if from, ok := w.list[id]; ok && b.Time.Before(from) {
				earlier[b.Run] = true
			} else if ok {
				found++
			}
		}
	}
	return found, earlier, ids
}

func (w world) manifest(t testing.TB, key KeyID) []byte {
	t.Helper()
	var b bytes.Buffer
	m, err := NewManifest(&b, key)
	require.NoError(t, err)
	for _, x := range w.batches {
		require.NoError(t, m.Add(x))
	}
	digest, err := m.Close()
	require.NoError(t, err)
	require.Len(t, digest, 64)
	require.Error(t, m.Add(Batch{Run: "r", Time: testNow()}), "closed")
	return b.Bytes()
}

func read(t testing.TB, data []byte) *ManifestReader {
	t.Helper()
	m, err := ReadManifest(bytes.NewReader(data))
	require.NoError(t, err)
	return m
}

func checkWorld(t testing.TB, w world, p *Pseudonymizer) {
	l, err := NewList(p.Key(), maps.All(w.list))
	require.NoError(t, err)
	var enc bytes.Buffer
	require.NoError(t, l.Encode(&enc))
	back, err := ReadList(iotest.HalfReader(&enc))
	require.NoError(t, err)
	require.Equal(t, l, back)
	a, err := back.Check(read(t, w.manifest(t, p.Key())))
	require.NoError(t, err)
	found, earlier, ids := w.naive()
	require.Equal(t, found, a.Found)
	require.Equal(t, ids, a.IDs)
	require.Equal(t, len(earlier), len(a.Earlier))
	require.EqualValues(t, len(w.batches), a.Batches)
	require.EqualValues(t, len(w.list), a.Listed)
	require.True(t, a.Complete)
	require.LessOrEqual(t, len(a.Places), 20)
}

func TestGaps(t *testing.T) {
	t.Parallel()
	p := newPseudonymizer(t, 4)
	l, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("ada"): testNow()}))
	require.NoError(t, err)
	var w world
	for _, n := range []uint64{1, 2, 2, 500, 3, 4, math.MaxUint64, 0, 1} { // a number that comes back is another attempt
		w.batches = append(w.batches, Batch{Run: "r", Number: n, Time: testNow()})
	}
	a, err := l.Check(read(t, w.manifest(t, p.Key())))
	require.NoError(t, err)
	require.EqualValues(t, int64(math.MaxInt64), a.Gaps)
	w.batches = w.batches[:6]
	a, err = l.Check(read(t, w.manifest(t, p.Key())))
	require.NoError(t, err)
	require.EqualValues(t, 497, a.Gaps)
}

// TestMomentsInZones: what a writer takes, its reader reads, whatever the zone.
func TestMomentsInZones(t *testing.T) {
	t.Parallel()
	p := newPseudonymizer(t, 4)
	for _, tt := range []struct {
		at time.Time
		ok bool
	}{
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), false},
		{time.Date(1969, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), true},
		{time.Date(2261, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), false},
	} {
		_, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("ada"): tt.at}))
		require.Equal(t, tt.ok, err == nil, tt.at)
		var b bytes.Buffer
		m, err := NewManifest(&b, p.Key())
		require.NoError(t, err)
		require.Equal(t, tt.ok, m.Add(Batch{Run: "r", Time: tt.at}) == nil, tt.at)
		_, err = m.Close()
		require.NoError(t, err)
		for _, err := range read(t, b.Bytes()).Batches() {
			require.NoError(t, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint64(1))
	p := newPseudonymizer(f, 3)
	f.Fuzz(func(t *testing.T, seed uint64) {
		checkWorld(t, makeWorld(rand.New(rand.NewPCG(seed, 1)), p), p)
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := newPseudonymizer(t, 3)
	for seed := range uint64(60) {
		checkWorld(t, makeWorld(rand.New(rand.NewPCG(seed, 2)), p), p)
	}
	// The moment itself is too late.
	now := testNow()
	l, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("x"): now}))
	require.NoError(t, err)
	for d, want := range map[time.Duration]int64{-1: 0, 0: 1, 1: 1} {
		w := world{batches: []Batch{{Run: "r", Number: 1, Time: now.Add(d), IDs: []Pseudonym{p.Of("x")}}}}
		a, err := l.Check(read(t, w.manifest(t, p.Key())))
		require.NoError(t, err)
		require.Equal(t, want, a.Found, d)
		require.Equal(t, want == 0, len(a.Earlier) == 1)
	}
}

// TestOtherKey: hashes of another key never meet, which must not look like absence.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	p, q := newPseudonymizer(t, 1), newPseudonymizer(t, 2)
	l, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("x"): testNow()}))
	require.NoError(t, err)
	w := world{batches: []Batch{{Run: "r", Time: testNow(), IDs: []Pseudonym{q.Of("x")}}}}
	a, err := l.Check(read(t, w.manifest(t, q.Key())))
	require.ErrorIs(t, err, ErrKey)
	require.False(t, a.Complete)
}

// TestDamage: a manifest or a list that was cut, changed or lengthened anywhere is not complete.
func TestDamage(t *testing.T) {
	t.Parallel()
	p := newPseudonymizer(t, 1)
	now := testNow()
	l, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("x"): now, p.Of("y"): now}))
	require.NoError(t, err)
	good := world{batches: []Batch{{Run: "r", Number: 1, Time: now, IDs: []Pseudonym{p.Of("a"), p.Of("b")}}, {Run: "r", Number: 2, Time: now}}}.manifest(t, p.Key())
	var list bytes.Buffer
	require.NoError(t, l.Encode(&list))
	check := func(data []byte) (Absence, error) {
		m, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			return Absence{}, err
		}
		return l.Check(m)
	}
	a, err := check(good)
	require.NoError(t, err)
	require.True(t, a.Complete)
	for name, data := range map[string][]byte{"manifest": good, "list": list.Bytes()} {
		try := func(d []byte) error {
			if name == "list" {
				_, err := ReadList(bytes.NewReader(d))
				return err
			}
			a, err := check(d)
			require.False(t, a.Complete)
			return err
		}
		for i := range data {
			require.Error(t, try(data[:i]), "%s cut at %d", name, i)
			for bit := range 8 {
				changed := bytes.Clone(data)
				changed[i] ^= 1 << bit
				require.Error(t, try(changed), "%s, bit %d of byte %d", name, bit, i)
			}
		}
		require.Error(t, try(append(bytes.Clone(data), 0)), name)
	}
	m := read(t, good)
	for range m.Batches() {
		break
	}
	for _, err := range m.Batches() {
		require.Error(t, err, "a second time")
	}
	_, err = l.Check(m)
	require.Error(t, err)
}

func TestRefusedBatches(t *testing.T) {
	t.Parallel()
	p := newPseudonymizer(t, 1)
	m, err := NewManifest(io.Discard, p.Key())
	require.NoError(t, err)
	for _, b := range []Batch{{Run: "", Time: testNow()}, {Run: strings.Repeat("r", 129), Time: testNow()}, {Run: "r"}, {Run: "r", Time: testNow().AddDate(300, 0, 0)}} {
		require.ErrorIs(t, m.Add(b), ErrInvalid)
	}
	_, err = NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("x"): {}}))
	require.ErrorIs(t, err, ErrInvalid)
	m, err = NewManifest(full{}, p.Key())
	require.NoError(t, err)
	for err == nil {
		err = m.Add(Batch{Run: "r", Time: testNow(), IDs: make([]Pseudonym, 4096)})
	}
	_, second := m.Close()
	require.Equal(t, err, second)
}

func FuzzReadManifest(f *testing.F) {
	p := newPseudonymizer(f, 1)
	f.Add(world{batches: []Batch{{Run: "r", Number: 1, Time: testNow(), IDs: []Pseudonym{p.Of("a")}}}}.manifest(f, p.Key()))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		var out bytes.Buffer
		w, err := NewManifest(&out, m.Key())
		require.NoError(t, err)
		for b, err := range m.Batches() {
			if err != nil {
				require.ErrorIs(t, err, ErrInvalid)
				require.Empty(t, m.Digest())
				return
			}
			require.NoError(t, w.Add(b))
		}
		digest, err := w.Close()
		require.NoError(t, err)
		require.Equal(t, digest, m.Digest(), "one way to write it")
		require.Equal(t, data, out.Bytes())
	})
}

func FuzzReadList(f *testing.F) {
	p := newPseudonymizer(f, 1)
	l, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("x"): testNow(), p.Of("y"): testNow()}))
	require.NoError(f, err)
	var b bytes.Buffer
	require.NoError(f, l.Encode(&b))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ReadList(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		var out bytes.Buffer
		require.NoError(t, l.Encode(&out))
		require.Equal(t, data, out.Bytes())
	})
}

// stream is a source of many batches that are nowhere in memory.
type stream struct {
	key     KeyID
	batches int
	size    int
	hit     func(n uint64, who *Pseudonym)
	done    bool
}

func (s *stream) Key() KeyID { return s.key }

func (s *stream) Digest() string {
	if !s.done {
		return ""
	}
	return "made"
}

func (s *stream) Batches() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		r := rand.NewPCG(1, 2)
		ids := make([]Pseudonym, s.size)
		for n := range s.batches {
			for i := range ids {
				binary.LittleEndian.PutUint64(ids[i][:], r.Uint64())
				binary.LittleEndian.PutUint64(ids[i][8:], r.Uint64())
				s.hit(uint64(n), &ids[i])
			}
			if !yield(Batch{"run", uint64(n), testNow(), ids}, nil) {
				return
			}
		}
		s.done = true
	}
}

// TestManyIDs: ten million entries of batches in memory for the list alone.
func TestManyIDs(t *testing.T) {
	if testing.Short() {
		t.Skip("ten million identifiers")
	}
	p := newPseudonymizer(t, 1)
	erased := p.Of("erased")
	l, err := NewList(p.Key(), func(yield func(Pseudonym, time.Time) bool) {
		for i := range 100000 {
			if !yield(p.Of(fmt.Sprint(i)), testNow()) {
				return
			}
		}
		yield(erased, testNow())
	})
	require.NoError(t, err)
	s := &stream{key: p.Key(), batches: 10000, size: 1000}
	n := 0
	s.hit = func(batch uint64, who *Pseudonym) {
		if n++; batch == 7777 && n%1000 == 1 {
			*who = erased
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	a, err := l.Check(s)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.EqualValues(t, 10_000_000, a.IDs)
	require.EqualValues(t, 1, a.Found)
	require.Equal(t, []BatchRef{{"run", 7777}}, a.Places)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	p := newPseudonymizer(t, 1)
	l, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{}))
	require.NoError(t, err)
	s := &stream{key: p.Key(), batches: 1, size: 1, hit: func(uint64, *Pseudonym) {}}
	a, err := l.Check(s)
	require.NoError(t, err)
	require.True(t, a.Complete)
	require.NotEmpty(t, a.List, "an empty list was checked, too")
	broken := errors.New("disk")
	a, err = l.Check(source{p.Key(), broken})
	require.ErrorIs(t, err, broken)
	require.False(t, a.Complete)
	a, err = l.Check(source{p.Key(), nil})
	require.ErrorIs(t, err, ErrInvalid, "no digest")
	require.False(t, a.Complete)
}

type source struct {
	key KeyID
	err error
}

func (s source) Key() KeyID     { return s.key }
func (s source) Digest() string { return "" }
func (s source) Batches() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if s.err != nil {
			yield(Batch{}, s.err)
		}
	}
}

func BenchmarkPseudonym(b *testing.B) {
	p := newPseudonymizer(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		p.Of("patient-123456789")
	}
}

func BenchmarkCheck(b *testing.B) {
	p := newPseudonymizer(b, 1)
	for _, n := range []int{1000, 1000000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, err := NewList(p.Key(), func(yield func(Pseudonym, time.Time) bool) {
				for i := range n {
					if !yield(p.Of(fmt.Sprint(i)), testNow()) {
						return
					}
				}
			})
			require.NoError(b, err)
			ids := make([]Pseudonym, 4096)
			for i := range ids {
				ids[i] = p.Of(fmt.Sprint("other", i))
			}
			b.SetBytes(int64(len(ids)))
			b.ReportAllocs()
			for b.Loop() {
				for i := range ids {
					if _, ok := l.from(&ids[i]); ok {
						b.Fatal("found")
					}
				}
			}
		})
	}
}
