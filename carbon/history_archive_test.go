package carbon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/surefoot-ml/surefoot/internal/durable"
)

var (
	_ Provider = (*Archive)(nil)
	_ History  = (*Archive)(nil)
)

func historyOf(t testing.TB, dir string, change ...func(*ArchiveConfig)) *Archive {
	t.Helper()
	cfg := ArchiveConfig{Dir: dir, Zone: "DE"}
	for _, f := range change {
		f(&cfg)
	}
	a, err := OpenArchive(t.Context(), cfg)
	require.NoError(t, err)
	return a
}

func historyHour(i int, v float64) Reading {
	at := noon.Add(time.Duration(i) * time.Hour)
	r := reading(v, at, at.Add(time.Hour))
	r.Zone, r.Scope, r.ExpectedError = "DE", Lifecycle, .1
	return r
}

func historyFiles(t testing.TB, dir string) (paths []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"+historySuffix))
	require.NoError(t, err)
	return paths
}

func TestArchiveSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := historyOf(t, dir)
	_, err := a.At(t.Context(), noon)
	require.ErrorIs(t, err, ErrNoData)
	// Out of order, repeated and revised: the last word on each hour counts, once; a worse basis says nothing.
	guess := historyHour(2, 999)
	guess.Basis = Estimated
	require.NoError(t, a.Add(t.Context(), historyHour(30, 230), historyHour(2, 202), historyHour(0, 100)))
	require.NoError(t, a.Add(t.Context(), historyHour(0, 200), guess, historyHour(30, 230)))
	a = historyOf(t, dir)
	got, err := a.History(t.Context(), noon.Add(-time.Hour), noon.Add(48*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []Reading{historyHour(0, 200), historyHour(2, 202), historyHour(30, 230)}, got)
	r, err := a.At(t.Context(), noon.Add(90*time.Minute))
	require.ErrorIs(t, err, ErrNoData, "a gap is a gap: %v", r)
	r, err = a.At(t.Context(), noon.Add(150*time.Minute))
	require.NoError(t, err)
	require.Equal(t, Cached, r.Strategy)
	require.Equal(t, 202., float64(r.Intensity))
	require.Equal(t, 2*time.Hour, r.Age(noon.Add(5*time.Hour)))
	require.Len(t, historyFiles(t, dir), 2)
	for _, path := range historyFiles(t, dir) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	require.Empty(t, a.Damaged())

	marginal := historyOf(t, dir, func(c *ArchiveConfig) { c.Signal = Marginal })
	_, err = marginal.At(t.Context(), noon)
	require.ErrorIs(t, err, ErrNoData, "signals never meet")
	require.ErrorIs(t, marginal.Add(t.Context(), historyHour(0, 1)), ErrSignal)
	require.ErrorIs(t, a.Add(t.Context(), historyHour(5, 1), historyHour(4, -1)), ErrReading)
	_, err = a.At(t.Context(), noon.Add(5*time.Hour))
	require.ErrorIs(t, err, ErrNoData, "all or none")
}

func TestArchiveRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := historyOf(t, dir, func(c *ArchiveConfig) { c.Retention = 3 * day })
	for i := range 10 {
		require.NoError(t, a.Add(t.Context(), historyHour(24*i, 100)))
	}
	require.Len(t, historyFiles(t, dir), 4)
	require.ErrorIs(t, a.Add(t.Context(), historyHour(0, 100)), ErrReading)
	historyOf(t, dir, func(c *ArchiveConfig) { c.Retention = day })
	require.Len(t, historyFiles(t, dir), 2)
}

// TestArchiveDamage: a file that cannot be read is set aside with a word, and nothing else is lost.
func TestArchiveDamage(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped":  func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"cut off":  func(b []byte) []byte { return b[:len(b)-7] },
		"empty":    func([]byte) []byte { return nil },
		"not ours": func([]byte) []byte { return []byte("{}\n") },
		"null": func([]byte) []byte {
			return fmt.Appendf(nil, "%s%08x\n%s", historyMagic, 0, `{"from":0,"to":1,"g_per_kwh":null}`)
		},
	} {
		dir := t.TempDir()
		a := historyOf(t, dir)
		for i := range 3 {
			require.NoError(t, a.Add(t.Context(), historyHour(24*i, 100)))
		}
		files := historyFiles(t, dir)
		data, err := os.ReadFile(files[1])
		require.NoError(t, err)
		data = spoil(data)
		require.NoError(t, os.WriteFile(files[1], data, 0o600))
		var log bytes.Buffer
		a = historyOf(t, dir, func(c *ArchiveConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		require.Len(t, a.Damaged(), 1, name)
		aside, err := os.ReadFile(a.Damaged()[0])
		require.NoError(t, err)
		require.Equal(t, len(data), len(aside), "what was there is kept")
		require.Equal(t, 1, strings.Count(log.String(), "set aside"))
		got, err := a.History(t.Context(), noon, noon.Add(10*day))
		require.NoError(t, err)
		require.Equal(t, []Reading{historyHour(0, 100), historyHour(48, 100)}, got, name)
		require.NoError(t, a.Add(t.Context(), historyHour(24, 7)))
		require.Len(t, historyFiles(t, dir), 3)
	}
}

func TestArchiveRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, cfg := range []ArchiveConfig{{Zone: "DE"}, {Dir: dir}, {Dir: dir, Zone: strings.Repeat("x", 65)}, {Dir: dir, Zone: "DE", Signal: 3},
		{Dir: dir, Zone: "DE", Retention: time.Hour}, {Dir: filepath.Join(dir, "no", "such"), Zone: "DE"}} {
		_, err := OpenArchive(t.Context(), cfg)
		require.Error(t, err)
	}
	var none *Archive
	require.NoError(t, none.Add(t.Context(), historyHour(0, 1)))
	_, err := none.At(t.Context(), noon)
	require.ErrorIs(t, err, ErrNoData)
	require.Empty(t, none.Damaged())
	names := map[string]bool{}
	for _, zone := range []string{"DE", "de", "US-CAL", "..", "a/b", "%64%65"} {
		names[strings.ToLower(archiveName(zone))] = true
		require.NotContains(t, archiveName(zone), "/")
		require.NotContains(t, archiveName(zone), ".")
	}
	require.Len(t, names, 6)

	// Another process that never lets go holds nobody up for longer than the context.
	a := historyOf(t, dir)
	lock, err := durable.OS(dir).Sub("DE.average").Lock()
	require.NoError(t, err)
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = a.Add(ctx, historyHour(0, 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, durable.ErrLocked)
}

// TestArchiveChild is what the tests below start as a process of its own.
func TestArchiveChild(t *testing.T) {
	dir := os.Getenv("CARBON_ARCHIVE_DIR")
	if dir == "" {
		t.Skip("only as a child")
	}
	first, _ := strconv.Atoi(os.Getenv("CARBON_ARCHIVE_FIRST"))
	count, _ := strconv.Atoi(os.Getenv("CARBON_ARCHIVE_COUNT"))
	a := historyOf(t, dir)
	for i := range count {
		require.NoError(t, a.Add(t.Context(), historyHour(first+2*i, float64(first+2*i))))
		fmt.Printf("kept %d\n", first+2*i)
	}
}

func historyChild(t *testing.T, dir string, first, count int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestArchiveChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), "CARBON_ARCHIVE_DIR="+dir, "CARBON_ARCHIVE_FIRST="+strconv.Itoa(first), "CARBON_ARCHIVE_COUNT="+strconv.Itoa(count))
	return cmd
}

// TestArchiveOfTwoProcesses: two processes and two goroutines write to the same days, and no update is lost.
func TestArchiveOfTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const each = 40
	var wg sync.WaitGroup
	for first := range 2 {
		wg.Go(func() {
			out, err := historyChild(t, dir, first, each).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	got, err := historyOf(t, dir).History(t.Context(), noon, noon.Add(20*day))
	require.NoError(t, err)
	require.Len(t, got, 2*each)
	for i, r := range got {
		require.Equal(t, float64(i), float64(r.Intensity))
	}
}

// TestArchiveSurvivesKill kills a process with SIGKILL while it writes: what it said it kept is there.
func TestArchiveSurvivesKill(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		dir := t.TempDir()
		cmd := historyChild(t, dir, 0, 1<<20)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		kept := 0
		for lines.Scan() {
			if _, found := strings.CutPrefix(lines.Text(), "kept "); found {
				kept++
			}
			if kept == 10+7*round {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		require.GreaterOrEqual(t, kept, 10+7*round)
		a := historyOf(t, dir)
		require.Empty(t, a.Damaged())
		got, err := a.History(t.Context(), noon, noon.Add(1000*day))
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(got), kept)
		require.LessOrEqual(t, len(got), kept+1)
	}
}

func FuzzHistoryFile(f *testing.F) {
	good, err := encodeHistory([]Reading{historyHour(0, 100), historyHour(1, 50)})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(historyMagic + "00000000\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeHistory(data, "DE", Average)
		if err != nil {
			require.Empty(t, got)
			return
		}
		for _, r := range got {
			require.NoError(t, r.check(r.From, Average))
		}
		again, err := encodeHistory(got)
		require.NoError(t, err)
		back, err := decodeHistory(again, "DE", Average)
		require.NoError(t, err)
		require.Equal(t, got, back)
	})
}
