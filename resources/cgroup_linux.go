package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// unlimited is above any real limit. cgroup v1 says 9223372036854771712 for none, v2 says "max".
const unlimited = 1 << 62

func cgroupProbes(root fs.FS) []*probe {
	return append([]*probe{cgroupMemoryProbe(root), cgroupCPUProbe(root)}, cgroupPressureProbe(root))
}

// hierarchy is a mounted tree of cgroups, as seen by this process.
type hierarchy struct {
	v1    bool
	mount string   // below the root directory
	rels  []string // the own cgroup below mount, then its ancestors up to "/"
}

func (h hierarchy) dir(level int) string {
	return strings.TrimPrefix(path.Join(h.mount, h.rels[level]), "/")
}

// cgroupText is what says where the cgroups of this process are.
type cgroupText struct{ own, mounts string }

func readCgroupText(fsys fs.FS) (t cgroupText, err error) {
	own, err := fs.ReadFile(fsys, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) { // a kernel without
		return t, nil
	}
	if err != nil {
		return t, err
	}
	mounts, err := fs.ReadFile(fsys, "proc/self/mountinfo")
	return cgroupText{string(own), string(mounts)}, err
}

// hierarchies finds the trees that may have a controller: of v1 the one it is attached to, and the one of v2. On a
// hybrid host there are both, and that a tree is mounted does not mean that the controller is in it: what counts is which
// files are there.
func (t cgroupText) hierarchies(controller string) []hierarchy {
	paths := map[bool]string{} // by v1
	for line := range strings.Lines(t.own) {
		// "4:memory:/docker/0123" in v1, "0::/docker/0123" in v2
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(part) != 3:
		case part[0] == "0" && part[1] == "":
			paths[false] = part[2]
		case listed(part[1], controller):
			paths[true] = part[2]
		}
	}
	var found []hierarchy
	for _, v1 := range []bool{true, false} {
		own, ok := paths[v1]
		if !ok {
			continue
		}
		if mount, rel, ok := t.mountOf(controller, v1, own); ok {
			found = append(found, hierarchy{v1: v1, mount: mount, rels: upwards(rel)})
		}
	}
	return found
}

// mountOf finds where a tree is mounted and where the cgroup lies in it. Of several mounts it takes the one that shows
// the most ancestors, the last where they are equal, as that may hide the others. If none shows the cgroup, as may be in
// a cgroup namespace, its place is the mount point of the last.
func (t cgroupText) mountOf(controller string, v1 bool, cgroup string) (mount, rel string, ok bool) {
	shown := -1 // length of the root of the mount taken
	for line := range strings.Lines(t.mounts) {
		// "35 31 0:32 /root /mount/point rw,relatime shared:1 - cgroup cgroup rw,memory", see proc_pid_mountinfo(5)
		left, right, cut := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !cut || len(before) < 5 || len(after) < 3 {
			continue
		}
		if v1 && (after[0] != "cgroup" || !listed(after[2], controller)) || !v1 && after[0] != "cgroup2" {
			continue
		}
		root := unescape(before[3])
		below, under := below(cgroup, root)
		switch {
		case under && (shown < 0 || len(root) <= shown):
			shown = len(root)
		case under || shown >= 0:
			continue
		}
		mount, rel, ok = unescape(before[4]), below, true
	}
	return mount, rel, ok
}

// below is where a cgroup lies under a mount that shows the tree from root on; the mount point itself if it does not lie
// there.
func below(cgroup, root string) (rel string, under bool) {
	if root == "/" {
		root = ""
	}
	rest, ok := strings.CutPrefix(cgroup, root)
	if !ok || rest != "" && rest[0] != '/' || strings.HasPrefix(rest, "/..") {
		return "/", false
	}
	return path.Clean("/" + rest), true
}

func upwards(rel string) (rels []string) {
	for ; ; rel = path.Dir(rel) {
		rels = append(rels, rel)
		if rel == "/" {
			return rels
		}
	}
}

func listed(list, name string) bool { return strings.Contains(","+list+",", ","+name+",") }

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// cgroupFinder looks once in a while whether the process has been moved.
type cgroupFinder struct {
	root fs.FS
	next time.Time
	last cgroupText
}

// look reports whether all is to be found anew; the text may be empty, where there are no cgroups.
func (f *cgroupFinder) look(now time.Time) (text cgroupText, changed bool, err error) {
	if !f.next.IsZero() && now.Before(f.next) {
		return f.last, false, nil
	}
	text, err = readCgroupText(f.root)
	if err != nil {
		f.next = time.Time{}
		return cgroupText{}, false, err
	}
	changed = text != f.last
	f.last, f.next = text, now.Add(rescan)
	return text, changed, nil
}

// readNumber reads a file that holds one number, or "max" for no limit.
func readNumber(f *procFile, now time.Time) (uint64, error) {
	text, err := f.read(now)
	if err != nil {
		return 0, err
	}
	v, ok := parseLimit(text)
	if !ok {
		return 0, fmt.Errorf("%s: %.32q is no number", f.name, text)
	}
	return v, nil
}

func parseLimit(text []byte) (uint64, bool) {
	s := scanner{b: text}
	first := s
	if string(s.word()) == "max" {
		return unlimited, s.i == len(text) || text[s.i] == '\n'
	}
	v, ok := first.number()
	return v, ok && (first.i == len(text) || text[first.i] == '\n')
}

// field is one line of a file such as memory.stat: what it is called and where its number goes.
type field struct {
	name []byte
	to   *Value[uint64]
}

func fieldOf(name string, to *Value[uint64]) field { return field{[]byte(name), to} }

// parseFields reads lines "name number". What is not there stays absent.
func parseFields(text []byte, fields []field) error {
	for _, f := range fields {
		*f.to = Value[uint64]{}
		i := findLine(text, f.name)
		if i < 0 {
			continue
		}
		s := scanner{b: text, i: i}
		v, ok := s.number()
		if !ok {
			return fmt.Errorf("%s is no number", f.name)
		}
		*f.to = Of(v)
	}
	return nil
}

// findLine is where the name at the beginning of a line ends; -1 where no line begins with it and a space.
func findLine(text, name []byte) int {
	for from := 0; ; {
		n := bytes.Index(text[from:], name)
		if n < 0 {
			return -1
		}
		n += from
		from = n + len(name)
		if (n == 0 || text[n-1] == '\n') && from < len(text) && text[from] == ' ' {
			return from
		}
	}
}

// cgroupPressureProbe reads the pressure of the own group, which only v2 has; it does so without any controller.
func cgroupPressureProbe(root fs.FS) *probe {
	finder := cgroupFinder{root: root}
	var files [3]*stallReader
	closeAll := func() {
		for _, f := range files {
			if f != nil {
				f.file.close()
			}
		}
		files = [3]*stallReader{}
	}
	return &probe{
		name: "container pressure",
		read: func(now time.Time) error {
			text, changed, err := finder.look(now)
			if err != nil {
				return err
			}
			if changed {
				closeAll()
				for _, h := range text.hierarchies("") {
					if !h.v1 {
						for i, name := range [...]string{"cpu", "memory", "io"} {
							files[i] = &stallReader{file: procFile{root: root, name: path.Join(h.dir(0), name+".pressure")}}
						}
					}
				}
			}
			var failed []error
			for _, f := range files {
				if f != nil {
					if err := f.read(now); err != nil {
						failed = append(failed, err)
					}
				}
			}
			return errors.Join(failed...)
		},
		put: func(out *Sample) {
			if files[0] != nil {
				out.Container.Pressure = Pressure{CPU: files[0].out, Memory: files[1].out, IO: files[2].out}
			}
		},
		quick: func() bool {
			for _, f := range files {
				if f != nil && !f.file.quick() {
					return false
				}
			}
			return true
		},
		close: closeAll,
	}
}
