package privacy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Any sequence of steps, batches, merges, restarts and questions leaves the counts of a naive model, and answers as one accountant that
// recorded the totals at once.
func FuzzAccountants(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0x13, 0x24, 0x35, 0x46, 0x57, 0x68, 0x79})
	f.Add([]byte{0x10, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x11, 0x21, 0x31})
	f.Fuzz(func(t *testing.T, ops []byte) {
		events := []Event{sampled(.01, 1), sampled(.02, 2), plain(5), sampled(0, 1), sampled(1, 4)}
		model, side := make(map[Event]int), make(map[Event]int)
		a, b := new(RDP), new(Best)
		for _, op := range ops[:min(len(ops), 60)] {
			e := events[int(op>>4)%len(events)]
			switch op & 7 {
			case 0, 1:
				require.NoError(t, a.Step(e))
				model[e]++
			case 2:
				require.NoError(t, a.Add(e, int(op)))
				model[e] += int(op)
			case 3:
				require.NoError(t, b.Step(e))
				side[e]++
			case 4:
				require.NoError(t, a.Merge(b))
				for e, n := range side {
					model[e] += n
				}
			case 5:
				state, err := a.State()
				require.NoError(t, err)
				a = new(RDP)
				require.NoError(t, a.Restore(state))
			case 6:
				_, err := a.Epsilon(1e-6)
				require.NoError(t, err)
				_, err = a.Delta(float64(op) / 50)
				require.NoError(t, err)
			case 7: // an older or a foreign state raises counts, and lowers none
				state, err := b.State()
				require.NoError(t, err)
				require.NoError(t, a.Restore(state))
				for e, n := range side {
					model[e] = max(model[e], n)
				}
			}
		}
		var whole RDP
		for e, n := range model {
			require.NoError(t, whole.Add(e, n))
		}
		want, err := whole.Epsilon(1e-5)
		require.NoError(t, err)
		got, err := a.Epsilon(1e-5)
		require.NoError(t, err)
		require.Equal(t, want, got)
		wantState, err := whole.State()
		require.NoError(t, err)
		gotState, err := a.State()
		require.NoError(t, err)
		require.Equal(t, string(wantState), string(gotState))
	})
}
