package breaker

import "time"

// maxTickets bounds what tokens that never come back can cost: a mebibyte at most.
const maxTickets = 1 << 15

// A token is a serial number over a slot. Slots of tickets are below maxTickets; probes share one above, and so do the
// steps of a disabled breaker.
const (
	slotBits  = 16
	slotMask  = 1<<slotBits - 1
	probeSlot = slotMask
	freeSlot  = slotMask - 1
)

// tickets are the tokens of the steps under way in the closed state. A token is good once. When more than maxTickets are
// out, new ones take the places of older ones in turn.
type tickets struct {
	held  []uint64        // by slot; 0 is no token
	since []time.Duration // by slot, where stamped
	free  []uint16        // slots without a token
	next  int             // slot to be taken over when all are held
}

// take returns a new token with the given serial number, which must not be 0.
func (t *tickets) take(serial uint64) uint64 {
	var slot int
	switch {
	case len(t.free) > 0:
		slot = int(t.free[len(t.free)-1])
		t.free = t.free[:len(t.free)-1]
	case len(t.held) < maxTickets:
		slot = len(t.held)
		t.held = append(t.held, 0)
	default:
		slot = t.next
		t.next = (t.next + 1) % maxTickets
	}
	token := serial<<slotBits | uint64(slot)
	t.held[slot] = token
	return token
}

// stamp notes when a token that take returned was given out.
func (t *tickets) stamp(token uint64, now time.Duration) {
	if len(t.since) < len(t.held) {
		t.since = append(t.since, 0)
	}
	t.since[token&slotMask] = now
}

// stamped returns what stamp noted.
func (t *tickets) stamped(token uint64) time.Duration { return t.since[token&slotMask] }

// redeem reports whether the token is held, and gives it up.
func (t *tickets) redeem(token uint64) bool {
	slot := token & slotMask
	if token == 0 || slot >= uint64(len(t.held)) || t.held[slot] != token {
		return false
	}
	t.held[slot] = 0
	t.free = append(t.free, uint16(slot))
	return true
}

// reset gives up all tokens.
func (t *tickets) reset() {
	t.held, t.free, t.next = t.held[:0], t.free[:0], 0
}
