package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// The interfaces of the Runner that a Recorder satisfies.
type (
	admitter interface {
		Admit(ctx context.Context) (token uint64, err error)
		Done(token uint64, err error)
	}
	recorder interface {
		RecordAttempt(ctx context.Context, batch uint64, attempt int, wait, run time.Duration, err error)
		RecordBatch(ctx context.Context, batch uint64, attempts int, wait, run time.Duration, err error)
	}
)

var (
	_ admitter = (*Recorder)(nil)
	_ recorder = (*Recorder)(nil)
)

type panicky struct{ text string }

func (p *panicky) Error() string { return p.text }

func TestRecorder(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := mustOpen(t, d, quiet)
	_, err := NewRecorder(nil, "r")
	require.ErrorContains(t, err, "without a log")
	_, err = NewRecorder(l, "two words")
	require.ErrorContains(t, err, `run "two words"`)
	r, err := NewRecorder(l, "r1")
	require.NoError(t, err)

	token, err := r.Admit(t.Context())
	require.NoError(t, err)
	ended, cancel := context.WithCancel(WithCorrelation(t.Context(), "trace-1"))
	cancel()
	r.RecordAttempt(ended, 7, 1, time.Second, 2*time.Second, errors.Join(errors.New("a"), errors.New("b\x1b[2J\u202e")))
	r.RecordAttempt(t.Context(), 7, 2, 0, 1, (*panicky)(nil))
	r.RecordAttempt(t.Context(), 7, 3, 0, 1, errors.New(strings.Repeat("\xff€", 1<<20)))
	r.RecordAttempt(t.Context(), 7, 4, 0, 1, nil)
	r.RecordBatch(t.Context(), 7, 4, 5, 6, nil)
	r.Done(token, nil)
	require.Zero(t, r.Dropped())
	require.NoError(t, r.Err())

	all := collect(t, d)[1:]
	require.Len(t, all, 5)
	for _, e := range all[:4] {
		require.Equal(t, KindStep, e.Kind)
		require.Equal(t, "r1", e.Run)
	}
	require.Equal(t, "trace-1", all[0].Correlation)
	require.Equal(t, `{"attempt":1,"batch":7,"error":"a\\nb\\x1b[2J\\u202e","run_ns":2000000000,"wait_ns":1000000000}`, string(all[0].Data))
	require.Contains(t, string(all[1].Data), `"error":"<nil>"`, "a typed nil whose Error panics")
	require.Less(t, len(all[2].Data), 4096)
	require.Contains(t, string(all[2].Data), "bytes more)")
	require.Equal(t, `{"attempt":4,"batch":7,"run_ns":1,"wait_ns":0}`, string(all[3].Data))
	require.Equal(t, KindBatch, all[4].Kind)
	require.Equal(t, `{"attempts":4,"batch":7,"run_ns":6,"wait_ns":5}`, string(all[4].Data))
	var step Step
	require.NoError(t, json.Unmarshal(all[0].Data, &step))
	require.Equal(t, Step{7, 1, time.Second, 2 * time.Second, `a\nb\x1b[2J\u202e`}, step)

	// A run does not go on without its trail.
	d.Set(func(int) { d.Full = true })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { r.RecordBatch(context.Background(), 8, 1, 0, 0, nil) })
	}
	wg.Wait()
	require.Equal(t, uint64(8), r.Dropped())
	require.ErrorIs(t, r.Err(), syscall.ENOSPC)
	_, err = r.Admit(t.Context())
	require.ErrorIs(t, err, ErrPoisoned)
	requirePermanentAndNeutral(t, err)
	require.Error(t, l.Close())
}

func TestAsyncRecorder(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := mustOpen(t, d, quiet)
	_, err := NewAsyncRecorder(nil, "r")
	require.Error(t, err)
	r, err := NewAsyncRecorder(l, "r")
	require.NoError(t, err)
	for i := range 3000 {
		r.RecordAttempt(t.Context(), uint64(i), 1, 0, 0, nil)
	}
	require.NoError(t, l.Close())
	require.Zero(t, r.Dropped())
	require.Len(t, collect(t, d), 3001)
	r.RecordBatch(t.Context(), 1, 1, 0, 0, nil)
	require.EqualValues(t, 1, r.Dropped())
	_, err = r.Admit(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

func TestRecorderOfClosedLog(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, newDisk(), quiet)
	r, err := NewRecorder(l, "")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = r.Admit(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	requirePermanentAndNeutral(t, err)
	require.Zero(t, r.Dropped(), "nothing was lost yet")
}

func FuzzOneLine(f *testing.F) {
	f.Add("plain", 3)
	f.Add("a\nb\u202e\xff\u200b€", 5)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + max(0, limit)%1000
		got := oneLine(s, limit)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if len(got) > 6*limit+40 {
			t.Fatalf("%d bytes of %d allowed", len(got), limit)
		}
	})
}
