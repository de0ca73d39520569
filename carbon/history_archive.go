package carbon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// ArchiveConfig configures an [Archive]. Dir and Zone are required.
type ArchiveConfig struct {
	// Dir is a directory for the archives of all zones; its parent must exist. Several processes may use it at once.
	Dir string
	// Zone is the key of the grid zone.
	Zone string
	// Signal of the values. Default Average.
	Signal Signal
	// Retention is how long readings are kept, counted from the newest. Default 400 days, at least a day.
	Retention time.Duration
	// Logger is told of files that had to be set aside. Default silent.
	Logger *slog.Logger
}

// Archive keeps the readings of one zone on disk. What [Archive.Add] returned nil for survives kill -9 and a loss of power; of
// two processes that write to the same directory none loses an update of the other. Each day has a file of its own, replaced
// as a whole: one that cannot be read is set aside under another name, and nothing else is lost with it.
//
// An archive is a [Provider] and a [History] of what it holds. It is safe for concurrent use; a nil Archive holds nothing and
// keeps nothing. It needs a Unix system, for locks. Create one with [OpenArchive]; it needs no closing.
type Archive struct {
	cfg ArchiveConfig
	dir durable.Dir

	mu     sync.Mutex // one writer here; the lock of the directory keeps off other processes
	aside  []string
	pruned string // the oldest day that is kept
}

// OpenArchive creates or opens the archive of a zone, sets aside what cannot be read, and removes what is past its retention.
func OpenArchive(ctx context.Context, cfg ArchiveConfig) (*Archive, error) {
	if cfg.Dir == "" {
		return nil, errors.New("carbon: archive: Dir is empty")
	}
	if cfg.Zone == "" || len(cfg.Zone) > 64 {
		return nil, fmt.Errorf("carbon: archive: Zone %q has %d bytes, want 1 to 64", clip(cfg.Zone), len(cfg.Zone))
	}
	if cfg.Signal == 0 {
		cfg.Signal = Average
	}
	if cfg.Signal > Marginal {
		return nil, fmt.Errorf("carbon: archive: Signal %d is not average or marginal", cfg.Signal)
	}
	if cfg.Retention == 0 {
		cfg.Retention = 400 * day
	}
	if cfg.Retention < day {
		return nil, fmt.Errorf("carbon: archive: Retention %v is less than a day", cfg.Retention)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	root := durable.OS(cfg.Dir)
	if err := root.Make(); err != nil {
		return nil, fmt.Errorf("carbon: archive: %w", err)
	}
	a := &Archive{cfg: cfg, dir: root.Sub(archiveName(cfg.Zone) + "." + cfg.Signal.String())}
	if err := a.open(ctx); err != nil {
		return nil, fmt.Errorf("carbon: archive of zone %q: %w", cfg.Zone, err)
	}
	return a, nil
}

// archiveName makes a file name of a zone key; distinct keys have distinct names, on systems that ignore case too.
func archiveName(zone string) string {
	var b strings.Builder
	for _, c := range []byte(zone) {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

func (a *Archive) open(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	days, err := a.days()
	if err != nil {
		return err
	}
	for _, d := range days {
		if _, err := a.read(d); err != nil {
			return err
		}
	}
	if len(days) > 0 {
		return a.prune(days, days[len(days)-1])
	}
	return nil
}

// lock waits for other processes; each holds the directory for some milliseconds.
func (a *Archive) lock(ctx context.Context) (io.Closer, error) {
	for {
		lock, err := a.dir.Lock()
		if !errors.Is(err, durable.ErrLocked) {
			return lock, err
		}
		pause := time.NewTimer(time.Millisecond + rand.N(4*time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// days lists the days that have a file, in order.
func (a *Archive) days() ([]string, error) {
	names, err := a.dir.Names()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var days []string
	for _, name := range names {
		if d, ok := strings.CutSuffix(name, historySuffix); ok {
			if _, err := time.Parse(historyLayout, d); err == nil {
				days = append(days, d)
			}
		}
	}
	return days, nil
}

// read returns the readings of a day. A file that cannot be read is set aside. The caller holds the lock.
func (a *Archive) read(d string) ([]Reading, error) {
	name := d + historySuffix
	data, err := a.dir.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	readings, fault := decodeHistory(data, a.cfg.Zone, a.cfg.Signal)
	if fault == nil {
		return readings, nil
	}
	aside := fmt.Sprintf("%s.damaged-%d", name, time.Now().UnixNano())
	if err := a.dir.Rename(name, aside); err != nil {
		return nil, errors.Join(fault, err)
	}
	a.aside = append(a.aside, filepath.Join(a.cfg.Dir, archiveName(a.cfg.Zone)+"."+a.cfg.Signal.String(), aside))
	a.cfg.Logger.Warn("carbon: a history file cannot be read and was set aside", "zone", a.cfg.Zone, "day", d, "file", aside, "error", fault)
	return nil, nil
}

// prune removes the days past their retention.
func (a *Archive) prune(days []string, newest string) error {
	at, err := time.Parse(historyLayout, newest)
	if err != nil {
		return err
	}
	oldest := at.Add(-a.cfg.Retention).Format(historyLayout)
	for _, d := range days {
		if d < oldest {
			if err := a.dir.Remove(d + historySuffix); err != nil {
				return err
			}
		}
	}
	a.pruned = oldest
	return nil
}

// Damaged lists the files that could not be read and were set aside.
func (a *Archive) Damaged() []string {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.aside)
}

// Add keeps readings. Of two for the same time the one of the better basis counts, of the same basis the later word. Readings
// that are no usable value of the archive's signal, or that begin before its retention, are refused, and then none is kept.
// It waits for other processes as long as ctx allows.
func (a *Archive) Add(ctx context.Context, readings ...Reading) error {
	if a == nil || len(readings) == 0 {
		return nil
	}
	byDay := map[string][]Reading{}
	for _, r := range readings {
		if err := r.check(r.From, a.cfg.Signal); err != nil {
			return err
		}
		if y := r.From.Year(); y < 1970 || y > 9999 {
			return fmt.Errorf("%w: source %q: year %d", ErrReading, r.Source, y)
		}
		kept := Reading{Intensity: r.Intensity, Signal: r.Signal, Basis: r.Basis, Scope: r.Scope, Zone: a.cfg.Zone, Source: r.Source,
			From: time.UnixMilli(r.From.UnixMilli()).UTC(), To: time.UnixMilli(r.To.UnixMilli()).UTC(), ExpectedError: r.ExpectedError}
		if err := kept.check(kept.From, a.cfg.Signal); err != nil {
			return err
		}
		d := kept.From.Format(historyLayout)
		byDay[d] = append(byDay[d], kept)
	}
	if err := a.add(ctx, byDay); err != nil {
		return fmt.Errorf("carbon: archive of zone %q: %w", a.cfg.Zone, err)
	}
	return nil
}

func (a *Archive) add(ctx context.Context, byDay map[string][]Reading) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	wrote, newest := false, ""
	for d := range byDay {
		if d < a.pruned {
			return fmt.Errorf("%w: a reading of %s is past the retention", ErrReading, d)
		}
	}
	for d, more := range byDay {
		old, err := a.read(d)
		if err != nil {
			return err
		}
		all, changed := mergeHistory(old, more)
		if !changed {
			continue
		}
		data, err := encodeHistory(all)
		if err != nil {
			return err
		}
		if err := durable.WriteFile(a.dir, d+historySuffix, "new", data); err != nil {
			return err
		}
		wrote, newest = true, max(newest, d)
	}
	if !wrote {
		return nil
	}
	if err := a.dir.Sync(); err != nil {
		return err
	}
	days, err := a.days()
	if err != nil {
		return err
	}
	return a.prune(days, max(newest, days[len(days)-1]))
}

// At returns the reading that covers t, with the strategy Cached.
func (a *Archive) At(ctx context.Context, t time.Time) (Reading, error) {
	readings, err := a.stretch(ctx, t, t.Add(time.Nanosecond), func(Reading) bool { return true })
	if err != nil {
		return Reading{}, err
	}
	r := readings[len(readings)-1]
	r.Strategy = Cached
	return r, nil
}

// History implements [History].
func (a *Archive) History(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return a.stretch(ctx, from, to, pastOnly)
}

func (a *Archive) stretch(ctx context.Context, from, to time.Time, want func(Reading) bool) ([]Reading, error) {
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	if a == nil {
		return nil, &NoDataError{At: from}
	}
	all, err := a.load(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("carbon: archive of zone %q: %w", a.cfg.Zone, err)
	}
	return within(all, a.cfg.Zone, from, to, want)
}

func (a *Archive) load(ctx context.Context, from, to time.Time) ([]Reading, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	lock, err := a.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	days, err := a.days()
	if err != nil {
		return nil, err
	}
	first, last := from.UTC().Add(-day).Format(historyLayout), to.UTC().Format(historyLayout)
	var all []Reading
	for _, d := range days {
		if d < first || d > last {
			continue
		}
		readings, err := a.read(d)
		if err != nil {
			return nil, err
		}
		all = append(all, readings...)
	}
	return all, nil
}
