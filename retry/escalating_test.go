package retry_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestEscalatingDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.EscalatingDeadline{Limit: 16 * time.Second}
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		late := func(ctx context.Context) error { <-ctx.Done(); return nil }
		fail := func(context.Context) error { return errTransient }
		succeed := func(context.Context) error { return nil }
		for _, row := range []struct {
			event string
			step  func(ctx context.Context) error
			then  time.Duration
		}{
			{"overran", hang, 24 * time.Second},
			{"failed in time", fail, 24 * time.Second},
			{"overran", hang, 36 * time.Second},
			{"overran", hang, 54 * time.Second},
			{"succeeded late", late, 80 * time.Second}, // not 81: the cap
			{"overran", hang, 80 * time.Second},
			{"succeeded", succeed, 16 * time.Second},
			{"succeeded", succeed, 16 * time.Second},
			{"overran", hang, 24 * time.Second},
		} {
			limit, start := d.Current(), time.Now()
			err := d.Do(t.Context(), row.step)
			if time.Since(start) != 0 {
				require.Equal(t, limit, time.Since(start), row.event)
			}
			if row.event == "overran" {
				require.ErrorIs(t, err, retry.ErrOverran)
			}
			require.Equal(t, row.then, d.Current(), row.event)
		}
	})
}

// Ten steps that hang side by side have overrun one limit, not ten.
func TestEscalatingSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.EscalatingDeadline{Limit: 10 * time.Second, Factor: 2, Cap: time.Hour}
		for _, want := range []time.Duration{20 * time.Second, 40 * time.Second} {
			var tokens []uint64
			for range 10 {
				_, token := d.Watch(t.Context())
				tokens = append(tokens, token)
			}
			<-time.After(d.Current())
			synctest.Wait()
			for _, token := range tokens {
				require.ErrorIs(t, d.Release(token, errTransient), retry.ErrOverran)
			}
			require.Equal(t, want, d.Current())
		}
	})
}

// What overran a limit that a success has put back meanwhile does not raise the new one.
func TestEscalatingAfterReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.EscalatingDeadline{Limit: 10 * time.Second}
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		require.Error(t, d.Do(t.Context(), hang))
		ctx, token := d.Watch(t.Context())
		<-ctx.Done()
		require.NoError(t, d.Do(t.Context(), func(context.Context) error { return nil }))
		require.ErrorIs(t, d.Release(token, errTransient), retry.ErrOverran)
		require.Equal(t, 10*time.Second, d.Current())
	})
}

// A longer limit that begins later does not put off a shorter one.
func TestOneTimerForDifferentLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.EscalatingDeadline{Limit: 16 * time.Second}
		start := time.Now()
		first, hung := d.Watch(t.Context())
		<-first.Done()
		short, second := d.Watch(t.Context())
		require.Error(t, d.Release(hung, errTransient))
		long, third := d.Watch(t.Context())
		<-short.Done()
		require.Equal(t, 32*time.Second, time.Since(start))
		<-long.Done()
		require.Equal(t, 40*time.Second, time.Since(start))
		require.Error(t, d.Release(second, errTransient))
		require.Error(t, d.Release(third, errTransient))
	})
}

func TestEscalatingExtremes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			d    *retry.EscalatingDeadline
			want time.Duration
		}{
			{&retry.EscalatingDeadline{Limit: time.Hour, Cap: time.Minute}, time.Hour},
			{&retry.EscalatingDeadline{Limit: time.Hour, Factor: math.Inf(1)}, 5 * time.Hour},
			{&retry.EscalatingDeadline{Limit: time.Hour, Factor: math.NaN()}, 90 * time.Minute},
			{&retry.EscalatingDeadline{Limit: time.Hour, Factor: math.Inf(1), Cap: math.MaxInt64}, math.MaxInt64},
		} {
			_, token := row.d.Watch(t.Context())
			<-time.After(time.Hour)
			synctest.Wait()
			require.Error(t, row.d.Release(token, errTransient))
			require.Equal(t, row.want, row.d.Current())
			_, token = row.d.Watch(t.Context())
			require.NoError(t, row.d.Release(token, nil))
		}
	})
	for _, d := range []*retry.EscalatingDeadline{nil, {}, {Limit: -1}} {
		ctx, token := d.Watch(t.Context())
		require.Equal(t, t.Context(), ctx)
		require.Equal(t, errTransient, d.Release(token, errTransient))
		require.Zero(t, d.Current())
	}
}
