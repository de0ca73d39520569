package recovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPositionCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p  position
		ok bool
	}{
		{position{}, true},
		{position{Step: 2, Next: 5, Skips: []Range{{1, 3}, {4, 5}}}, true},
		{position{Step: 2, Next: 5, Skips: []Range{{1, 4}, {9, 10}}}, true},
		{position{Step: 2, Next: 5}, false},
		{position{Step: 2, Next: 5, Skips: []Range{{1, 2}, {2, 4}}}, false}, // should be one range
		{position{Step: 2, Next: 5, Skips: []Range{{3, 1}}}, false},
		{position{Step: 2, Next: 5, Skips: []Range{{4, 6}}}, false}, // Next is left out
		{position{Step: 5, Next: 5, Skips: []Range{{5, 6}}}, false},
		{position{Step: 1, Next: 0}, false},
	} {
		require.Equal(t, tt.ok, tt.p.check() == nil, "%+v", tt.p)
	}
}

// FuzzPosition holds the arithmetic of ranges against sets.
func FuzzPosition(f *testing.F) {
	f.Add([]byte{0, 0, 1, 3, 2, 0, 0, 1, 0, 4, 2, 1, 7})
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 200)] // the naive model is quadratic
		var (
			p    position
			left = map[uint64]bool{} // skipped
			seen []uint64            // applied
			next uint64
		)
		jump := func() {
			for left[next] {
				next++
			}
		}
		for len(ops) > 0 {
			op := ops[0]
			ops = ops[1:]
			arg := uint64(op >> 2)
			switch op % 4 {
			case 0, 1:
				p.applied()
				seen = append(seen, next)
				next++
			case 2:
				n := uint64(1)
				if len(ops) > 0 {
					n, ops = uint64(ops[0]%32), ops[1:]
				}
				added := uint64(0)
				for _, r := range p.skip(next+arg, n) {
					require.Less(t, r.From, r.To)
					added += r.To - r.From
				}
				require.Equal(t, n, added)
				for b := next + arg; n > 0; b++ {
					if !left[b] {
						left[b] = true
						n--
					}
				}
			case 3:
				from, to := next+arg/2, next+arg/2+1+arg%5
				p.adopt([]Range{{from / 2, from/2 + 1}, {max(from, from/2+2), to + 2}})
				for _, r := range []Range{{from / 2, from/2 + 1}, {max(from, from/2+2), to + 2}} {
					for b := max(r.From, next); b < r.To; b++ {
						left[b] = true
					}
				}
			}
			jump()
			require.NoError(t, p.check(), "%+v", p)
			require.Equal(t, next, p.Next)
			require.EqualValues(t, len(seen), p.Step)
			require.Equal(t, p.Next, p.batchAt(p.Step))
		}
		for i, b := range seen {
			require.Equal(t, b, p.batchAt(uint64(i)))
		}
	})
}
