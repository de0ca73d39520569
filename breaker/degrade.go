package breaker

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// Degrader holds the level at which a job works: normal, or one of several levels of degradation, each of which takes
// something away so that the rest can go on. M is what is measured, a struct of the caller's; S is what steps go by, a
// struct of the caller's with feature switches and limits.
//
// For most uses make a Degrader with [NewDegrader], give [Degrader.Update] a measurement now and then, and let each step
// read [Degrader.Settings].
//
// # Levels
//
// Levels go from the mildest to the most severe. An Update whose measurement meets the Enter condition of levels above the
// present one goes to the highest of them at once: what is on fire does not wait. Otherwise, if it meets the Exit
// condition of the present level but not its Enter condition, and that level has lasted for DegraderConfig.Dwell, the
// Update goes one level down: recovery is gradual, because what was given back may be what broke. On the level below, that
// level's Exit condition decides in turn. Between Enter and Exit nothing changes.
//
// Settings are whole at every level and not a list of changes, so going down brings back exactly what was there.
//
// A Degrader has no clock of its own. It is safe for concurrent use. A nil or zero Degrader stays at normal, with the
// zero S. A Degrader must not be copied.
type Degrader[M any, S comparable] struct {
	cfg    DegraderConfig[M, S] // with defaults, read only
	levels []standing[S]        // read only; 0 is normal
	now    atomic.Pointer[standing[S]]

	mu      sync.Mutex
	since   time.Time
	last    LevelChange[M]
	changes deliver.Queue[LevelChange[M]] // not yet told
}

// standing is what can be read of a level.
type standing[S comparable] struct {
	level    int
	name     string
	settings S
}

// NewDegrader returns a Degrader at normal. The error names what is wrong in cfg: there are from 1 to 63 levels, whose
// names are unique and not empty, whose conditions have a name and a function, and whose Settings all differ, from each
// other and from Normal, so that every change of level changes what steps read.
func NewDegrader[M any, S comparable](cfg DegraderConfig[M, S]) (*Degrader[M, S], error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d := &Degrader[M, S]{cfg: cfg.withDefaults(), since: time.Now()}
	d.levels = append(d.levels, standing[S]{0, normal, cfg.Normal})
	for i, l := range cfg.Levels {
		d.levels = append(d.levels, standing[S]{i + 1, l.Name, l.Settings})
	}
	d.now.Store(&d.levels[0])
	return d, nil
}

// Settings returns the settings of the present level: all of one level, never a mixture. It costs a copy of S and no lock.
func (d *Degrader[M, S]) Settings() S {
	var zero S
	if d == nil {
		return zero
	}
	if at := d.now.Load(); at != nil {
		return at.settings
	}
	return zero
}

// Level returns the present level, 0 for normal, and its name. It takes no lock.
func (d *Degrader[M, S]) Level() (level int, name string) {
	if d == nil {
		return 0, normal
	}
	if at := d.now.Load(); at != nil {
		return at.level, at.name
	}
	return 0, normal
}

// Last returns the last change of level, and false if there was none.
func (d *Degrader[M, S]) Last() (LevelChange[M], bool) {
	if d == nil {
		return LevelChange[M]{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last, !d.last.At.IsZero()
}

// Update takes a measurement, changes the level if that calls for it, and returns the level. The conditions run in the
// caller's goroutine, outside any lock; if one panics, the panic goes on and nothing changes. Of several Updates at the
// same time each counts whole, in some order.
func (d *Degrader[M, S]) Update(m M) (level int) {
	if d == nil || len(d.levels) == 0 {
		return 0
	}
	var enter, exit uint64 // bit n for level n
	for i := range d.cfg.Levels {
		l := &d.cfg.Levels[i]
		if l.Enter.Holds(m) {
			enter |= 1 << (i + 1)
		}
		if l.Exit.Holds(m) {
			exit |= 1 << (i + 1)
		}
	}
	d.mu.Lock()
	now := time.Now()
	from := d.now.Load().level
	to := nextLevel(from, enter, exit, now.Sub(d.since) >= d.cfg.Dwell)
	if to != from {
		d.move(now, to, m)
	}
	d.mu.Unlock()
	if to != from {
		d.changes.Deliver(d.tell)
	}
	return to
}

// nextLevel is the state machine: the level that follows, given the levels whose conditions are met, one bit each.
func nextLevel(from int, enter, exit uint64, dwelt bool) int {
	switch top := bits.Len64(enter) - 1; {
	case top >= from:
		return top
	case from > 0 && dwelt && exit>>from&1 == 1:
		return from - 1
	}
	return from
}

// move makes a change of level. Called with mu held.
func (d *Degrader[M, S]) move(now time.Time, to int, m M) {
	from := d.now.Load()
	condition := ""
	if to > from.level {
		condition = d.cfg.Levels[to-1].Enter.Name
	} else {
		condition = d.cfg.Levels[from.level-1].Exit.Name
	}
	d.now.Store(&d.levels[to])
	d.since = now
	d.last = LevelChange[M]{
		Name: d.cfg.Name, From: from.level, To: to, FromName: from.name, ToName: d.levels[to].name,
		Condition: condition, Measured: m, At: now,
	}
	if d.cfg.OnChange != nil {
		d.changes.Add(d.last)
	}
}

// tell calls the listener, whose panic must not become that of an Update.
func (d *Degrader[M, S]) tell(c LevelChange[M]) {
	defer func() { _ = recover() }()
	d.cfg.OnChange(c)
}
