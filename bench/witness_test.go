package bench

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/audit/witness"
)

// TestTesseraUnderOurWitness lets a log of tessera ask a witness of ours, and tessera judge its signatures.
func TestTesseraUnderOurWitness(t *testing.T) {
	skey, vkey, err := note.GenerateKey(nil, "example.com/tessera")
	require(t, err)
	signer, err := note.NewSigner(skey)
	require(t, err)
	w, err := witness.Open(filepath.Join(t.TempDir(), "w"), witness.Options{Name: "witness.example.com", Logs: []string{vkey}})
	require(t, err)
	server := httptest.NewServer(w)
	defer server.Close()
	root, err := url.Parse(server.URL)
	require(t, err)
	theirs, err := tessera.NewWitness(w.Key(), root)
	require(t, err)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(t.TempDir(), "log")})
	require(t, err)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(200*time.Millisecond).
		WithBatching(10, 50*time.Millisecond).
		WithWitnesses(tessera.NewWitnessGroup(1, theirs), nil))
	require(t, err)
	waiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
	for round := range 3 {
		for i := range 2 {
			_, checkpoint, err := waiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(fmt.Append(nil, round, " ", i))))
			require(t, err)
			if !theirs.Satisfied(checkpoint) {
				t.Fatalf("not witnessed:\n%s", checkpoint)
			}
		}
	}
	require(t, shutdown(ctx))
	require(t, w.Close())
}
