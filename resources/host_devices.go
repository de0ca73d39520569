package resources

import "time"

// diskCounters are those of a whole disk: requests, bytes and the time with one under way, in ms.
type diskCounters struct{ reads, read, writes, written, busy uint64 }

func (c diskCounters) below(other diskCounters) bool {
	return c.reads < other.reads || c.read < other.read || c.writes < other.writes || c.written < other.written || c.busy < other.busy
}

// ioSum adds up what the disks do.
type ioSum struct {
	table          deviceTable[diskCounters]
	pace           pace
	total          diskCounters // since the first reading
	growth         diskCounters // of this one; busy: of the busiest disk
	seen, compared bool
	out            IO
}

func (s *ioSum) begin() {
	s.out, s.seen, s.compared, s.growth = IO{}, false, false, diskCounters{}
	s.table.begin()
}

func (s *ioSum) add(name []byte, now diskCounters) {
	s.seen = true
	before, ok := s.table.swap(name, now)
	if !ok || now.below(before) { // new, reset or wrapped
		return
	}
	s.compared = true
	s.growth.reads += now.reads - before.reads
	s.growth.read += now.read - before.read
	s.growth.writes += now.writes - before.writes
	s.growth.written += now.written - before.written
	s.growth.busy = max(s.growth.busy, now.busy-before.busy)
}

func (s *ioSum) end(now time.Time) {
	s.table.end()
	seconds := s.pace.seconds(now)
	if !s.seen {
		return // no disk: nothing to say, not 0
	}
	g, t := s.growth, &s.total
	t.reads += g.reads
	t.read += g.read
	t.writes += g.writes
	t.written += g.written
	s.out = IO{
		Read:    counterOf(t.read, g.read, s.compared, seconds),
		Written: counterOf(t.written, g.written, s.compared, seconds),
		Reads:   counterOf(t.reads, g.reads, s.compared, seconds),
		Writes:  counterOf(t.writes, g.writes, s.compared, seconds),
	}
	if s.compared && seconds > 0 {
		s.out.Busy = Of(min(1, float64(g.busy)/1000/seconds))
	}
}

// netCounters are those of a network interface: bytes and packets.
type netCounters struct{ received, sent, errors, dropped uint64 }

func (c netCounters) below(other netCounters) bool {
	return c.received < other.received || c.sent < other.sent || c.errors < other.errors || c.dropped < other.dropped
}

// netSum adds up what network interfaces do, the physical ones apart.
type netSum struct {
	table             deviceTable[netCounters]
	pace              pace
	total             netCounters // since the first reading
	virtual, physical netGrowth   // of this one
	out               Network
}

type netGrowth struct {
	netCounters
	seen, compared bool
}

func (s *netSum) begin() {
	s.out, s.virtual, s.physical = Network{}, netGrowth{}, netGrowth{}
	s.table.begin()
}

func (s *netSum) add(name []byte, now netCounters, physical bool) {
	g := &s.virtual
	if physical {
		g = &s.physical
	}
	g.seen = true
	before, ok := s.table.swap(name, now)
	if !ok || now.below(before) {
		return
	}
	g.compared = true
	g.received += now.received - before.received
	g.sent += now.sent - before.sent
	g.errors += now.errors - before.errors
	g.dropped += now.dropped - before.dropped
}

func (s *netSum) end(now time.Time) {
	s.table.end()
	seconds := s.pace.seconds(now)
	g, t := s.physical, &s.total
	if !g.seen {
		g = s.virtual
	}
	if !g.seen {
		return
	}
	t.received += g.received
	t.sent += g.sent
	t.errors += g.errors
	t.dropped += g.dropped
	s.out = Network{
		Received: counterOf(t.received, g.received, g.compared, seconds),
		Sent:     counterOf(t.sent, g.sent, g.compared, seconds),
		Errors:   counterOf(t.errors, g.errors, g.compared, seconds),
		Dropped:  counterOf(t.dropped, g.dropped, g.compared, seconds),
	}
}
