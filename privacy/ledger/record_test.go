package ledger

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"github.com/surefoot-ml/surefoot/internal/journal"
	"github.com/surefoot-ml/surefoot/privacy"
)

// samples are records of every kind.
func samples() []*record {
	grid := accountRecord{Account{Name: "grid", Measure: Renyi, Relation: privacy.AddRemove, Unit: "user", Epsilon: 2, Delta: 1e-6, Orders: []float64{1.1, 4, 8}}, []float64{4, 8}, []int64{5, 1 << 51}}
	return []*record{
		{kind: kindGenesis, id: [16]byte{1, 2, 3}},
		{kind: kindAccount, account: grid},
		{kind: kindAccount, account: accountRecord{pureAccount("pure", 1), nil, []int64{nat}}},
		{kind: kindJob, name: "träin", incarnation: 1},
		{kind: kindReserve, number: 1, incarnation: 1, step: 300, id: [16]byte{9}, count: 1 << 39, whole: true, parts: []part{{0, []int64{6, 1 << 50}}}},
		{kind: kindReserve, number: 2, incarnation: 1, count: 3, parts: []part{{1, []int64{nat / 2}}}},
		{kind: kindReserve, number: 3, incarnation: 1, count: 1, parts: []part{{1, []int64{7}}}},
		{kind: kindResolve, number: 2, outcome: committed, count: 2},
		{kind: kindResolve, number: 3, outcome: released},
		{kind: kindTold, index: 1, threshold: 0.8},
		{kind: kindNotPrivate, index: 0},
		{kind: kindRetire, index: 1},
		{kind: kindJob, name: "other", incarnation: 1},
		{kind: kindReserve, number: 4, index: 1, incarnation: 1, count: 2, parts: []part{{0, []int64{1, 1}}}},
		{kind: kindResolve, number: 4, outcome: expired, count: 2},
		{kind: kindBoot},
		{kind: kindJob, name: "träin", incarnation: 2},
		{kind: kindReserve, number: 5, index: 1, incarnation: 1, count: 2, parts: []part{{0, []int64{0, 1}}}},
		{kind: kindReserve, number: 6, index: 1, incarnation: 1, count: 2, parts: []part{{0, []int64{0, 1}}}},
		{kind: kindDone, numbers: []uint64{6, 5}},
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	b := newBook()
	var r record
	for _, want := range samples() {
		text := want.append(nil)
		require.NoError(t, r.decode(text))
		got := r
		if len(got.parts) == 0 {
			got.parts = nil
		}
		if len(got.numbers) == 0 {
			got.numbers = nil
		}
		require.Equal(t, *want, got)
		require.NoError(t, b.apply(want), "%+v", want)
		for n := range text {
			require.ErrorIs(t, r.decode(text[:n]), ErrCorrupt, "cut")
		}
		require.ErrorIs(t, r.decode(append(text, 0)), ErrCorrupt, "something follows")

		state := b.append(nil)
		back, err := decodeBook(state)
		require.NoError(t, err)
		require.Equal(t, state, back.append(nil))
		for n := range state {
			_, err := decodeBook(state[:n])
			require.ErrorIs(t, err, ErrCorrupt)
		}
	}
	require.NoError(t, b.audit())
}

func TestRecordsAreStrict(t *testing.T) {
	t.Parallel()
	var r record
	for _, text := range [][]byte{
		nil, {1}, {0, kindBoot}, {2, kindBoot}, {1, 0}, {1, lastKind + 1},
		{1, kindRetire, 0x80, 0}, // longer than needed
		{1, kindRetire, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},                            // beyond an index
		append([]byte{1, kindTold, 0}, appendFloat(nil, math.NaN())...),                                     // no number
		{1, kindResolve, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},                     // beyond int64
		{1, kindReserve, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 1, 1, 0},   // a flag of 2
		{1, kindJob, 0xff, 0xff, 0xff, 0xff, 0x0f, 'x', 1},                                                  // a long text
		{1, kindReserve, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0x7}, // a long list
	} {
		require.ErrorIs(t, r.decode(text), ErrCorrupt, "%x", text)
	}
}

// TestRulesOfTheBook: whatever a journal says, no rule is broken.
func TestRulesOfTheBook(t *testing.T) {
	t.Parallel()
	begin := func(n int) *book {
		b := newBook()
		for _, r := range samples()[:n] {
			require.NoError(t, b.apply(r))
		}
		return b
	}
	all := samples()
	mutated := func(i int, change func(*record)) *record {
		r := *all[i]
		r.parts = nil
		for _, p := range all[i].parts {
			r.parts = append(r.parts, part{p.account, append([]int64(nil), p.amounts...)})
		}
		change(&r)
		return &r
	}
	for i, tt := range []struct {
		after int
		r     *record
	}{
		{0, all[1]}, {1, all[0]}, {0, all[15]},
		{2, all[1]},
		{1, mutated(1, func(r *record) { r.account.counted = []float64{1.1, 4} })},
		{1, mutated(1, func(r *record) { r.account.caps = []int64{5} })},
		{1, mutated(1, func(r *record) { r.account.caps = []int64{5, 1<<52 + 1} })},
		{1, mutated(1, func(r *record) { r.account.caps = []int64{0, 5} })},
		{1, mutated(1, func(r *record) { r.account.Orders = []float64{8, 4} })},
		{1, mutated(1, func(r *record) { r.account.Name = "" })},
		{1, mutated(1, func(r *record) { r.account.counted, r.account.caps = nil, nil })},
		{3, mutated(3, func(r *record) { r.incarnation = 2 })},
		{3, mutated(3, func(r *record) { r.name = "" })},
		{4, all[3]},
		{4, mutated(4, func(r *record) { r.number = 2 })},
		{4, mutated(4, func(r *record) { r.number = 0 })},
		{4, mutated(4, func(r *record) { r.index = 1 })},
		{4, mutated(4, func(r *record) { r.incarnation = 2 })},
		{4, mutated(4, func(r *record) { r.count = 0 })},
		{4, mutated(4, func(r *record) { r.count = maxCount + 1 })},
		{4, mutated(4, func(r *record) { r.parts = nil })},
		{4, mutated(4, func(r *record) { r.parts[0].account = 2 })},
		{4, mutated(4, func(r *record) { r.parts = append(r.parts, r.parts[0]) })},
		{4, mutated(4, func(r *record) { r.parts[0].amounts = []int64{1} })},
		{4, mutated(4, func(r *record) { r.parts[0].amounts[0] = 7 })},
		{4, mutated(4, func(r *record) { r.parts[0].amounts[1] = 1<<51 + 1 })}, // at neither order
		{4, mutated(4, func(r *record) { r.parts = append(r.parts, part{1, []int64{1}}) })},
		{7, mutated(5, func(r *record) { r.number, r.parts[0].amounts[0] = 4, nat/2+1 })},
		{4, all[7]}, {8, all[7]}, {8, mutated(7, func(r *record) { r.outcome = released; r.count = 0 })},
		{7, mutated(7, func(r *record) { r.count = 4 })},
		{7, mutated(7, func(r *record) { r.outcome = 0 })},
		{7, mutated(7, func(r *record) { r.outcome = 4 })},
		{7, mutated(7, func(r *record) { r.outcome = released })},
		{7, mutated(7, func(r *record) { r.outcome = expired })},
		{7, mutated(7, func(r *record) { r.number, r.count = 1, 5 })}, // a whole
		{10, all[9]}, {9, mutated(9, func(r *record) { r.threshold = 0 })}, {9, mutated(9, func(r *record) { r.index = 2 })},
		{11, all[10]}, {10, mutated(10, func(r *record) { r.index = 1 })},
		{12, all[11]}, {11, mutated(11, func(r *record) { r.index = 2 })},
		{12, mutated(6, func(r *record) { r.number = 4 })}, // retired
		{20, all[19]}, {19, mutated(19, func(r *record) { r.numbers = []uint64{5, 5} })}, {19, mutated(19, func(r *record) { r.numbers = []uint64{7} })},
	} {
		b := begin(tt.after)
		before := b.append(nil)
		require.ErrorIs(t, b.apply(tt.r), ErrCorrupt, "%d: %+v", i, tt.r)
		require.Equal(t, before, b.append(nil))
	}
}

// TestACorruptJournalIsRefused: entries whose checksums hold and that break a rule.
func TestACorruptJournalIsRefused(t *testing.T) {
	t.Parallel()
	for _, payload := range [][]byte{{9, 9, 9}, (&record{kind: kindResolve, number: 7, outcome: committed, count: 1}).append(nil)} {
		l, _, d := fresh(t, pureAccount("a", 1))
		require.NoError(t, l.Close())
		j, err := journal.OpenIn(d, "x", journal.Options{})
		require.NoError(t, err)
		_, err = j.Append(ctx, payload)
		require.NoError(t, err)
		require.NoError(t, j.Close())
		_, err = openIn(d, "x", Config{})
		require.ErrorIs(t, err, ErrCorrupt)
		_, err = verifyIn(d, "x")
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

// TestDamageIsRefused: in the middle it is an error, at the end it is cut and reported; never is it a smaller spend in silence.
func TestDamageIsRefused(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, pureAccount("a", 1))
	for range 6 {
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 8)})
		require.NoError(t, err)
		require.NoError(t, r.Commit())
	}
	require.NoError(t, l.Close())
	image := d.Files()["journal"]
	damaged := 0
	for at := 0; at < len(image); at += 3 {
		broken := bytes.Clone(image)
		broken[at] ^= 1 << (at % 8)
		l, err := openIn(durabletest.Holding("journal", broken), "x", Config{})
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged, "byte %d", at)
			damaged++
			continue
		}
		require.NotZero(t, l.Recovery().Cut, "byte %d", at)
		requireBalance(t, l, "a", 6*nat/8, 0) // of a closed ledger only the mark of the end can pass for a torn tail
		require.NoError(t, l.Close())
	}
	require.Positive(t, damaged)
	l, err := openIn(durabletest.Holding("journal", append(bytes.Clone(image), 1, 2, 3)), "x", Config{})
	require.NoError(t, err)
	require.EqualValues(t, 3, l.Recovery().Cut)
	require.NoError(t, l.Close())
}

// FuzzRecord decodes anything; what it accepts is written back as it was.
func FuzzRecord(f *testing.F) {
	for _, r := range samples() {
		f.Add(r.append(nil))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var r record
		if err := r.decode(text); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Equal(t, text, r.append(nil))
		b := newBook()
		_ = b.apply(&record{kind: kindGenesis})
		_ = b.apply(&r)
		require.NoError(t, b.audit())
	})
}

// FuzzSnapshot decodes anything; what it accepts is written back as it was, and goes on.
func FuzzSnapshot(f *testing.F) {
	b := newBook()
	for _, r := range samples() {
		_ = b.apply(r)
		if b.begun {
			f.Add(b.append(nil))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := decodeBook(text)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Equal(t, text, b.append(nil))
		require.NoError(t, b.apply(&record{kind: kindBoot}))
		require.Empty(t, b.open)
		require.NoError(t, b.audit())
		b.report(0, nil)
	})
}

// TestSequences applies records at random: what check lets pass keeps the books balanced.
func TestSequences(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		b := newBook()
		applied := 0
		for range 60 {
			one := *samples()[r.IntN(len(samples()))]
			if r.IntN(2) == 0 {
				one.number = b.last + uint64(r.IntN(2))
			}
			if b.apply(&one) == nil {
				applied++
			}
			if b.begun {
				require.NoError(t, b.audit())
			}
		}
		if b.begun {
			back, err := decodeBook(b.append(nil))
			require.NoError(t, err)
			require.Equal(t, b.append(nil), back.append(nil))
		}
	}
}
