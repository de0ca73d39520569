package resources

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAbsentIsNotZero(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(struct {
		A, B Value[uint64]
		C    Value[time.Duration] `json:",omitzero"`
		D    Value[float64]       `json:",omitzero"`
	}{B: Of(uint64(0)), D: Of(0.0)})
	require.NoError(t, err)
	require.JSONEq(t, `{"A":null,"B":0,"D":0}`, string(text))
}

func TestUsedShares(t *testing.T) {
	t.Parallel()
	gb := func(v uint64) Value[uint64] { return Of(v << 30) }
	for name, tc := range map[string]struct {
		total, left Value[uint64]
		want        Value[float64]
	}{
		"a quarter":          {gb(8), gb(6), Of(.25)},
		"all":                {gb(8), gb(0), Of(1.)},
		"none":               {gb(8), gb(8), Of(0.)},
		"more than there is": {gb(8), gb(9), Of(0.)},
		"a limit of zero":    {gb(0), gb(0), Of(1.)},
		"no total":           {Value[uint64]{}, gb(1), Value[float64]{}},
		"nothing":            {Value[uint64]{}, Value[uint64]{}, Value[float64]{}},
		"total only":         {gb(8), Value[uint64]{}, Value[float64]{}},
	} {
		require.Equal(t, tc.want, Memory{Total: tc.total, Available: tc.left}.Used(), name)
		require.Equal(t, tc.want, Disk{Total: tc.total, Free: tc.left}.Used(), name)
	}
}
