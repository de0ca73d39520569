package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/journal"
)

func openReal(t *testing.T, dir string, opts Options) *Log {
	t.Helper()
	l, err := Open(dir, opts)
	require.NoError(t, err)
	return l
}

func notes(t *testing.T, l *Log, n int) Head {
	t.Helper()
	for i := range n {
		require.NoError(t, l.Post(context.Background(), Event{Kind: KindNote, Data: i}))
	}
	h, err := l.Checkpoint(context.Background())
	require.NoError(t, err)
	return h
}

// smuggle puts an entry into the journal of a log that is closed, as anybody can who may write to the directory.
func smuggle(t *testing.T, dir string, kind Kind, data any) {
	t.Helper()
	j, err := journal.Open(filepath.Join(dir, journalName), journal.Options{})
	require.NoError(t, err)
	last, _ := j.Last()
	raw, err := json.Marshal(data)
	require.NoError(t, err)
	canon, err := new(canonicalizer).append(nil, raw)
	require.NoError(t, err)
	e := Entry{Seq: last + 1, Time: time.Now().UTC(), Kind: kind, Data: canon}
	_, err = j.Append(context.Background(), e.append(nil))
	require.NoError(t, err)
	require.NoError(t, j.Close())
}

// TestForgedUnderTrustedKey: a log that somebody else signed does not pass because its unsigned end hands over to the
// trusted key; nor does one that nobody signed.
func TestForgedUnderTrustedKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openReal(t, filepath.Join(dir, "real"), Options{Origin: "example.com/log"})
	trusted := l.Key()
	require.NoError(t, l.Close())

	forged := filepath.Join(dir, "forged")
	l = openReal(t, forged, Options{Origin: "example.com/log"})
	notes(t, l, 3)
	old := l.signers[0].signer
	require.NoError(t, l.Close())
	sig, err := old.Sign(handoverText(old.verifier, trusted))
	require.NoError(t, err)
	smuggle(t, forged, KindKey, handover{Key: trusted, Signature: base64.StdEncoding.EncodeToString(sig)})
	_, err = Verify(forged, Trust{Keys: []string{trusted}})
	require.ErrorIs(t, err, ErrKey)
	_, err = Verify(forged, Trust{Keys: []string{old.verifier}})
	require.NoError(t, err)

	unsigned := filepath.Join(dir, "unsigned")
	require.NoError(t, os.Mkdir(unsigned, 0o700))
	smuggle(t, unsigned, KindCreated, handover{Key: trusted})
	_, err = Verify(unsigned, Trust{Keys: []string{trusted}})
	require.ErrorIs(t, err, ErrKey)
}

// TestForgedPrune: who does not hold the key cannot delete what was signed by saying so, also not if the log is opened in
// between and signs that it was said.
func TestForgedPrune(t *testing.T) {
	t.Parallel()
	for _, opened := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "log")
		l := openReal(t, dir, Options{compactAt: 1, CheckpointEvery: -1})
		head := notes(t, l, 1000)
		trust, keys := Trust{Keys: []string{l.Key()}, Heads: []Head{head}}, l.keyring(head.Size)
		require.NoError(t, l.Close())
		smuggle(t, dir, KindPruned, prunedData{Through: 512, Reason: "retention", Keys: keys})
		if opened {
			l := openReal(t, dir, Options{})
			require.NoError(t, l.Close())
			last, err := Verify(dir, trust)
			require.NoError(t, err)
			for e, err := range Entries(dir) {
				require.NoError(t, err)
				if e.Seq == last.Entries {
					require.Equal(t, KindRecovered, e.Kind)
					require.Contains(t, string(e.Data), `"adopted":1`)
				}
			}
		}
		require.NoError(t, os.Remove(filepath.Join(dir, "tile", "entries", "000")))
		require.NoError(t, os.Remove(filepath.Join(dir, "tile", "entries", "001")))
		_, err := Verify(dir, trust)
		var damage *DamageError
		require.ErrorAs(t, err, &damage, "opened in between: %v", opened)
		_, err = Open(dir, Options{})
		require.ErrorAs(t, err, &damage)
	}
}

// TestPruneByDefault: what is deleted is gone from the journal too, whatever its size, and the log goes on.
func TestPruneByDefault(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "log")
	l := openReal(t, dir, Options{})
	notes(t, l, 1000)
	through, err := l.Prune(ctx, 513, "old")
	require.NoError(t, err)
	require.EqualValues(t, 512, through)
	rep, err := Verify(dir, Trust{Keys: []string{l.Key()}})
	require.NoError(t, err)
	require.EqualValues(t, 512, rep.Pruned)
	text, err := os.ReadFile(filepath.Join(dir, journalName, journalName))
	require.NoError(t, err)
	require.NotContains(t, string(text), `"seq":5,`)
	require.NoError(t, l.Close())
	l = openReal(t, dir, Options{})
	notes(t, l, 300)
	require.NoError(t, l.Close())

	// A crash between the record and the removal leaves a bundle, which the next call removes.
	bundle := filepath.Join(dir, "tile", "entries", "002")
	kept, err := os.ReadFile(bundle)
	require.NoError(t, err)
	l = openReal(t, dir, Options{})
	_, err = l.Prune(ctx, 769, "erasure")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, os.WriteFile(bundle, kept, 0o600))
	l = openReal(t, dir, Options{})
	through, err = l.Prune(ctx, 769, "erasure")
	require.NoError(t, err)
	require.EqualValues(t, 768, through)
	require.NoFileExists(t, bundle)
	require.NoError(t, l.Close())
}

// TestNumbersThatJSONLoses: an entry that is acknowledged can be read.
func TestNumbersThatJSONLoses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := openReal(t, dir, Options{})
	ctx := context.Background()
	for _, data := range []any{
		&Step{Batch: 1<<53 + 1}, &Batch{Batch: math.MaxUint64}, &Step{Run: 1<<53 + 1}, &Step{Wait: math.MinInt64}, &Batch{Run: math.MaxInt64},
		(*Step)(nil), (*Batch)(nil), (*Charge)(nil),
	} {
		_, err := l.Append(ctx, Event{Data: data})
		require.ErrorContains(t, err, "audit: data of", "%+v", data)
	}
	_, err := l.Append(ctx, Event{Data: &Step{Batch: 1 << 53, Run: 1 << 53}})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = Verify(dir, Trust{})
	require.NoError(t, err)
}

// TestRotateKeyKeepsIt: no call of RotateKey loses the private key that is in force.
func TestRotateKeyKeepsIt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := openReal(t, dir, Options{})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	key := l.Key()
	require.ErrorIs(t, l.RotateKey(ended, nil), context.Canceled)
	require.Equal(t, key, l.Key())
	require.NoError(t, l.RotateKey(context.Background(), nil))
	require.NoError(t, os.Rename(filepath.Join(dir, keyName), filepath.Join(dir, nextKeyName))) // as one that was cut short
	require.NoError(t, l.RotateKey(context.Background(), nil))
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.RotateKey(context.Background(), nil), ErrClosed)
	require.NoError(t, openReal(t, dir, Options{}).Close())
}

// TestNotWithinAWord: an error is not cut within a token, half of which no redaction knows.
func TestNotWithinAWord(t *testing.T) {
	t.Parallel()
	text := errorText(fmt.Errorf("%s ghp_%s", strings.Repeat("x", maxErrorText-20), "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8"))
	require.NotContains(t, text, "ghp_")
	require.Contains(t, text, "more")
}

// TestReadOnly: an auditor who may only read can verify.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := openReal(t, dir, Options{})
	notes(t, l, 300)
	require.NoError(t, l.Close())
	require.NoError(t, os.Chmod(filepath.Join(dir, journalName, journalName), 0o464))
	_, err := Verify(dir, Trust{})
	require.NoError(t, err)
}

// TestTrustIsChecked: a quorum that nobody can reach is refused, and a key counts once.
func TestTrustIsChecked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := openReal(t, dir, Options{})
	key := l.Key()
	require.NoError(t, l.Close())
	for _, bad := range []Trust{{Quorum: 5}, {Quorum: -1}, {Witnesses: []string{key}, Quorum: 2}, {Witnesses: []string{key, key}, Quorum: 2}} {
		_, err := Verify(dir, bad)
		require.ErrorContains(t, err, "Trust.Quorum")
	}
	for _, own := range [][]string{{key}, {key, key}} { // a log is no witness of its own
		_, err := Verify(dir, Trust{Witnesses: own})
		require.ErrorIs(t, err, ErrWitness)
	}
}

func TestUnformula(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "a": "a", "-5": "-5", "-1.5e3": "-1.5e3", "-2+3": "'-2+3", "=1": "'=1", "+1": "'+1", "@x": "'@x", "-": "'-", "--1": "'--1"} {
		require.Equal(t, want, unformula(in))
	}
	require.True(t, slices.Contains([]string{"'-x"}, unformula("-x")))
}
