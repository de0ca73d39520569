package retry_test

import (
	"context"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestPresets(t *testing.T) {
	t.Parallel()
	noFile := &fs.PathError{Op: "open", Path: "shard-3", Err: syscall.ENOENT}
	for _, tt := range []struct {
		name        string
		policy      retry.Policy
		err         error
		attempts    int
		least, most time.Duration
	}{
		{"step", retry.ForStep(), errTransient, 3, 7500 * time.Millisecond, 22500 * time.Millisecond},
		{"step overran", retry.ForStep(), &retry.OverranError{}, 3, 7500 * time.Millisecond, 22500 * time.Millisecond},
		{"loading", retry.ForLoading(), errTransient, 5, 0, time.Minute},
		{"loading what is not there", retry.ForLoading(), noFile, 2, 0, 4 * time.Second},
		{"checkpoint", retry.ForCheckpoint(), errTransient, 8, 70 * time.Second, 210 * time.Second},
		{"checkpoint, disk full", retry.ForCheckpoint(), &fs.PathError{Err: syscall.ENOSPC}, 8, 70 * time.Second, 210 * time.Second},
		{"checkpoint forbidden", retry.ForCheckpoint(), fs.ErrPermission, 2, 2500 * time.Millisecond, 7500 * time.Millisecond},
		{"provider", retry.ForProvider(), errTransient, 4, 3 * time.Second, 39 * time.Second},
		{"provider broken", retry.ForProvider(), retry.Status(502, "", time.Now()), 4, 3 * time.Second, 39 * time.Second},
		{"provider busy", retry.ForProvider(), retry.Status(429, "30", time.Now()), 4, 90 * time.Second, 90 * time.Second},
		{"provider busy for long", retry.ForProvider(), retry.Status(429, "121", time.Now()), 1, 0, 0},
		{"provider timed out", retry.ForProvider(), context.DeadlineExceeded, 2, time.Second, 3 * time.Second},
		{"provider refuses", retry.ForProvider(), retry.Status(403, "", time.Now()), 1, 0, 0},
	} {
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r, err := tt.policy.DoReport(t.Context(), func(context.Context) error { return tt.err })
				require.ErrorIs(t, err, tt.err, tt.name)
				require.Equal(t, tt.attempts, r.Attempts, tt.name)
				require.GreaterOrEqual(t, time.Since(start), tt.least, tt.name)
				require.LessOrEqual(t, time.Since(start), tt.most, tt.name)
			})
		}
	}
}

func ExampleForProvider() {
	asked := new(retry.Budget) // shared by all who ask this provider
	policy := retry.ForProvider()
	policy.Budget = asked
	report, err := policy.DoReport(context.Background(), func(context.Context) error {
		return retry.Status(401, "", time.Now())
	})
	fmt.Println(report.Attempts, err)
	// Output: 1 retry: HTTP status 401
}
