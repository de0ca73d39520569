package surefoot

import "context"

// Admitter is a policy that admits a batch or an attempt, and learns how it ended. It must be safe for concurrent use if
// the Runner is used by several goroutines. Its methods use only types of the standard library, so that a package can
// satisfy it without importing this one.
type Admitter interface {
	// Admit returns nil to let the step run, or the reason why not. It may wait, until ctx ends. After an error the
	// admitter holds nothing for this step, and Done is not called.
	Admit(ctx context.Context) (token uint64, err error)
	// Done is called exactly once for every successful Admit, with its token and the outcome: nil for success, the
	// error of the step, a [*RefusedError] if an admitter further in refused, a [*PanicError] if the step panicked, or
	// [ErrGoexit] if it called runtime.Goexit.
	Done(token uint64, err error)
}

// AdmitterFuncs makes an Admitter of two functions. A nil OnAdmit admits everything, a nil OnDone does nothing.
type AdmitterFuncs struct {
	OnAdmit func(ctx context.Context) (token uint64, err error)
	OnDone  func(token uint64, err error)
}

// Admit calls OnAdmit.
func (f AdmitterFuncs) Admit(ctx context.Context) (uint64, error) {
	if f.OnAdmit == nil {
		return 0, nil
	}
	return f.OnAdmit(ctx)
}

// Done calls OnDone.
func (f AdmitterFuncs) Done(token uint64, err error) {
	if f.OnDone != nil {
		f.OnDone(token, err)
	}
}

// holding is what an attempt or a batch holds: the tokens of the first n admitters. Eight fit without allocating.
type holding struct {
	n    int
	room [8]uint64
	more []uint64
}

// admit asks the admitters in order until one refuses. It counts each one that admitted at once, so that those are
// released also when the next one panics. A nil Admitter admits everything.
func (h *holding) admit(ctx context.Context, stage string, admitters []Admitter) error {
	for i, a := range admitters {
		var token uint64
		if a != nil {
			var err error
			if token, err = a.Admit(ctx); err != nil {
				return &RefusedError{Stage: stage, Index: i, Err: err}
			}
		}
		if i < len(h.room) {
			h.room[i] = token
		} else {
			h.more = append(h.more, token)
		}
		h.n++
	}
	return nil
}

// release gives the tokens back, last first. A Done that panics does not keep the admitters in front of it from theirs.
func (h *holding) release(admitters []Admitter, err error) {
	defer func() {
		if h.n > 0 {
			h.release(admitters, err)
		}
	}()
	for h.n > 0 {
		h.n--
		i := h.n
		if admitters[i] == nil {
			continue
		}
		if i < len(h.room) {
			admitters[i].Done(h.room[i], err)
		} else {
			admitters[i].Done(h.more[i-len(h.room)], err)
		}
	}
}
