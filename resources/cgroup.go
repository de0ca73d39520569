package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// unlimited is above any real limit. cgroup v1 says 9223372036854771712 for none, v2 says "max".
const unlimited = 1 << 62

// hierarchy is a mounted cgroup tree that may limit the memory of this process.
type hierarchy struct {
	v1   bool
	dirs []string // its own cgroup, then the ancestors up to the mount point
}

// bound is a memory limit and what is left below it.
type bound struct{ total, available uint64 }

// findHierarchies finds the cgroups of this process below the root directory fsys; none where there is no such thing.
// On a hybrid host there are two, and either may lack the memory controller: what counts is which files are there.
func findHierarchies(fsys fs.FS) ([]hierarchy, error) {
	own, err := readText(fsys, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	mounts, err := readText(fsys, "proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	paths := map[bool]string{} // by v1
	for line := range strings.Lines(own) {
		// "4:memory:/docker/0123" in v1, "0::/docker/0123" in v2
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(part) != 3:
		case part[0] == "0" && part[1] == "":
			paths[false] = part[2]
		case listed(part[1], "memory"):
			paths[true] = part[2]
		}
	}
	var found []hierarchy
	for line := range strings.Lines(mounts) {
		// "35 31 0:32 /root /mount/point rw,relatime shared:1 - cgroup cgroup rw,memory", see proc_pid_mountinfo(5)
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) < 5 || len(after) < 3 {
			continue
		}
		v1 := after[0] == "cgroup" && listed(after[2], "memory")
		if cgroup, ok := paths[v1]; ok && (v1 || after[0] == "cgroup2") {
			found = append(found, hierarchy{v1: v1, dirs: upwards(unescape(before[4]), below(cgroup, unescape(before[3])))})
		}
	}
	return found, nil
}

// below is where a cgroup lies under a mount that shows the tree from root on. A cgroup outside of what is mounted, as
// in a cgroup namespace, leaves the mount point itself.
func below(cgroup, root string) string {
	if root == "/" {
		root = ""
	}
	rest, ok := strings.CutPrefix(cgroup, root)
	if !ok || rest != "" && rest[0] != '/' || strings.HasPrefix(rest, "/..") {
		return "/"
	}
	return path.Clean("/" + rest)
}

func upwards(mount, rel string) []string {
	var dirs []string
	for ; ; rel = path.Dir(rel) {
		dirs = append(dirs, strings.TrimPrefix(path.Join(mount, rel), "/"))
		if rel == "/" {
			return dirs
		}
	}
}

// containerMemory is the tightest limit and the least left over all levels of all hierarchies; ok is false without a
// limit below the host's memory.
func containerMemory(fsys fs.FS, trees []hierarchy, host uint64) (tightest bound, ok bool, err error) {
	for _, tree := range trees {
		nearest := true
		for _, dir := range tree.dirs {
			limit, found, err := readLimit(fsys, dir, tree.v1, nearest)
			if err != nil {
				return bound{}, false, err
			}
			nearest = nearest && !found
			if !found || limit >= unlimited || host > 0 && limit >= host {
				continue
			}
			used, err := readUsed(fsys, dir, tree.v1)
			if err != nil {
				return bound{}, false, err
			}
			level := bound{total: limit, available: limit - min(limit, used)}
			if ok {
				level.total = min(level.total, tightest.total)
				level.available = min(level.available, tightest.available)
			}
			tightest, ok = level, true
		}
	}
	return tightest, ok, nil
}

// readLimit reads the limit of one cgroup. A missing file means that there is none at this level. The nearest level of
// v1 also knows the limits of ancestors that cannot be seen.
func readLimit(fsys fs.FS, dir string, v1, nearest bool) (limit uint64, found bool, err error) {
	name := "memory.max"
	if v1 {
		name = "memory.limit_in_bytes"
	}
	limit, err = readBytes(fsys, path.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil || !v1 || !nearest {
		return limit, true, err
	}
	stat, err := readText(fsys, path.Join(dir, "memory.stat"))
	if err != nil {
		return 0, false, err
	}
	if inherited, ok := statField(stat, "hierarchical_memory_limit"); ok {
		limit = min(limit, inherited)
	}
	return limit, true, nil
}

// readUsed is the memory a cgroup uses less the page cache that gives way (inactive_file), as the kubelet counts it.
func readUsed(fsys fs.FS, dir string, v1 bool) (uint64, error) {
	name, field := "memory.current", "inactive_file"
	if v1 {
		name, field = "memory.usage_in_bytes", "total_inactive_file"
	}
	usage, err := readBytes(fsys, path.Join(dir, name))
	if err != nil {
		return 0, err
	}
	stat, err := readText(fsys, path.Join(dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	cache, ok := statField(stat, field)
	if !ok {
		return 0, fmt.Errorf("%s/memory.stat has no %s", dir, field)
	}
	return usage - min(usage, cache), nil
}

func readText(fsys fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(fsys, name)
	return string(text), err
}

func readBytes(fsys fs.FS, name string) (uint64, error) {
	text, err := readText(fsys, name)
	if err != nil {
		return 0, err
	}
	text = strings.TrimSpace(text)
	if text == "max" {
		return unlimited, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

func statField(stat, name string) (uint64, bool) {
	for line := range strings.Lines(stat) {
		if key, value, ok := strings.Cut(line, " "); ok && key == name {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

func listed(list, name string) bool { return strings.Contains(","+list+",", ","+name+",") }

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
