package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var benchEvent = Event{Kind: KindStep, Run: "resnet-7", Data: stepData{Batch: 1234, Attempt: 1, Wait: 1e6, Run: 8e7}}

func BenchmarkAppend(b *testing.B) {
	for _, bench := range []struct {
		name       string
		every      time.Duration
		goroutines int
	}{
		{"fsync/1", 0, 1}, {"fsync/8", 0, 8}, {"fsync/64", 0, 64}, {"fsync/256", 0, 256},
		{"every1s/1", time.Second, 1}, {"every1s/64", time.Second, 64},
	} {
		b.Run(bench.name, func(b *testing.B) {
			l, err := Open(filepath.Join(b.TempDir(), "log"), Options{SyncEvery: bench.every})
			require.NoError(b, err)
			b.ReportAllocs()
			b.SetParallelism(max(1, bench.goroutines/4))
			if bench.goroutines == 1 {
				for b.Loop() {
					if _, err := l.Append(context.Background(), benchEvent); err != nil {
						b.Fatal(err)
					}
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := l.Append(context.Background(), benchEvent); err != nil {
							b.Error(err)
						}
					}
				})
			}
			require.NoError(b, l.Close())
		})
	}
}

// BenchmarkPlain is what the disk takes for the same line without a log.
func BenchmarkPlain(b *testing.B) {
	line := bytes.Repeat([]byte("x"), 300)
	for _, sync := range []bool{true, false} {
		b.Run(fmt.Sprintf("fsync=%v", sync), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
			require.NoError(b, err)
			for b.Loop() {
				if _, err := f.Write(line); err != nil {
					b.Fatal(err)
				}
				if sync {
					if err := f.Sync(); err != nil {
						b.Fatal(err)
					}
				}
			}
			require.NoError(b, f.Close())
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	data, _ := sample(b, 1000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
