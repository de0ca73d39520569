package carbon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// HTTPConfig says how a provider calls its API. The zero value suits the public one.
type HTTPConfig struct {
	// URL of the API without a slash at the end. Default the public one. With a key it must be https, or on this machine.
	URL string
	// Client makes the calls. Default one of its own. A redirect to another host is never followed: it would carry the key.
	Client *http.Client
	// Timeout bounds one attempt. Default 10 seconds.
	Timeout time.Duration
	// Attempts at one call that fails in a way that may pass. Default 3.
	Attempts int
	// Backoff is the mean delay before the second attempt; it doubles after that, and half of it is random. Default 500 ms.
	Backoff time.Duration
	// MaxWait is the longest Retry-After that is waited for within a call; a longer one ends the call, and the API is left
	// alone until then. Default 5 seconds.
	MaxWait time.Duration
	// PerSecond and Burst limit the attempts. The defaults keep to what the provider has published.
	PerSecond float64
	Burst     int
	// MaxBody bounds an answer in bytes, as it is after decompression. Default 8 MiB.
	MaxBody int64
	// Failures is the number of failed attempts in a row after which the API rests for Cooldown. Defaults 5 and 1 minute.
	Failures int
	Cooldown time.Duration
	// Logger, if set, gets one line per change of the API's state: never one per failure.
	Logger *slog.Logger
}

func (c *HTTPConfig) complete(base string, perSecond float64, burst int) error {
	c.URL = strings.TrimSuffix(pick(c.URL, base), "/")
	c.Timeout = pick(c.Timeout, 10*time.Second)
	c.Attempts = pick(c.Attempts, 3)
	c.Backoff = pick(c.Backoff, 500*time.Millisecond)
	c.MaxWait = pick(c.MaxWait, 5*time.Second)
	c.PerSecond = pick(c.PerSecond, perSecond)
	c.Burst = pick(c.Burst, burst)
	c.MaxBody = pick(c.MaxBody, 8<<20)
	c.Failures = pick(c.Failures, 5)
	c.Cooldown = pick(c.Cooldown, time.Minute)
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("carbon: HTTP: URL is not an http(s) address of a host without user, query and fragment")
	case c.Timeout < 0 || c.Backoff < 0 || c.MaxWait < 0 || c.Cooldown < 0:
		return fmt.Errorf("carbon: HTTP: Timeout %v, Backoff %v, MaxWait %v and Cooldown %v must not be negative", c.Timeout, c.Backoff, c.MaxWait, c.Cooldown)
	case c.Attempts < 0 || c.Burst < 0 || c.Failures < 0 || c.MaxBody < 0 || c.MaxBody == math.MaxInt64 || !(c.PerSecond > 0):
		return fmt.Errorf("carbon: HTTP: Attempts %d, Burst %d, Failures %d, MaxBody %d and PerSecond %v must be positive", c.Attempts, c.Burst, c.Failures, c.MaxBody, c.PerSecond)
	}
	return nil
}

// pick is v, or otherwise where v is not set.
func pick[T comparable](v, otherwise T) T {
	var none T
	if v == none {
		return otherwise
	}
	return v
}

// api is one account at one service: everything that is asked of it shares the limit, the fuse and the connections.
type api struct {
	cfg     HTTPConfig
	source  string
	client  *http.Client
	limit   *rate.Limiter
	fuse    fuse
	flights flights[[]byte]
	redact  func(string) string
}

// newAPI makes one. redact, where the service has keys, takes them out of a text.
func newAPI(source, base string, cfg HTTPConfig, perSecond float64, burst int, redact func(string) string) (*api, error) {
	if err := cfg.complete(base, perSecond, burst); err != nil {
		return nil, err
	}
	if u, _ := url.Parse(cfg.URL); redact != nil && u.Scheme != "https" && !local(u.Hostname()) {
		return nil, fmt.Errorf("carbon: %s: a key is sent by https only", source)
	}
	a := &api{
		cfg: cfg, source: source, redact: redact,
		limit: rate.NewLimiter(rate.Limit(cfg.PerSecond), cfg.Burst),
		fuse:  fuse{limit: cfg.Failures, cooldown: cfg.Cooldown},
	}
	client := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
	}}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 5 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
			return http.ErrUseLastResponse
		}
		return nil
	}
	a.client = &client
	return a, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// get makes a call, or joins the one under way for the same path. keys may be nil where the API needs none; a key that is
// refused is followed by the next of the ring.
func (a *api) get(ctx context.Context, path string, keys *KeyRing, keyHeader string) ([]byte, error) {
	return a.flights.do(ctx, path, func(ctx context.Context) ([]byte, error) {
		if keyHeader == "" {
			return a.retried(ctx, path, nil)
		}
		err := error(&APIError{Source: a.source, Kind: ErrAuth, Detail: "there is no key", unasked: true})
		for _, key := range keys.candidates() {
			header := http.Header{}
			header.Set(keyHeader, key)
			var body []byte
			if body, err = a.retried(ctx, path, header); err == nil {
				keys.worked(key)
				return body, nil
			}
			if !errors.Is(err, ErrAuth) {
				return nil, err
			}
		}
		return nil, err
	})
}

// retried makes attempts as long as a further one may help.
func (a *api) retried(ctx context.Context, path string, header http.Header) ([]byte, error) {
	for attempt, before := 1, error(nil); ; attempt++ {
		body, err := a.once(ctx, path, header)
		failed := apiError(err)
		switch {
		case err == nil:
			return body, nil
		case failed != nil && failed.unasked && before != nil:
			return nil, before // why the API is not asked again says more
		case failed == nil || ctx.Err() != nil || !failed.again() || attempt >= a.cfg.Attempts:
			return nil, err
		}
		before = err
		wait := failed.After
		if wait == 0 {
			wait = a.cfg.Backoff << min(attempt-1, 16)
			wait = wait/2 + rand.N(wait/2+1)
		}
		if wait > a.cfg.MaxWait {
			return nil, err
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, a.givenUp(ctx)
		}
	}
}

// givenUp is the error of a call that the caller ended.
func (a *api) givenUp(ctx context.Context) error { return givenUp(ctx, a.source) }

func givenUp(ctx context.Context, source string) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return fmt.Errorf("carbon: %s: %w", source, cause)
	}
	return fmt.Errorf("carbon: %s: %w: %w", source, err, cause)
}

// errEarly is in the error of a caller whose deadline is too near for the own limit. It is no failure of the API.
var errEarly = errors.New("the own limit leaves no call before the deadline")

func early(source string) error {
	return fmt.Errorf("carbon: %s: %w: %w", source, context.DeadlineExceeded, errEarly)
}

// once makes one attempt.
func (a *api) once(ctx context.Context, path string, header http.Header) (body []byte, err error) {
	probe, err := a.fuse.enter(a.source, time.Now())
	if err != nil {
		return nil, err
	}
	answered := false // also when the client panics
	defer func() {
		if a.fuse.leave(time.Now(), probe, answered, apiError(err)) && a.cfg.Logger != nil {
			if failed := apiError(err); failed != nil && failed.broken() {
				a.cfg.Logger.Warn("carbon: API rests", "source", a.source, "for", a.cfg.Cooldown, "error", err)
			} else {
				a.cfg.Logger.Info("carbon: API answers again", "source", a.source)
			}
		}
	}()
	if err := a.limit.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, a.givenUp(ctx)
		}
		return nil, early(a.source)
	}
	body, err = a.call(ctx, path, header)
	if err != nil && ctx.Err() != nil {
		return nil, a.givenUp(ctx)
	}
	answered = true
	return body, err
}

func (a *api) call(ctx context.Context, path string, header http.Header) ([]byte, error) {
	slow := fmt.Errorf("no answer within %v", a.cfg.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, a.cfg.Timeout, slow)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.cfg.URL+path, nil)
	if err != nil {
		return nil, &APIError{Source: a.source, Kind: ErrRequest, Detail: "the address is no URL"}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "surefoot")
	resp, err := a.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the address
		}
		if ctx.Err() != nil {
			err = slow // not the caller's deadline
		}
		return nil, transportError(a.source, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		const enough = 4096
		said, _ := io.ReadAll(io.LimitReader(resp.Body, enough))
		detail := a.excerpt(said)
		if len(said) == enough && a.redact != nil {
			detail = "a long text" // it may end in the middle of a key that it repeats
		}
		return nil, statusError(a.source, resp, said, detail, time.Now())
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, a.cfg.MaxBody+1))
	switch {
	case int64(len(body)) > a.cfg.MaxBody:
		return nil, &APIError{Source: a.source, Kind: ErrBody, Detail: fmt.Sprintf("more than %d bytes", a.cfg.MaxBody)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &APIError{Source: a.source, Kind: ErrBody, Detail: "cut off", Err: err}
	case err != nil && ctx.Err() != nil:
		return nil, transportError(a.source, slow)
	case err != nil:
		return nil, transportError(a.source, err)
	}
	return body, nil
}

// excerpt makes something from outside fit to be logged. A key goes before anything is cut: half a key is a secret too.
func (a *api) excerpt(said []byte) string {
	const longest = 300
	text := strings.ToValidUTF8(string(said), "?")
	if a.redact != nil {
		text = a.redact(text)
	}
	text = strings.Join(strings.Fields(text), " ")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}

// decoded is readings, or err as the error for an answer that cannot be used.
func (a *api) decoded(readings []Reading, err error) ([]Reading, error) {
	var none *NoDataError
	if err == nil || errors.As(err, &none) {
		return readings, err
	}
	return nil, &APIError{Source: a.source, Kind: ErrBody, Detail: a.excerpt([]byte(err.Error()))}
}
