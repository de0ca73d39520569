package resources

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const (
	mb   = 1 << 20
	gb   = 1 << 30
	host = 16 * gb

	mountV1     = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
	mountV2     = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
	mountHybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountOther  = "22 23 0:20 / /proc rw - proc proc rw\n32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
)

// tree is a file system from lines "path value"; a ~ in the value is a new line.
func tree(cgroup, mounts string, files ...string) fstest.MapFS {
	fsys := fstest.MapFS{
		"proc/self/cgroup":    {Data: []byte(cgroup)},
		"proc/self/mountinfo": {Data: []byte(mountOther + mounts)},
	}
	for _, f := range files {
		name, value, _ := strings.Cut(f, " ")
		fsys[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(value, "~", "\n") + "\n")}
	}
	return fsys
}

func v2(dir, limit string, usage, cache uint64) []string {
	return []string{
		dir + "/memory.max " + limit,
		dir + "/memory.current " + strconv.FormatUint(usage, 10),
		dir + "/memory.stat anon 1~file 2~inactive_file " + strconv.FormatUint(cache, 10) + "~active_file 3",
	}
}

func v1(dir string, limit, inherited, usage, cache uint64) []string {
	text := func(v uint64) string { return strconv.FormatUint(v, 10) }
	return []string{
		dir + "/memory.limit_in_bytes " + text(limit),
		dir + "/memory.usage_in_bytes " + text(usage),
		dir + "/memory.stat inactive_file 7~hierarchical_memory_limit " + text(inherited) + "~total_inactive_file " + text(cache),
	}
}

const none1 = 9223372036854771712

func TestContainerMemory(t *testing.T) {
	t.Parallel()
	join := func(parts ...[]string) (all []string) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, tc := range map[string]struct {
		fsys fs.FS
		want bound // zero: no limit
	}{
		"v2, page cache is not use": {
			tree("0::/job", mountV2, v2("sys/fs/cgroup/job", "1073741824", 195*mb, 159*mb)...),
			bound{gb, gb - 36*mb},
		},
		"v2 max": {tree("0::/job", mountV2, v2("sys/fs/cgroup/job", "max", gb, 0)...), bound{}},
		"v2, own max, ancestor limited": {
			tree("0::/pod/job", mountV2, join(v2("sys/fs/cgroup/pod/job", "max", gb, 0), v2("sys/fs/cgroup/pod", "4294967296", 3*gb, gb))...),
			bound{4 * gb, 2 * gb},
		},
		"v2, ancestor tighter": {
			tree("0::/pod/job", mountV2, join(v2("sys/fs/cgroup/pod/job", "8589934592", gb, 0), v2("sys/fs/cgroup/pod", "4294967296", gb, 0))...),
			bound{4 * gb, 3 * gb},
		},
		"v2, siblings have used up the ancestor": {
			tree("0::/pod/job", mountV2, join(v2("sys/fs/cgroup/pod/job", "4294967296", gb, 0), v2("sys/fs/cgroup/pod", "8589934592", 8*gb-mb, 0))...),
			bound{4 * gb, mb},
		},
		"v2, no controller in its own cgroup, one above": {
			tree("0::/pod/job", mountV2, v2("sys/fs/cgroup/pod", "4294967296", gb, 0)...), bound{4 * gb, 3 * gb},
		},
		"v2, in a cgroup namespace": {tree("0::/", mountV2, v2("sys/fs/cgroup", "1073741824", mb, 0)...), bound{gb, gb - mb}},
		"v2, outside its namespace": {
			tree("0::/../../other", mountV2, join(v2("sys/fs/cgroup", "1073741824", mb, 0), v2("sys/fs/cgroup/other", "4096", 0, 0))...), bound{gb, gb - mb},
		},
		"v2 without controllers": {tree("0::/job", mountV2), bound{}},
		"v2, the limit of the host and above": {
			tree("0::/job", mountV2, v2("sys/fs/cgroup/job", strconv.FormatInt(host, 10), gb, 0)...), bound{},
		},
		"v2, over the limit":           {tree("0::/job", mountV2, v2("sys/fs/cgroup/job", "1073741824", 2*gb, 0)...), bound{gb, 0}},
		"v2, more cache than use":      {tree("0::/job", mountV2, v2("sys/fs/cgroup/job", "1073741824", mb, 2*mb)...), bound{gb, gb}},
		"v1":                           {tree("4:memory:/job", mountV1, v1("sys/fs/cgroup/memory/job", gb, gb, 195*mb, 159*mb)...), bound{gb, gb - 36*mb}},
		"v1 unlimited":                 {tree("4:memory:/job", mountV1, v1("sys/fs/cgroup/memory/job", none1, none1, gb, 0)...), bound{}},
		"v1, controllers side by side": {tree("4:cpu,memory,blkio:/job", strings.Replace(mountV1, "rw,memory", "rw,cpu,memory", 1), v1("sys/fs/cgroup/memory/job", gb, gb, mb, 0)...), bound{gb, gb - mb}},
		"v1, docker: the mount shows its own part": {
			tree("4:memory:/docker/abc", strings.Replace(mountV1, " / ", " /docker/abc ", 1), v1("sys/fs/cgroup/memory", gb, gb, mb, 0)...), bound{gb, gb - mb},
		},
		"v1, docker: a cgroup within": {
			tree("4:memory:/docker/abc/job", strings.Replace(mountV1, " / ", " /docker/abc ", 1), v1("sys/fs/cgroup/memory/job", gb, gb, mb, 0)...), bound{gb, gb - mb},
		},
		"v1, a name that only begins alike": {
			tree("4:memory:/docker/abcdef", strings.Replace(mountV1, " / ", " /docker/abc ", 1), join(v1("sys/fs/cgroup/memory", gb, gb, mb, 0), v1("sys/fs/cgroup/memory/def", mb, mb, 0, 0))...),
			bound{gb, gb - mb},
		},
		"v1, an ancestor that cannot be seen": {tree("4:memory:/", mountV1, v1("sys/fs/cgroup/memory", 8*gb, 2*gb, gb, 0)...), bound{2 * gb, gb}},
		"v1, ancestor tighter": {
			tree("4:memory:/pod/job", mountV1, join(v1("sys/fs/cgroup/memory/pod/job", 8*gb, 4*gb, gb, 0), v1("sys/fs/cgroup/memory/pod", 4*gb, 4*gb, 3*gb, 0))...),
			bound{4 * gb, gb},
		},
		"hybrid: v2 mounted, memory on v1": {
			tree("4:memory:/job\n1:name=systemd:/\n0::/job", mountV1+mountHybrid, v1("sys/fs/cgroup/memory/job", gb, gb, mb, 0)...), bound{gb, gb - mb},
		},
		"hybrid: v1 mounted, memory on v2": {
			tree("3:cpu:/\n0::/job", mountHybrid, v2("sys/fs/cgroup/unified/job", "1073741824", mb, 0)...), bound{gb, gb - mb},
		},
		"a limit of nothing": {tree("0::/job", mountV2, v2("sys/fs/cgroup/job", "0", 0, 0)...), bound{0, 0}},
		"no cgroups at all":  {fstest.MapFS{}, bound{}},
		"no mounts":          {tree("4:memory:/job\n0::/job\nnonsense", "garbage\n - \n"), bound{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trees, err := findHierarchies(tc.fsys)
			require.NoError(t, err)
			got, ok, err := containerMemory(tc.fsys, trees, host)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.want != bound{} || name == "a limit of nothing", ok)
		})
	}
}

func TestContainerMemoryEscapedPath(t *testing.T) {
	t.Parallel()
	fsys := tree("0::/job", strings.Replace(mountV2, "/sys/fs/cgroup", `/my\040cgroups`, 1))
	fsys["my cgroups/job/memory.max"] = &fstest.MapFile{Data: []byte("1073741824\n")}
	fsys["my cgroups/job/memory.current"] = &fstest.MapFile{Data: []byte("0\n")}
	fsys["my cgroups/job/memory.stat"] = &fstest.MapFile{Data: []byte("inactive_file 0\n")}
	trees, err := findHierarchies(fsys)
	require.NoError(t, err)
	_, ok, err := containerMemory(fsys, trees, host)
	require.NoError(t, err)
	require.True(t, ok)
}

// TestContainerMemoryOfUnknownHost: without the host's memory to compare with, no limit is still no limit.
func TestContainerMemoryOfUnknownHost(t *testing.T) {
	t.Parallel()
	for limit, want := range map[uint64]bool{none1: false, 64 << 40: true} {
		fsys := tree("4:memory:/", mountV1, v1("sys/fs/cgroup/memory", limit, limit, 0, 0)...)
		trees, err := findHierarchies(fsys)
		require.NoError(t, err)
		_, ok, err := containerMemory(fsys, trees, 0)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
}

// TestContainerMemoryUnreadable: a limit that cannot be read is an error, never "no limit".
func TestContainerMemoryUnreadable(t *testing.T) {
	t.Parallel()
	const dir = "sys/fs/cgroup/job/"
	for name, files := range map[string][]string{
		"limit is no number": {dir + "memory.max lots"},
		"negative limit":     {dir + "memory.max -1"},
		"empty limit":        {dir + "memory.max "},
		"no usage":           {dir + "memory.max 1024", dir + "memory.stat inactive_file 0"},
		"no stat":            {dir + "memory.max 1024", dir + "memory.current 0"},
		"no inactive_file":   {dir + "memory.max 1024", dir + "memory.current 0", dir + "memory.stat anon 1"},
		"bad inactive_file":  {dir + "memory.max 1024", dir + "memory.current 0", dir + "memory.stat inactive_file x"},
	} {
		fsys := tree("0::/job", mountV2, files...)
		trees, err := findHierarchies(fsys)
		require.NoError(t, err)
		_, _, err = containerMemory(fsys, trees, host)
		require.Error(t, err, name)
	}
	fsys := tree("4:memory:/job", mountV1, "sys/fs/cgroup/memory/job/memory.limit_in_bytes 1024")
	trees, err := findHierarchies(fsys)
	require.NoError(t, err)
	_, _, err = containerMemory(fsys, trees, host)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = findHierarchies(fstest.MapFS{"proc/self/cgroup": {Data: []byte("0::/")}})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func FuzzCgroup(f *testing.F) {
	f.Add("4:memory:/docker/abc\n0::/job", mountV1+mountV2, "1073741824", "195", "inactive_file 5\nhierarchical_memory_limit 6\ntotal_inactive_file 1")
	f.Add("0::/../x", `1 2 3 /a\040b /m - cgroup2 x y`, "max", "", "")
	f.Fuzz(func(t *testing.T, cgroup, mounts, limit, usage, stat string) {
		files := fstest.MapFS{"proc/self/cgroup": {Data: []byte(cgroup)}, "proc/self/mountinfo": {Data: []byte(mounts)}}
		trees, err := findHierarchies(files)
		require.NoError(t, err)
		for _, h := range trees {
			require.NotEmpty(t, h.dirs)
			for _, dir := range h.dirs {
				for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
					files[path.Join(dir, name)] = &fstest.MapFile{Data: []byte(limit)}
				}
				for _, name := range []string{"memory.current", "memory.usage_in_bytes"} {
					files[path.Join(dir, name)] = &fstest.MapFile{Data: []byte(usage)}
				}
				files[path.Join(dir, "memory.stat")] = &fstest.MapFile{Data: []byte(stat)}
			}
		}
		got, ok, err := containerMemory(files, trees, host)
		if err != nil || !ok {
			require.Equal(t, bound{}, got)
			return
		}
		require.LessOrEqual(t, got.available, got.total)
		require.Less(t, got.total, uint64(host))
	})
}
