package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/surefoot-ml/surefoot/resources"
)

// text draws a frame: what the host has on the left, what this container may use and does on the right.
func (f frame) text() string {
	s := &f.Sample
	var b strings.Builder
	row := func(name, host, own string) {
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-9s %-46s %s", name, host, own), " "))
	}
	fmt.Fprintf(&b, "%s   load %s %s %s\n\n", s.At.Format(time.TimeOnly), number(s.Load), number(s.Load5), number(s.Load15))
	row("", "host", "this container")
	row("cpu", bar(s.CPU)+" of "+count(s.CPUs), ownCPU(s))
	row("", modes(s.Modes), "")
	row("memory", bar(s.Host.Used())+" of "+size(s.Host.Total), ownMemory(s))
	row("", "swap "+size(s.SwapUsed)+" of "+size(s.SwapTotal), "working set "+size(s.Container.WorkingSet)+", page cache "+size(s.Container.Cache))
	row("", "", ownEvents(s))
	row("waiting", stalls(s.Pressure), stalls(s.Container.Pressure))
	fmt.Fprintln(&b)
	row("disk", bar(s.Disk.Used())+" of "+size(s.Disk.Total)+", "+size(s.Disk.Free)+" free", clean(s.Disk.Path))
	row("", "read "+rate(s.IO.Read)+", written "+rate(s.IO.Written), "busy "+share(s.IO.Busy))
	row("network", "received "+rate(s.Network.Received)+", sent "+rate(s.Network.Sent), "")
	row("process", "resident "+size(s.Process.RSS)+", heap "+size(s.Process.Heap), fmt.Sprintf("goroutines %s, threads %s, files %s of %s",
		count(s.Process.Goroutines), count(s.Process.Threads), count(s.Process.Files), count(s.Process.FilesLimit)))
	fmt.Fprintln(&b)
	f.gpus(&b)
	for _, e := range f.Errors {
		fmt.Fprintf(&b, "! %s\n", clean(e))
	}
	return b.String()
}

func (f frame) gpus(b *strings.Builder) {
	switch {
	case f.GPUs == nil:
		fmt.Fprintf(b, "gpu       not known: %s\n", clean(f.NoGPUs))
	case len(f.GPUs) == 0:
		fmt.Fprintln(b, "gpu       none")
	}
	for _, g := range f.GPUs {
		name := fmt.Sprintf("gpu %d", g.Index)
		if g.Lost {
			fmt.Fprintf(b, "%-9s lost: %s %s\n", name, clean(g.Name), clean(g.UUID))
		} else {
			memory := resources.GPU{MemoryTotal: g.MemoryTotal, MemoryUsed: g.MemoryUsed}.Used()
			fmt.Fprintf(b, "%-9s %-46s memory %s of %s\n", name, bar(g.Busy)+" "+clean(g.Name), bar(memory), size(g.MemoryTotal))
			fmt.Fprintf(b, "%-9s %s °C, %s of %s W, %s of %s MHz; held down by: %s\n", "", whole(g.Temperature), whole(g.Power), whole(g.PowerLimit),
				whole(g.Clock), whole(g.MaxClock), or(g.Reasons))
		}
		for _, slice := range g.Slices {
			fmt.Fprintf(b, "%-9s slice %d.%d %s: memory %s of %s\n", "", slice.Instance, slice.Compute, clean(slice.Name), size(slice.MemoryUsed), size(slice.MemoryTotal))
		}
		for _, p := range g.Processes {
			fmt.Fprintf(b, "%-9s process %d (%s): memory %s, busy %s\n", "", p.PID, p.Kind, size(p.Memory), share(p.Busy))
		}
		for _, finding := range g.Health {
			fmt.Fprintf(b, "%-9s %s: %s\n", "", finding.Action, clean(finding.Text))
		}
	}
}

func ownCPU(s *resources.Sample) string {
	own := bar(s.Container.CPU) + " of " + number(s.Container.CPUs)
	if s.Container.Throttled.OK {
		own += ", throttled " + share(s.Container.Throttled)
	}
	return own
}

func ownMemory(s *resources.Sample) string {
	own := bar(s.Memory.Used()) + " of " + size(s.Memory.Total)
	if s.Memory.Total.OK && !s.Memory.Limited {
		own += ", no limit"
	}
	return own
}

func ownEvents(s *resources.Sample) string {
	c := &s.Container
	return "limit hit " + count(c.LimitHits.Total) + " times, killed for memory " + count(c.OOMKills.Total)
}

func modes(v resources.Value[resources.CPUModes]) string {
	if !v.OK {
		return "-"
	}
	of := func(x float64) string { return share(resources.Of(x)) }
	return "user " + of(v.V.User+v.V.Nice) + ", system " + of(v.V.System+v.V.IRQ+v.V.SoftIRQ) + ", io wait " + of(v.V.IOWait) + ", stolen " + of(v.V.Steal)
}

// stalls are the shares of time in which some task had to wait.
func stalls(p resources.Pressure) string {
	return "for cpu " + share(p.CPU.Some) + ", memory " + share(p.Memory.Some) + ", io " + share(p.IO.Some)
}

// bar draws a share; "-" where it is not known.
func bar(v resources.Value[float64]) string {
	const width = 20
	if !v.OK {
		return "[" + strings.Repeat(" ", width) + "]     -"
	}
	full := int(min(max(v.V, 0), 1)*width + 0.5)
	return fmt.Sprintf("[%s%s] %5s", strings.Repeat("#", full), strings.Repeat(".", width-full), share(v))
}

func share(v resources.Value[float64]) string {
	if !v.OK {
		return "-"
	}
	return strconv.FormatFloat(100*v.V, 'f', 0, 64) + " %"
}

func number(v resources.Value[float64]) string {
	if !v.OK {
		return "-"
	}
	return strconv.FormatFloat(v.V, 'f', 2, 64)
}

func whole(v resources.Value[float64]) string {
	if !v.OK {
		return "-"
	}
	return strconv.FormatFloat(v.V, 'f', 0, 64)
}

func count[T int | uint64](v resources.Value[T]) string { return or(v) }

func or[T any](v resources.Value[T]) string {
	if !v.OK {
		return "-"
	}
	return fmt.Sprint(v.V)
}

func rate(c resources.Counter) string {
	if !c.Rate.OK {
		return "-"
	}
	return amount(c.Rate.V) + "/s"
}

func size(v resources.Value[uint64]) string {
	if !v.OK {
		return "-"
	}
	return amount(float64(v.V))
}

func amount(v float64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for ; v >= 1023.95 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " B"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}

// clean keeps what others have named from writing to the terminal what it would obey.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
