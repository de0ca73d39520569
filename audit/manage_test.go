package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/surefoot-ml/surefoot/audit/internal/cosignature"
)

func TestRotateKey(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		d := newDisk()
		opts := quiet
		if own {
			opts.Key = nil
		}
		l := mustOpen(t, d, opts)
		fill(t, l, 2)
		first := l.Key()
		var kept []Head
		var notes [][]byte
		keys := []string{first}
		for n := byte(2); n < 5; n++ {
			h, err := l.Checkpoint(t.Context())
			require.NoError(t, err)
			kept = append(kept, h)
			notes = append(notes, d.Files()["checkpoint"])
			next := ed25519.PrivateKey(nil)
			if !own {
				next = testKey(n)
				opts.Key = next
				require.NoError(t, l.RotateKey(t.Context(), next))
			} else {
				require.NoError(t, l.RotateKey(t.Context(), nil))
			}
			keys = append(keys, l.Key())
			fill(t, l, 3)
			require.NoError(t, l.Close())
			l = mustOpen(t, d, opts)
		}
		require.NoError(t, l.Close())
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(keys))), 4)
		for i, key := range keys { // each key that was ever given out does
			rep := check(t, d, Trust{Keys: []string{key}, Heads: kept})
			require.Equal(t, keys[3], rep.Key)
			if i < len(notes) {
				c, err := parseCheckpoint(notes[i])
				require.NoError(t, err)
				_, err = c.verify(key, nil)
				require.NoError(t, err, "an old checkpoint stays valid under its key")
				_, err = c.verify(keys[i+1], nil)
				require.Error(t, err)
			}
		}
		old := opts
		old.Key = testKey(1)
		_, err := openIn(d, "x", old)
		require.ErrorIs(t, err, ErrKey)
		if !own {
			old.Key = nil
			_, err = openIn(d, "x", old)
			require.ErrorIs(t, err, ErrKey)
			require.ErrorContains(t, err, "needs Options.Key")
		}

		// A hand-over that the old key did not sign is none.
		var texts [][]byte
		for _, e := range collect(t, d) {
			if e.Kind == KindKey {
				e.Data = bytes.Replace(e.Data, []byte(`"signature":"`), []byte(`"signature":"A`), 1)
				e.Data = append(e.Data[:len(e.Data)-5], e.Data[len(e.Data)-4:]...)
			}
			texts = append(texts, e.append(nil))
		}
		_, err = verify(forge(t, d, texts), "x", Trust{}, func(*Entry) bool { return true })
		require.ErrorContains(t, err, "its key is not signed by the one before it")
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	d := newDisk()
	opts := quiet
	opts.compactAt = 1
	l := mustOpen(t, d, opts)
	require.NoError(t, l.RotateKey(t.Context(), testKey(2)))
	opts.Key = testKey(2)
	post := func(n int) {
		for i := range n {
			require.NoError(t, l.Post(t.Context(), Event{Kind: KindNote, Data: i}))
		}
	}
	post(700)
	h, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	proof, err := prove(d, "x", 5)
	require.NoError(t, err)

	through, err := l.Prune(t.Context(), 200, "too little for a bundle")
	require.NoError(t, err)
	require.Zero(t, through)
	through, err = l.Prune(t.Context(), 700, "older than a year")
	require.NoError(t, err)
	require.EqualValues(t, 512, through)
	through, err = l.Prune(t.Context(), 600, "again")
	require.NoError(t, err)
	require.EqualValues(t, 512, through)
	require.Nil(t, d.Files()["tile/entries/000"])
	require.NotNil(t, d.Files()["tile/0/000"])
	rep := check(t, d, Trust{Keys: []string{l.Key()}, Heads: []Head{h}})
	require.EqualValues(t, 512, rep.Pruned)
	post(300)
	require.NoError(t, l.Close())

	trust := Trust{Keys: []string{check(t, d, Trust{}).Key}, Heads: []Head{h, l.Head()}}
	for range 2 {
		rep = check(t, d, trust)
		require.EqualValues(t, 512, rep.Pruned)
		all := collect(t, d)
		require.EqualValues(t, 513, all[0].Seq)
		require.True(t, slices.ContainsFunc(all, func(e Entry) bool {
			return e.Kind == KindPruned && strings.Contains(string(e.Data), `"reason":"older than a year","through":512`)
		}))
		_, err = prove(d, "x", 5)
		require.Error(t, err)
		_, err = prove(d, "x", 600)
		require.NoError(t, err)
		_, _, err = proof.Check(trust.Keys...)
		require.NoError(t, err, "who kept an entry and its proof can still show it")
		l = mustOpen(t, d, opts)
		fill(t, l, 1)
		require.NoError(t, l.Close())
	}
	first, err := note.NewEd25519VerifierKey("example.com/log", testKey(1).Public().(ed25519.PublicKey))
	require.NoError(t, err)
	check(t, d, Trust{Keys: []string{first}}) // the deleted entries named it
	_, err = verify(d.Without("tile/entries/002"), "x", Trust{}, func(*Entry) bool { return true })
	require.ErrorContains(t, err, "the log does not say that it was deleted")
	for _, path := range []string{"tile/0/000", "tile/0/001", "tile/0/002", "tile/entries/002"} {
		_, err = verify(d.Tamper(path, func(c []byte) []byte { c[77] ^= 4; return c }), "x", Trust{}, func(*Entry) bool { return true })
		require.Error(t, err, path)
	}
	m := d.Without("journal")
	require.EqualValues(t, 512, check(t, m, Trust{}).Pruned, "a mirror too")
}

// witness is one that keeps its promise. It signs as https://c2sp.org/tlog-cosignature says.
type witness struct {
	key   ed25519.PrivateKey
	vkey  string // of the log
	last  Head
	calls int
	err   error
	hang  bool
}

func (w *witness) public() string {
	raw := append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte("w.example\n"), raw...))
	return fmt.Sprintf("w.example+%08x+%s", binary.BigEndian.Uint32(sum[:]), base64.StdEncoding.EncodeToString(raw))
}

func (w *witness) Cosign(ctx context.Context, old uint64, proof []Hash, checkpoint []byte) ([]byte, error) {
	w.calls++
	if w.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if w.err != nil {
		return nil, w.err
	}
	if old != w.last.Size {
		return nil, &WitnessSizeError{w.last.Size}
	}
	c, err := parseCheckpoint(checkpoint)
	if err == nil {
		_, err = c.verify(w.vkey, nil)
	}
	if err == nil && old > 0 {
		err = checkConsistency(w.last, c.head, proof)
	}
	if err != nil {
		return nil, err
	}
	w.last = c.head
	body, _, _ := strings.Cut(string(checkpoint), "\n\n")
	now := uint64(1_700_000_000)
	sig := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", now, body))
	v, err := cosignature.NewVerifier(w.public())
	if err != nil {
		return nil, err
	}
	raw := binary.BigEndian.AppendUint32(nil, v.KeyHash())
	raw = append(binary.BigEndian.AppendUint64(raw, now), sig...)
	return fmt.Appendf(nil, "— w.example %s\n", base64.StdEncoding.EncodeToString(raw)), nil
}

func TestWitness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vkey, err := note.NewEd25519VerifierKey("example.com/log", testKey(1).Public().(ed25519.PublicKey))
		require.NoError(t, err)
		w := &witness{key: testKey(9), vkey: vkey}
		opts := quiet
		opts.Witness = w
		d := newDisk()
		l := mustOpen(t, d, opts)
		for range 3 {
			fill(t, l, 100)
			_, err := l.Checkpoint(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, l.Close())
		trust := Trust{Witnesses: []string{w.public()}}
		rep := check(t, d, trust)
		require.Equal(t, l.Head(), rep.Witnessed)
		require.Equal(t, []string{"w.example"}, rep.Cosigned)
		older := d.Clone()

		// One that fails or hangs holds up nobody, and is told of.
		l = mustOpen(t, d, opts)
		for _, w.hang = range []bool{true, false} {
			w.err = errors.New("away")
			fill(t, l, 2)
			start := time.Now()
			_, err = l.Checkpoint(t.Context())
			require.ErrorIs(t, err, ErrWitness)
			require.LessOrEqual(t, time.Since(start), defaultWitnessTimeout)
			require.NoError(t, l.Err())
		}
		require.EqualValues(t, 301, l.Stats().Witnessed)
		require.EqualValues(t, 2, l.Stats().WitnessErrors)
		rep = check(t, d, trust)
		require.EqualValues(t, 301, rep.Witnessed.Size)
		require.EqualValues(t, 305, rep.Signed.Size)
		w.err = nil
		fill(t, l, 1)
		require.NoError(t, l.Close())
		require.EqualValues(t, 306, check(t, d, trust).Witnessed.Size)

		// A log that was put back to an older copy, with its signed head and all, is found out when it goes on.
		check(t, older, trust)
		l = mustOpen(t, older, opts)
		fill(t, l, 1)
		_, err = l.Checkpoint(t.Context())
		require.ErrorIs(t, err, ErrWitness)
		require.ErrorContains(t, err, "had 306: it was cut")
		_, err = l.Append(t.Context(), Event{Kind: KindNote})
		require.ErrorIs(t, err, ErrPoisoned)
		require.Error(t, l.Close())

		w.last = Head{} // one that has forgotten is asked again from the beginning
		l = mustOpen(t, d, opts)
		fill(t, l, 1)
		require.NoError(t, l.Close())
		check(t, d, trust)

		other := &witness{key: testKey(8)}
		_, err = verify(d, "x", Trust{Witnesses: []string{other.public()}}, func(*Entry) bool { return true })
		require.ErrorIs(t, err, ErrWitness)
		_, err = verify(d, "x", Trust{Witnesses: []string{other.public(), w.public()}}, func(*Entry) bool { return true })
		require.ErrorIs(t, err, ErrWitness)
		check(t, d, Trust{Witnesses: []string{other.public(), w.public()}, Quorum: 1})
	})
}

func TestProof(t *testing.T) {
	t.Parallel()
	const n = 600
	d := newDisk()
	l := mustOpen(t, d, quiet)
	var heads []Head
	for range n / 50 {
		for i := range 50 {
			require.NoError(t, l.Post(t.Context(), Event{Kind: KindNote, Data: i}))
		}
		h, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		heads = append(heads, h)
	}
	key := l.Key()
	require.NoError(t, l.Close())
	last := heads[len(heads)-1]
	for seq := uint64(1); seq <= last.Size; seq += 37 {
		p, err := prove(d, "x", seq)
		require.NoError(t, err)
		text, err := p.MarshalText()
		require.NoError(t, err)
		var q Proof
		require.NoError(t, q.UnmarshalText(text))
		require.Equal(t, p, q)
		e, h, err := q.Check("nonsense", key)
		require.NoError(t, err)
		require.Equal(t, seq, e.Seq)
		require.Equal(t, last, h)

		// Independently: x/mod takes the hashes.
		var hashes tlog.RecordProof
		for _, h := range p.Hashes {
			hashes = append(hashes, tlog.Hash(h))
		}
		require.NoError(t, tlog.CheckRecord(hashes, int64(h.Size), tlog.Hash(h.Hash), int64(seq-1), tlog.RecordHash(p.Entry)))

		for i := int(seq) % 97; i < len(text); i += 97 { // no byte of it may change
			bad := bytes.Clone(text)
			bad[i] ^= 1
			var q Proof
			if q.UnmarshalText(bad) == nil {
				_, _, err := q.Check(key)
				require.Error(t, err, "byte %d of %s", i, text)
			}
		}
	}
	for _, old := range heads {
		c, err := lastCheckpoint(d, "x")
		require.NoError(t, err)
		hashes, err := consistency(old.Size, c.head, hashReader(d, c.head))
		require.NoError(t, err)
		p := Consistency{Old: old.Size, Hashes: hashes, Checkpoint: c.text}
		got, err := p.Check(old, key)
		require.NoError(t, err)
		require.Equal(t, last, got)
		bad := old
		bad.Hash[3] ^= 1
		_, err = p.Check(bad, key)
		require.Error(t, err)
		_, err = p.Check(old)
		require.ErrorIs(t, err, ErrKey)
	}
	for _, seq := range []uint64{0, last.Size + 1} {
		_, err := prove(d, "x", seq)
		require.Error(t, err)
	}
	_, err := prove(newDisk(), "x", 1)
	require.Error(t, err)
	bad := d.Tamper("tile/entries/001", func(c []byte) []byte { c[40] ^= 1; return c })
	_, err = prove(bad, "x", 257)
	require.Error(t, err, "a changed entry has no proof")
}

func TestRedact(t *testing.T) {
	t.Parallel()
	opts := quiet
	opts.Redact = func(kind Kind, data []byte) ([]byte, error) {
		if kind == KindSecurity {
			return nil, errors.New("nothing of this may be kept")
		}
		return bytes.ReplaceAll(data, []byte("hunter2"), []byte("[redacted]")), nil
	}
	d := newDisk()
	l := mustOpen(t, d, opts)
	_, err := l.Append(t.Context(), Event{Kind: KindConfig, Data: map[string]string{"password": "hunter2", "user": "u"}})
	require.NoError(t, err)
	require.NoError(t, l.Post(t.Context(), Event{Kind: KindConfig, Data: "\u0068unter2"}))
	_, err = l.Append(t.Context(), Event{Kind: KindSecurity, Data: "hunter2"})
	require.ErrorContains(t, err, "nothing of this may be kept")
	require.NoError(t, l.Close())
	for path, f := range d.Files() {
		require.NotContains(t, string(f), "hunter2", path)
	}
	all := collect(t, d)
	require.Equal(t, `{"password":"[redacted]","user":"u"}`, string(all[1].Data))
	require.Len(t, all, 3)
}

func TestSelectAndExport(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := mustOpen(t, d, quiet)
	for i := range 20 {
		ctx := t.Context()
		if i%4 == 0 {
			ctx = WithCorrelation(ctx, "c4")
		}
		l2 := Event{Kind: []Kind{KindStep, KindBatch}[i%2], Run: fmt.Sprint("r", i%3), Data: map[string]any{"i": i, "t": "a,\"b\"\n=1\u202e"}}
		s := scratches.Get().(*scratch)
		require.NoError(t, s.encode(&l2, nil))
		_, err := l.commit(ctx, day.Add(time.Duration(i)*time.Minute), &l2, s)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	count := func(q Query) (n int) {
		for _, err := range Select(entries(d, "x"), q) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	require.Equal(t, 21, count(Query{}))
	require.Equal(t, 10, count(Query{Kinds: []Kind{KindStep}}))
	require.Equal(t, 20, count(Query{Kinds: []Kind{KindStep, KindBatch}}))
	require.Equal(t, 7, count(Query{Run: "r1"}))
	require.Equal(t, 5, count(Query{Correlation: "c4"}))
	require.Equal(t, 5, count(Query{From: day.Add(5 * time.Minute), To: day.Add(10 * time.Minute)}))
	require.Equal(t, 3, count(Query{First: 5, Last: 7}))
	require.Equal(t, 2, count(Query{Kinds: []Kind{KindStep}, Run: "r0", Correlation: "c4"}))

	var out bytes.Buffer
	require.NoError(t, ExportJSON(&out, entries(d, "x")))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 21)
	var e exported
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &e))
	require.Equal(t, exported{2, day, KindStep, "r0", "c4", e.Data}, e)
	require.NotContains(t, out.String(), "\u202e")

	out.Reset()
	require.NoError(t, ExportCSV(&out, entries(d, "x")))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 22)
	require.Equal(t, []string{"2", "2026-03-01T12:00:00.123456789Z", "step", "r0", "c4", `{"i":0,"t":"a,\"b\"\n=1\u202e"}`}, rows[2])
	for in, want := range map[string]string{"": "", "=1+1": "'=1+1", "@a": "'@a", "-5": "-5", "-a": "'-a", "{": "{"} {
		require.Equal(t, want, unformula(in))
	}

	bad := d.Tamper("checkpoint", func(c []byte) []byte { c[20] ^= 1; return c })
	require.Error(t, ExportJSON(io.Discard, entries(bad, "x")))
	require.Error(t, ExportCSV(io.Discard, entries(bad, "x")))
}

// The types of data say their kinds, and their own encoders agree with encoding/json.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, data := range []typed{
		Step{7, 2, 5, -6, "a\"\n\x01é\xff"}, Step{}, Batch{1, 2, 3, 4, "x"}, Batch{}, Charge{}, Refusal{}, BreakerChange{},
		CarbonInterval{Start: day, End: day}, ModelCheckpoint{}, ConfigChange{}, Security{}, Compliance{},
	} {
		s := scratches.Get().(*scratch)
		ev := Event{Data: data}
		require.NoError(t, s.encode(&ev, nil))
		require.Equal(t, data.kind(), ev.Kind)
		want := bytes.Clone(s.data)
		switch data := data.(type) {
		case Step:
			require.Equal(t, string(want), string(data.appendJSON(nil)))
		case Batch:
			require.Equal(t, string(want), string(data.appendJSON(nil)))
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	_, heads := sample(t, 3)
	for _, h := range append(heads, Head{Size: 1<<64 - 1, Hash: Hash{31: 0xff}}) {
		got, err := ParseHead(h.String())
		require.NoError(t, err)
		require.Equal(t, h, got)
		text, err := json.Marshal(map[string]Head{"head": h})
		require.NoError(t, err)
		var back map[string]Head
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, h, back["head"])
	}
	sum := strings.Repeat("0", 64)
	for _, bad := range []string{"", ":", "1", "1:", "1:00", ":" + sum, "-1:" + sum, "1:" + sum + "0", "1:" + sum[1:] + "g",
		"18446744073709551616:" + sum, "1:" + strings.Repeat("\n", 1<<16)} {
		_, err := ParseHead(bad)
		require.ErrorContains(t, err, "audit: head", bad)
		require.Less(t, len(err.Error()), 600)
	}
}
