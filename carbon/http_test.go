package carbon

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// roundTrip makes a function a transport: in a bubble there is no network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func httpResponse(r *http.Request, code int, body string, header ...string) *http.Response {
	w := httptest.NewRecorder()
	for i := 0; i+1 < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
	out := w.Result()
	out.Request = r
	return out
}

func newTestAPI(t *testing.T, cfg HTTPConfig) *api {
	t.Helper()
	a, err := newAPI("Test", "https://test.invalid", cfg, 1e6, 1, nil)
	require.NoError(t, err)
	return a
}

// Each documented failure has its own kind, and only those that may pass are tried again.
func TestHTTPFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer    httpAnswer
		kind      error
		attempts  int
		permanent bool
	}{
		"no key or a bad one":       {httpAnswer{code: 401, body: `{"message":"Unauthorized"}`}, ErrAuth, 1, true},
		"zone not in the plan":      {httpAnswer{code: 401, body: `{"error":"Token unauthorized for zoneKey=FR"}`}, ErrPlan, 1, true},
		"endpoint not in the plan":  {httpAnswer{code: 401, body: `{"message":"Endpoint not available"}`}, ErrPlan, 1, true},
		"payment":                   {httpAnswer{code: 402}, ErrPlan, 1, true},
		"expired token, HTML":       {httpAnswer{code: 403, body: "<html>\n<h1>403 Forbidden</h1>nginx"}, ErrAuth, 1, true},
		"scope, JSON":               {httpAnswer{code: 403, body: `{"error":"Invalid query parameters","message":"Invalid scope."}`}, ErrPlan, 1, true},
		"no coverage":               {httpAnswer{code: 404, body: `{"error":"No coverage available for these coordinates"}`}, ErrNoCoverage, 1, true},
		"moved away":                {httpAnswer{code: 404, body: `<html>not here`}, ErrGone, 1, false},
		"unknown zone":              {httpAnswer{code: 400, body: `{"error":"Zone 'EU-FR' does not exist."}`}, ErrNoCoverage, 1, true},
		"time zone is not the zone": {httpAnswer{code: 400, body: `{"error":"start needs a time zone"}`}, ErrRequest, 1, true},
		"bad question":              {httpAnswer{code: 422, body: `{}`}, ErrRequest, 1, true},
		"ended":                     {httpAnswer{code: 410, body: "shut down"}, ErrGone, 1, true},
		"quota":                     {httpAnswer{code: 429}, ErrQuota, 3, false},
		"quota for long":            {httpAnswer{code: 429, header: map[string]string{"Retry-After": "3600"}}, ErrQuota, 1, false},
		"down":                      {httpAnswer{code: 500, body: `{"error":{}}`}, ErrUnavailable, 3, false},
		"fresh token":               {httpAnswer{code: 503}, ErrUnavailable, 3, false},
		"cut in half":               {httpAnswer{body: `{"data":[`, cut: true}, ErrBody, 3, false},
		"larger than allowed":       {httpAnswer{body: strings.Repeat("x", 1<<16+1)}, ErrBody, 1, false},
		"redirect to elsewhere":     {httpAnswer{code: 302, header: map[string]string{"Location": "http://localhost:1/"}}, ErrRequest, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play := playHTTP(t, tt.answer)
			a := newTestAPI(t, play.config())
			_, err := a.get(t.Context(), "/x", nil, "")
			require.ErrorIs(t, err, tt.kind)
			var failed *APIError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tt.permanent, failed.Permanent())
			require.Equal(t, tt.answer.code, failed.Code)
			require.Len(t, play.asked(), tt.attempts)
			require.True(t, strings.HasPrefix(err.Error(), "carbon: Test: "), err.Error())
			require.NotContains(t, err.Error(), play.server.URL)
		})
	}
}

func TestHTTPRecovers(t *testing.T) {
	t.Parallel()
	play := playHTTP(t, httpAnswer{code: 502}, httpAnswer{body: "x", cut: true}, httpAnswer{body: "fine"})
	a := newTestAPI(t, play.config())
	body, err := a.get(t.Context(), "/x", nil, "")
	require.NoError(t, err)
	require.Equal(t, "fine", string(body))
}

// A few kilobytes that unpack to megabytes are not unpacked.
func TestHTTPGzipBomb(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(make([]byte, 2<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	play := playHTTP(t, httpAnswer{header: map[string]string{"Content-Encoding": "gzip"}, body: packed.String()})
	require.Less(t, packed.Len(), 1<<14)
	_, err = newTestAPI(t, play.config()).get(t.Context(), "/x", nil, "")
	require.ErrorIs(t, err, ErrBody)
	require.ErrorContains(t, err, "65536 bytes")
	require.Len(t, play.asked(), 1)
}

func TestHTTPUnknownHost(t *testing.T) {
	t.Parallel()
	lost := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x.invalid", IsNotFound: true}}
	})}
	a := newTestAPI(t, HTTPConfig{Client: lost})
	_, err := a.get(t.Context(), "/x", nil, "")
	require.ErrorIs(t, err, ErrGone)
	require.False(t, apiError(err).Permanent(), "a network may come back")
	dead := httptest.NewServer(nil)
	dead.Close()
	a = newTestAPI(t, HTTPConfig{URL: dead.URL, Backoff: 1})
	_, err = a.get(t.Context(), "/x", nil, "")
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":    0,
		"120": 2 * time.Minute, " 1.5 ": 1500 * time.Millisecond,
		"0": 0, "-5": 0, "NaN": 0, "soon": 0,
		"1e300": maxRetryAfter, "Inf": maxRetryAfter,
		"Tue, 20 Jan 2026 12:00:30 GMT":     30 * time.Second,
		"Tuesday, 20-Jan-26 12:01:00 GMT":   time.Minute,
		"Tue Jan 20 12:02:00 2026":          2 * time.Minute,
		"Tue, 20 Jan 2026 11:00:00 GMT":     0,
		"Tue, 20 Jan 2099 11:00:00 GMT":     maxRetryAfter,
		"Tue, 20 Jan 2026 13:00:30 +0100":   0, // HTTP dates are in GMT
		"99999999999999999999999999999999":  maxRetryAfter,
		"Tue, 20 Jan 2026 12:00:30 GMT\r\n": 30 * time.Second,
	} {
		require.Equal(t, want, retryAfter(text, now), "%q", text)
	}
}

// Both forms of Retry-After are waited for, in a bubble where that costs nothing.
func TestHTTPHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"seconds", "date"} {
		synctest.Test(t, func(t *testing.T) {
			start, calls := time.Now(), 0
			var times []time.Duration
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				calls++
				times = append(times, time.Since(start))
				after := "4"
				if form == "date" {
					after = time.Now().UTC().Add(4 * time.Second).Format(http.TimeFormat)
				}
				if calls < 3 {
					return httpResponse(r, 429, "", "Retry-After", after), nil
				}
				return httpResponse(r, 200, "fine"), nil
			})}
			a := newTestAPI(t, HTTPConfig{Client: client})
			body, err := a.get(t.Context(), "/x", nil, "")
			require.NoError(t, err)
			require.Equal(t, "fine", string(body))
			require.Equal(t, []time.Duration{0, 4 * time.Second, 8 * time.Second}, times)
		})
	}
}

// A longer wait than MaxWait ends the call, and nobody else calls before it is over either.
func TestHTTPLongRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		a := newTestAPI(t, HTTPConfig{Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == 1 {
				return httpResponse(r, 429, "", "Retry-After", "600"), nil
			}
			return httpResponse(r, 200, "fine"), nil
		})}})
		_, err := a.get(t.Context(), "/x", nil, "")
		require.ErrorIs(t, err, ErrQuota)
		<-time.After(time.Minute)
		_, err = a.get(t.Context(), "/y", nil, "")
		require.ErrorIs(t, err, ErrQuota)
		require.Equal(t, 9*time.Minute, apiError(err).RetryAfter())
		require.Equal(t, 1, calls)
		<-time.After(9 * time.Minute)
		_, err = a.get(t.Context(), "/y", nil, "")
		require.NoError(t, err)
	})
}

func TestHTTPBackoffAndFuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var down atomic.Bool
		down.Store(true)
		var calls []time.Time
		a := newTestAPI(t, HTTPConfig{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				calls = append(calls, time.Now())
				if down.Load() {
					return httpResponse(r, 500, "broken"), nil
				}
				return httpResponse(r, 200, "fine"), nil
			})}})
		get := func() error {
			_, err := a.get(t.Context(), "/x", nil, "")
			return err
		}
		require.ErrorIs(t, get(), ErrUnavailable)
		require.Len(t, calls, 3)
		first, second := calls[1].Sub(calls[0]), calls[2].Sub(calls[1])
		require.True(t, first >= 250*time.Millisecond && first <= 500*time.Millisecond, first)
		require.True(t, second >= 500*time.Millisecond && second <= time.Second, second)

		err := get() // the fifth failure is its second attempt
		require.ErrorIs(t, err, ErrUnavailable, "the cause is not lost")
		require.NotErrorIs(t, err, ErrResting)
		require.Len(t, calls, 5)
		err = get()
		require.ErrorIs(t, err, ErrResting)
		require.ErrorIs(t, err, ErrUnavailable, "and why is known")
		require.LessOrEqual(t, apiError(err).RetryAfter(), time.Minute)
		require.Len(t, calls, 5, "it rests")

		<-time.After(time.Minute)
		require.Error(t, get())
		require.Len(t, calls, 6, "one call tries")
		<-time.After(time.Minute)
		down.Store(false)
		require.NoError(t, get())
		require.NoError(t, get())
		require.Equal(t, 1, strings.Count(log.String(), "API rests"), "one line per change: %s", log.String())
		require.Equal(t, 1, strings.Count(log.String(), "answers again"), log.String())
	})
}

func TestHTTPTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newTestAPI(t, HTTPConfig{Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}})
		start := time.Now()
		_, err := a.get(t.Context(), "/x", nil, "")
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "it was not the caller's deadline")
		require.ErrorContains(t, err, "no answer within 10s")
		require.Greater(t, time.Since(start), 30*time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = a.get(ctx, "/x", nil, "")
		require.ErrorIs(t, err, context.DeadlineExceeded, "now it is")
	})
}

// A timeout of the client itself is not the caller's deadline either.
func TestHTTPClientTimeout(t *testing.T) {
	t.Parallel()
	for _, err := range []error{context.DeadlineExceeded, &net.OpError{Op: "dial", Err: context.Canceled}} {
		a := newTestAPI(t, HTTPConfig{Attempts: 1, Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })}})
		_, got := a.get(t.Context(), "/x", nil, "")
		require.ErrorIs(t, got, ErrUnavailable)
		require.NotErrorIs(t, got, context.DeadlineExceeded)
		require.NotErrorIs(t, got, context.Canceled)
		require.ErrorContains(t, got, err.Error())
	}
}

// A body that comes drop by drop ends with the attempt's time.
func TestHTTPSlowBody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	play := playHTTP(t, httpAnswer{body: "x", cut: true})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("["))
		w.(http.Flusher).Flush()
		<-release
	}))
	t.Cleanup(func() { close(release); slow.Close() })
	cfg := play.config()
	cfg.URL, cfg.Timeout, cfg.Attempts = slow.URL, 20*time.Millisecond, 1
	_, err := newTestAPI(t, cfg).get(t.Context(), "/x", nil, "")
	require.ErrorIs(t, err, ErrUnavailable)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

func TestHTTPLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newTestAPI(t, HTTPConfig{PerSecond: 2, Burst: 3, Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return httpResponse(r, 200, "fine"), nil
		})}})
		start := time.Now()
		for i := range 7 {
			_, err := a.get(t.Context(), fmt.Sprint("/", i), nil, "")
			require.NoError(t, err)
		}
		require.Equal(t, 2*time.Second, time.Since(start).Round(time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := a.get(ctx, "/late", nil, "")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, apiError(err), "that is the caller's affair, not the API's")
		require.NoError(t, ctx.Err(), "that was said at once")
	})
}

func TestHTTPReusesConnections(t *testing.T) {
	t.Parallel()
	play := playHTTP(t, httpAnswer{body: "fine"})
	a := newTestAPI(t, play.config())
	for i := range 5 {
		_, err := a.get(t.Context(), fmt.Sprint("/", i), nil, "")
		require.NoError(t, err)
	}
	peers := map[string]bool{}
	for _, r := range play.calls {
		peers[r.RemoteAddr] = true
	}
	require.Len(t, peers, 1)
}

// A panic in the caller's client goes on, and the next caller is not stuck.
func TestHTTPPanic(t *testing.T) {
	t.Parallel()
	broken := true
	a := newTestAPI(t, HTTPConfig{Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if broken {
			panic("broken client")
		}
		return httpResponse(r, 200, "fine"), nil
	})}})
	require.Panics(t, func() { _, _ = a.get(t.Context(), "/x", nil, "") })
	broken = false
	_, err := a.get(t.Context(), "/x", nil, "")
	require.NoError(t, err)
}

func TestHTTPConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]HTTPConfig{
		"no scheme": {URL: "example.com"}, "file": {URL: "file:///etc"}, "user": {URL: "https://me:secret@example.com"},
		"query": {URL: "https://example.com?token=secret"}, "fragment": {URL: "https://example.com#secret"}, "broken": {URL: "https://%zz"},
		"timeout": {Timeout: -1}, "attempts": {Attempts: -1}, "rate": {PerSecond: -1}, "body": {MaxBody: -1}, "cooldown": {Cooldown: -1},
	} {
		_, err := newAPI("Test", "https://test.invalid", cfg, 1, 1, nil)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret")
	}
	plain := HTTPConfig{URL: "http://example.com"}
	_, err := newAPI("Test", "", plain, 1, 1, nil)
	require.NoError(t, err)
	_, err = newAPI("Test", "", plain, 1, 1, func(s string) string { return s })
	require.ErrorContains(t, err, "https only")
	a, err := newAPI("Test", "", HTTPConfig{URL: "http://127.0.0.1:1/base/"}, 1, 1, func(s string) string { return s })
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1/base", a.cfg.URL)
}

func TestAPIErrorZero(t *testing.T) {
	t.Parallel()
	var e APIError
	require.Equal(t, "carbon: ", e.Error())
	require.Empty(t, e.Unwrap())
	require.False(t, e.Permanent())
	require.NotErrorIs(t, &e, ErrAuth)
	e = APIError{Source: "S", Kind: ErrUnavailable, Code: 599, After: time.Second, Err: errors.New("why")}
	require.Equal(t, "carbon: S: unavailable (599); retry after 1s: why", e.Error())
}

func TestFuse(t *testing.T) {
	t.Parallel()
	now := time.Now()
	down, quota := &APIError{Kind: ErrUnavailable}, &APIError{Kind: ErrQuota}
	f := fuse{limit: 2, cooldown: time.Minute}
	enter := func(wantProbe bool) {
		t.Helper()
		probe, err := f.enter("S", now)
		require.NoError(t, err)
		require.Equal(t, wantProbe, probe)
	}
	resting := func(at time.Time, why string) {
		t.Helper()
		_, err := f.enter("S", at)
		require.ErrorIs(t, err, ErrResting, why)
	}
	fail := func(e *APIError) bool {
		enter(false)
		return f.leave(now, false, true, e)
	}
	require.False(t, fail(down))
	require.False(t, fail(quota), "a refusal is an answer")
	enter(false) // one that will be late
	require.False(t, fail(down))
	require.True(t, fail(down))
	resting(now.Add(59*time.Second), "")
	require.False(t, f.leave(now, false, true, nil), "an old success says nothing of now")
	resting(now.Add(59*time.Second), "")
	now = now.Add(time.Minute)
	enter(true)
	resting(now, "one call tries, not many")
	require.False(t, f.leave(now, false, false, nil), "a late call does not end the try of another")
	resting(now, "one call tries, not many")
	require.False(t, f.leave(now, true, false, nil), "given up by its caller: nothing is known")
	enter(true) // so another may try
	require.False(t, f.leave(now, true, true, down))
	resting(now, "")
	now = now.Add(time.Minute)
	enter(true)
	require.True(t, f.leave(now, true, true, nil))
	enter(false)
}
