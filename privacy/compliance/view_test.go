package compliance

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDigests: other evidence has another hash, whatever is wrong with it, and what JSON cannot tell from other evidence is refused.
func TestDigests(t *testing.T) {
	t.Parallel()
	a, now := newAssessor(t), testNow()
	owner := func(change func(*Evidence)) Finding {
		e := good()
		change(&e)
		got := a.Assess("x", e, now)
		_, err := json.Marshal(got)
		require.NoError(t, err)
		require.NotEmpty(t, got.Hash)
		return finding(t, got, "pipeda-1-owner")
	}
	base := owner(func(*Evidence) {})
	for _, tt := range []struct {
		name  string
		first func(*Evidence)
		other func(*Evidence) // nil for none
		want  State
	}{
		{"stale", func(e *Evidence) { e.Run.At = now.Add(-48 * time.Hour) }, func(e *Evidence) { e.Run.Value.Owner = "o" }, Unknown},
		{"future", func(e *Evidence) { e.Run.At = now.Add(48 * time.Hour) }, func(e *Evidence) { e.Run.Value.Owner = "o" }, Unknown},
		{"far future", func(e *Evidence) { e.Run.At = now.AddDate(9000, 0, 0) }, func(e *Evidence) { e.Run.Value.Owner = "o" }, Unknown},
		{"not UTF-8", func(e *Evidence) { e.Run.Value.Purpose = "a\xff" }, nil, Unknown},
		{"source not UTF-8", func(e *Evidence) { e.Run.Source = "a\xff" }, nil, Unknown},
		{"seconds in a zone", func(e *Evidence) { e.Run.Value.ModelChanged = now.In(time.FixedZone("", 59)) }, nil, Unknown},
		{"replacement character", func(e *Evidence) { e.Run.Value.Purpose = "a\uFFFD" }, func(e *Evidence) { e.Run.Value.Owner = "o" }, Pass},
	} {
		f := owner(tt.first)
		require.Equal(t, tt.want, f.State, tt.name)
		require.NotEqual(t, base.Hash, f.Hash, tt.name)
		if tt.other == nil {
			require.Contains(t, fmt.Sprint(f.Reasons), "not representable", tt.name)
			continue
		}
		g := owner(func(e *Evidence) { tt.first(e); tt.other(e) })
		require.NotEqual(t, f.Hash, g.Hash, tt.name)
	}
	zone := owner(func(e *Evidence) { e.Run.At = e.Run.At.In(time.FixedZone("", 25*3600+30)) })
	require.Equal(t, base, zone, "the moment counts, not the zone")
}

// TestWorstReasonsAreKept: notes give way to what decides the state.
func TestWorstReasonsAreKept(t *testing.T) {
	t.Parallel()
	v := &View{}
	for i := range 25 {
		v.Notef("note %d", i)
	}
	v.Unknownf("unknown")
	v.Failf("failed")
	for i := range 30 {
		v.Manualf("manual %d", i)
	}
	v.Failf("failed again")
	state, reasons := v.result()
	require.Equal(t, Fail, state)
	require.Len(t, reasons, maxReasons+1)
	for _, want := range []Reason{{Unknown, "unknown"}, {Fail, "failed"}, {Fail, "failed again"}, {Manual, "manual 0"}, {Manual, "and 38 more"}} {
		require.Contains(t, reasons, want)
	}
	require.NotContains(t, fmt.Sprint(reasons), "note")
}
