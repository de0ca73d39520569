package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		code                int
		header              string
		again, timed        bool
		wait                time.Duration
		text                string
		permanentlyRejected bool
	}{
		{500, "", true, false, 0, "retry: HTTP status 500", false},
		{502, "", true, false, 0, "retry: HTTP status 502", false},
		{503, "60", true, false, time.Minute, "retry: HTTP status 503, to come back after 1m0s", false},
		{503, "Sun, 01 Mar 2026 13:00:00 GMT", true, false, time.Hour, "retry: HTTP status 503, to come back after 1h0m0s", false},
		{503, "soon", true, false, 0, "retry: HTTP status 503", false},
		{504, "", true, true, 0, "retry: HTTP status 504", false},
		{429, "60", true, false, time.Minute, "retry: HTTP status 429, to come back after 1m0s", false},
		{408, "", true, true, 0, "retry: HTTP status 408", false},
		{400, "", false, false, 0, "retry: HTTP status 400", true},
		{401, "", false, false, 0, "retry: HTTP status 401", true},
		{404, "60", false, false, time.Minute, "retry: HTTP status 404, to come back after 1m0s", true},
		{410, "", false, false, 0, "retry: HTTP status 410", true},
		{0, "", true, false, 0, "retry: HTTP status 0", false},
		{600, "", true, false, 0, "retry: HTTP status 600", false},
	} {
		err := retry.Status(tt.code, tt.header, now)
		require.EqualError(t, err, tt.text)
		require.Equal(t, tt.again, retry.Retryable(err), tt.code)
		require.Equal(t, tt.timed, retry.TimedOut(err), tt.code)
		var status *retry.StatusError
		require.ErrorAs(t, fmt.Errorf("ask: %w", err), &status)
		require.Equal(t, tt.permanentlyRejected, status.Permanent())
		require.Equal(t, tt.wait, status.RetryAfter())
		if tt.again {
			delay, _ := retry.Policy{Delays: retry.Constant(time.Millisecond)}.Next(1, 0, err)
			require.Equal(t, max(tt.wait, time.Millisecond), delay)
		}
	}
	for _, code := range []int{100, 200, 204, 304, 399} {
		require.NoError(t, retry.Status(code, "60", now))
	}
}

func TestTimedOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{io.EOF, false},
		{context.Canceled, false},
		{context.DeadlineExceeded, true},
		{fmt.Errorf("load: %w", &retry.OverranError{Limit: time.Second}), true},
		{errors.Join(retry.ErrOverran, context.Canceled), true},
		{os.ErrDeadlineExceeded, true},
		{&net.DNSError{IsTimeout: true}, true},
		{&net.DNSError{}, false},
		{&net.OpError{Op: "dial", Err: io.EOF}, false},
	} {
		require.Equal(t, tt.want, retry.TimedOut(tt.err), "%v", tt.err)
	}
}

// get asks a server as a provider would.
func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return retry.Permanent(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return retry.Status(resp.StatusCode, resp.Header.Get("Retry-After"), time.Now())
}

// A busy server is asked again when it said, a broken one after the delay, and one that does not know the request not at
// all.
func TestServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := map[string][]int{"/busy": {429, 200}, "/broken": {500, 502, 200}, "/unknown": {404, 200}}
		client := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			rest := answers[req.URL.Path]
			answers[req.URL.Path] = rest[1:]
			if rest[0] == 429 {
				rec.Header().Set("Retry-After", "60")
			}
			rec.WriteHeader(rest[0])
			return rec.Result(), nil
		})}
		p := retry.Policy{Delays: retry.Constant(time.Second)}
		start := time.Now()
		for _, tt := range []struct {
			path     string
			attempts int
			took     time.Duration
		}{
			{"/busy", 2, time.Minute}, {"/broken", 3, 2 * time.Second}, {"/unknown", 1, 0},
		} {
			start = start.Add(tt.took)
			r, err := p.DoReport(t.Context(), func(ctx context.Context) error { return get(ctx, client, "http://provider.example"+tt.path) })
			require.Equal(t, tt.attempts, r.Attempts, tt.path)
			require.Equal(t, start, time.Now(), tt.path)
			require.Equal(t, tt.path == "/unknown", err != nil)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The timeout of a client is a timeout: not a cancellation, and worth another attempt.
func TestClientTimeout(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer server.Close()
	defer close(stop)
	err := get(t.Context(), &http.Client{Timeout: 5 * time.Millisecond}, server.URL)
	require.Error(t, err)
	require.True(t, retry.TimedOut(err), "%v", err)
	require.True(t, retry.Retryable(err))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	err = get(ctx, server.Client(), server.URL)
	require.True(t, retry.TimedOut(err), "%v", err)
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	err = get(ctx, server.Client(), server.URL)
	require.False(t, retry.TimedOut(err), "%v", err)
	require.False(t, retry.Retryable(err))
}
