package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// verdict says what became of a log that was tampered with: detected, or whole all the same. Nothing else may happen.
type verdict struct{ detected, whole, seen int }

// judge lets Verify and Open read a changed log whose head was signed.
func (v *verdict) judge(t *testing.T, d *durabletest.Disk, head Head, what string, args ...any) {
	t.Helper()
	rep, err := verify(d, "x", Trust{}, func(*Entry) bool { return true })
	if err == nil && (rep.Head != head || rep.Signed != head) {
		t.Fatalf(what+": Verify finds nothing, and %+v", append(args, rep)...)
	}
	var damage *DamageError
	var lost *HeadError
	if err != nil && !errors.As(err, &damage) && !errors.As(err, &lost) {
		t.Fatalf(what+": %v", append(args, err)...)
	}
	if v.seen++; v.seen%7 != 0 && os.Getenv("AUDIT_TEST_FULL") == "" { // Open reads as Verify does
		if err != nil {
			v.detected++
		} else {
			v.whole++
		}
		return
	}
	before := d.Clone()
	l, oerr := openIn(d, "x", Options{})
	if oerr != nil {
		v.detected++
		if errors.As(oerr, &damage) || errors.As(oerr, &lost) {
			sameFiles(t, before, d)
		}
		return
	}
	if err != nil {
		t.Fatalf(what+": Open finds nothing, and Verify says %v", append(args, err)...)
	}
	require.NoError(t, l.Close())
	_, err = verify(d, "x", Trust{Heads: []Head{head}}, func(*Entry) bool { return true })
	if err != nil {
		t.Fatalf(what+": after Open: %v", append(args, err)...)
	}
	v.whole++
}

// sameFiles requires that a log which was refused stays as it was.
func sameFiles(t *testing.T, a, b *durabletest.Disk) {
	t.Helper()
	want, have := a.Files(), b.Files()
	require.Len(t, have, len(want))
	for path, f := range want {
		require.True(t, bytes.Equal(f, have[path]), path)
	}
}

// shapes are logs with and without tiles in front of the journal, and with a mirror's view of both.
func shapes(t *testing.T, n int) map[string]*durabletest.Disk {
	shapes := map[string]*durabletest.Disk{}
	for name, compactAt := range map[string]int64{"journal": 0, "tiles": 1} {
		d := newDisk()
		l := mustOpen(t, d, Options{Origin: "l", CheckpointEvery: -1, compactAt: compactAt})
		for i := range n - 2 {
			require.NoError(t, l.Post(t.Context(), Event{Kind: KindNote, Data: i}))
		}
		_, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		fill(t, l, 1)
		require.NoError(t, l.Close())
		shapes[name] = d
	}
	return shapes
}

// stepOver is how many bits to pass over, so that the test of a larger log takes as long as that of a small one.
func stepOver(t *testing.T) (n, every int) {
	if os.Getenv("AUDIT_TEST_FULL") != "" {
		return 300, 1
	}
	if testing.Short() {
		return 300, 9973
	}
	return 300, 2999
}

func TestEveryBitFlip(t *testing.T) {
	t.Parallel()
	n, every := stepOver(t)
	for name, d := range shapes(t, 6) {
		t.Run(name+"/small", func(t *testing.T) { t.Parallel(); flip(t, d, 1) })
	}
	for name, d := range shapes(t, n) {
		t.Run(name, func(t *testing.T) { t.Parallel(); flip(t, d, every) })
	}
}

func flip(t *testing.T, d *durabletest.Disk, every int) {
	head := check(t, d, Trust{}).Head
	var v verdict
	for path, f := range d.Files() {
		for bit := 0; bit < 8*len(f); bit += every {
			bad := d.Tamper(path, func(c []byte) []byte { c[bit/8] ^= 1 << (bit % 8); return c })
			v.judge(t, bad, head, "%s bit %d", path, bit)
		}
	}
	t.Logf("%d flips: %d detected, %d without effect on any entry", v.detected+v.whole, v.detected, v.whole)
	require.Greater(t, v.detected, 20*v.whole)
}

func TestEveryTruncation(t *testing.T) {
	t.Parallel()
	_, every := stepOver(t)
	for name, d := range shapes(t, 6) {
		t.Run(name+"/small", func(t *testing.T) { t.Parallel(); truncate(t, d, 1) })
	}
	for name, d := range shapes(t, 300) {
		t.Run(name, func(t *testing.T) { t.Parallel(); truncate(t, d, every) })
	}
}

func truncate(t *testing.T, d *durabletest.Disk, every int) {
	head := check(t, d, Trust{}).Head
	var v verdict
	for path, f := range d.Files() {
		for size := 0; size < len(f); size += every {
			v.judge(t, d.Tamper(path, func(c []byte) []byte { return c[:size] }), head, "%s cut to %d", path, size)
		}
		if path != "lock" && path != "journal/lock" {
			v.judge(t, d.Without(path), head, "%s removed", path)
		}
		v.judge(t, d.Tamper(path, func(c []byte) []byte { return append(c, 'x') }), head, "%s extended", path)
	}
	t.Logf("%d cuts: %d detected, %d without effect on any entry", v.detected+v.whole, v.detected, v.whole)
	require.Greater(t, v.detected, v.whole)
}

// forge writes a log whose journal and tiles have the given entries, checksums and hashes and all, under the old checkpoint.
func forge(t *testing.T, d *durabletest.Disk, texts [][]byte) *durabletest.Disk {
	n := d.Without("journal").Without("tile")
	var b builder
	b.init(n, tree{})
	for i, text := range texts {
		h, _ := leafHash(nil, text)
		b.tree.add(h)
		b.bundle = appendBundled(b.bundle, text)
		if i == 5 || i == len(texts)-1 {
			require.NoError(t, b.fringe())
		}
	}
	j, err := journal.OpenIn(n.Sub("journal"), "x", journal.Options{})
	require.NoError(t, err)
	_, err = j.AppendBatch(t.Context(), texts...)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	return n
}

func TestTamper(t *testing.T) {
	t.Parallel()
	d, heads := sample(t, 6)
	var texts [][]byte
	for _, e := range collect(t, d) {
		texts = append(texts, e.append(nil))
	}
	pick := func(order ...int) (out [][]byte) {
		for _, i := range order {
			out = append(out, texts[i])
		}
		return out
	}
	edit := func(i int, old, next string) [][]byte {
		out := slices.Clone(texts)
		out[i] = bytes.Replace(out[i], []byte(old), []byte(next), 1)
		require.NotEqual(t, texts[i], out[i])
		return out
	}
	renumber := func(texts [][]byte) (out [][]byte) {
		for i, text := range texts {
			e, err := new(reader).parse(text)
			require.NoError(t, err)
			e.Seq = uint64(i + 1)
			out = append(out, e.append(nil))
		}
		return out
	}
	for name, bad := range map[string][][]byte{
		"first removed":      pick(1, 2, 3, 4, 5),
		"middle removed":     pick(0, 1, 3, 4, 5),
		"last removed":       pick(0, 1, 2, 3, 4),
		"swapped":            pick(0, 2, 1, 3, 4, 5),
		"repeated":           pick(0, 1, 1, 2, 3, 4, 5),
		"replayed":           pick(0, 1, 2, 3, 4, 5, 5),
		"edited":             edit(2, `"i":1`, `"i":9`),
		"time moved":         edit(3, "12:00:02", "12:00:01"),
		"space added":        edit(2, `{"i"`, `{ "i"`),
		"other version":      edit(2, `"v":2`, `"v":1`),
		"member added":       edit(2, `"kind"`, `"k":1,"kind"`),
		"not canonical":      edit(2, `"i":1`, `"i":1.0`),
		"other key":          edit(0, `"key":"example.com/log+`, `"key":"example.com/lug+`),
		"removed, numbered":  renumber(pick(0, 1, 3, 4, 5)),
		"swapped, numbered":  renumber(pick(0, 2, 1, 3, 4, 5)),
		"repeated, numbered": renumber(pick(0, 1, 1, 2, 3, 4, 5)),
		"replaced, numbered": renumber(pick(0, 1, 1, 3, 4, 5)),
	} {
		forged := forge(t, d, bad)
		_, err := verify(forged, "x", Trust{}, func(*Entry) bool { return true })
		require.Error(t, err, name)
		_, oerr := openIn(forged, "x", quiet)
		require.Equal(t, err, oerr, name)
		require.Error(t, func() (last error) {
			for _, last = range entries(forged, "x") {
			}
			return last
		}(), name)
	}
	check(t, forge(t, d, texts), Trust{Heads: heads}) // or the table would prove nothing
	_, err := openIn(forge(t, d, renumber(pick(0, 1, 2))), "x", quiet)
	require.ErrorContains(t, err, "x has 3 entries but had 6: it was cut")

	// What only those can tell who have kept something.
	other := newDisk()
	opts := quiet
	opts.Key = testKey(2)
	l := mustOpen(t, other, opts)
	fill(t, l, 5)
	require.NoError(t, l.Close())
	rep := check(t, other, Trust{})
	_, err = verify(other, "x", Trust{Keys: []string{check(t, d, Trust{}).Key}}, func(*Entry) bool { return true })
	require.ErrorIs(t, err, ErrKey)
	_, err = verify(other, "x", Trust{Keys: []string{rep.Key}, Heads: heads}, func(*Entry) bool { return true })
	require.ErrorContains(t, err, "was rewritten")

	older := newDisk() // an older copy of everything is a log
	l = mustOpen(t, older, quiet)
	fill(t, l, 2)
	require.NoError(t, l.Close())
	head := l.Head()
	whole := older.Clone()
	l = mustOpen(t, whole, quiet)
	fill(t, l, 1)
	require.NoError(t, l.Close())
	check(t, older, Trust{Heads: []Head{head}})
	_, err = verify(older, "x", Trust{Heads: []Head{l.Head()}}, func(*Entry) bool { return true })
	require.ErrorContains(t, err, "it was cut")
	tiles := older.Swap("tile", whole) // but not beside newer tiles
	_, err = verify(tiles, "x", Trust{}, func(*Entry) bool { return true })
	require.ErrorContains(t, err, "the log does not have its entries")
	_, err = openIn(tiles, "x", quiet)
	require.Error(t, err)
}

// A signed head with signatures that decode to the same bytes, or more lines, is not the one that was written.
func TestCheckpointHasOneForm(t *testing.T) {
	t.Parallel()
	d, _ := sample(t, 3)
	text := string(d.Files()["checkpoint"])
	_, err := parseCheckpoint([]byte(text))
	require.NoError(t, err)
	for _, bad := range []string{
		"", "\n\n", text[:len(text)-2] + "\n", text[1:], text + "x", text + "\n", "example.com/log\n3\n\n",
		"example.com/log\n03" + text[len("example.com/log\n3"):], "example.com/log\n-3" + text[len("example.com/log\n3"):],
	} {
		c, err := parseCheckpoint([]byte(bad))
		if err == nil {
			_, err = c.verify(check(t, d, Trust{}).Key, nil)
		}
		require.Error(t, err, "%q", bad)
	}
}

// A directory that was copied by names, without the journal, is what a mirror has.
func TestMirror(t *testing.T) {
	t.Parallel()
	for name, d := range shapes(t, 300) {
		m := d.Without("journal")
		rep := check(t, m, Trust{Keys: []string{check(t, d, Trust{}).Key}})
		require.Equal(t, check(t, d, Trust{}).Signed, rep.Head, name)
		_, err := openIn(m, "x", Options{})
		require.ErrorContains(t, err, "the log is a mirror")
		for path, f := range m.Files() {
			if path == "key" {
				continue
			}
			for size := 0; size <= len(f); size += 1 + size {
				bad := m.Tamper(path, func(c []byte) []byte { return c[:len(c)-size] })
				if size == 0 {
					bad = m.Tamper(path, func(c []byte) []byte { return append(c, 0) })
				}
				_, err := verify(bad, "x", Trust{}, func(*Entry) bool { return true })
				require.Error(t, err, "%s cut by %d", path, size)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("weights"), 0o600))
	_, err := Open(file, Options{})
	require.Error(t, err)
	_, err = Open(filepath.Join(dir, "none", "a"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)

	log := filepath.Join(dir, "log")
	l, err := Open(log, Options{})
	require.NoError(t, err)
	_, err = Open(log, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorIs(t, err, durable.ErrLocked)
	require.NoError(t, l.Close())
	require.NoError(t, os.Chmod(filepath.Join(log, "journal", "journal"), 0o622))
	_, err = Open(log, Options{})
	require.ErrorContains(t, err, "may be written by others")
}

func TestWitnessKeys(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a", "a+00000000+AAAA", "a b+00000000+BA=="} {
		_, err := witnessVerifiers([]string{bad})
		require.Error(t, err, bad)
	}
	_, vkey, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "w")
	require.NoError(t, err)
	_, err = witnessVerifiers([]string{vkey})
	require.NoError(t, err)
}
