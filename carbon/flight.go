package carbon

import (
	"context"
	"errors"
	"sync"
)

// flights lets concurrent callers with the same key share one call. The first makes it, in its own goroutine and with its
// own context; if that context ends, one of those that wait makes a call of its own. The zero value is ready.
type flights[T any] struct {
	mu    sync.Mutex
	calls map[string]*flight[T]
}

type flight[T any] struct {
	done    chan struct{}
	value   T
	err     error
	dropped bool // the caller gave up or panicked: what it got says nothing
}

func (f *flights[T]) do(ctx context.Context, key string, call func(context.Context) (T, error)) (T, error) {
	for {
		f.mu.Lock()
		if under, busy := f.calls[key]; busy {
			f.mu.Unlock()
			select {
			case <-under.done:
			case <-ctx.Done():
				var none T
				return none, context.Cause(ctx)
			}
			if under.dropped {
				continue
			}
			return under.value, under.err
		}
		own := &flight[T]{done: make(chan struct{}), dropped: true}
		if f.calls == nil {
			f.calls = make(map[string]*flight[T])
		}
		f.calls[key] = own
		f.mu.Unlock()
		f.lead(ctx, key, own, call)
		return own.value, own.err
	}
}

func (f *flights[T]) lead(ctx context.Context, key string, own *flight[T], call func(context.Context) (T, error)) {
	defer func() { // also when call panics
		f.mu.Lock()
		delete(f.calls, key)
		f.mu.Unlock()
		close(own.done)
	}()
	own.value, own.err = call(ctx)
	own.dropped = own.err != nil && (ctx.Err() != nil || errors.Is(own.err, errEarly))
}
