package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// grouped is the least that shares syncs: the first caller to come writes and syncs for those who came meanwhile.
type grouped struct {
	f    durable.File
	disk sync.Mutex // held by who writes
	end  int64

	mu  sync.Mutex
	buf []byte
	cur *group
}

type group struct {
	done chan struct{}
	err  error
}

func (s *grouped) append(p []byte) error {
	s.mu.Lock()
	s.buf = append(s.buf, p...)
	if g := s.cur; g != nil {
		s.mu.Unlock()
		<-g.done
		return g.err
	}
	g := &group{done: make(chan struct{})}
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

// BenchmarkReserve reserves and commits, and compares with a bare file that gets one record of as many bytes per reservation, written and synced
// by the same number of callers, who share syncs. They take turns, since disks are moody; a ratio is the ledger's rate over that of the other.
func BenchmarkReserve(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := b.TempDir()
			l, err := Open(filepath.Join(dir, "ledger"), Config{Create: true})
			require.NoError(b, err)
			require.NoError(b, l.CreateAccount(ctx, renyiAccount("a", 8)))
			jobs := make([]*Job, writers)
			for i := range jobs {
				jobs[i], err = l.OpenJob(ctx, fmt.Sprint("job", i))
				require.NoError(b, err)
			}
			r := Request{Accounts: []string{"a"}, Event: gaussian(1e6)}
			file, err := durable.OS(dir).Create("bare")
			require.NoError(b, err)
			bare := &grouped{f: file}
			record := make([]byte, 64) // more than a reservation and its end take
			each := max(16, 256/writers)
			all := func(do func(i int) error) time.Duration {
				var wg sync.WaitGroup
				start := time.Now()
				for i := range writers {
					wg.Go(func() {
						for range each {
							if err := do(i); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				return time.Since(start)
			}
			var ours, other time.Duration
			turns := 0
			for b.Loop() {
				turns++
				ours += all(func(i int) error {
					h, err := jobs[i].Reserve(ctx, r)
					if err != nil {
						return err
					}
					return h.Commit()
				})
				other += all(func(int) error { return bare.append(record) })
			}
			n := float64(turns * each * writers)
			b.ReportMetric(0, "ns/op") // of a turn, which tells nothing
			b.ReportMetric(n/ours.Seconds(), "reservations/s")
			b.ReportMetric(n/other.Seconds(), "bare/s")
			b.ReportMetric(other.Seconds()/ours.Seconds(), "x-bare")
			require.NoError(b, l.Close())
			require.NoError(b, file.Close())
		})
	}
}

// BenchmarkCharge charges from a lease, and from a meter that renews its leases on a real disk; both amortised.
func BenchmarkCharge(b *testing.B) {
	open := func(b *testing.B) (*Ledger, *Job) {
		l, err := Open(filepath.Join(b.TempDir(), "ledger"), Config{Create: true})
		require.NoError(b, err)
		require.NoError(b, l.CreateAccount(ctx, renyiAccount("a", 8)))
		j, err := l.OpenJob(ctx, "job")
		require.NoError(b, err)
		return l, j
	}
	b.Run("lease", func(b *testing.B) {
		l, j := open(b)
		lease, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: gaussian(1e6), Count: 1 << 35})
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if err := lease.Charge(); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, lease.Close(ctx))
		require.NoError(b, l.Close())
	})
	for _, k := range []int64{100, 10_000, 1 << 30} {
		b.Run(fmt.Sprintf("meter=%d", k), func(b *testing.B) {
			l, j := open(b)
			m, err := j.Meter(MeterConfig{Accounts: []string{"a"}, Lease: k})
			require.NoError(b, err)
			admission := m.For(gaussian(1e6))
			b.ReportAllocs()
			for b.Loop() {
				token, err := admission.Admit(ctx)
				if err != nil {
					b.Fatal(err)
				}
				admission.Done(token, nil)
			}
			require.NoError(b, m.Close(ctx))
			require.NoError(b, l.Close())
		})
	}
}

// BenchmarkReplay opens a ledger whose journal has a million entries, reservations and their ends, 64 to a group, and reads the file alone for comparison.
func BenchmarkReplay(b *testing.B) {
	const entries = 1_000_000
	dir := filepath.Join(b.TempDir(), "ledger")
	l, err := Open(dir, Config{Create: true})
	require.NoError(b, err)
	require.NoError(b, l.CreateAccount(ctx, renyiAccount("a", 8)))
	_, err = l.OpenJob(ctx, "job")
	require.NoError(b, err)
	require.NoError(b, l.Close())
	j, err := journal.Open(dir, journal.Options{})
	require.NoError(b, err)
	var batch [][]byte
	for n := uint64(1); n <= entries/2; n++ {
		batch = append(batch, (&record{kind: kindReserve, number: n, incarnation: 1, step: n, count: 1, parts: []part{{0, []int64{12345}}}}).append(nil))
		batch = append(batch, (&record{kind: kindResolve, number: n, outcome: committed, count: 1}).append(nil))
		if len(batch) >= 64*16 {
			_, err := j.AppendBatch(ctx, batch...)
			require.NoError(b, err)
			batch = nil
		}
	}
	if len(batch) > 0 {
		_, err := j.AppendBatch(ctx, batch...)
		require.NoError(b, err)
	}
	require.NoError(b, j.Close())
	info, err := os.Stat(filepath.Join(dir, "journal"))
	require.NoError(b, err)
	b.SetBytes(info.Size())
	for b.Loop() {
		l, err := Open(dir, Config{SnapshotBytes: 1 << 40})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		require.NoError(b, l.Close())
		b.StartTimer()
	}
	b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func TestChargesDoNotAllocate(t *testing.T) {
	l, j, _ := fresh(t, renyiAccount("a", 8))
	lease, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: gaussian(1e5), Count: 1 << 20})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if lease.Charge() != nil {
			panic("refused")
		}
	}))
	m, err := j.Meter(MeterConfig{Accounts: []string{"a"}, Lease: 1 << 20})
	require.NoError(t, err)
	admission := m.For(gaussian(1e5))
	for range 3000 { // leases grow
		_, err := admission.Admit(ctx)
		require.NoError(t, err)
	}
	require.Zero(t, testing.AllocsPerRun(500, func() {
		if _, err := admission.Admit(ctx); err != nil {
			panic(err)
		}
	}))
	require.NoError(t, m.Close(ctx))
	require.NoError(t, l.Close())
}
