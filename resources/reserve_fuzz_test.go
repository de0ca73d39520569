package resources

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reserveModel is the naive model of reservations: lists, and every rule spelled out.
type reserveModel struct {
	t        testing.TB
	capacity uint64
	grace    time.Duration
	all      []*reserveModelClaim
}

type reserveModelClaim struct {
	id, amount, used     uint64
	priority             int
	expire               time.Duration
	evicts               bool
	came, since          time.Time
	until, evict         time.Time
	waits, held, instant bool
	how                  error // how it ended
}

func (c *reserveModelClaim) charge() uint64 { return max(c.amount, c.used) }

func (m *reserveModel) holding() (out []*reserveModelClaim) {
	for _, c := range m.all {
		if c.held {
			out = append(out, c)
		}
	}
	return out
}

func (m *reserveModel) taken() (sum uint64) {
	for _, c := range m.holding() {
		sum += c.charge()
	}
	return sum
}

// first is who is next in line.
func (m *reserveModel) first() (next *reserveModelClaim) {
	at := func(c *reserveModelClaim) time.Time { return c.came.Add(-time.Duration(c.priority) * time.Minute) }
	for _, c := range m.all {
		if c.waits && (next == nil || at(c).Before(at(next))) {
			next = c
		}
	}
	return next
}

func (m *reserveModel) settle(now time.Time) {
	for _, c := range m.holding() {
		evicted := !c.evict.IsZero() && !now.Before(c.evict)
		expired := !c.until.IsZero() && !now.Before(c.until)
		switch {
		case evicted && (!expired || !c.until.Before(c.evict)):
			c.held, c.how = false, ErrEvicted
		case expired:
			c.held, c.how = false, ErrExpired
		}
	}
	for c := m.first(); c != nil; c = m.first() {
		if c.amount > m.capacity {
			c.waits, c.how = false, ErrNoRoom
			continue
		}
		if m.taken()+c.amount <= m.capacity {
			c.waits, c.held, c.since = false, true, now
			if c.expire > 0 {
				c.until = now.Add(c.expire)
			}
			continue
		}
		victims := m.victims(c)
		for _, v := range victims {
			m.give(v, now)
		}
		if len(victims) == 0 || m.grace > 0 {
			return
		}
	}
}

func (m *reserveModel) give(v *reserveModelClaim, now time.Time) {
	if v.evict = now.Add(m.grace); m.grace == 0 {
		v.held, v.how = false, ErrEvicted
	}
}

// victims goes through all sets of reservations of lower priority. Of those that make room together with what goes
// anyway, it takes the one that spares the most important one if any does, of those the one that spares the second,
// and so on.
func (m *reserveModel) victims(w *reserveModelClaim) (best []*reserveModelClaim) {
	if !w.evicts || w.instant && m.grace > 0 {
		return nil
	}
	var stays uint64
	var can []*reserveModelClaim
	for _, c := range m.holding() {
		if !c.evict.IsZero() {
			continue
		}
		if stays += c.charge(); c.priority < w.priority {
			can = append(can, c)
		}
	}
	slices.SortFunc(can, func(a, b *reserveModelClaim) int { // the most important one last
		switch {
		case a.priority != b.priority:
			return a.priority - b.priority
		case !a.since.Equal(b.since):
			return b.since.Compare(a.since)
		}
		return int(b.id) - int(a.id)
	})
	for set := range 1 << len(can) { // in the order of the numbers, so the first that fits is it
		var gone uint64
		for i, c := range can {
			if set>>i&1 == 1 {
				gone += c.charge()
			}
		}
		if stays-gone+w.amount <= m.capacity {
			for i, c := range can {
				if set>>i&1 == 1 {
					best = append(best, c)
				}
			}
			return best
		}
	}
	return nil
}

// FuzzReservations holds the book against the model, and both to what must hold whatever happens.
func FuzzReservations(f *testing.F) {
	f.Add(uint8(30), []byte{0, 40, 1, 0, 60, 2, 64, 80, 9, 7, 10, 0, 1, 0, 0})
	f.Add(uint8(0), []byte{0, 90, 1, 0, 5, 1, 0, 5, 1, 96, 50, 3, 5, 200, 0, 3, 0, 1, 6, 30, 0, 6, 120, 0})
	f.Add(uint8(5), []byte{0, 33, 5, 0, 33, 4, 0, 33, 3, 64, 40, 9, 64, 60, 7, 4, 1, 9, 7, 3, 0, 2, 1, 1, 7, 200, 0})
	f.Fuzz(func(t *testing.T, grace uint8, ops []byte) {
		if len(ops) > 120 {
			return
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		m := &reserveModel{t: t, capacity: 100, grace: time.Duration(grace) * time.Second}
		b := &reservationBook{capacity: 100, grace: m.grace, age: time.Minute, epoch: now}
		b.note = func(e *reserved, kind ReservationEventKind, at time.Time) {
			require.False(t, at.After(now))
			if kind == ReservationGranted {
				require.LessOrEqual(t, b.outstanding(), b.capacity, "nobody is promised what is taken")
			}
		}
		var entries []*reserved
		pick := func(v byte) int { return int(v) % len(entries) }
		for len(ops) >= 3 {
			op, v, w := ops[0], ops[1], ops[2]
			ops = ops[3:]
			b.advance(now)
			m.settle(now)
			switch kind := op % 8; {
			case kind <= 1 && len(m.holding()) < 9:
				c := Claim{Owner: "x", Amount: uint64(v%110) + 1, Priority: int(w % 8), Expire: time.Duration(w/8) * 20 * time.Second, Evict: op&64 != 0}
				instant := op&32 != 0
				entries = append(entries, b.join(now, c, instant))
				mine := &reserveModelClaim{id: uint64(len(m.all) + 1), amount: c.Amount, priority: c.Priority, expire: c.Expire, evicts: c.Evict, came: now, waits: true, instant: instant}
				m.all = append(m.all, mine)
				m.settle(now)
				if instant && mine.waits {
					mine.waits, mine.how = false, ErrNoRoom
				}
			case kind == 7:
				now = now.Add(time.Duration(v) * time.Second)
			case kind == 6:
				b.resize(now, uint64(v))
				m.capacity = uint64(v)
			case len(entries) == 0:
			case kind == 2:
				b.release(now, entries[pick(v)])
				if c := m.all[pick(v)]; c.held {
					c.held, c.how = false, ErrReleased
				}
			case kind == 3:
				b.use(now, entries[pick(v)], uint64(w))
				if c := m.all[pick(v)]; c.held {
					c.used = uint64(w)
				}
			case kind == 4:
				expire := time.Duration(w) * time.Second
				c := m.all[pick(v)]
				require.Equal(t, c.held && c.evict.IsZero(), b.renew(now, entries[pick(v)], expire))
				if c.held && c.evict.IsZero() {
					if c.until = (time.Time{}); expire > 0 {
						c.until = now.Add(expire)
					}
				}
			case kind == 5 && w%2 == 0:
				b.leave(now, entries[pick(v)])
				if c := m.all[pick(v)]; c.waits {
					c.waits, c.how = false, ErrNoRoom
				}
			case kind == 5:
				b.evictBelow(now, int(w%8), "test")
				for _, c := range m.holding() {
					if c.priority < int(w%8) && c.evict.IsZero() {
						m.give(c, now)
					}
				}
			}
			if kind := op % 8; kind == 7 {
				b.advance(now)
			}
			m.settle(now)
			require.Equal(t, m.taken(), b.outstanding())
			for i, e := range entries {
				c := m.all[i]
				require.Equal(t, c.waits, e.state == reservedWaiting, "%d", i)
				require.Equal(t, c.held, e.state == reservedHeld, "%d", i)
				require.Equal(t, c.evict.IsZero(), e.evict.IsZero(), "%d", i)
				if c.held {
					require.True(t, c.until.Equal(e.until) && c.evict.Equal(e.evict) && c.since.Equal(e.since), "%d", i)
				}
				if c.how != nil && c.how != ErrNoRoom {
					require.Equal(t, c.how, e.err(), "%d", i)
				}
			}
			if head := m.first(); head != nil {
				require.Same(t, entries[head.id-1], b.line[0])
				require.Greater(t, head.amount, b.free(), "who fits in does not wait")
			}
		}
	})
}
