package recovery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// behaviour is an error as other packages have them.
type behaviour struct{ permanent, neutral, memory, data, unknown bool }

func (behaviour) Error() string        { return "behaviour" }
func (b behaviour) Permanent() bool    { return b.permanent }
func (b behaviour) Neutral() bool      { return b.neutral }
func (b behaviour) OutOfMemory() bool  { return b.memory }
func (b behaviour) BadData() bool      { return b.data }
func (b behaviour) StateUnknown() bool { return b.unknown }

func TestClassify(t *testing.T) {
	t.Parallel()
	plain := errors.New("connection reset")
	for _, tt := range []struct {
		err  error
		want Class
	}{
		{plain, Transient},
		{context.DeadlineExceeded, Transient},
		{&retry.OverranError{Limit: time.Second}, Transient},
		{fmt.Errorf("%w: %w", &retry.OverranError{Limit: 1}, context.Canceled), Transient},
		{context.Canceled, Cancelled},
		{behaviour{}, Transient},
		{behaviour{neutral: true}, Transient},
		{behaviour{memory: true}, OutOfMemory},
		{syscall.ENOMEM, OutOfMemory},
		{behaviour{data: true}, BadData},
		{behaviour{permanent: true, neutral: true}, Refused},
		{behaviour{permanent: true}, Permanent},
		{retry.Permanent(plain), Permanent},
		{behaviour{permanent: true, unknown: true}, StateUnknown},
		{&DivergenceError{}, Diverged},
		{Mark(plain, OutOfMemory), OutOfMemory},
		{Mark(behaviour{permanent: true}, BadData), BadData},
		{Mark(plain, 99), Transient},
	} {
		require.Equal(t, tt.want, Classify(tt.err), "%#v", tt.err)
		require.Equal(t, tt.want, Classify(fmt.Errorf("batch 3: %w", tt.err)), "%#v", tt.err)
	}
	require.NoError(t, Mark(nil, BadData))
	require.EqualError(t, Mark(plain, BadData), plain.Error())
	require.ErrorIs(t, Mark(plain, BadData), plain)
	for c := range classes {
		require.NotContains(t, c.String(), "class ")
	}
	require.Equal(t, "class 99", Class(99).String())
	for a := range actions {
		require.NotContains(t, a.String(), "action ")
	}
	require.Equal(t, "action 99", Action(99).String())
}

func TestPlan(t *testing.T) {
	t.Parallel()
	do := func(context.Context, Failure) error { return nil }
	for _, tt := range []struct {
		class Class
		s     Strategy
		want  string
	}{
		{Diverged, Strategy{Action: Retry}, "only a Rollback"},
		{Diverged, Strategy{Action: Degrade, Do: do}, "only a Rollback"},
		{Diverged, Strategy{Action: Skip}, "only a Rollback"},
		{Diverged, Strategy{Action: Rollback, Back: 100, Skip: 100}, "want Skip above Back (100), have 100"},
		{Diverged, Strategy{Action: Rollback}, "want Skip above Back (0), have 0"},
		{StateUnknown, Strategy{Action: Retry}, "only a Rollback"},
		{Cancelled, Strategy{Action: Retry}, "must not be held"},
		{Transient, Strategy{Action: Degrade}, "would change nothing"},
		{Transient, Strategy{Action: Continue}, "no way to recover"},
		{Transient, Strategy{Action: 99}, "no way to recover"},
		{Transient, Strategy{Action: Retry, Times: -1}, "Times"},
		{Transient, Strategy{Action: Retry, Back: 1}, "only Rollback goes back"},
		{Transient, Strategy{Action: Retry, Skip: 1}, "leave out"},
		{Transient, Strategy{Action: Stop, Do: do}, "have a Do"},
		{Transient, Strategy{Action: Rollback, Back: 1 << 50}, "at most"},
		{99, Strategy{Action: Stop}, "no class 99"},
	} {
		_, err := Plan{tt.class: {tt.s}}.complete()
		require.ErrorContains(t, err, tt.want)
	}
	full, err := Plan{Transient: {{Action: Skip}}}.complete()
	require.NoError(t, err)
	require.Len(t, full, int(classes))
	require.Equal(t, []Strategy{{Action: Skip, Times: 1, Skip: 1}}, full[Transient])
	require.EqualValues(t, 200, full[Diverged][0].Skip)
}

func TestMicroConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  MicroConfig
		want string
	}{
		{MicroConfig{Size: 3}, "Logical is 0"},
		{MicroConfig{Logical: -3}, "Logical is -3"},
		{MicroConfig{Logical: 8, Size: 9}, "Size is 9"},
		{MicroConfig{Logical: 8, Floor: 9}, "Floor is 9"},
		{MicroConfig{Logical: 8, Margin: 1}, "Margin is 1"},
		{MicroConfig{Logical: 8, Size: 3, Fixed: true}, "multiple"},
		{MicroConfig{Logical: 8, Fixed: true}, "OnChange"},
	} {
		_, err := newSizer(tt.cfg)
		require.ErrorContains(t, err, tt.want)
	}
}

func TestShrinkKeepsTheLogicalBatch(t *testing.T) {
	t.Parallel()
	z, err := newSizer(MicroConfig{Logical: 96, Floor: 6})
	require.NoError(t, err)
	ctx := t.Context()
	for _, want := range []Micro{{48, 2, 96}, {24, 4, 96}, {12, 8, 96}, {6, 16, 96}} {
		ok, err := z.shrink(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, z.micro())
	}
	ok, err := z.shrink(ctx)
	require.NoError(t, err)
	require.False(t, ok, "the floor")
	require.Equal(t, 6, z.micro().Size)
}

// R39: after running out of memory the size grows back in small steps, keeps a margin, and never comes near what failed.
func TestGrowStaysBelowWhatFailed(t *testing.T) {
	t.Parallel()
	for limit := 1; limit <= 128; limit++ { // how much memory there is
		z, err := newSizer(MicroConfig{Logical: 128, GrowAfter: 3})
		require.NoError(t, err)
		ctx := t.Context()
		failures, lowest := 0, 1<<30
		for range 500 {
			size := z.micro().Size
			require.Less(t, size, lowest, "never a size that failed, or a larger one")
			if size > limit {
				failures++
				lowest = size
				ok, _ := z.shrink(ctx)
				require.True(t, ok)
				continue
			}
			_, err := z.grow(ctx)
			require.NoError(t, err)
		}
		require.LessOrEqual(t, failures, 10)
		require.LessOrEqual(t, z.micro().Size, limit)
		require.Greater(t, 10*z.micro().Size, 6*min(limit, 100), "and finds back to most of what fits: %d of %d", z.micro().Size, limit)
		if z.failed > 1 {
			require.LessOrEqual(t, float64(z.micro().Size), max(1, 0.9*float64(z.failed)))
		}
	}
}

func TestFixedAccumulationTellsOfTheRate(t *testing.T) {
	t.Parallel()
	var told []Micro
	refuse := errors.New("no budget for that rate")
	fail := false
	z, err := newSizer(MicroConfig{Logical: 64, Size: 16, Fixed: true, GrowAfter: 2, OnChange: func(_ context.Context, from, to Micro) error {
		if fail {
			return refuse
		}
		told = append(told, from, to)
		return nil
	}})
	require.NoError(t, err)
	ctx := t.Context()
	require.Equal(t, Micro{16, 4, 64}, z.micro())
	ok, err := z.shrink(ctx)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []Micro{{16, 4, 64}, {8, 4, 32}}, told)
	require.Equal(t, Micro{8, 4, 32}, z.micro())
	fail = true
	ok, err = z.shrink(ctx)
	require.ErrorIs(t, err, refuse)
	require.False(t, ok)
	require.Equal(t, Micro{8, 4, 32}, z.micro(), "what was not agreed to does not happen")
	z, err = newSizer(z.cfg)
	require.NoError(t, err)
	require.ErrorIs(t, z.resume(ctx, 8, 16), refuse, "nor on resuming")
	fail, told = false, nil
	require.NoError(t, z.resume(ctx, 8, 16))
	require.Equal(t, []Micro{{16, 4, 64}, {8, 4, 32}}, told)
	require.NoError(t, z.resume(ctx, math.MaxInt32, 0))
	require.LessOrEqual(t, z.micro().Size, 14)
}
