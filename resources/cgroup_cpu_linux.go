package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"time"
)

// cpuLevel is a cgroup that may have a quota of CPU time.
type cpuLevel struct {
	v1                   bool
	max, period          procFile // cpu.max, or cpu.cfs_quota_us and cpu.cfs_period_us
	stat, usage          procFile // usage has a file of its own in v1
	noUsage              bool
	used                 Value[uint64] // microseconds in v2, nanoseconds in v1
	periods, throttled   Value[uint64]
	lost                 Value[uint64] // time throttled, in the same units
	fields               []field
	uses, ticks          tally
	throttles, lostTimes tally
	clock                pace

	// As of the last reading.
	quota     Value[float64]       // CPUs
	cores     Value[float64]       // in use since the previous reading
	share     Value[float64]       // of periods throttled
	lostSince Value[time.Duration] // since the first reading, also after the quota was lifted
}

func newCPULevel(root fs.FS, dir, usageDir string, v1 bool) *cpuLevel {
	file := func(dir, name string) procFile { return procFile{root: root, name: path.Join(dir, name)} }
	l := &cpuLevel{v1: v1, stat: file(dir, "cpu.stat")}
	l.fields = []field{fieldOf("nr_periods", &l.periods), fieldOf("nr_throttled", &l.throttled)}
	if v1 {
		l.max, l.period = file(dir, "cpu.cfs_quota_us"), file(dir, "cpu.cfs_period_us")
		l.usage, l.noUsage = file(usageDir, "cpuacct.usage"), usageDir == ""
		l.fields = append(l.fields, fieldOf("throttled_time", &l.lost))
		return l
	}
	l.max = file(dir, "cpu.max")
	l.fields = append(l.fields, fieldOf("throttled_usec", &l.lost), fieldOf("usage_usec", &l.used))
	return l
}

func (l *cpuLevel) close() {
	for _, f := range []*procFile{&l.max, &l.period, &l.stat, &l.usage} {
		f.close()
	}
}

// parseQuota reads "200000 100000" or "max 100000", the time that may be used in a period, as a number of CPUs.
func parseQuota(text []byte) (Value[float64], error) {
	s := scanner{b: text}
	first := s
	none := string(s.word()) == "max"
	quota, ok := first.number()
	if none {
		first, ok = s, true
	}
	period, whole := first.number()
	if !ok || !whole || period == 0 {
		return Value[float64]{}, fmt.Errorf("%.32q is no quota", text)
	}
	if none {
		return Value[float64]{}, nil
	}
	return Of(float64(quota) / float64(period)), nil
}

func (l *cpuLevel) readQuota(now time.Time) error {
	l.quota = Value[float64]{}
	text, err := l.max.read(now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !l.v1 {
		if l.quota, err = parseQuota(text); err != nil {
			err = fmt.Errorf("%s: %w", l.max.name, err)
		}
		return err
	}
	s := scanner{b: text}
	if string(bytes.TrimSpace(text)) == "-1" { // none
		return nil
	}
	quota, ok := s.number()
	if !ok {
		return fmt.Errorf("%s: %.32q is no number", l.max.name, text)
	}
	period, err := readNumber(&l.period, now)
	if err != nil {
		return err
	}
	if period == 0 {
		return fmt.Errorf("%s is 0", l.period.name)
	}
	l.quota = Of(float64(quota) / float64(period))
	return nil
}

// read reads a level. Where it has no quota, its usage is of interest only for the own group.
func (l *cpuLevel) read(own bool, now time.Time) error {
	l.cores, l.share = Value[float64]{}, Value[float64]{}
	if err := l.readQuota(now); err != nil {
		return err
	}
	if !l.quota.OK && !own {
		l.clock = pace{} // no gap is to pass for an interval when a quota comes back
		return nil
	}
	text, err := l.stat.read(now)
	if err != nil && !missing(err) {
		return err
	}
	if err == nil {
		if err := parseFields(text, l.fields); err != nil {
			return fmt.Errorf("%s: %w", l.stat.name, err)
		}
	}
	unit := 1e6
	if l.v1 {
		unit = 1e9
		l.used = Value[uint64]{}
		if !l.noUsage {
			used, err := readNumber(&l.usage, now)
			if err != nil && !missing(err) {
				return err
			}
			l.used = Value[uint64]{V: used, OK: err == nil}
		}
	}
	seconds := l.clock.seconds(now)
	if l.used.OK {
		if c := l.uses.counter(l.used.V, seconds); c.Rate.OK {
			l.cores = Of(c.Rate.V / unit)
		}
	}
	if !l.periods.OK || !l.throttled.OK {
		return nil
	}
	all, ok := l.ticks.step(l.periods.V)
	bad, ok2 := l.throttles.step(l.throttled.V)
	if ok && ok2 && seconds > 0 && l.quota.OK {
		l.share = Of(0.0)
		if all > 0 {
			l.share = Of(min(1, float64(bad)/float64(all)))
		}
	}
	if l.lost.OK {
		l.lostTimes.step(l.lost.V)
		if d := float64(l.lostTimes.total) / unit * float64(time.Second); d < math.MaxInt64 {
			l.lostSince = Of(time.Duration(d))
		}
	}
	return nil
}

// cgroupCPU reads the quotas of the own cgroup and its ancestors, and what was used of them.
type cgroupCPU struct {
	root   fs.FS
	finder cgroupFinder
	levels []*cpuLevel  // of all hierarchies
	own    *cpuLevel    // of them, the one that tells most precisely what this group uses; nil without cgroups
	sets   [][]procFile // lists of CPUs by hierarchy, that of the own cgroup first
	count  Value[int]   // of the smallest of those nearest
}

func cgroupCPUProbe(root fs.FS) *probe {
	c := &cgroupCPU{root: root, finder: cgroupFinder{root: root}}
	return &probe{name: "container cpu", read: c.read, put: c.put, quick: c.quick, close: c.close}
}

func (c *cgroupCPU) close() {
	for _, l := range c.levels {
		l.close()
	}
	for _, tree := range c.sets {
		for i := range tree {
			tree[i].close()
		}
	}
	c.levels, c.own, c.sets = nil, nil, nil
}

func (c *cgroupCPU) quick() bool {
	for _, l := range c.levels {
		if !l.max.quick() || !l.period.quick() || !l.stat.quick() || !l.usage.quick() {
			return false
		}
	}
	for _, tree := range c.sets {
		for i := range tree {
			if !tree[i].quick() {
				return false
			}
		}
	}
	return true
}

func (c *cgroupCPU) find(now time.Time) error {
	text, changed, err := c.finder.look(now)
	if err != nil || !changed {
		return err
	}
	c.close()
	var usage hierarchy // the tree of cpuacct in v1
	for _, h := range text.hierarchies("cpuacct") {
		if h.v1 {
			usage = h
		}
	}
	depth := 0
	for _, h := range text.hierarchies("cpu") {
		for i, rel := range h.rels {
			dir := h.dir(i)
			usageDir := ""
			for j := range usage.rels { // it has a path of its own, and so the two need not have the same levels
				if usage.rels[j] == rel {
					usageDir = usage.dir(j)
				}
			}
			level := newCPULevel(c.root, dir, usageDir, h.v1)
			c.levels = append(c.levels, level)
			if i == 0 && len(h.rels) > depth && !level.noUsage {
				c.own, depth = level, len(h.rels)
			}
		}
	}
	for _, h := range text.hierarchies("cpuset") {
		name := "cpuset.cpus.effective"
		if h.v1 {
			name = "cpuset.effective_cpus"
		}
		var tree []procFile
		for i := range h.rels {
			tree = append(tree, procFile{root: c.root, name: path.Join(h.dir(i), name)})
		}
		c.sets = append(c.sets, tree)
	}
	return nil
}

func (c *cgroupCPU) read(now time.Time) error {
	c.count = Value[int]{}
	if err := c.find(now); err != nil {
		return err
	}
	for _, l := range c.levels {
		if err := l.read(l == c.own, now); err != nil {
			return err
		}
	}
	for _, tree := range c.sets {
		for i := range tree {
			text, err := tree[i].read(now)
			if missing(err) { // the controller is not in this group: the next one above counts
				continue
			}
			if err != nil {
				return err
			}
			n, ok := countCPUs(text)
			if !ok {
				return fmt.Errorf("%s: %.32q is no list of CPUs", tree[i].name, text)
			}
			if n > 0 && (!c.count.OK || n < c.count.V) { // an empty list is that of a group never set up
				c.count = Of(n)
			}
			break
		}
	}
	return nil
}

// countCPUs counts the CPUs in a list such as 0-3,5.
func countCPUs(text []byte) (n int, ok bool) {
	const most = 1 << 20
	number := func(i int) (v, next int, ok bool) {
		from := i
		for i < len(text) && text[i]-'0' <= 9 && v < most {
			v = v*10 + int(text[i]-'0')
			i++
		}
		return v, i, i > from && v < most
	}
	end := len(text)
	for end > 0 && (text[end-1] == '\n' || text[end-1] == ' ') {
		end--
	}
	if text = text[:end]; end == 0 {
		return 0, true
	}
	for i := 0; ; i++ {
		first, next, good := number(i)
		last := first
		if good && next < end && text[next] == '-' {
			last, next, good = number(next + 1)
		}
		if n += last - first + 1; !good || last < first || n > most {
			return 0, false
		}
		if i = next; i == end {
			return n, true
		}
		if text[i] != ',' {
			return 0, false
		}
	}
}

func (c *cgroupCPU) put(out *Sample) {
	if c.own == nil && len(c.levels) == 0 {
		return
	}
	to := &out.Container
	if out.CPUs.OK {
		to.CPUs = Of(float64(out.CPUs.V))
	}
	least := func(v float64) {
		if !to.CPUs.OK || v < to.CPUs.V {
			to.CPUs = Of(v)
		}
	}
	if c.count.OK {
		least(float64(c.count.V))
	}
	whole := to.CPUs // a quota above that is none
	quotas := false
	for _, l := range c.levels {
		if l.lostSince.OK {
			to.ThrottledTime = Of(to.ThrottledTime.V + l.lostSince.V)
		}
		if !l.quota.OK {
			continue
		}
		least(l.quota.V)
		if l.share.OK {
			to.Throttled = highest(to.Throttled, l.share.V)
		}
		if whole.OK && l.quota.V >= whole.V {
			continue
		}
		quotas = true
		if l.cores.OK && l.quota.V > 0 {
			to.CPU = highest(to.CPU, min(1, l.cores.V/l.quota.V))
		}
	}
	if !quotas && c.own != nil && c.own.cores.OK && to.CPUs.OK && to.CPUs.V > 0 {
		to.CPU = Of(min(1, c.own.cores.V/to.CPUs.V))
	}
}

func highest(v Value[float64], w float64) Value[float64] {
	if !v.OK || w > v.V {
		return Of(w)
	}
	return v
}
