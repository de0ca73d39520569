package carbon

import (
	"errors"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

const raplSize = 262143328850 // µJ: what an Intel server package says

// raplTree is a powercap tree whose counters a test moves.
type raplTree struct {
	fstest.MapFS
	denied map[string]bool
}

func newRaplTree(domains ...string) *raplTree {
	t := &raplTree{MapFS: fstest.MapFS{}, denied: map[string]bool{}}
	for _, d := range domains { // "intel-rapl:0/package-0"
		i := strings.LastIndexByte(d, '/')
		path, name := d[:i], d[i+1:]
		t.MapFS[path+"/name"] = &fstest.MapFile{Data: []byte(name + "\n")}
		t.MapFS[path+"/max_energy_range_uj"] = &fstest.MapFile{Data: []byte(strconv.FormatUint(raplSize, 10) + "\n")}
		t.set(path, 1e6)
	}
	return t
}

func (t *raplTree) set(path string, uj uint64) {
	t.MapFS[path+"/energy_uj"] = &fstest.MapFile{Data: []byte(strconv.FormatUint(uj, 10) + "\n")}
}

func (t *raplTree) Open(name string) (fs.File, error) {
	if t.denied[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return t.MapFS.Open(name)
}

func (t *raplTree) ReadFile(name string) ([]byte, error) {
	if t.denied[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return t.MapFS.ReadFile(name)
}

func (t *raplTree) ReadDir(name string) ([]fs.DirEntry, error) { return t.MapFS.ReadDir(name) }

// TestRAPLCountsEachPieceOnce: nested, repeated and overlapping domains.
func TestRAPLCountsEachPieceOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		domains []string
		want    string
		joules  float64 // every domain moves by a joule
	}{
		"server, listed flat": {[]string{
			"intel-rapl/", "intel-rapl:0/package-0", "intel-rapl:0:0/core", "intel-rapl:0:1/dram", "intel-rapl:1/package-1", "intel-rapl:1:0/dram",
		}, "rapl package-0 + package-0 dram + package-1 + package-1 dram", 4},
		"server, nested": {[]string{
			"intel-rapl:0/package-0", "intel-rapl:0/intel-rapl:0:0/core", "intel-rapl:0/intel-rapl:0:1/dram",
		}, "rapl package-0 + package-0 dram", 2},
		"flat and nested": {[]string{
			"intel-rapl:0/package-0", "intel-rapl:0/intel-rapl:0:0/dram", "intel-rapl:0:0/dram",
		}, "rapl package-0 + package-0 dram", 2},
		"laptop with psys and mmio": {[]string{
			"intel-rapl:0/package-0", "intel-rapl:0:0/core", "intel-rapl:0:1/uncore", "intel-rapl:1/psys", "intel-rapl-mmio/", "intel-rapl-mmio:0/package-0",
		}, "rapl package-0", 1},
		"only mapped memory":   {[]string{"intel-rapl-mmio:0/package-0"}, "rapl package-0", 1},
		"only psys":            {[]string{"intel-rapl:0/psys"}, "rapl psys", 1},
		"two dies":             {[]string{"intel-rapl:0/package-0-die-0", "intel-rapl:1/package-0-die-1"}, "rapl package-0-die-0 + package-0-die-1", 2},
		"other things besides": {[]string{"dtpm/", "intel-rapl:0/package-0", "intel-rapl:x/package-9", "intel-rapl:0:0:0/package-8", "amd:0/package-7"}, "rapl package-0", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := newRaplTree(tc.domains...)
			r, err := NewRAPL(RAPLConfig{FS: tree}, noon)
			require.NoError(t, err)
			require.Equal(t, tc.want, r.Name())
			for path := range tree.MapFS {
				if dir, ok := strings.CutSuffix(path, "/energy_uj"); ok {
					tree.set(dir, 2e6)
				}
			}
			from, e, err := r.Since(noon.Add(time.Second))
			require.NoError(t, err)
			require.Equal(t, noon, from)
			require.InDelta(t, tc.joules, e.Joules, 1e-9)
			require.Equal(t, Energy{Joules: e.Joules, Source: tc.want}, e, "a counter's energy is measured")
		})
	}
}

func TestRAPLMissing(t *testing.T) {
	t.Parallel()
	for name, tree := range map[string]fs.FS{
		"no tree":       raplGone{},
		"an empty tree": fstest.MapFS{},
		"only cores":    newRaplTree("intel-rapl:0/core"),
		"only memory":   newRaplTree("intel-rapl:0/dram").zero("intel-rapl:0"),
	} {
		_, err := NewRAPL(RAPLConfig{FS: tree}, noon)
		require.ErrorIs(t, err, ErrNoCounter, name)
	}
	var none *RAPL
	_, _, err := none.Since(noon)
	require.ErrorIs(t, err, ErrNoCounter)
	require.Empty(t, none.Name())
	require.Equal(t, time.Duration(math.MaxInt64), none.Period())
	_, _, err = new(RAPL).Since(noon)
	require.ErrorIs(t, err, ErrNoCounter)

	// A memory domain that never counts is left out; one that does is not.
	tree := newRaplTree("intel-rapl:0/package-0", "intel-rapl:0:0/dram").zero("intel-rapl:0:0")
	r, err := NewRAPL(RAPLConfig{FS: tree}, noon)
	require.NoError(t, err)
	require.Equal(t, "rapl package-0", r.Name())
}

type raplGone struct{}

func (raplGone) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (t *raplTree) zero(path string) *raplTree { t.set(path, 0); return t }

func TestRAPLPermission(t *testing.T) {
	t.Parallel()
	tree := newRaplTree("intel-rapl:0/package-0", "intel-rapl:1/package-1")
	tree.denied["intel-rapl:1/energy_uj"] = true
	_, err := NewRAPL(RAPLConfig{FS: tree}, noon)
	require.ErrorIs(t, err, fs.ErrPermission, "half of the packages is not the machine")
	require.ErrorContains(t, err, "root")

	// Permission lost on the way: an error, not 0 J, and what was used meanwhile is not lost.
	tree.denied = map[string]bool{}
	r, err := NewRAPL(RAPLConfig{FS: tree}, noon)
	require.NoError(t, err)
	tree.denied["intel-rapl:1/energy_uj"] = true
	tree.set("intel-rapl:0", 11e6)
	_, e, err := r.Since(noon.Add(time.Second))
	require.ErrorIs(t, err, fs.ErrPermission)
	require.Zero(t, e)
	tree.denied = map[string]bool{}
	tree.set("intel-rapl:0", 21e6)
	tree.set("intel-rapl:1", 6e6)
	from, e, err := r.Since(noon.Add(2 * time.Second))
	require.NoError(t, err)
	require.Equal(t, noon, from)
	require.InDelta(t, 25, e.Joules, 1e-9, "no range is added, and nothing twice")
}

func TestRAPLBadFiles(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*raplTree){
		"count":     func(t *raplTree) { t.MapFS["intel-rapl:0/energy_uj"].Data = []byte("many\n") },
		"empty":     func(t *raplTree) { t.MapFS["intel-rapl:0/energy_uj"].Data = nil },
		"negative":  func(t *raplTree) { t.MapFS["intel-rapl:0/energy_uj"].Data = []byte("-1") },
		"no range":  func(t *raplTree) { delete(t.MapFS, "intel-rapl:0/max_energy_range_uj") },
		"range 0":   func(t *raplTree) { t.MapFS["intel-rapl:0/max_energy_range_uj"].Data = []byte("0") },
		"beyond":    func(t *raplTree) { t.set("intel-rapl:0", raplSize+1) },
		"no name":   func(t *raplTree) { delete(t.MapFS, "intel-rapl:0/name") },
		"no energy": func(t *raplTree) { delete(t.MapFS, "intel-rapl:0/energy_uj") },
	} {
		tree := newRaplTree("intel-rapl:0/package-0")
		breakIt(tree)
		_, err := NewRAPL(RAPLConfig{FS: tree}, noon)
		require.ErrorContains(t, err, "carbon: ", name)
	}
	_, err := NewRAPL(RAPLConfig{FS: newRaplTree("intel-rapl:0/package-0"), MaxWatts: math.NaN()}, noon)
	require.ErrorContains(t, err, "MaxWatts")
}

// counterAt is a counter whose count a test sets.
func counterAt(t *testing.T, v *uint64, size uint64, watts float64) *Counter {
	t.Helper()
	c, err := NewCounter(CounterConfig{Name: "dev", Read: func() (uint64, error) { return *v, nil }, Joules: 1, Range: size, MaxWatts: watts}, noon)
	require.NoError(t, err)
	return c
}

func TestCounter(t *testing.T) {
	t.Parallel()
	const size, watts = 100_000, 100 // wraps once in 1,000 s at full power
	for name, tc := range map[string]struct {
		size   uint64
		before uint64
		after  uint64
		passed time.Duration
		want   float64
		err    error
	}{
		"plain":                     {size, 500, 1500, time.Minute, 1000, nil},
		"wraps once":                {size, 99_000, 500, time.Minute, 1500, nil},
		"wraps to nought":           {size, 99_000, 0, time.Minute, 1000, nil},
		"once within the bound":     {size, 99_000, 98_000, 1000 * time.Second, 99_000, nil},
		"once or twice":             {size, 99_000, 500, 1100 * time.Second, 0, ErrCounterReset},
		"never or once":             {size, 500, 1500, 1100 * time.Second, 0, ErrCounterReset},
		"a day unread":              {size, 500, 1500, 24 * time.Hour, 0, ErrCounterReset},
		"more than the bound":       {size, 500, 50_000, time.Minute, 0, ErrCounterReset},
		"a reset, not a wrap":       {size, 50_000, 10, time.Minute, 0, ErrCounterReset},
		"no wrap: went back":        {0, 50_000, 10, time.Minute, 0, ErrCounterReset},
		"no wrap: a day unread":     {0, 500, 1500, 24 * time.Hour, 1000, nil},
		"stands still":              {0, 500, 500, time.Minute, 0, ErrNoCounter},
		"wraps and stands still":    {size, 500, 500, time.Minute, 0, ErrNoCounter},
		"always 0":                  {0, 0, 0, time.Minute, 0, ErrNoCounter},
		"twice within its lag":      {0, 500, 500, 100 * time.Millisecond, 0, nil},
		"a burst within its lag":    {size, 500, 590, 100 * time.Millisecond, 90, nil},
		"nothing lost at the bound": {size, 0, 6100, time.Minute, 6100, nil},
	} {
		v := tc.before
		c := counterAt(t, &v, tc.size, watts)
		v = tc.after
		from, e, err := c.Since(noon.Add(tc.passed))
		require.Equal(t, noon, from, name)
		if tc.err != nil {
			require.ErrorIs(t, err, tc.err, name)
			require.Zero(t, e, "%s: unknown energy is not 0 J", name)
		} else {
			require.NoError(t, err, name)
			require.InDelta(t, tc.want, e.Joules, 1e-9, name)
			require.False(t, e.Estimated, name)
		}
		// What follows is right again: after a reset it counts from there, after anything else from the last good reading.
		v = tc.after + 1000
		from, e, err = c.Since(noon.Add(tc.passed + time.Minute))
		require.NoError(t, err, name)
		require.InDelta(t, 1000, e.Joules, 1e-9, name)
		require.Equal(t, errors.Is(tc.err, ErrNoCounter), from.Equal(noon), name)
	}
}

func TestCounterErrorsLoseNothing(t *testing.T) {
	t.Parallel()
	v := uint64(1000)
	var fail error
	c, err := NewCounter(CounterConfig{Name: "nvml GPU-1", Read: func() (uint64, error) { return v, fail }}, noon)
	require.NoError(t, err)
	require.Equal(t, time.Duration(math.MaxInt64), c.Period())
	v, fail = 0, errDown // the shape of a failed call: an error and a zero
	_, e, err := c.Since(noon.Add(time.Second))
	require.ErrorIs(t, err, errDown)
	require.Zero(t, e)
	v, fail = 201_000, nil
	_, _, err = c.Since(noon)
	require.ErrorContains(t, err, "not after")
	from, e, err := c.Since(noon.Add(2 * time.Second))
	require.NoError(t, err)
	require.Equal(t, noon, from)
	require.InDelta(t, 200, e.Joules, 1e-9, "millijoules")
	require.Equal(t, "nvml GPU-1", e.Source)

	// A device without a counter says so at once.
	fail = errDown
	_, err = NewCounter(CounterConfig{Name: "nvml GPU-2", Read: func() (uint64, error) { return 0, fail }}, noon)
	require.ErrorIs(t, err, errDown)
}

func TestCounterRefusals(t *testing.T) {
	t.Parallel()
	read := func() (uint64, error) { return 0, nil }
	for name, cfg := range map[string]CounterConfig{
		"no name": {Read: read}, "no read": {Name: "x"}, "negative": {Name: "x", Read: read, Joules: -1}, "NaN": {Name: "x", Read: read, MaxWatts: math.NaN()},
		"infinite": {Name: "x", Read: read, Joules: math.Inf(1)}, "huge range": {Name: "x", Read: read, Range: math.MaxUint64},
	} {
		_, err := NewCounter(cfg, noon)
		require.ErrorContains(t, err, "carbon: counter", name)
	}
	for _, c := range []*Counter{nil, {}} {
		_, _, err := c.Since(noon)
		require.ErrorIs(t, err, ErrNoCounter)
		require.Empty(t, c.Name())
	}
}

// FuzzCounter: whatever the true consumption within the power bound and however it is read, what the counter gives out is the
// truth, and intervals of lost count are never given out as energy.
func FuzzCounter(f *testing.F) {
	f.Add([]byte{10, 20, 200, 3, 255, 0, 7, 90}, uint16(1000))
	f.Fuzz(func(t *testing.T, ops []byte, size uint16) {
		if size == 0 {
			return
		}
		const watts = 100
		truth, now := uint64(0), noon
		v := uint64(0)
		c := counterAt(t, &v, uint64(size), watts)
		given, lastTruth := 0., uint64(0)
		for i := 0; i+1 < len(ops); i += 2 {
			passed := time.Duration(ops[i]) * time.Second
			now = now.Add(passed)
			truth += uint64(float64(ops[i]) * watts * float64(ops[i+1]) / 255)
			v = truth % uint64(size)
			from, e, err := c.Since(now)
			switch {
			case err == nil:
				given = float64(truth - lastTruth)
				require.InDelta(t, given, e.Joules, 1e-6, "from %v to %v", from, now)
				lastTruth = truth
			case errors.Is(err, ErrCounterReset):
				require.Zero(t, e)
				lastTruth = truth
			default:
				require.Zero(t, e)
			}
		}
	})
}
