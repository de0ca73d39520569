package resources

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLimitGoMemory is not parallel: the limit is that of the process.
func TestLimitGoMemory(t *testing.T) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Skip("the tests run under a memory limit")
	}
	const gib = 1 << 30
	container := Memory{Total: Of(uint64(64 * gib)), Available: Of(uint64(gib)), Limited: true}
	now := func() int64 { return debug.SetMemoryLimit(-1) }

	t.Setenv("GOMEMLIMIT", "off")
	l, err := LimitGoMemory(container, 0)
	require.NoError(t, err)
	require.False(t, l.Set)
	require.Equal(t, "GOMEMLIMIT is in the environment", l.Why)
	require.Equal(t, int64(math.MaxInt64), now())
	t.Setenv("GOMEMLIMIT", "")

	l, err = LimitGoMemory(container, 0)
	require.NoError(t, err)
	t.Cleanup(func() { debug.SetMemoryLimit(math.MaxInt64) })
	require.True(t, l.Set)
	require.InDelta(t, .9*64*gib, float64(now()), 1)
	require.Equal(t, now(), l.Limit)
	require.Equal(t, int64(math.MaxInt64), l.Was)

	second, err := LimitGoMemory(container, .5)
	require.NoError(t, err)
	require.False(t, second.Set, "what is set already stays")
	require.Equal(t, l.Limit, second.Limit)
	require.False(t, second.Undo())
	require.Equal(t, l.Limit, now())

	require.True(t, l.Undo())
	require.Equal(t, int64(math.MaxInt64), now())
	require.False(t, l.Undo(), "once")

	l, err = LimitGoMemory(container, .25)
	require.NoError(t, err)
	require.Equal(t, int64(48*gib), l.Limit)
	debug.SetMemoryLimit(60 * gib)
	require.False(t, l.Undo(), "somebody has set another one since")
	require.Equal(t, int64(60*gib), now())
	debug.SetMemoryLimit(math.MaxInt64)

	for name, m := range map[string]Memory{
		"absent":        {},
		"no limit":      {Total: Of(uint64(gib)), Available: Of(uint64(gib))},
		"a limit of 0":  {Total: Of(uint64(0)), Limited: true},
		"an absent one": {Total: Value[uint64]{V: gib}, Limited: true},
	} {
		l, err := LimitGoMemory(m, 0)
		require.False(t, l.Set, name)
		require.Equal(t, name != "no limit", err != nil, name)
		require.False(t, l.Undo(), name)
	}
	for _, headroom := range []float64{-1, 1, 2, math.NaN()} {
		_, err := LimitGoMemory(container, headroom)
		require.ErrorContains(t, err, "resources: Go memory limit: headroom")
	}
	huge, err := LimitGoMemory(Memory{Total: Of(uint64(math.MaxUint64)), Limited: true}, 0)
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64/2+1), huge.Limit)
	require.True(t, huge.Undo())
	require.False(t, GoMemoryLimit{}.Undo())
}
