package retry_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"60":                             time.Minute,
		"0":                              0,
		" 5 ":                            5 * time.Second,
		"0000000000000000000000007":      7 * time.Second,
		"9223372036":                     9223372036 * time.Second,
		"9223372037":                     math.MaxInt64,
		"99999999999999999999999999999":  math.MaxInt64,
		"Sun, 01 Mar 2026 13:00:00 GMT":  time.Hour,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
		"Sunday, 01-Mar-26 12:00:30 GMT": 30 * time.Second,
		"Sun Mar  1 12:00:30 2026":       30 * time.Second,
		"Fri, 31 Dec 9999 23:59:59 GMT":  math.MaxInt64,
	} {
		got, ok := retry.After(header, now)
		require.True(t, ok, header)
		require.Equal(t, want, got, header)
	}
	for _, header := range []string{"", " ", "-1", "1.5", "1e3", "0x10", "soon", "60 s", "٣", "Sunday, 01-Mar-26 12:00:30 PST", now.Format(time.RFC3339)} {
		_, ok := retry.After(header, now)
		require.False(t, ok, header)
	}
}

func FuzzAfter(f *testing.F) {
	f.Add("120", int64(0))
	f.Add("Sun, 01 Mar 2026 13:00:00 GMT", int64(1772366400))
	f.Fuzz(func(t *testing.T, header string, unix int64) {
		now := time.Unix(unix%(1<<36), 0)
		d, ok := retry.After(header, now)
		require.GreaterOrEqual(t, d, time.Duration(0))
		if at, err := http.ParseTime(header); ok && err == nil && d > 0 && d < math.MaxInt64 {
			require.True(t, now.Add(d).Equal(at))
		}
	})
}
