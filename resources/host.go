package resources

import (
	"bytes"
	"time"
)

// cpuTimes is the time of all CPUs together since boot, by mode and in any unit, as in the first line of /proc/stat. Guest
// time is part of user and nice already.
type cpuTimes [8]uint64

const (
	cpuUser = iota
	cpuNice
	cpuSystem
	cpuIdle
	cpuIOWait
	cpuIRQ
	cpuSoftIRQ
	cpuSteal
)

// modes are the shares between two readings; absent without a first reading, without progress, and when a counter went
// back. Waiting for a disk is a kind of idling that is known to go back now and then; their sum is not.
func modes(before, now cpuTimes) (m CPUModes, ok bool) {
	var grown [len(now)]float64
	total := 0.0
	for i := range now {
		if i != cpuIdle && i != cpuIOWait {
			if now[i] < before[i] {
				return m, false
			}
			grown[i] = float64(now[i] - before[i])
			total += grown[i]
		}
	}
	was, is := before[cpuIdle]+before[cpuIOWait], now[cpuIdle]+now[cpuIOWait]
	if is < was {
		return m, false
	}
	rest := float64(is - was)
	total += rest
	if !(total > 0) {
		return m, false
	}
	if now[cpuIOWait] > before[cpuIOWait] {
		grown[cpuIOWait] = min(float64(now[cpuIOWait]-before[cpuIOWait]), rest)
	}
	grown[cpuIdle] = rest - grown[cpuIOWait]
	return CPUModes{
		User: grown[cpuUser] / total, Nice: grown[cpuNice] / total, System: grown[cpuSystem] / total,
		Idle: grown[cpuIdle] / total, IOWait: grown[cpuIOWait] / total,
		IRQ: grown[cpuIRQ] / total, SoftIRQ: grown[cpuSoftIRQ] / total, Steal: grown[cpuSteal] / total,
	}, true
}

// busy is the share of time that CPUs did not idle.
func busy(m Value[CPUModes]) Value[float64] {
	if !m.OK {
		return Value[float64]{}
	}
	return Of(min(1, max(0, 1-m.V.Idle-m.V.IOWait)))
}

// counterOf is a counter with the rate where there is one.
func counterOf(total, growth uint64, ok bool, seconds float64) Counter {
	c := Counter{Total: Of(total)}
	if ok && seconds > 0 {
		c.Rate = Of(float64(growth) / seconds)
	}
	return c
}

// pace measures the time between readings.
type pace struct{ last time.Time }

// seconds is the time since the last call, 0 at the first.
func (p *pace) seconds(now time.Time) float64 {
	last := p.last
	p.last = now
	if last.IsZero() {
		return 0
	}
	return now.Sub(last).Seconds()
}

// deviceTable has the counters of each device as of the last reading. The growth is summed over devices: the sum of
// counters would leap when a device comes or goes.
type deviceTable[C any] struct {
	rows  []deviceRow[C]
	round uint64
	next  int // where the next device stood last time
}

type deviceRow[C any] struct {
	name  []byte
	round uint64 // when it was last there
	last  C
}

// begin begins a reading.
func (t *deviceTable[C]) begin() {
	t.round++
	t.next = 0
}

// swap remembers the counters of a device and returns those of the reading before; not ok for a device that was not there.
func (t *deviceTable[C]) swap(name []byte, now C) (before C, ok bool) {
	i := t.find(name)
	if i < 0 {
		t.rows = append(t.rows, deviceRow[C]{name: bytes.Clone(name), round: t.round, last: now})
		t.next = 0
		return before, false
	}
	row := &t.rows[i]
	before, ok = row.last, row.round == t.round-1
	row.last, row.round, t.next = now, t.round, i+1
	return before, ok
}

// find looks where the device stood last time, and then everywhere.
func (t *deviceTable[C]) find(name []byte) int {
	if t.next < len(t.rows) && bytes.Equal(t.rows[t.next].name, name) {
		return t.next
	}
	for i := range t.rows {
		if bytes.Equal(t.rows[i].name, name) {
			return i
		}
	}
	return -1
}

// end forgets the devices that are gone.
func (t *deviceTable[C]) end() {
	kept := t.rows[:0]
	for _, row := range t.rows {
		if row.round == t.round {
			kept = append(kept, row)
		}
	}
	clear(t.rows[len(kept):])
	t.rows = kept
}
