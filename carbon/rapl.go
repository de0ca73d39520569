package carbon

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const raplRoot = "/sys/class/powercap"

// RAPLConfig configures a [RAPL]. The zero value reads this machine.
type RAPLConfig struct {
	// FS holds the powercap tree. Default: /sys/class/powercap.
	FS fs.FS
	// MaxWatts bounds the power of each package, as in [CounterConfig]. Default 1000.
	MaxWatts float64
}

// RAPL counts the energy of the processors and their memory by the powercap interface of Linux (Intel, AMD).
//
// The domains overlap: a package contains its core and uncore, psys contains the packages, and the same package can be listed
// twice, for its registers and for their mapping in memory. Counted are each package once and the dram domains, which lie
// outside the packages; psys only where there is no package. A domain that can be seen but not read is an error: without it the
// sum would be too low and nobody would know.
//
// Since CVE-2020-8694 only root may read the counters, and most virtual machines have none. They wrap within minutes under
// load: read well within [RAPL.Period].
//
// Safe for concurrent use. Create one with [NewRAPL]; nil and the zero RAPL have no energy to give.
type RAPL struct {
	name    string
	domains []*Counter

	mu sync.Mutex // held over a reading of all domains
}

// NewRAPL finds the domains and reads them for the first time: energy counts from now on. The error matches [ErrNoCounter] where
// the machine has none, and fs.ErrPermission where they may not be read.
func NewRAPL(cfg RAPLConfig, now time.Time) (*RAPL, error) {
	if cfg.FS == nil {
		cfg.FS = os.DirFS(raplRoot)
	}
	if cfg.MaxWatts == 0 {
		cfg.MaxWatts = 1000
	}
	found, err := raplDomains(cfg.FS)
	if err != nil {
		return nil, fmt.Errorf("carbon: rapl: %w", err)
	}
	r := &RAPL{}
	var names []string
	for _, d := range raplChoose(found) {
		read := func() (uint64, error) { return raplNumber(cfg.FS, d.id+"/energy_uj") }
		if d.kind == "dram" {
			// Some processors list the domain and never count in it.
			if v, err := read(); err == nil && v == 0 {
				continue
			}
		}
		size, err := raplNumber(cfg.FS, d.id+"/max_energy_range_uj")
		if err != nil {
			return nil, fmt.Errorf("carbon: rapl: %w", err)
		}
		if size == 0 || size > math.MaxInt64 {
			return nil, fmt.Errorf("carbon: rapl: %s: range %d µJ is outside [1, %d]", d.id, size, int64(math.MaxInt64))
		}
		c, err := NewCounter(CounterConfig{Name: "rapl " + d.label, Read: read, Joules: 1e-6, Range: size, MaxWatts: cfg.MaxWatts}, now)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("%w (only root may read it, since CVE-2020-8694)", err)
			}
			return nil, err
		}
		r.domains = append(r.domains, c)
		names = append(names, d.label)
	}
	if len(r.domains) == 0 {
		return nil, fmt.Errorf("%w: rapl: no package or psys domain", ErrNoCounter)
	}
	r.name = "rapl " + strings.Join(names, " + ")
	return r, nil
}

// Name is the source of the energy it gives: the domains that it adds up.
func (r *RAPL) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// Period is the longest time between two readings after which the counters still say all. See [Counter.Period].
func (r *RAPL) Period() time.Duration {
	shortest := time.Duration(math.MaxInt64)
	if r != nil {
		for _, d := range r.domains {
			shortest = min(shortest, d.Period())
		}
	}
	return shortest
}

// Since returns the energy of all domains since from, the time of the last reading that was given out, up to now. Its errors
// are those of [Counter.Since]; one domain's is that of all, and none is counted without the others.
func (r *RAPL) Since(now time.Time) (from time.Time, e Energy, err error) {
	if r == nil || len(r.domains) == 0 {
		return time.Time{}, Energy{}, fmt.Errorf("%w: rapl: not made by NewRAPL", ErrNoCounter)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	from = r.domains[0].since
	counts := make([]uint64, len(r.domains))
	var lost error
	sum := 0.0
	for i, d := range r.domains {
		v, err := d.read()
		if err != nil {
			return from, Energy{}, err
		}
		joules, err := d.delta(v, now)
		if err != nil && !errors.Is(err, ErrCounterReset) {
			return from, Energy{}, err
		}
		lost = errors.Join(lost, err)
		counts[i] = v
		sum += joules
	}
	for i, d := range r.domains {
		d.last, d.since = counts[i], now
	}
	if lost != nil {
		return from, Energy{}, lost
	}
	return from, Energy{Joules: sum, Source: r.name}, nil
}

// raplDomain is one directory of the powercap tree.
type raplDomain struct {
	id    string // path in the tree
	kind  string // "package", "dram" or "psys"
	label string // the same for the same piece of hardware
}

// raplDomains lists the domains that may count, those by registers before those by mapped memory.
func raplDomains(fsys fs.FS) ([]raplDomain, error) {
	top, err := fs.ReadDir(fsys, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoCounter
	}
	if err != nil {
		return nil, err
	}
	paths := map[string]string{} // id to path: the same domain is listed flat, and within its parent
	for _, e := range top {
		if raplID(e.Name()) == 0 {
			continue
		}
		paths[e.Name()] = e.Name()
		below, err := fs.ReadDir(fsys, e.Name())
		if err != nil {
			return nil, err
		}
		for _, s := range below {
			if raplID(s.Name()) == 2 && paths[s.Name()] == "" {
				paths[s.Name()] = e.Name() + "/" + s.Name()
			}
		}
	}
	ids := make([]string, 0, len(paths))
	for id := range paths {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		if c := compareBool(strings.Contains(a, "mmio"), strings.Contains(b, "mmio")); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	names := map[string]string{}
	var found []raplDomain
	for _, id := range ids { // a parent sorts before its children
		text, err := fs.ReadFile(fsys, paths[id]+"/name")
		if err != nil {
			return nil, err
		}
		name := strings.TrimSpace(string(text))
		names[id] = name
		d := raplDomain{id: paths[id], label: name}
		switch {
		case strings.HasPrefix(name, "package"):
			d.kind = "package"
		case name == "psys":
			d.kind = "psys"
		case name == "dram":
			d.kind = "dram"
			if i := strings.LastIndexByte(id, ':'); raplID(id) == 2 {
				d.label = names[id[:i]] + " dram"
			}
		default:
			continue // within a package
		}
		found = append(found, d)
	}
	return found, nil
}

// raplID is the depth of a domain by its name: 1 for "intel-rapl:0", 2 for "intel-rapl:0:1", 0 for anything else.
func raplID(name string) int {
	rest, ok := strings.CutPrefix(name, "intel-rapl")
	if !ok {
		return 0
	}
	rest = strings.TrimPrefix(rest, "-mmio")
	parts := strings.Split(rest, ":")
	if parts[0] != "" || len(parts) > 3 {
		return 0
	}
	for _, p := range parts[1:] {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return 0
		}
	}
	return len(parts) - 1
}

// raplChoose takes each piece of hardware once.
func raplChoose(found []raplDomain) []raplDomain {
	packages := slices.ContainsFunc(found, func(d raplDomain) bool { return d.kind == "package" })
	seen := map[string]bool{}
	var chosen []raplDomain
	for _, d := range found {
		if seen[d.label] || packages == (d.kind == "psys") {
			continue
		}
		seen[d.label] = true
		chosen = append(chosen, d)
	}
	return chosen
}

// raplNumber reads a file of one number.
func raplNumber(fsys fs.FS, path string) (uint64, error) {
	text, err := fs.ReadFile(fsys, path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a count", path, clip(string(text)))
	}
	return v, nil
}
