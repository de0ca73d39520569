package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/audit"
)

func require(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// auditLog writes a log of n entries, its own first one included, and returns its key and head.
func auditLog(t *testing.T, dir string, n int) (key string, head audit.Head) {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{Origin: "example.com/bench", CheckpointEvery: -1})
	require(t, err)
	ctx := context.Background()
	for i := range n - 1 {
		require(t, l.Post(ctx, audit.Event{Kind: audit.KindNote, Data: map[string]int{"i": i}}))
		if i%2000 == 1234 {
			_, err := l.Checkpoint(ctx)
			require(t, err)
		}
	}
	key = l.Key()
	require(t, l.Close())
	return key, l.Head()
}

// fsckLog lets tessera verify a log. It may hang on a bad one, and say nothing of it but in its status.
func fsckLog(t *testing.T, dir, key string) error {
	t.Helper()
	v, err := note.NewVerifier(key)
	require(t, err)
	hash := func(bundle []byte) (leaves [][]byte, _ error) {
		var b api.EntryBundle
		if err := b.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		for _, entry := range b.Entries {
			leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(entry))
		}
		return leaves, nil
	}
	f := fsck.New(v.Name(), v, client.FileFetcher{Root: dir}, hash, fsck.Opts{N: 4})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.Check(ctx) }() // a fetch that hangs ends with the process
	select {
	case err := <-done:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	status := f.Status()
	for _, ranges := range append(status.TileRanges, status.EntryRanges) {
		for _, r := range ranges {
			if r.State != fsck.OK {
				return fmt.Errorf("fsck: %d from %d on: %v", r.N, r.First, r.State)
			}
		}
	}
	return nil
}

// A log that audit wrote passes the verifier of another project, which finds what audit.Verify finds.
func TestAuditPassesFsck(t *testing.T) {
	for _, n := range []int{1, 2, 255, 256, 257, 5000, 70_001} {
		dir := filepath.Join(t.TempDir(), "log")
		key, head := auditLog(t, dir, n)
		require(t, fsckLog(t, dir, key))
		rep, err := audit.Verify(dir, audit.Trust{Keys: []string{key}, Heads: []audit.Head{head}})
		require(t, err)
		if rep.Signed != head || head.Size != uint64(n) {
			t.Fatalf("%d entries: %+v", n, rep)
		}
	}
}

func TestAuditDamageFailsFsck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	key, _ := auditLog(t, dir, 600)
	for _, name := range []string{"tile/entries/001", "tile/entries/002.p/88", "tile/0/000", "tile/1/000.p/2", "checkpoint"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		text, err := os.ReadFile(path)
		require(t, err)
		bad := bytes.Clone(text)
		bad[len(bad)/2] ^= 1
		require(t, os.WriteFile(path, bad, 0o600))
		if fsckLog(t, dir, key) == nil {
			t.Errorf("%s: fsck finds nothing", name)
		}
		_, err = audit.Verify(dir, audit.Trust{})
		var damage *audit.DamageError
		if !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
		require(t, os.WriteFile(path, text, 0o600))
	}
	require(t, fsckLog(t, dir, key))
}

// Proofs of audit are those of transparency-dev/merkle.
func TestAuditProofs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := audit.Open(dir, audit.Options{CheckpointEvery: -1})
	require(t, err)
	heads := map[uint64]audit.Head{1: l.Head()}
	for i := range 1999 {
		seq, err := l.Append(context.Background(), audit.Event{Kind: audit.KindNote, Data: i})
		require(t, err)
		heads[seq] = l.Head()
	}
	require(t, l.Close())
	head := l.Head()
	for seq := uint64(1); seq <= head.Size; seq += 111 {
		p, err := audit.Prove(dir, seq)
		require(t, err)
		leaf := rfc6962.DefaultHasher.HashLeaf(p.Entry)
		require(t, proof.VerifyInclusion(rfc6962.DefaultHasher, seq-1, head.Size, leaf, raw(p.Hashes), head.Hash[:]))
		c, err := audit.ProveConsistency(dir, seq)
		require(t, err)
		old := heads[seq]
		require(t, proof.VerifyConsistency(rfc6962.DefaultHasher, seq, head.Size, raw(c.Hashes), old.Hash[:], head.Hash[:]))
	}
}

func raw(hashes []audit.Hash) (out [][]byte) {
	for _, h := range hashes {
		out = append(out, bytes.Clone(h[:]))
	}
	return out
}
