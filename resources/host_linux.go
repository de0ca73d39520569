package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"time"
)

func hostProbes() []*probe { return procProbes(os.DirFS("/")) }

// procProbes are the sources below the root directory of a Linux system.
func procProbes(root fs.FS) []*probe {
	probes := []*probe{cpuProbe(root), loadProbe(root), memoryProbe(root)}
	probes = append(probes, cgroupProbes(root)...)
	probes = append(probes, pressureProbes(root, "proc/pressure/", hostPressure)...)
	probes = append(probes, ioProbe(root), networkProbe(root))
	return append(probes, processProbes(root)...)
}

// parseCPU reads /proc/stat: the counters of all CPUs together and how many CPUs there are. Old kernels have fewer.
func parseCPU(text []byte) (t cpuTimes, cpus int, err error) {
	s := scanner{b: text}
	if string(s.word()) != "cpu" {
		return t, 0, errors.New("stat does not begin with cpu")
	}
	for i := range t {
		v, ok := s.number()
		if !ok {
			if i > cpuIdle && (s.i == len(text) || text[s.i] == '\n') {
				break
			}
			return cpuTimes{}, 0, fmt.Errorf("stat: cpu: field %d is no number", i+1)
		}
		t[i] = v
	}
	for s.nextLine() && bytes.HasPrefix(text[s.i:], []byte("cpu")) {
		cpus++
	}
	return t, cpus, nil
}

func cpuProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/stat"}
	var last cpuTimes
	var known bool
	var cpus int
	var shares Value[CPUModes]
	return &probe{
		name: "cpu",
		read: func(now time.Time) error {
			before, had := last, known
			known, shares = false, Value[CPUModes]{}
			text, err := file.read(now)
			if err != nil {
				return err
			}
			if last, cpus, err = parseCPU(text); err != nil {
				return err
			}
			known = true
			if had {
				shares.V, shares.OK = modes(before, last)
			}
			return nil
		},
		put: func(out *Sample) {
			out.Modes = shares
			if cpus > 0 {
				out.CPUs = Of(cpus)
			}
			out.CPU = busy(shares)
		},
		quick: file.quick,
		close: file.close,
	}
}

func parseLoad(text []byte) (load [3]float64, err error) {
	s := scanner{b: text}
	for i := range load {
		v, ok := decimal(s.word())
		if !ok {
			return [3]float64{}, fmt.Errorf("loadavg: field %d is no number", i+1)
		}
		load[i] = v
	}
	return load, nil
}

func loadProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/loadavg"}
	var load [3]float64
	return &probe{
		name: "load",
		read: func(now time.Time) error {
			text, err := file.read(now)
			if err == nil {
				load, err = parseLoad(text)
			}
			return err
		},
		put:   func(out *Sample) { out.Load, out.Load5, out.Load15 = Of(load[0]), Of(load[1]), Of(load[2]) },
		quick: file.quick,
		close: file.close,
	}
}

// memInfo has what is used of /proc/meminfo, in bytes.
type memInfo struct{ total, available, swapTotal, swapFree Value[uint64] }

func parseMemory(text []byte) (m memInfo, err error) {
	s := scanner{b: text}
	for more := len(text) > 0; more; more = s.nextLine() {
		var field *Value[uint64]
		switch string(s.word()) {
		case "MemTotal:":
			field = &m.total
		case "MemAvailable:": // what the kernel counts on, not one of the recipes made of Free, Buffers and Cached
			field = &m.available
		case "SwapTotal:":
			field = &m.swapTotal
		case "SwapFree:":
			field = &m.swapFree
		default:
			continue
		}
		v, ok := s.number()
		if !ok || v > math.MaxUint64>>10 {
			return memInfo{}, errors.New("meminfo: a size is no number")
		}
		*field = Of(v << 10)
		if m.swapFree.OK && m.available.OK && m.total.OK && m.swapTotal.OK {
			break // the rest, most of it, is of no interest
		}
	}
	if !m.total.OK || m.total.V == 0 {
		return memInfo{}, errors.New("meminfo has no MemTotal")
	}
	return m, nil
}

func memoryProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/meminfo"}
	var m memInfo
	return &probe{
		name: "memory",
		read: func(now time.Time) error {
			text, err := file.read(now)
			if err == nil {
				m, err = parseMemory(text)
			}
			return err
		},
		put: func(out *Sample) {
			out.Host = Memory{Total: m.total, Available: m.available}
			out.Host.Available.V = min(m.available.V, m.total.V)
			if m.swapTotal.OK && m.swapFree.OK {
				out.SwapTotal, out.SwapUsed = m.swapTotal, Of(m.swapTotal.V-min(m.swapTotal.V, m.swapFree.V))
			}
		},
		quick: file.quick,
		close: file.close,
	}
}
