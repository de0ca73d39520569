package carbon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What a call to an API can end with. Match them with errors.Is; the error itself is an *[APIError].
var (
	// ErrAuth: there is no key, or it is refused.
	ErrAuth = errors.New("carbon: not authorized")
	// ErrPlan: the key is good, but not for this.
	ErrPlan = errors.New("carbon: not part of the plan")
	// ErrQuota: too many calls.
	ErrQuota = errors.New("carbon: quota used up")
	// ErrGone: the API has ended or moved (410, a page instead of an answer with 404, a host name that is not known).
	ErrGone = errors.New("carbon: API is gone")
	// ErrNoCoverage: the API does not know the zone or the place.
	ErrNoCoverage = errors.New("carbon: zone is not covered")
	// ErrRequest: the API refuses the question.
	ErrRequest = errors.New("carbon: request refused")
	// ErrBody: what came is not what the API documents: cut off, too large, not JSON, another zone or unit.
	ErrBody = errors.New("carbon: unusable answer")
	// ErrUnavailable: the API or the way to it is down.
	ErrUnavailable = errors.New("carbon: unavailable")
	// ErrResting: the API failed so often that it is not asked for a while.
	ErrResting = errors.New("carbon: not asked after repeated failures")
)

// APIError is a failed call to a provider's API. It holds no key, and no URL.
type APIError struct {
	Source string
	Kind   error         // one of ErrAuth ... ErrResting
	Code   int           // the HTTP status; 0 where there was none
	Detail string        // what the API said, shortened
	After  time.Duration // how long to leave it alone; 0 where nothing is known about that
	Err    error         // the cause; may be nil

	unasked bool // no call was made
}

// Error names the source, the kind and the status.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "carbon: %s", e.Source)
	if e.Kind != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Kind.Error(), "carbon: "))
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (%s)", strings.TrimSpace(fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))))
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.After > 0 {
		fmt.Fprintf(&b, "; retry after %v", e.After)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the kind and the cause.
func (e *APIError) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Permanent reports whether asking the same again is useless until somebody changes something.
func (e *APIError) Permanent() bool {
	switch e.Kind {
	case ErrAuth, ErrPlan, ErrNoCoverage, ErrRequest:
		return true
	case ErrGone:
		return e.Code == http.StatusGone
	}
	return false
}

// RetryAfter is how long to leave the API alone; 0 where nothing is known about that.
func (e *APIError) RetryAfter() time.Duration { return e.After }

// again reports whether the same call is worth a further attempt at once.
func (e *APIError) again() bool {
	switch e.Kind {
	case ErrQuota, ErrUnavailable:
		return !e.unasked
	case ErrBody:
		return errors.Is(e.Err, io.ErrUnexpectedEOF) // cut off on the way
	}
	return false
}

// statusError classifies an answer that is not 200 by the body that came with it; detail is what of it may be shown.
func statusError(source string, resp *http.Response, body []byte, detail string, now time.Time) *APIError {
	e := &APIError{Source: source, Code: resp.StatusCode, Detail: detail}
	said := strings.ToLower(strings.TrimSpace(string(body)))
	spoken := strings.HasPrefix(said, "{") // by the API itself, not by the server before it
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		e.Kind = ErrQuota
	case code == http.StatusPaymentRequired, code == http.StatusForbidden && spoken, // it knows who asks
		code == http.StatusUnauthorized && (strings.Contains(said, "unauthorized for zone") || strings.Contains(said, "endpoint not available")):
		e.Kind = ErrPlan
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		e.Kind = ErrAuth
	case code == http.StatusNotFound && spoken, code == http.StatusBadRequest && namesZone(said):
		e.Kind = ErrNoCoverage
	case code == http.StatusGone, code == http.StatusNotFound:
		e.Kind = ErrGone
	case code >= 500, code == http.StatusRequestTimeout:
		e.Kind = ErrUnavailable
	default:
		e.Kind = ErrRequest
	}
	if e.Kind == ErrQuota || e.Kind == ErrUnavailable {
		e.After = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	return e
}

// namesZone reports whether a refusal is about the grid zone and not about a time zone.
func namesZone(said string) bool {
	return strings.Contains(strings.NewReplacer("time zone", "", "timezone", "", "time-zone", "").Replace(said), "zone")
}

// transportError classifies a call that brought no status.
func transportError(source string, err error) *APIError {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = errors.New(err.Error()) // a limit of the client or the network, not the caller's
	}
	e := &APIError{Source: source, Kind: ErrUnavailable, Err: err}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		e.Kind = ErrGone
	}
	return e
}

// maxRetryAfter bounds what a header can ask for: a longer time is a mistake or a date of another year.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header in seconds or as an HTTP date (RFC 9110, section 10.2.3); 0 where there is none to read.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
