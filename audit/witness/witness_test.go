package witness

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/internal/durable"
)

// testLog is a log in memory, whose heads it signs.
type testLog struct {
	t      *testing.T
	signer note.Signer
	vkey   string
	hashes []tlog.Hash // as tlog stores them
}

func newTestLog(t *testing.T, name string) *testLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, name)
	require.NoError(t, err)
	s, err := note.NewSigner(skey)
	require.NoError(t, err)
	return &testLog{t: t, signer: s, vkey: vkey}
}

func (l *testLog) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
		for _, i := range at {
			out = append(out, l.hashes[i])
		}
		return out, nil
	})
}

// grow appends entries of which each differs from those of other salts.
func (l *testLog) grow(from, to int64, salt string) {
	for n := from; n < to; n++ {
		h, err := tlog.StoredHashes(n, fmt.Append(nil, salt, n), l.reader())
		require.NoError(l.t, err)
		l.hashes = append(l.hashes[:tlog.StoredHashIndex(0, n)], h...)
	}
}

func (l *testLog) head(size int64) []byte {
	h, err := tlog.TreeHash(size, l.reader())
	require.NoError(l.t, err)
	text, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%v\n", l.signer.Name(), size, h)}, l.signer)
	require.NoError(l.t, err)
	return text
}

func (l *testLog) proof(old, size int64) (out []audit.Hash) {
	if old == 0 {
		return nil
	}
	p, err := tlog.ProveTree(size, old, l.reader())
	require.NoError(l.t, err)
	for _, h := range p {
		out = append(out, audit.Hash(h))
	}
	return out
}

func open(t *testing.T, dir string, logs ...string) *Witness {
	t.Helper()
	w, err := Open(dir, Options{Name: "witness.example/w1", Logs: logs})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// both runs a test in the same process and over HTTP.
func both(t *testing.T, test func(t *testing.T, dir string, over func(w *Witness) audit.Witness)) {
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		test(t, filepath.Join(t.TempDir(), "w"), func(w *Witness) audit.Witness { return w })
	})
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		test(t, filepath.Join(t.TempDir(), "w"), func(w *Witness) audit.Witness {
			s := httptest.NewServer(http.StripPrefix("/sub", w))
			t.Cleanup(s.Close)
			c, err := NewClient(s.URL+"/sub/", w.Key(), s.Client())
			require.NoError(t, err)
			return c
		})
	})
}

func TestCosign(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, dir string, over func(*Witness) audit.Witness) {
		l, stranger := newTestLog(t, "example.com/log"), newTestLog(t, "example.com/other")
		forger := newTestLog(t, "example.com/log")
		for _, l := range []*testLog{l, stranger, forger} {
			l.grow(0, 40, "")
		}
		w := open(t, dir, l.vkey)
		c := over(w)
		ctx := context.Background()
		ask := func(l *testLog, old, size int64) error {
			t.Helper()
			head := l.head(size)
			sigs, err := c.Cosign(ctx, uint64(old), l.proof(min(old, size), size), head)
			if err != nil {
				require.Nil(t, sigs)
				return err
			}
			v, err := verifier(w.Key())
			require.NoError(t, err)
			n, err := note.Open(append(head, sigs...), note.VerifierList(v))
			require.NoError(t, err)
			require.Len(t, n.Sigs, 1)
			return nil
		}
		size := func(err error) uint64 {
			var s *audit.WitnessSizeError
			require.ErrorAs(t, err, &s)
			return s.Size
		}
		require.ErrorIs(t, ask(stranger, 0, 3), ErrUnknownLog)
		require.ErrorIs(t, ask(forger, 0, 3), ErrSignature)
		require.EqualValues(t, 0, size(ask(l, 2, 3)), "never signed")
		require.NoError(t, ask(l, 0, 0), "an empty log")
		require.NoError(t, ask(l, 0, 3))
		require.NoError(t, ask(l, 3, 3), "again")
		require.EqualValues(t, 3, size(ask(l, 0, 7)))
		require.ErrorIs(t, ask(l, 8, 7), ErrRequest, "old beyond size")
		require.NoError(t, ask(l, 3, 7))
		require.EqualValues(t, 7, size(ask(l, 3, 5)), "rolled back")

		l.grow(5, 40, "rewritten")
		require.ErrorIs(t, ask(l, 7, 20), ErrFork)
		err := ask(l, 7, 7)
		require.ErrorIs(t, err, ErrFork)
		require.EqualValues(t, 7, size(err))
		_, err = c.Cosign(ctx, 7, nil, l.head(20))
		require.ErrorIs(t, err, ErrFork, "no proof")
		l.grow(5, 40, "")
		require.NoError(t, ask(l, 7, 40))

		for _, bad := range []string{"", "x", "example.com/log\n1\n", "example.com/log\n01\nAAAA\n\n", "example.com/log\n1\nAAAA\n\n",
			"example.com/log\n-1\n" + strings.Repeat("A", 43) + "=\n\n"} {
			_, err := c.Cosign(ctx, 0, nil, []byte(bad))
			require.ErrorIs(t, err, ErrRequest, "%q", bad)
		}
		_, err = c.Cosign(ctx, 40, make([]audit.Hash, maxProof+1), l.head(40))
		require.Error(t, err)

		require.NoError(t, w.Close())
		require.ErrorIs(t, ask(l, 40, 40), ErrClosed)
		w = open(t, dir, l.vkey)
		c = over(w)
		require.EqualValues(t, 40, size(ask(l, 7, 40)), "it remembers")
		require.NoError(t, ask(l, 40, 40))
	})
}

// TestLog: a real log under a witness, which is then put back to what it was.
func TestLog(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, dir string, over func(*Witness) audit.Witness) {
		ctx := context.Background()
		path := filepath.Join(t.TempDir(), "log")
		_, key, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		options := audit.Options{Key: key, Origin: "example.com/runs/7", CheckpointEvery: -1}
		l, err := audit.Open(path, options)
		require.NoError(t, err)
		vkey := l.Key()
		require.NoError(t, l.Close())

		w := open(t, dir, vkey)
		options.Witness = over(w)
		write := func(n int) error {
			l, err := audit.Open(path, options)
			if err != nil {
				return err
			}
			for i := range n {
				data, err := json.Marshal(map[string]int{"i": i})
				require.NoError(t, err)
				if _, err := l.Append(ctx, audit.Event{Kind: audit.KindNote, Data: json.RawMessage(data)}); err != nil {
					return errors.Join(err, l.Close())
				}
			}
			_, err = l.Checkpoint(ctx)
			return errors.Join(err, l.Close())
		}
		require.NoError(t, write(300))
		trust := audit.Trust{Keys: []string{vkey}, Witnesses: []string{w.Key()}}
		rep, err := audit.Verify(path, trust)
		require.NoError(t, err)
		require.Equal(t, rep.Head.Size, rep.Witnessed.Size)

		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.CopyFS(copied, os.DirFS(path)))
		require.NoError(t, write(5))
		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, os.CopyFS(path, os.DirFS(copied)))
		require.NoError(t, filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return os.Chmod(name, 0o600)
		}))
		_, err = audit.Verify(path, trust)
		require.NoError(t, err, "an older copy is a valid log")
		err = write(1)
		require.ErrorIs(t, err, audit.ErrWitness, "but its witness has seen more")
		var cut *audit.HeadError
		require.ErrorAs(t, err, &cut)
		require.Greater(t, cut.Want.Size, cut.Have.Size)
	})
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, "log")
	l.grow(0, 64, "")
	w := open(t, filepath.Join(t.TempDir(), "w"), l.vkey)
	heads, proofs := make([][]byte, 65), map[[2]uint64][]audit.Hash{}
	for n := int64(1); n <= 64; n++ {
		heads[n] = l.head(n)
		for old := range n {
			proofs[[2]uint64{uint64(old), uint64(n)}] = l.proof(old, n)
		}
	}
	var wg sync.WaitGroup
	for n := uint64(1); n <= 64; n++ {
		wg.Go(func() {
			for old := uint64(0); old < n; {
				_, err := w.Cosign(context.Background(), old, proofs[[2]uint64{old, n}], heads[n])
				var size *audit.WitnessSizeError
				if err == nil {
					return
				}
				if !errors.As(err, &size) {
					t.Error(err)
					return
				}
				old = size.Size
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 64, w.logs["log"].size)
}

// brokenDir fails one operation.
type brokenDir struct {
	durable.Dir
	rename, sync error
}

func (d *brokenDir) Rename(from, to string) error {
	if d.rename != nil {
		return d.rename
	}
	return d.Dir.Rename(from, to)
}

func (d *brokenDir) Sync() error {
	if d.sync != nil {
		return d.sync
	}
	return d.Dir.Sync()
}

// TestBrokenDisk: what could not be stored is not signed, and the witness goes on from what was.
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, "log")
	l.grow(0, 9, "")
	d := &brokenDir{Dir: durable.OS(filepath.Join(t.TempDir(), "w"))}
	w, err := openIn(d, "w", Options{Name: "w", Logs: []string{l.vkey}})
	require.NoError(t, err)
	ctx := context.Background()
	_, err = w.Cosign(ctx, 0, nil, l.head(4))
	require.NoError(t, err)
	full := errors.New("disk full")
	for _, fail := range []func(){func() { d.rename = full }, func() { d.sync = full }} {
		fail()
		_, err = w.Cosign(ctx, 4, l.proof(4, 9), l.head(9))
		require.ErrorIs(t, err, full)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(formatRequest(4, l.proof(4, 9), l.head(9))))))
		require.Equal(t, http.StatusInternalServerError, rec.Code)
		require.NotContains(t, rec.Body.String(), "full")
		d.rename, d.sync = nil, nil
	}
	_, err = w.Cosign(ctx, 4, l.proof(4, 9), l.head(9))
	require.NoError(t, err)
	require.NoError(t, w.Close())
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, "log")
	dir := filepath.Join(t.TempDir(), "w")
	for _, bad := range []Options{{}, {Name: "a b"}, {Name: "a+b"}, {Name: "é"}, {Name: "w", Logs: []string{"x"}}} {
		_, err := Open(dir, bad)
		require.ErrorContains(t, err, "witness: ")
	}
	w := open(t, dir, l.vkey)
	_, err := Open(dir, Options{Name: "w"})
	require.ErrorIs(t, err, durable.ErrLocked)
	key := w.Key()
	l.grow(0, 3, "")
	_, err = w.Cosign(context.Background(), 0, nil, l.head(3))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())

	again := open(t, dir, l.vkey)
	require.Equal(t, key, again.Key(), "the key is kept")
	require.NoError(t, again.Close())
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, n := range names {
		info, err := n.Info()
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), n.Name())
	}
	file := filepath.Join(dir, w.logs["log"].file)
	for _, content := range []string{"", "x", "other\n3\n" + strings.Repeat("A", 43) + "=\n\n"} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err = Open(dir, Options{Name: "w", Logs: []string{l.vkey}})
		require.ErrorContains(t, err, w.logs["log"].file)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte("secret"), 0o600))
	_, err = Open(dir, Options{Name: "w"})
	require.ErrorContains(t, err, "does not hold a key")
	require.NotContains(t, err.Error(), "secret")

	var none *Witness
	_, err = none.Cosign(context.Background(), 0, nil, nil)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, none.Close())
	require.Empty(t, none.Key())
	var nobody *Client
	_, err = nobody.Cosign(context.Background(), 0, nil, nil)
	require.ErrorIs(t, err, ErrClosed)
}
