package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want breaker.Outcome
	}{
		{nil, breaker.Success},
		{errFailed, breaker.Failure},
		{context.Canceled, breaker.Neutral},
		{fmt.Errorf("step: %w", context.Canceled), breaker.Neutral},
		{context.DeadlineExceeded, breaker.Failure},
		{verdict{true}, breaker.Neutral},
		{verdict{false}, breaker.Failure},
		{fmt.Errorf("%w: %w", context.Canceled, verdict{false}), breaker.Failure}, // a watchdog's cancellation
		{errors.Join(errFailed, verdict{true}), breaker.Neutral},
	} {
		require.Equal(t, tt.want, breaker.Classify(tt.err), "%v", tt.err)
	}
}

func TestOwnClassifier(t *testing.T) {
	t.Parallel()
	b := newBreaker(t, breaker.Config{Failures: 2, Classify: func(err error) breaker.Outcome {
		switch err.Error() {
		case "not found":
			return breaker.Success
		case "unknown":
			return breaker.Outcome(77)
		case "panic":
			panic(err)
		}
		return breaker.Neutral
	}})
	_ = ends(b, errFailed)
	_ = ends(b, errors.New("not found"))
	require.Equal(t, breaker.Counts{Successes: 1, Neutral: 1}, b.Counts())
	_ = ends(b, errors.New("unknown"))
	require.Equal(t, breaker.Counts{Successes: 1, Neutral: 1, Failures: 1, ConsecutiveFailures: 1}, b.Counts())
	_ = ends(b, errors.New("not found"))
	require.Panics(t, func() { _ = ends(b, errors.New("panic")) })
	require.EqualValues(t, 1, b.Counts().ConsecutiveFailures, "a classifier that panics does not hide the failure")
	token, err := b.Admit(t.Context())
	require.NoError(t, err)
	require.Panics(t, func() { b.Done(token, errors.New("panic")) })
	require.Equal(t, breaker.Open, b.State())
}

func TestStrings(t *testing.T) {
	t.Parallel()
	require.Equal(t, "closed half-open open state 9", fmt.Sprint(breaker.Closed, " ", breaker.HalfOpen, " ", breaker.Open, " ", breaker.State(9)))
	require.Equal(t, "failure success neutral outcome 9", fmt.Sprint(breaker.Failure, " ", breaker.Success, " ", breaker.Neutral, " ", breaker.Outcome(9)))
	seen := map[string]bool{}
	for r := breaker.FailuresReached; r <= breaker.HalfOpenOver; r++ {
		require.NotContains(t, r.String(), "reason")
		require.False(t, seen[r.String()])
		seen[r.String()] = true
	}
	require.Equal(t, "reason 0", breaker.Reason(0).String())
	require.Equal(t, "reason 12", breaker.Reason(12).String())
	for state := breaker.Closed; state <= breaker.Disabled; state++ {
		text, err := state.MarshalText()
		require.NoError(t, err)
		require.Equal(t, state.String(), string(text))
		var again breaker.State
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, state, again)
	}
	_, err := breaker.State(6).MarshalText()
	require.EqualError(t, err, "breaker: State 6 is not below 6")
}
