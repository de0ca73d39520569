package resources

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// openFiles keeps book of the files of a file system that are open.
type openFiles struct {
	fs.FS
	mu   sync.Mutex
	open map[string]int
}

func (o *openFiles) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.open == nil {
			o.open = map[string]int{}
		}
		o.open[name]++
	}
	return f, err
}

func (o *openFiles) names() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.open))
}

// liveFS is a /proc and /sys of our own making, by path. As in those, an open file shows what is there now, and fails when
// it is no longer there.
type liveFS struct {
	mu    sync.Mutex
	files map[string]string
	fails map[string]error         // of a path
	hangs map[string]chan struct{} // reading this path waits for the channel
	open  int                      // files
}

func newLiveFS(files map[string]string) *liveFS {
	return &liveFS{files: maps.Clone(files), fails: map[string]error{}, hangs: map[string]chan struct{}{}}
}

func (l *liveFS) set(name, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files[name] = text
}

// replace makes these all files there are.
func (l *liveFS) replace(files map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = maps.Clone(files)
}

func (l *liveFS) remove(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.files, name)
}

func (l *liveFS) fail(name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails[name] = err
}

func (l *liveFS) hang(name string) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := make(chan struct{})
	l.hangs[name] = until
	return func() {
		l.mu.Lock()
		delete(l.hangs, name)
		l.mu.Unlock()
		close(until)
	}
}

func (l *liveFS) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

func (l *liveFS) Open(name string) (fs.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fails[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	whole := fstest.MapFS{}
	for path, text := range l.files {
		if path == name || strings.HasPrefix(path, name+"/") {
			whole[path] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	f, err := whole.Open(name)
	if err != nil {
		return nil, err
	}
	if _, dir := f.(fs.ReadDirFile); dir {
		return f, nil
	}
	l.open++
	return &liveFile{File: f, from: l, name: name}, nil
}

type liveFile struct {
	fs.File
	from *liveFS
	name string
}

func (f *liveFile) ReadAt(p []byte, off int64) (int, error) {
	f.from.mu.Lock()
	text, ok := f.from.files[f.name]
	err, until := f.from.fails[f.name], f.from.hangs[f.name]
	f.from.mu.Unlock()
	switch {
	case until != nil:
		<-until
		return 0, syscall.EIO
	case err != nil:
		return 0, err
	case !ok:
		return 0, syscall.ENODEV
	}
	n := copy(p, text[min(off, int64(len(text))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *liveFile) Close() error {
	f.from.mu.Lock()
	f.from.open--
	f.from.mu.Unlock()
	return f.File.Close()
}

// fixtureHost is a machine without containers. Old recipes take Free, Buffers, Cached and SReclaimable for what is left,
// and would say 7 % used.
func fixtureHost() map[string]string {
	return map[string]string{
		"proc/stat":    "cpu  1000 0 0 6000 3000 0 0 0 300 0\ncpu0 500 0 0 3000 1500 0 0 0 0 0\ncpu1 500 0 0 3000 1500 0 0 0 0 0\nintr 5\nbtime 1\n",
		"proc/loadavg": "1.50 1.25 0.50 2/100 12345\n",
		"proc/meminfo": "MemTotal:       16777216 kB\nMemFree:        10000000 kB\nMemAvailable:   12582912 kB\nBuffers:           20000 kB\n" +
			"Cached:          4000000 kB\nSwapCached:            0 kB\nSwapTotal:       2097152 kB\nSwapFree:        1048576 kB\nSReclaimable:      10000 kB\n",
		"proc/diskstats": "   7       0 loop0 5 0 5 0 0 0 0 0 0 0 0\n 259       0 nvme0n1 100 1 2000 50 200 2 4000 60 0 1000 110 0 0 0 0 0 0\n" +
			" 259       1 nvme0n1p1 90 1 1900 50 200 2 4000 60 0 900 110\n 253       0 dm-0 90 0 1900 50 200 0 4000 60 0 900 110\n",
		"proc/self/net/dev": "Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
			"    lo:    9999    9    0    0    0     0          0         0     9999       9    0    0    0     0       0          0\n" +
			"  eth0:    1000   10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0\n" +
			" veth1:70000000   10    0    0    0     0          0         0     7000      20    0    0    0     0       0          0\n",
		"sys/class/net/eth0/device/vendor": "0x1af4\n",
		"proc/pressure/cpu":                "some avg10=12.50 avg60=1.00 avg300=0.10 total=1000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"proc/pressure/memory":             "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"proc/pressure/io":                 "some avg10=50.00 avg60=1.00 avg300=0.10 total=5000\nfull avg10=25.00 avg60=0.50 avg300=0.05 total=4000\n",
		"proc/self/statm":                  "1000 250 100 10 0 500 0\n",
		"proc/self/stat":                   "4242 (a (b) c) S 1 2 3 0 -1 4194304 102 0 7 0 8 9 0 0 20 0 17 0 3507907 3133440 410 18446744073709551615\n",
		"proc/self/io":                     "rchar: 6976\nwchar: 10\nsyscr: 10\nsyscw: 1\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n",
		"proc/self/fd/0":                   "",
		"proc/self/fd/1":                   "",
	}
}

// fixtureSampler samples a machine made of files; close it through the test's clean-up.
func fixtureSampler(t testing.TB, root fs.FS, cfg SamplerConfig) *Sampler {
	t.Helper()
	s, err := newSamplerOf(cfg, procProbes(root))
	require.NoError(t, err)
	return s
}
