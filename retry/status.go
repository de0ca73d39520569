package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// StatusError is the answer of an HTTP server that was not a success. See [Status].
type StatusError struct {
	Code int           // 503 for example
	Wait time.Duration // until which the server asked not to be asked again; zero if it did not say
}

// Status makes an error of the status code and the Retry-After header of an HTTP response; now is needed for a header that
// is a date. The error is nil for codes from 100 to 399 and permanent for those from 400 to 499, which say that the request
// is wrong, but for 408 (Request Timeout) and 429 (Too Many Requests), which like 5xx say that it came at a bad time. A
// header that cannot be read is taken for none.
func Status(code int, retryAfter string, now time.Time) error {
	if code >= 100 && code < 400 {
		return nil
	}
	wait, _ := After(retryAfter, now)
	return &StatusError{Code: code, Wait: wait}
}

func (e *StatusError) Error() string {
	if e.Wait > 0 {
		return fmt.Sprintf("retry: HTTP status %d, to come back after %v", e.Code, e.Wait)
	}
	return fmt.Sprintf("retry: HTTP status %d", e.Code)
}

// Permanent reports whether the same request will not do better another time.
func (e *StatusError) Permanent() bool {
	return e.Code >= 400 && e.Code < 500 && e.Code != 408 && e.Code != 429
}

// Timeout reports whether a server says that time ran out: 408, and 504 (Gateway Timeout).
func (e *StatusError) Timeout() bool { return e.Code == 408 || e.Code == 504 }

// RetryAfter returns the time that the server asked to be left alone.
func (e *StatusError) RetryAfter() time.Duration { return e.Wait }

// TimedOut reports whether err says that something took too long: an attempt that overran, a deadline, the timeout of a
// network operation or of an http.Client. It fits the Match of a [Class].
func TimedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, ErrOverran) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
