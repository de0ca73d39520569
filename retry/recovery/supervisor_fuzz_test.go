package recovery

import (
	"context"
	"errors"
	"math"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzSupervisor runs random faults, failing disks and crashes against the naive truth in trainer.
func FuzzSupervisor(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 0, 7, 3, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 15, 7, 1, 0, 5, 5, 5, 5, 8, 8, 0, 0, 23, 4, 4, 9, 0, 0, 7, 0})
	f.Add([]byte{2, 0, 0, 5, 1, 7, 9, 0, 0, 0, 0, 0, 0, 0, 0, 5, 255, 6, 7, 40, 0, 0, 0, 13, 13, 13, 13})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) == 0 || len(ops) > 300 {
			return
		}
		cfg := Config{Every: 1 + uint64(ops[0]/4%4), MaxRecoveries: math.MaxInt, MaxStarts: -1, MaxRestarts: -1, MaxUnsaved: math.MaxInt}
		if ops[0]%2 == 0 {
			cfg.Undo = noUndo
		}
		b := start(t, cfg)
		left := map[uint64]bool{} // batches that some decision left out
		gone := map[uint64]bool{} // of those, the ones that no crash may bring back
		acked := uint64(0)        // a checkpoint of at least this step must be there
		leave := func(d Decision, lasting bool) {
			for _, r := range d.Skipped {
				for x := r.From; x < r.To; x++ {
					left[x] = true
					gone[x] = gone[x] || lasting && !errors.Is(d.Err, errLedger)
				}
			}
		}
		check := func() {
			b.check()
			require.GreaterOrEqual(t, b.sup.Step(), acked)
			seen := map[uint64]bool{}
			for _, x := range b.state.Seen {
				require.False(t, seen[x], "batch %d twice", x)
				require.False(t, gone[x], "batch %d was left out", x)
				seen[x] = true
			}
			for x := range b.sup.Next().Index {
				require.True(t, seen[x] || left[x], "batch %d is lost", x)
			}
		}
		process := func() {
			for b.restart() != nil { // on a disk that fails once
			}
		}
		for _, op := range ops[1:] {
			b.dir.failAt = 0
			if op >= 128 {
				b.dir.failAt, b.dir.failure = b.dir.ops+1+int(op>>3%8), syscall.EIO
			}
			out := Outcome{Loss: 1}
			switch op % 8 {
			case 1:
				out.Err = errFlaky
			case 2:
				out.Err = errData
			case 3:
				out.Loss = nan
			case 4:
				out.Loss = 100
			case 5:
				out.Err = errLost
			case 6:
				out.Err = []error{errBudget, errBug, errMemory, context.Canceled}[op>>3%4]
			case 7: // the power fails, in a step or in what Done does about it
				if op&64 != 0 {
					b.dir.crashAt = b.dir.ops + 1 + int(op>>3%8)
					b.state.step(b.sup.Next(), nil)
					d, _ := b.sup.Done(t.Context(), Outcome{Loss: 1, Err: []error{nil, errLost, errData, errFlaky}[op>>3%4]})
					leave(d, false)
					acked = min(acked, d.Step)
				}
				images := b.dir.survivors()
				b.dir = images[int(op>>3)%len(images)]
				process()
				check()
				continue
			}
			b.state.step(b.sup.Next(), out.Err)
			d, err := b.sup.Done(t.Context(), out)
			leave(d, true)
			if acked = min(acked, d.Step); d.Saved {
				acked = d.Step
			}
			if err != nil {
				process()
			}
			check()
		}
	})
}
