package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// bound is a memory limit and what is left below it.
type bound struct{ total, available uint64 }

// memoryLevel is a cgroup that may limit memory.
type memoryLevel struct {
	v1                          bool
	limit, high, usage, stat    procFile
	inactive, active, inherited Value[uint64] // of stat
	fields                      []field
}

func newMemoryLevel(root fs.FS, dir string, v1 bool) *memoryLevel {
	file := func(name string) procFile { return procFile{root: root, name: path.Join(dir, name)} }
	l := &memoryLevel{v1: v1, stat: file("memory.stat")}
	if v1 {
		l.limit, l.usage = file("memory.limit_in_bytes"), file("memory.usage_in_bytes")
		l.fields = []field{
			fieldOf("total_inactive_file", &l.inactive), fieldOf("total_active_file", &l.active), fieldOf("hierarchical_memory_limit", &l.inherited),
		}
		return l
	}
	l.limit, l.usage, l.high = file("memory.max"), file("memory.current"), file("memory.high")
	l.fields = []field{fieldOf("inactive_file", &l.inactive), fieldOf("active_file", &l.active)}
	return l
}

func (l *memoryLevel) close() {
	for _, f := range []*procFile{&l.limit, &l.high, &l.usage, &l.stat} {
		f.close()
	}
}

func (l *memoryLevel) readStat(now time.Time) error {
	text, err := l.stat.read(now)
	if err != nil {
		return err
	}
	if err := parseFields(text, l.fields); err != nil {
		return fmt.Errorf("%s: %w", l.stat.name, err)
	}
	return nil
}

// workingSet is the memory a cgroup uses less the page cache that gives way (inactive_file), as the kubelet counts it.
// stat must have been read.
func (l *memoryLevel) workingSet(now time.Time) (uint64, error) {
	usage, err := readNumber(&l.usage, now)
	if err != nil {
		return 0, err
	}
	if !l.inactive.OK {
		return 0, fmt.Errorf("%s has no %s: %w", l.stat.name, l.fields[0].name, fs.ErrNotExist)
	}
	return usage - min(usage, l.inactive.V), nil
}

// cgroupMemory reads the memory of the own cgroup and the limits of it and of its ancestors.
type cgroupMemory struct {
	root   fs.FS
	finder cgroupFinder
	levels [][]*memoryLevel // by hierarchy, the own cgroup first
	events []*memoryEvents  // of the own cgroups

	limits     []bound // in force, those above the host's memory included
	high       Value[uint64]
	workingSet Value[uint64]
	cache      Value[uint64]
	hits       memoryHits
}

func cgroupMemoryProbe(root fs.FS) *probe {
	m := &cgroupMemory{root: root, finder: cgroupFinder{root: root}}
	return &probe{name: "container memory", read: m.read, put: m.put, quick: m.quick, close: m.close}
}

func (m *cgroupMemory) close() {
	for _, tree := range m.levels {
		for _, level := range tree {
			level.close()
		}
	}
	for _, e := range m.events {
		e.close()
	}
	m.levels, m.events = nil, nil
}

func (m *cgroupMemory) quick() bool {
	for _, tree := range m.levels {
		for _, l := range tree {
			if !l.limit.quick() || !l.high.quick() || !l.usage.quick() || !l.stat.quick() {
				return false
			}
		}
	}
	return true
}

func (m *cgroupMemory) find(now time.Time) error {
	text, changed, err := m.finder.look(now)
	if err != nil || !changed {
		return err
	}
	m.close()
	for _, h := range text.hierarchies("memory") {
		var tree []*memoryLevel
		for i := range h.rels {
			tree = append(tree, newMemoryLevel(m.root, h.dir(i), h.v1))
		}
		m.levels = append(m.levels, tree)
		m.events = append(m.events, newMemoryEvents(m.root, h.dir(0), h.v1))
	}
	return nil
}

func (m *cgroupMemory) read(now time.Time) error {
	m.limits, m.high = m.limits[:0], Value[uint64]{}
	m.workingSet, m.cache, m.hits = Value[uint64]{}, Value[uint64]{}, memoryHits{}
	if err := m.find(now); err != nil {
		return err
	}
	for _, tree := range m.levels {
		nearest := true
		for _, level := range tree {
			found, err := m.readLevel(level, nearest, now)
			if err != nil {
				return err
			}
			nearest = nearest && !found
		}
	}
	for _, e := range m.events {
		if err := e.read(&m.hits, now); err != nil {
			return err
		}
	}
	return nil
}

// readLevel reads one level; not found where it has no memory controller. The nearest level that has one is the own
// group for our purposes; in v1 it also knows the limits of ancestors that cannot be seen.
func (m *cgroupMemory) readLevel(l *memoryLevel, nearest bool, now time.Time) (found bool, err error) {
	limit, err := readNumber(&l.limit, now)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if !l.v1 {
		high, err := readNumber(&l.high, now)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
		if err == nil && high < unlimited {
			m.high = Of(min(high, orMax(m.high)))
		}
	}
	if !nearest && limit >= unlimited {
		return true, nil
	}
	err = l.readStat(now)
	if err == nil && nearest && l.inherited.OK {
		limit = min(limit, l.inherited.V)
	}
	used := uint64(0)
	if err == nil {
		used, err = l.workingSet(now)
	}
	if err != nil {
		if !l.v1 && limit >= unlimited && errors.Is(err, fs.ErrNotExist) { // of v1 it says whether there is a limit
			return true, nil
		}
		return true, err
	}
	if nearest {
		m.workingSet = Of(used)
		if l.active.OK {
			m.cache = Of(l.active.V + l.inactive.V)
		}
	}
	if limit < unlimited {
		m.limits = append(m.limits, bound{total: limit, available: limit - min(limit, used)})
	}
	return true, nil
}

func orMax(v Value[uint64]) uint64 {
	if v.OK {
		return v.V
	}
	return unlimited
}

// tightest is the tightest limit and the least left over all levels of all hierarchies; not ok without a limit below the
// host's memory (0: not known).
func tightest(limits []bound, host uint64) (b bound, ok bool) {
	for _, level := range limits {
		if host > 0 && level.total >= host {
			continue
		}
		if ok {
			level.total, level.available = min(level.total, b.total), min(level.available, b.available)
		}
		b, ok = level, true
	}
	return b, ok
}

func (m *cgroupMemory) put(out *Sample) {
	c := &out.Container
	c.WorkingSet, c.Cache = m.workingSet, m.cache
	c.LimitHits, c.HighHits, c.OOMKills = m.hits.limit, m.hits.high, m.hits.killed
	host := out.Host.Total
	if m.high.OK && !(host.OK && m.high.V >= host.V) {
		c.MemoryHigh = m.high
	}
	out.Memory = out.Host
	limit, ok := tightest(m.limits, host.V)
	if !ok {
		return
	}
	c.MemoryLimit = Of(limit.total)
	out.Memory = Memory{Total: Of(limit.total), Available: Of(limit.available), Limited: true}
	if out.Host.Available.OK {
		out.Memory.Available.V = min(limit.available, out.Host.Available.V)
	}
}

// memoryHits are the events of the own cgroup.
type memoryHits struct{ limit, high, killed Counter }

// memoryEvents reads them: memory.events of v2, memory.failcnt and memory.oom_control of v1.
type memoryEvents struct {
	v1            bool
	events, fails procFile
	clock         pace

	limit, high, killed    Value[uint64]
	fields                 []field
	limits, highs, killeds tally
}

func newMemoryEvents(root fs.FS, dir string, v1 bool) *memoryEvents {
	e := &memoryEvents{v1: v1, events: procFile{root: root, name: path.Join(dir, "memory.events")}}
	if v1 {
		e.events.name, e.fails = path.Join(dir, "memory.oom_control"), procFile{root: root, name: path.Join(dir, "memory.failcnt")}
		e.fields = []field{fieldOf("oom_kill", &e.killed)}
		return e
	}
	e.fields = []field{fieldOf("max", &e.limit), fieldOf("high", &e.high), fieldOf("oom_kill", &e.killed)}
	return e
}

func (e *memoryEvents) close() {
	e.events.close()
	e.fails.close()
}

func (e *memoryEvents) read(hits *memoryHits, now time.Time) error {
	text, err := e.events.read(now)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := parseFields(text, e.fields); err != nil {
		return fmt.Errorf("%s: %w", e.events.name, err)
	}
	if e.v1 {
		e.limit = Value[uint64]{}
		if n, err := readNumber(&e.fails, now); err == nil {
			e.limit = Of(n)
		}
	}
	seconds := e.clock.seconds(now)
	for _, one := range []struct {
		to    *Counter
		tally *tally
		now   Value[uint64]
	}{{&hits.limit, &e.limits, e.limit}, {&hits.high, &e.highs, e.high}, {&hits.killed, &e.killeds, e.killed}} {
		if one.now.OK {
			*one.to = one.tally.counter(one.now.V, seconds)
		}
	}
	return nil
}
