package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

const benchSize = 128 // bytes of a payload

// counted counts the syncs of files.
type counted struct {
	durable.Dir
	syncs *atomic.Int64
}

type countedFile struct {
	durable.File
	syncs *atomic.Int64
}

func (c counted) Open(name string) (durable.File, error) {
	f, err := c.Dir.Open(name)
	return countedFile{f, c.syncs}, err
}

func (c counted) Create(name string) (durable.File, error) {
	f, err := c.Dir.Create(name)
	return countedFile{f, c.syncs}, err
}

func (c countedFile) Sync() error {
	c.syncs.Add(1)
	return c.File.Sync()
}

// bare is the least that shares syncs: the first caller to come writes and syncs for those who came meanwhile.
type bare struct {
	f    durable.File
	disk sync.Mutex // held by who writes
	end  int64

	mu  sync.Mutex
	buf []byte
	cur *bareGroup
}

type bareGroup struct {
	done chan struct{}
	err  error
}

func (s *bare) append(p []byte) error {
	s.mu.Lock()
	s.buf = append(s.buf, p...)
	if g := s.cur; g != nil {
		s.mu.Unlock()
		<-g.done
		return g.err
	}
	g := &bareGroup{done: make(chan struct{})}
	s.cur = g
	s.mu.Unlock()
	s.disk.Lock()
	s.mu.Lock()
	buf := s.buf
	s.buf, s.cur = nil, nil
	s.mu.Unlock()
	if _, g.err = s.f.WriteAt(buf, s.end); g.err == nil {
		g.err = s.f.Sync()
	}
	s.end += int64(len(buf))
	s.disk.Unlock()
	close(g.done)
	return g.err
}

// BenchmarkAppend compares with two things on the same disk: a bare group commit without checksums, and one goroutine that
// writes as many records at once as there are writers, and syncs. They take turns, since disks are moody. A ratio is the
// journal's rate over that of the other.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := counted{durable.OS(b.TempDir()), new(atomic.Int64)}
			j, err := OpenIn(dir, "x", Options{})
			require.NoError(b, err)
			other := durable.OS(b.TempDir())
			plain, err := other.Create("plain")
			require.NoError(b, err)
			shared, err := other.Create("bare")
			require.NoError(b, err)
			group := make([]byte, benchSize*writers)
			const each = 16 // appends of a writer in a turn
			all := func(do func() error) {
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for range each {
							if err := do(); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			}
			var journal, grouped, one time.Duration
			var end, before int64 = 0, dir.syncs.Load()
			ctx, turns, grouping := context.Background(), 0, &bare{f: shared}
			for b.Loop() {
				turns++
				t0 := time.Now()
				all(func() error { _, err := j.Append(ctx, group[:benchSize]); return err })
				t1 := time.Now()
				all(func() error { return grouping.append(group[:benchSize]) })
				t2 := time.Now()
				for range each {
					if _, err := plain.WriteAt(group, end); err != nil {
						b.Fatal(err)
					}
					if err := plain.Sync(); err != nil {
						b.Fatal(err)
					}
					end += int64(len(group))
				}
				journal, grouped, one = journal+t1.Sub(t0), grouped+t2.Sub(t1), one+time.Since(t2)
			}
			n := float64(turns * each * writers)
			b.ReportMetric(0, "ns/op") // of a turn, which tells nothing
			b.ReportMetric(n/journal.Seconds(), "appends/s")
			b.ReportMetric(n/float64(dir.syncs.Load()-before), "appends/sync")
			b.ReportMetric(grouped.Seconds()/journal.Seconds(), "x-bare")
			b.ReportMetric(one.Seconds()/journal.Seconds(), "x-one-goroutine")
			require.NoError(b, j.Close())
			require.NoError(b, plain.Close())
			require.NoError(b, shared.Close())
		})
	}
}

// BenchmarkReplay opens a journal of 100,000 entries, in a frame each and 64 to a frame.
func BenchmarkReplay(b *testing.B) {
	const entries = 100_000
	for _, group := range []int{1, 64} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "j")
			j, err := Open(dir, Options{})
			require.NoError(b, err)
			require.NoError(b, j.Close())
			f, err := durable.OS(dir).Open(fileName)
			require.NoError(b, err)
			r := replay{file: f, size: headerSize + frameSize}
			require.NoError(b, r.run())
			for n := 0; n < entries; n += group {
				buf := make([]byte, frameSize)
				for range group {
					buf = appendEntry(buf, make([]byte, benchSize))
				}
				require.NoError(b, r.seg.write(buf, uint32(group)))
			}
			require.NoError(b, f.Sync())
			require.NoError(b, f.Close())
			b.SetBytes(r.seg.end)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				j, err := Open(dir, Options{Replay: func(Entry) error { n++; return nil }})
				if err != nil || n < entries {
					b.Fatal(n, err)
				}
				b.StopTimer()
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
