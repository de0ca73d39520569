package gpu

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/surefoot-ml/surefoot/resources"
)

// TestRealGPU reads the GPUs of this machine, if there are any, prints all it sees, and holds it against itself:
//
//	go test -run TestRealGPU -v ./resources/gpu
func TestRealGPU(t *testing.T) {
	r, err := NewReader(Config{Timeout: 30 * time.Second})
	require.NoError(t, err)
	first, err := r.Read(t.Context())
	if errors.Is(err, ErrNoDriver) || errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Logf("errors: %v", err)
	}
	const readings = 20
	began := time.Now()
	var last []Device
	for range readings {
		last, err = r.Read(t.Context())
		if err != nil {
			t.Logf("errors: %v", err)
		}
	}
	report := map[string]any{
		"devices": last, "milliseconds_per_reading": float64(time.Since(began).Microseconds()) / 1e3 / readings,
	}
	for _, d := range last {
		report["health of "+d.UUID] = Health(d, time.Time{})
	}
	text, err := json.MarshalIndent(report, "", "  ")
	require.NoError(t, err)
	fmt.Printf("%s\n", text)

	require.Len(t, last, len(first))
	for i, d := range last {
		consistent(t, first[i], d)
	}
	var ids []string
	require.NoError(t, r.ReadGPUs(t.Context(), func(id, _ string, _, _, _, _, _ float64) { ids = append(ids, id) }))
	require.Len(t, ids, len(last))
	require.NoError(t, r.Close(t.Context()))
	_, err = r.Read(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

// consistent holds two readings of a GPU against each other and the last against physics.
func consistent(t *testing.T, first, d Device) {
	require.Equal(t, first.UUID, d.UUID)
	require.Equal(t, first.Name, d.Name)
	if d.Lost {
		return
	}
	require.NotEmpty(t, d.UUID)
	require.NotEmpty(t, d.Name)
	require.NotEmpty(t, d.PCI)
	require.True(t, d.MemoryTotal.OK && d.MemoryUsed.OK)
	require.Positive(t, d.MemoryTotal.V)
	require.LessOrEqual(t, d.MemoryUsed.V+d.MemoryReserved.V, d.MemoryTotal.V)
	within := func(v resources.Value[float64], low, high float64, what string) {
		if v.OK {
			require.True(t, v.V >= low && v.V <= high, "%s %v is not in [%v, %v]", what, v.V, low, high)
		}
	}
	within(d.Busy, 0, 1, "busy")
	within(d.MemoryBusy, 0, 1, "memory busy")
	within(d.Temperature, -20, 130, "temperature")
	within(d.Power, 0, 3000, "power")
	within(d.PowerLimit, 1, 3000, "power limit")
	if d.Clock.OK && d.MaxClock.OK {
		within(d.Clock, 0, d.MaxClock.V, "clock")
	}
	if d.SlowdownAt.OK && d.ShutdownAt.OK {
		require.LessOrEqual(t, d.SlowdownAt.V, d.ShutdownAt.V)
	}
	if d.Energy.OK {
		require.GreaterOrEqual(t, d.Energy.V, first.Energy.V)
	}
	if d.Split.V {
		require.False(t, d.Busy.OK)
		var sum uint64
		for _, s := range d.Slices {
			sum += s.MemoryTotal.V
		}
		require.LessOrEqual(t, sum, d.MemoryTotal.V)
	} else {
		require.Nil(t, d.Slices)
	}
	require.True(t, slices.IsSortedFunc(d.Events, func(a, b Event) int { return a.At.Compare(b.At) }))
}
