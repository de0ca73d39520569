package retry

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoSource is returned by a [Fallback] without sources.
var ErrNoSource = errors.New("retry: fallback without a source")

// Source is one way to a value.
type Source[T any] struct {
	Name string
	Get  Idempotent[T]
}

// Fallback asks sources in order until one answers: the live service, the cache, a constant. It is for calls without
// effects; what stands in for a failed training step is not a step, and must not be reported as one.
type Fallback[T any] []Source[T]

// Found is what a [Fallback] found.
type Found[T any] struct {
	Value  T
	Source string // the name of the source that answered
	Missed error  // why the sources before it did not, nil for the first
}

// Do returns the first value that a source returns without an error, and which source it was. If none does, it returns the
// errors of all, each with the name of its source; the whole is permanent or neutral only if every one is. When ctx ends
// no other source is asked, and the error wraps the reason too.
func (f Fallback[T]) Do(ctx context.Context) (Found[T], error) {
	var errs []error
	for _, source := range f {
		if err := ctx.Err(); err != nil {
			errs = append(errs, fmt.Errorf("retry: source %q not asked: %w", source.Name, whyEnded(ctx, err)))
			break
		}
		value, err := source.Get(ctx)
		if err == nil {
			found := Found[T]{Value: value, Source: source.Name}
			if errs != nil {
				found.Missed = allFailed(errs)
			}
			return found, nil
		}
		errs = append(errs, fmt.Errorf("retry: source %q: %w", source.Name, err))
	}
	if errs == nil {
		return Found[T]{}, ErrNoSource
	}
	if err := ctx.Err(); err != nil && len(errs) == len(f) && !errors.Is(errs[len(errs)-1], err) {
		errs = append(errs, fmt.Errorf("retry: stopped: %w", whyEnded(ctx, err)))
	}
	return Found[T]{}, allFailed(errs)
}
