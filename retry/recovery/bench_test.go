package recovery

import (
	"context"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// quiet is a supervisor that has no checkpoint to write.
func quiet(t testing.TB) *Supervisor {
	t.Helper()
	store, err := openStore(newFakeFolder(), StoreConfig{})
	require.NoError(t, err)
	sup, err := New(context.Background(), store, &trainer{}, Config{Every: 1 << 40})
	require.NoError(t, err)
	return sup
}

func TestGoodStepDoesNotAllocate(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	sup, ctx := quiet(t), context.Background()
	step := func() {
		sup.Next()
		if _, err := sup.Done(ctx, Outcome{Loss: 1}); err != nil {
			panic(err)
		}
	}
	for range 300 { // fill the window
		step()
	}
	sup.pos.skip(1<<30, 5)
	least := math.Inf(1)
	for range 5 { // what other tests leave running may allocate meanwhile, but not every time
		least = min(least, testing.AllocsPerRun(1000, step))
	}
	require.Zero(t, least)
}

func BenchmarkStep(b *testing.B) {
	sup, ctx := quiet(b), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		sup.Next()
		if _, err := sup.Done(ctx, Outcome{Loss: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// blob is a state of so many bytes.
type blob []byte

func (s blob) Save(w io.Writer) error    { _, err := w.Write(s); return err }
func (s blob) Restore(r io.Reader) error { _, err := io.ReadFull(r, s); return err }

func BenchmarkStore(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 20} {
		store, err := OpenStore(b.TempDir(), StoreConfig{})
		require.NoError(b, err)
		state := make(blob, size)
		b.Run(fmt.Sprintf("save/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for step := uint64(0); b.Loop(); step++ {
				if _, err := store.Save(step, state); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("load/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Newest(1<<62, state); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
