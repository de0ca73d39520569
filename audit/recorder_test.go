package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	f := &fakeFile{}
	l, err := newLog(f, "x", Options{})
	require.NoError(t, err)
	_, err = NewRecorder(nil, "r")
	require.ErrorContains(t, err, "without a log")
	_, err = NewRecorder(l, "two words")
	require.ErrorContains(t, err, `run "two words"`)
	r, err := NewRecorder(l, "r1")
	require.NoError(t, err)

	token, err := r.Admit(t.Context())
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.RecordAttempt(ended, 7, 1, time.Second, 2*time.Second, errors.Join(errors.New("a"), errors.New("b\x1b[2J\u202e")))
	r.RecordAttempt(t.Context(), 7, 2, 0, 1, (*panicky)(nil))
	r.RecordAttempt(t.Context(), 7, 3, 0, 1, errors.New(strings.Repeat("\xff€", 1<<20)))
	r.RecordAttempt(t.Context(), 7, 4, 0, 1, nil)
	r.RecordBatch(t.Context(), 7, 4, 5, 6, nil)
	r.Done(token, nil)
	require.Zero(t, r.Dropped())
	require.NoError(t, r.Err())

	all := collect(t, bytes.NewReader(f.data))
	require.Len(t, all, 5)
	for _, e := range all[:4] {
		require.Equal(t, KindStep, e.Kind)
		require.Equal(t, "r1", e.Run)
	}
	require.Equal(t, `{"batch":7,"attempt":1,"wait_ns":1000000000,"run_ns":2000000000,"error":"a\\nb\\x1b[2J\\u202e"}`, string(all[0].Data))
	require.Contains(t, string(all[1].Data), `"error":"\u003cnil\u003e"`, "a typed nil whose Error panics")
	require.Less(t, len(all[2].Data), 4096)
	require.Contains(t, string(all[2].Data), "bytes more)")
	require.Equal(t, `{"batch":7,"attempt":4,"wait_ns":0,"run_ns":1}`, string(all[3].Data))
	require.Equal(t, KindBatch, all[4].Kind)
	require.Equal(t, `{"batch":7,"attempts":4,"wait_ns":5,"run_ns":6}`, string(all[4].Data))

	// A run does not go on without its trail.
	f.failWrite = func([]byte) (int, error) { return 0, syscall.ENOSPC }
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { r.RecordBatch(context.Background(), 8, 1, 0, 0, nil) })
	}
	wg.Wait()
	f.failWrite = nil
	require.Equal(t, uint64(8), r.Dropped())
	require.ErrorIs(t, r.Err(), syscall.ENOSPC)
	_, err = r.Admit(t.Context())
	require.ErrorIs(t, err, ErrPoisoned)
	requirePermanentAndNeutral(t, err)
	require.Error(t, l.Close())
}

func TestRecorderOfClosedLog(t *testing.T) {
	t.Parallel()
	l, err := newLog(&fakeFile{}, "x", Options{})
	require.NoError(t, err)
	r, err := NewRecorder(l, "")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = r.Admit(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	requirePermanentAndNeutral(t, err)
	require.Zero(t, r.Dropped(), "nothing was lost yet")
}

func requirePermanentAndNeutral(t *testing.T, err error) {
	t.Helper()
	err = fmt.Errorf("wrapped: %w", err)
	var p interface{ Permanent() bool }
	require.ErrorAs(t, err, &p)
	require.True(t, p.Permanent())
	var n interface{ Neutral() bool }
	require.ErrorAs(t, err, &n)
	require.True(t, n.Neutral())
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
