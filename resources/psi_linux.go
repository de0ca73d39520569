package resources

import (
	"errors"
	"io/fs"
	"time"
)

// stall is a file of pressure stall information.
type stall struct {
	some, full stallLine
}

type stallLine struct {
	avg10 float64 // percent
	total uint64  // microseconds
	known bool
}

var errStall = errors.New("malformed text")

// parseStall reads "some avg10=0.12 avg60=0.05 avg300=0.00 total=12345" and the same of full, which may be missing. See
// Documentation/accounting/psi.rst of the kernel.
func parseStall(text []byte) (p stall, err error) {
	s := scanner{b: text}
	for more := len(text) > 0; more; more = s.nextLine() {
		line := &p.some
		switch string(s.word()) {
		case "some":
		case "full":
			line = &p.full
		default:
			continue
		}
		avg, ok := after(s.word(), "avg10=")
		if !ok {
			return stall{}, errStall
		}
		if line.avg10, ok = decimal(avg); !ok || line.avg10 > 100 {
			return stall{}, errStall
		}
		s.word()
		s.word()
		total, ok := after(s.word(), "total=")
		if !ok {
			return stall{}, errStall
		}
		t := scanner{b: total}
		if line.total, ok = t.number(); !ok {
			return stall{}, errStall
		}
		line.known = true
	}
	if !p.some.known {
		return stall{}, errStall
	}
	return p, nil
}

// after is what follows a prefix.
func after(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return nil, false
	}
	return b[len(prefix):], true
}

// stallReader reads one file of pressure.
type stallReader struct {
	file procFile
	// someOnly: what the kernel says of CPU as "full" for the whole system is always 0 and means nothing.
	someOnly   bool
	pace       pace
	some, full tally
	out        Stall
}

func (r *stallReader) read(now time.Time) error {
	r.out = Stall{}
	text, err := r.file.read(now)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := parseStall(text)
	if err != nil {
		return err
	}
	seconds := r.pace.seconds(now)
	r.out.Some10, r.out.Some = p.some.shares(&r.some, seconds)
	if p.full.known && !r.someOnly {
		r.out.Full10, r.out.Full = p.full.shares(&r.full, seconds)
	}
	return nil
}

func (l stallLine) shares(t *tally, seconds float64) (avg10, since Value[float64]) {
	if growth, ok := t.step(l.total); ok && seconds > 0 {
		since = Of(min(1, float64(growth)/1e6/seconds))
	}
	return Of(l.avg10 / 100), since
}

func hostPressure(out *Sample) *Pressure { return &out.Pressure }

// pressureProbes are the three files of the host.
func pressureProbes(root fs.FS, dir string, of func(*Sample) *Pressure) []*probe {
	cpu := &stallReader{file: procFile{root: root, name: dir + "cpu"}, someOnly: true}
	memory := &stallReader{file: procFile{root: root, name: dir + "memory"}}
	io := &stallReader{file: procFile{root: root, name: dir + "io"}}
	return []*probe{
		{name: "cpu pressure", read: cpu.read, put: func(out *Sample) { of(out).CPU = cpu.out }, quick: cpu.file.quick, close: cpu.file.close},
		{name: "memory pressure", read: memory.read, put: func(out *Sample) { of(out).Memory = memory.out }, quick: memory.file.quick, close: memory.file.close},
		{name: "io pressure", read: io.read, put: func(out *Sample) { of(out).IO = io.out }, quick: io.file.quick, close: io.file.close},
	}
}
