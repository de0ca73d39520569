package retry

import (
	"fmt"
	"time"
)

// Report is how a Do went. It grows with every attempt that fails, of which Policy.Attempts is the bound.
type Report struct {
	Attempts int           // that were made, the last one included
	Waited   time.Duration // between them
	Failures []Failure     // every attempt that failed, oldest first
}

// Failure is an attempt that failed.
type Failure struct {
	Attempt int           // counted from 1
	Delay   time.Duration // that the policy put before it
	Err     error
}

func (r *Report) failed(delay time.Duration, err error) {
	r.Failures = append(r.Failures, Failure{r.Attempts, delay, err})
}

// gaveUp is the error of a Do that ends with that of its last attempt.
func (r *Report) gaveUp(last error) error {
	if p, ok := last.(*permanentError); ok {
		last = p.err
	}
	if r.Attempts < 2 {
		return last
	}
	return &GaveUpError{Attempts: r.Attempts, Err: last, Failures: r.Failures}
}

// stopped is the error of a Do that ends for another reason than that of its last attempt, if there was one.
func (r *Report) stopped(why, last error) error {
	if r.Attempts == 0 {
		return fmt.Errorf("retry: stopped before the first attempt: %w", why)
	}
	return &GaveUpError{Attempts: r.Attempts, Err: fmt.Errorf("%w; last error: %w", why, last), Failures: r.Failures}
}
