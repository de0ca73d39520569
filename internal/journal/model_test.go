package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

// state is what the journals of these tests record: numbers, entry i of which is the payload of entry i+1, padded.
type state []uint64

func payload(id uint64, pad int) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, id), make([]byte, pad)...)
}

func (s *state) apply(e Entry) error {
	if e.Snapshot {
		*s = nil
		for b := e.Payload; len(b) > 0; b = b[8:] {
			*s = append(*s, binary.LittleEndian.Uint64(b))
		}
	} else {
		*s = append(*s, binary.LittleEndian.Uint64(e.Payload))
	}
	if uint64(len(*s)) != e.Seq {
		return fmt.Errorf("entry %d follows %d others", e.Seq, len(*s)-1)
	}
	return nil
}

func (s state) snapshot() []byte {
	var b []byte
	for _, id := range s {
		b = binary.LittleEndian.AppendUint64(b, id)
	}
	return b
}

// model does operations on a journal and knows what must be found in it.
type model struct {
	t     testing.TB
	d     *durabletest.Disk
	j     *Journal
	known state // acknowledged
	maybe state // the batch that got an error, after which there was no other
	id    uint64
}

func (m *model) open() error {
	var found state
	j, err := OpenIn(m.d, "x", Options{Replay: found.apply})
	if err != nil {
		require.NotErrorIs(m.t, err, ErrDamaged, "a crash is not damage")
		return err
	}
	if len(found) > len(m.known) {
		m.known = append(m.known, m.maybe...)
	}
	m.maybe = nil
	require.Equal(m.t, append(state{}, m.known...), append(state{}, found...))
	last, size := j.Last()
	require.EqualValues(m.t, len(found), last)
	require.EqualValues(m.t, size, len(m.d.Files()[fileName]))
	require.Nil(m.t, m.d.Files()[tempName])
	safe := m.d.PowerLoss(durabletest.None).Files()
	require.Len(m.t, safe, 1)
	require.Equal(m.t, m.d.Files()[fileName], safe[fileName], "what Open told survives")
	m.j = j
	return nil
}

func (m *model) append(n, pad int) error {
	var batch state
	var payloads [][]byte
	for i := range n {
		m.id++
		batch = append(batch, m.id)
		payloads = append(payloads, payload(m.id, (pad*(i+1))%97))
	}
	first, err := m.j.AppendBatch(context.Background(), payloads...)
	if err != nil {
		require.ErrorIs(m.t, err, ErrPoisoned)
		if first != 0 { // else it was refused before it had a number
			require.Empty(m.t, m.maybe)
			m.maybe = batch
		}
		_, again := m.j.Append(context.Background(), nil)
		require.ErrorIs(m.t, again, ErrPoisoned, "no success after a failure")
		return err
	}
	require.EqualValues(m.t, len(m.known)+1, first)
	m.known = append(m.known, batch...)
	return nil
}

func (m *model) compact(through int) error {
	return m.j.Compact(context.Background(), uint64(through), m.known[:through].snapshot())
}

// end closes what is open. Then the process is no more.
func (m *model) end() {
	if m.j != nil {
		_ = m.j.Close() // may well be poisoned
		m.j = nil
	}
}

// script is one of everything. It stops at the first error.
func (m *model) script() error {
	steps := []func() error{
		m.open,
		func() error { return m.append(1, 3) },
		func() error { return m.append(3, 40) },
		func() error { return m.compact(2) },
		func() error { return m.append(2, 20) },
		func() error { err := m.j.Close(); m.j = nil; return err },
		m.open,
		func() error { return m.append(1, 60) },
		func() error { return m.compact(6) },
		func() error { return m.compact(7) },
		func() error { return m.append(4, 0) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestEveryFault lets every operation of a script go wrong in every way, and then takes the power away or not, once more
// in the middle of the recovery.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	images := 0
	for _, why := range []error{syscall.EIO, syscall.ENOSPC} {
		for kind := 1; kind <= durabletest.Faults; kind++ {
			for op := 1; ; op++ {
				m := &model{t: t, d: durabletest.New()}
				m.d.Fault[op], m.d.Why = durabletest.Fault(kind), why
				err := m.script()
				m.end()
				if m.d.Ops() < op {
					require.NoError(t, err)
					break // the fault did not come any more
				}
				if err != nil {
					require.True(t, errors.Is(err, why) || errors.Is(err, durabletest.ErrCrash), "%v", err)
				}
				for _, next := range []*durabletest.Disk{
					m.d.Restart(), m.d.PowerLoss(durabletest.None), m.d.PowerLoss(durabletest.All),
					m.d.PowerLoss(durabletest.Coin(r)), m.d.PowerLoss(durabletest.Coin(r)), m.d.PowerLoss(durabletest.Coin(r)), m.d.PowerLoss(durabletest.Coin(r)),
				} {
					images++
					m.recover(next, r)
				}
			}
		}
	}
	t.Logf("%d disk images", images)
	require.Greater(t, images, 1000)
}

// recover opens the journal of a disk, with a crash at some point of that, and goes on with it, then loses power.
func (m *model) recover(d *durabletest.Disk, r *rand.Rand) {
	n := &model{t: m.t, d: d, known: slices.Clone(m.known), maybe: m.maybe, id: m.id}
	n.d.Fault[1+r.IntN(6)] = durabletest.Fault(1 + r.IntN(durabletest.Faults))
	for n.open() != nil {
		if n.d = n.d.Restart(); r.IntN(2) == 0 {
			n.d = n.d.PowerLoss(durabletest.Coin(r))
		}
	}
	n.d.Fault = nil
	require.NoError(m.t, n.append(2, 10))
	require.NoError(m.t, n.append(1, 70))
	n.d.Kill()
	n.end()
	n.d = n.d.PowerLoss(durabletest.Coin(r))
	require.NoError(m.t, n.open())
	require.NoError(m.t, n.compact(len(n.known)))
	require.NoError(m.t, n.j.Close())
}

// TestFailedCompactionCostsNothing: a compaction that fails before the rename costs nothing.
func TestFailedCompactionCostsNothing(t *testing.T) {
	t.Parallel()
	m := &model{t: t, d: durabletest.New()}
	require.NoError(t, m.open())
	require.NoError(t, m.append(5, 9))
	m.d.Why = syscall.ENOSPC
	for op := 1; op <= 4; op++ { // create, two writes, sync
		m.d.Fault = map[int]durabletest.Fault{m.d.Ops() + op: durabletest.Partial}
		if op == 1 {
			m.d.Fault = map[int]durabletest.Fault{m.d.Ops() + op: durabletest.Error}
		}
		err := m.compact(3)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NotErrorIs(t, err, ErrPoisoned)
		require.Nil(t, m.d.Files()[tempName])
		require.NoError(t, m.append(1, op))
	}
	m.d.Fault = map[int]durabletest.Fault{m.d.Ops() + 5: durabletest.Error} // rename
	require.ErrorIs(t, m.compact(3), ErrPoisoned)
	require.ErrorIs(t, m.j.Err(), syscall.ENOSPC)
	require.ErrorContains(t, m.j.Err(), "journal: x/journal is poisoned")
	var permanent interface{ Permanent() bool }
	require.ErrorAs(t, m.j.Err(), &permanent)
	require.True(t, permanent.Permanent())
	require.ErrorIs(t, m.compact(3), ErrPoisoned)
	m.end()
	m.d = m.d.Restart()
	require.NoError(t, m.open())
	require.NoError(t, m.j.Close())
}

// TestFailedSyncThenReopen: the kernel has the entry in memory, takes it for written, and a later sync succeeds. Were the
// last frame not written again by Open, the next loss of power would leave a hole before acknowledged entries.
func TestFailedSyncThenReopen(t *testing.T) {
	t.Parallel()
	m := &model{t: t, d: durabletest.New()}
	require.NoError(t, m.open())
	require.NoError(t, m.append(1, 50))
	m.d.Fault[m.d.Ops()+2] = durabletest.Error
	require.ErrorIs(t, m.append(2, 50), ErrPoisoned)
	require.ErrorIs(t, m.j.Close(), ErrPoisoned)
	require.NoError(t, m.j.Close())
	m.d = m.d.Restart()
	require.NoError(t, m.open())
	require.Len(t, m.known, 3, "found in memory")
	require.NoError(t, m.append(1, 50))
	m.d.Kill()
	m.end()
	m.d = m.d.PowerLoss(durabletest.None)
	require.NoError(t, m.open())
	require.Len(t, m.known, 4)
	m.end()
}

func FuzzModel(f *testing.F) {
	f.Add(uint64(1), []byte{0, 0x11, 0x32, 0x40, 0x91, 0x05, 0xa2, 0x13, 0x77, 0x60, 0x01})
	f.Add(uint64(2), []byte{0x10, 0x82, 0x83, 0x21, 0x51, 0x61, 0x11, 0xe4, 0x12})
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := &model{t: t, d: durabletest.New()}
		crash := func() {
			m.d.Kill()
			m.end()
			switch m.d = m.d.Restart(); r.IntN(3) {
			case 0:
				m.d = m.d.PowerLoss(durabletest.Coin(r))
			case 1:
				m.d = m.d.PowerLoss(durabletest.None)
			}
		}
		for _, op := range ops[:min(len(ops), 64)] {
			if m.j == nil {
				if m.open() != nil {
					crash()
					continue
				}
			}
			arg := int(op & 15)
			switch op >> 4 {
			case 0, 1, 2, 3, 4, 5, 6:
				_ = m.append(1+arg%5, arg*7)
			case 7, 8, 9:
				through := r.IntN(len(m.known) + 1)
				err := m.compact(through)
				if err != nil && !errors.Is(err, ErrPoisoned) && !errors.Is(err, syscall.EIO) && !errors.Is(err, durabletest.ErrCrash) {
					require.Less(t, uint64(through), m.j.base, "%v", err)
				}
			case 10, 11:
				m.d.Set(func(ops int) { m.d.Fault[ops+1+arg/4] = durabletest.Fault(1 + arg%durabletest.Faults) })
			case 12:
				m.end()
				if m.d.Dead() || len(m.maybe) > 0 {
					crash()
				} else {
					m.d = m.d.Restart()
				}
			default:
				crash()
			}
		}
		crash()
		require.NoError(t, m.open())
		require.NoError(t, m.j.Close())
	})
}
