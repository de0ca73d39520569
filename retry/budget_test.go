package retry_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/retry"
)

// What a Runner asks of what is in its Attempt.
type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}

var (
	_ admitter = (*retry.Budget)(nil)
	_ admitter = (*retry.Adaptive)(nil)
)

// neutralError is the refusal of something that is no failure.
type neutralError struct{}

func (neutralError) Error() string { return "refused" }
func (neutralError) Neutral() bool { return true }

func TestBudget(t *testing.T) {
	t.Parallel()
	b := new(retry.Budget)
	p := retry.Policy{Attempts: math.MaxInt, Delays: retry.Constant(0), Budget: b}
	for i, tt := range []struct {
		event string
		err   error
		again bool
		left  float64
	}{
		{"failed", errTransient, true, 9},
		{"failed", errTransient, true, 8},
		{"refused", neutralError{}, true, 8},
		{"permanent", fatalError{}, false, 8},
		{"cancelled", context.Canceled, false, 8},
		{"failed", errTransient, true, 7},
		{"failed", errTransient, true, 6},
		{"succeeded", nil, false, 6.1},
		{"failed", errTransient, true, 5.1},
		{"failed", errTransient, false, 4.1},
		{"refused", neutralError{}, false, 4.1},
		{"failed", errTransient, false, 3.1},
		{"failed", errTransient, false, 2.1},
		{"failed", errTransient, false, 1.1},
		{"failed", errTransient, false, 0.1},
		{"failed", errTransient, false, 0},
		{"failed", errTransient, false, 0},
		{"succeeded", nil, false, 0.1},
	} {
		again := false
		if tt.err == nil {
			b.Done(0, nil)
		} else {
			_, again = p.Next(1, 0, tt.err)
			b.Done(0, tt.err) // takes nothing: Next did
		}
		require.Equal(t, tt.again, again, "%d %s", i, tt.event)
		require.InDelta(t, tt.left, b.Left(), 1e-9, "%d %s", i, tt.event)
	}
	for range 49 {
		b.Done(0, nil)
	}
	require.InDelta(t, 5, b.Left(), 1e-9)
	_, again := p.Next(1, 0, neutralError{})
	require.False(t, again, "not at half, but above")
	b.Done(0, nil)
	_, again = p.Next(1, 0, neutralError{})
	require.True(t, again)
	for range 1000 {
		b.Done(0, nil)
	}
	require.InDelta(t, 10, b.Left(), 1e-9, "not above full")
}

func TestBudgetLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		budget  *retry.Budget
		retries int     // until it is spent
		back    float64 // per success
	}{
		{&retry.Budget{}, 4, 0.1},
		{&retry.Budget{Tokens: -1, Ratio: -1}, 4, 0.1},
		{&retry.Budget{Tokens: 1}, 0, 0.1},
		{&retry.Budget{Tokens: 3, Ratio: 0.5466}, 1, 0.547},
		{&retry.Budget{Tokens: 100, Ratio: 1e-9}, 49, 0.001},
		{&retry.Budget{Tokens: 100, Ratio: math.Inf(1)}, 49, 50},
		{&retry.Budget{Tokens: 100, Ratio: math.NaN()}, 49, 0.1},
		{&retry.Budget{Tokens: math.MaxInt}, 499_999, 0.1},
	} {
		b := tt.budget
		p := retry.Policy{Attempts: math.MaxInt, Delays: retry.Constant(0), Budget: b}
		retries := 0
		for again := true; again; {
			if _, again = p.Next(1, 0, errTransient); again {
				retries++
			}
		}
		require.Equal(t, tt.retries, retries, "%d, %v", b.Tokens, b.Ratio)
		left := b.Left()
		b.Done(0, nil)
		require.InDelta(t, tt.back, b.Left()-left, 1e-9, "%d, %v", b.Tokens, b.Ratio)
	}
	var none *retry.Budget
	none.Done(0, nil)
	require.True(t, math.IsInf(none.Left(), 1))
	_, again := retry.Policy{Budget: none}.Next(1, 0, errTransient)
	require.True(t, again)
}

// What is refused keeps its cause, and says that it is the budget.
func TestBudgetInDo(t *testing.T) {
	t.Parallel()
	b := &retry.Budget{Tokens: 4}
	p := retry.Policy{Attempts: 10, Delays: retry.Constant(0), Budget: b}
	r, err := p.DoReport(t.Context(), func(context.Context) error { return errTransient })
	require.Equal(t, 2, r.Attempts)
	require.ErrorIs(t, err, retry.ErrBudget)
	require.ErrorIs(t, err, errTransient)
	require.EqualError(t, err, "retry: failed after 2 attempts: retry: the budget for retries is spent; last error: transient")
	r, err = p.DoReport(t.Context(), func(context.Context) error { return errTransient })
	require.Equal(t, 1, r.Attempts, "the first attempt is not a retry")
	require.ErrorIs(t, err, retry.ErrBudget)
	require.ErrorIs(t, err, errTransient)

	_, err = retry.Policy{Attempts: 1, Budget: b}.DoReport(t.Context(), func(context.Context) error { return errTransient })
	require.Same(t, errTransient, err, "there was to be no retry anyway")

	for range 30 {
		require.NoError(t, p.Do(t.Context(), func(context.Context) error { return nil }))
	}
	require.InDelta(t, 3, b.Left(), 1e-9)
	calls := 0
	require.NoError(t, p.Do(t.Context(), func(context.Context) error {
		if calls++; calls == 1 {
			return neutralError{}
		}
		return nil
	}))
}

// During an outage the load is what it would be without retries; before and after it every failure is retried.
func TestBudgetBoundsTheLoad(t *testing.T) {
	t.Parallel()
	load := func(p retry.Policy) (calls, failed int) {
		for i := range 3000 {
			try := 0
			err := p.Do(t.Context(), func(context.Context) error {
				calls++
				try++
				if i >= 1000 && i < 2000 || i%20 == 0 && try == 1 { // an outage, and 5 % of failures that a retry cures
					return errTransient
				}
				return nil
			})
			if err != nil {
				failed++
			}
		}
		return calls, failed
	}
	calls, failed := load(retry.Policy{Delays: retry.Constant(0)})
	require.Equal(t, 3*1000+2000+100, calls)
	require.Equal(t, 1000, failed)
	calls, failed = load(retry.Policy{Delays: retry.Constant(0), Budget: new(retry.Budget)})
	require.Equal(t, 3000+100+3-6, calls, "five failures stop it; afterwards six cheap retries come too early")
	require.Equal(t, 1006, failed)
}

func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	b := &retry.Budget{Tokens: 1000, Ratio: 0.5}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p := retry.Policy{Attempts: 2, Delays: retry.Constant(0), Budget: b}
			for i := range 200 {
				_ = p.Do(t.Context(), func(context.Context) error {
					if i%2 == 0 {
						return errTransient
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
	require.Less(t, b.Left(), 1000.0)
	require.GreaterOrEqual(t, b.Left(), 0.0)
	for range 2000 {
		b.Done(0, nil)
	}
	require.InDelta(t, 1000, b.Left(), 1e-9)
}

// FuzzBudget compares with a model in plain numbers.
func FuzzBudget(f *testing.F) {
	f.Add(10, 0.1, []byte{0, 0, 0, 0, 0, 1, 1, 2, 3, 4})
	f.Add(3, 2.5, []byte{0, 0, 1, 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, tokens int, ratio float64, events []byte) {
		if tokens < 1 || tokens > 1000 || !(ratio >= 0.001 && ratio <= 100) {
			t.Skip()
		}
		b := &retry.Budget{Tokens: tokens, Ratio: ratio}
		p := retry.Policy{Attempts: 2, Delays: retry.Constant(0), Budget: b}
		back := math.Round(ratio*1000) / 1000
		left := float64(tokens)
		for _, event := range events {
			want, again := false, false
			switch event % 5 {
			case 0:
				_, again = p.Next(1, 0, errTransient)
				left = max(0, left-1)
				want = left > float64(tokens)/2+1e-6
			case 1:
				b.Done(0, nil)
				left = min(float64(tokens), left+back)
			case 2:
				_, again = p.Next(1, 0, neutralError{})
				want = left > float64(tokens)/2+1e-6
			case 3:
				_, again = p.Next(2, 0, errors.New("last attempt"))
				left = max(0, left-1)
			case 4:
				_, again = p.Next(1, 0, fatalError{})
			}
			require.Equal(t, want, again)
			require.InDelta(t, left, b.Left(), 1e-6)
		}
	})
}

// In a Runner the budget is among the admitters of an attempt, and so learns of success.
func TestBudgetInARunner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &retry.Budget{Tokens: 4, Ratio: 0.5}
		run := surefoot.Runner[int, int]{Retry: retry.Policy{Attempts: 5, Delays: retry.Constant(time.Second), Budget: b}, Attempt: []surefoot.Admitter{b}}
		calls, failures := 0, 1
		step := func(context.Context, int) (int, error) {
			if calls++; calls <= failures {
				return 0, errTransient
			}
			return calls, nil
		}
		_, err := run.Do(t.Context(), 0, step)
		require.NoError(t, err)
		require.Equal(t, 2, calls)
		require.InDelta(t, 3.5, b.Left(), 1e-9)

		calls, failures = 0, 100
		_, err = run.Do(t.Context(), 0, step)
		require.ErrorIs(t, err, errTransient)
		require.Equal(t, 2, calls, "3.5 - 2 is not above half")
		calls = 0
		_, err = run.Do(t.Context(), 0, step)
		require.ErrorIs(t, err, errTransient)
		require.Equal(t, 1, calls)

		calls, failures = 0, 0
		for range 5 {
			_, err = run.Do(t.Context(), 0, step)
			require.NoError(t, err)
		}
		require.InDelta(t, 3, b.Left(), 1e-9)
		calls, failures = 0, 1
		_, err = run.Do(t.Context(), 0, step)
		require.ErrorIs(t, err, errTransient, "3 - 1 is half")
	})
}
