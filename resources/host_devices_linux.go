package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

const sector = 512 // the unit of diskstats, whatever that of the disk

// parseDisks calls each for every whole disk in /proc/diskstats. Partitions and devices made of others are left out.
func parseDisks(text []byte, each func(name []byte, c diskCounters)) error {
	var disk []byte
	s := scanner{b: text}
	for more := len(text) > 0; more; more = s.nextLine() {
		s.word()
		s.word()
		name := s.word()
		if len(name) == 0 || derived(name) || partition(disk, name) {
			continue
		}
		disk = name
		var v [10]uint64 // reads, merged, sectors, ms; writes, merged, sectors, ms; under way, ms busy
		for i := range v {
			var ok bool
			if v[i], ok = s.number(); !ok {
				return fmt.Errorf("diskstats: %.32q: field %d is no number", name, i+4)
			}
		}
		each(name, diskCounters{reads: v[0], read: v[2] * sector, writes: v[4], written: v[6] * sector, busy: v[9]})
	}
	return nil
}

// derived is true for block devices that are made of others or of memory, and for drives of removable media.
func derived(name []byte) bool {
	for _, kind := range [...]string{"loop", "ram", "zram", "dm-", "md", "sr", "fd"} {
		if len(name) > len(kind) && string(name[:len(kind)]) == kind && name[len(kind)]-'0' <= 9 {
			return true
		}
	}
	return false
}

// partition is true for sda1 after sda and nvme0n1p1 after nvme0n1.
func partition(disk, name []byte) bool {
	rest, ok := bytes.CutPrefix(name, disk)
	if !ok || len(disk) == 0 || len(rest) == 0 {
		return false
	}
	if disk[len(disk)-1]-'0' <= 9 {
		if rest[0] != 'p' || len(rest) == 1 {
			return false
		}
		rest = rest[1:]
	}
	for _, c := range rest {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

func ioProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/diskstats", lines: true}
	var sum ioSum
	add := sum.add
	return &probe{
		name: "disk io",
		read: func(now time.Time) error {
			sum.out = IO{}
			text, err := file.read(now)
			if missing(err) {
				return nil
			}
			if err != nil {
				return err
			}
			sum.begin()
			if err := parseDisks(text, add); err != nil {
				return err
			}
			sum.end(now)
			return nil
		},
		put:   func(out *Sample) { out.IO = sum.out },
		quick: file.quick,
		close: file.close,
	}
}

// parseNetwork calls each for every interface in /proc/net/dev but the loopback.
func parseNetwork(text []byte, each func(name []byte, c netCounters)) error {
	s := scanner{b: text}
	if len(text) == 0 {
		return errors.New("net/dev is empty")
	}
	s.nextLine() // the first of two lines of headings
	for s.nextLine() {
		line := text[s.i:]
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			line = line[:n]
		}
		colon := bytes.LastIndexByte(line, ':') // an alias has one in its name
		if colon < 0 {
			continue
		}
		name := bytes.TrimLeft(line[:colon], " ")
		if string(name) == "lo" {
			continue
		}
		s.i += colon + 1 // the first number may follow at once
		var v [12]uint64 // received: bytes, packets, errors, dropped, and 4 more; sent: bytes, packets, errors, dropped
		for i := range v {
			var ok bool
			if v[i], ok = s.number(); !ok {
				return fmt.Errorf("net/dev: %.32q: field %d is no number", name, i+1)
			}
		}
		each(name, netCounters{received: v[0], sent: v[8], errors: v[2] + v[10], dropped: v[3] + v[11]})
	}
	return nil
}

func networkProbe(root fs.FS) *probe {
	// That of the own network namespace.
	file := procFile{root: root, name: "proc/self/net/dev", lines: true}
	links := linkKinds{root: root}
	var sum netSum
	add := func(name []byte, c netCounters) { sum.add(name, c, links.physical(name)) }
	return &probe{
		name: "network",
		read: func(now time.Time) error {
			sum.out = Network{}
			text, err := file.read(now)
			if missing(err) {
				return nil
			}
			if err != nil {
				return err
			}
			links.refresh(now)
			sum.begin()
			if err := parseNetwork(text, add); err != nil {
				return err
			}
			sum.end(now)
			return nil
		},
		put:   func(out *Sample) { out.Network = sum.out },
		quick: file.quick,
		close: file.close,
	}
}

// linkKinds remembers which interfaces are physical: bridges, bonds, tunnels and the like pass on what those count already.
type linkKinds struct {
	root   fs.FS
	known  map[string]bool
	looked time.Time
}

func (l *linkKinds) refresh(now time.Time) {
	if l.known == nil || now.Sub(l.looked) >= rescan {
		l.known, l.looked = map[string]bool{}, now
	}
}

func (l *linkKinds) physical(name []byte) bool {
	is, known := l.known[string(name)]
	if !known {
		_, err := fs.Stat(l.root, "sys/class/net/"+string(name)+"/device")
		is = err == nil
		l.known[string(name)] = is
	}
	return is
}
