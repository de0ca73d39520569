package witness_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/audit/witness"
)

func Example() {
	dir, err := os.MkdirTemp("", "witness")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// The witness is told of the log's key, which the log has from its beginning.
	l, err := audit.Open(filepath.Join(dir, "log"), audit.Options{})
	if err != nil {
		log.Fatal(err)
	}
	key := l.Key()
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}

	// On another machine:
	w, err := witness.Open(filepath.Join(dir, "witness"), witness.Options{Name: "witness.example.com", Logs: []string{key}})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	server := httptest.NewServer(w)
	defer server.Close()

	// In the training program:
	client, err := witness.NewClient(server.URL, w.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err = audit.Open(filepath.Join(dir, "log"), audit.Options{Witness: client})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := l.Append(context.Background(), audit.Event{Kind: audit.KindNote, Data: map[string]string{"text": "epoch 1"}}); err != nil {
		log.Fatal(err)
	}
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}

	rep, err := audit.Verify(filepath.Join(dir, "log"), audit.Trust{Keys: []string{key}, Witnesses: []string{w.Key()}})
	fmt.Println(rep.Witnessed.Size == rep.Head.Size, err)
	// Output: true <nil>
}
