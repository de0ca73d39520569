package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/surefoot-ml/surefoot/audit"
)

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "run.jsonl")

	trail, err := audit.Open(path, audit.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for step := 1; step <= 3; step++ {
		seq, err := trail.Append(ctx, audit.Event{
			Kind: audit.KindCharge,
			Run:  "resnet-7",
			Data: map[string]any{"step": step, "sigma": 1.1, "q": 0.01},
		})
		if err != nil {
			log.Fatal(err) // the charge is not on record: do not release anything
		}
		fmt.Println("recorded", seq)
	}
	head := trail.Head() // keep this elsewhere
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}

	report, err := audit.VerifyFile(path, head)
	fmt.Println(report.Entries, "entries,", err)
	// Output:
	// recorded 1
	// recorded 2
	// recorded 3
	// 3 entries, <nil>
}

// A chain does not show that its newest entries were removed. A head that was kept elsewhere does.
func ExampleVerify() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "run.jsonl")
	trail, err := audit.Open(path, audit.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"started", "stopped by hand"} {
		if _, err := trail.Append(context.Background(), audit.Event{Kind: audit.KindNote, Data: text}); err != nil {
			log.Fatal(err)
		}
	}
	head := trail.Head()
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}

	content, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	cut := content[:bytes.IndexByte(content, '\n')+1]
	_, err = audit.Verify(bytes.NewReader(cut))
	fmt.Println(err)
	_, err = audit.Verify(bytes.NewReader(cut), head)
	fmt.Println(err)
	// Output:
	// <nil>
	// audit: log ends at entry 1 but had entry 2: it was cut
}

func ExampleRecorder() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "run.jsonl")
	trail, err := audit.Open(path, audit.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// In a Runner: Record: rec, and rec among the Gates, so that no batch runs once the trail is gone.
	rec, err := audit.NewRecorder(trail, "resnet-7")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := rec.Admit(ctx); err != nil {
		log.Fatal(err)
	}
	rec.RecordAttempt(ctx, 12, 1, 0, 80*time.Millisecond, fmt.Errorf("loss is NaN\nat layer 3"))
	rec.RecordAttempt(ctx, 12, 2, time.Second, 75*time.Millisecond, nil)
	rec.RecordBatch(ctx, 12, 2, time.Second, 155*time.Millisecond, nil)
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}

	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for e, err := range audit.Entries(f) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Seq, e.Kind, e.Run, string(e.Data))
	}
	// Output:
	// 1 step resnet-7 {"batch":12,"attempt":1,"wait_ns":0,"run_ns":80000000,"error":"loss is NaN\\nat layer 3"}
	// 2 step resnet-7 {"batch":12,"attempt":2,"wait_ns":1000000000,"run_ns":75000000}
	// 3 batch resnet-7 {"batch":12,"attempts":2,"wait_ns":1000000000,"run_ns":155000000}
}
