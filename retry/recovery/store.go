package recovery

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrNoCheckpoint is returned where a store has nothing, not even something damaged, to load.
	ErrNoCheckpoint = errors.New("recovery: no checkpoint")
	// ErrDamaged is matched by a [*DamageError].
	ErrDamaged = errors.New("recovery: checkpoint is damaged")
	// ErrTooLarge is returned for a checkpoint beyond StoreConfig.MaxBytes.
	ErrTooLarge = errors.New("recovery: checkpoint is too large")
)

// DamageError says that a file cannot be read as the checkpoint that it was. It matches [ErrDamaged].
type DamageError struct {
	Name string // of the file in the store's directory
	Err  error  // what is wrong with it
}

func (e *DamageError) Error() string { return fmt.Sprintf("%v: %s: %v", ErrDamaged, e.Name, e.Err) }

func (e *DamageError) Unwrap() []error { return []error{ErrDamaged, e.Err} }

// Checkpointer is the state that training changes: the model, the optimiser, every random generator that a step draws
// from, the position in the data if the caller keeps one, and whatever else the next step depends on. The number of steps
// and the next batch are kept by the [Supervisor].
//
// What has been spent of a privacy budget is never part of it. Noise that was released stays released when the model goes
// back, so restoring a model must not restore budget: the ledger of the budget lives elsewhere and wins.
type Checkpointer interface {
	// Save writes the whole state. It is called between steps.
	Save(w io.Writer) error
	// Restore replaces the whole state by one that Save wrote, or returns an error. It gets only bytes whose digest was
	// checked; an error therefore means that they belong to another model, and the state then counts as unknown.
	Restore(r io.Reader) error
}

// Digest is a SHA-256.
type Digest [32]byte

// String is the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText is String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Info describes a checkpoint.
type Info struct {
	Step   uint64    `json:"step"`
	Saved  time.Time `json:"saved"`
	Bytes  int64     `json:"bytes"`  // of the state, without the header
	Digest Digest    `json:"digest"` // of state, step and time: put it into an audit trail
	Name   string    `json:"name"`   // of the file in the store's directory
	// Passed are the newer files that were damaged and passed over, on loading.
	Passed []*DamageError `json:"-"`
	// Unpruned is why older checkpoints could not be removed, on saving. The checkpoint itself is safe.
	Unpruned error `json:"-"`
}

// StoreConfig says what a [Store] keeps. The zero value keeps three checkpoints of any age.
type StoreConfig struct {
	// Keep is how many checkpoints stay. Default 3. It must reach as far back as a rollback should.
	Keep int
	// MaxAge is how old a checkpoint may get; the newest stays at any age. Default: no limit.
	MaxAge time.Duration
	// MaxBytes bounds one checkpoint, written or read. Default 64 GiB.
	MaxBytes int64
}

// Store is a directory of checkpoints, one file per step, readable by their owner alone. A checkpoint that Save has
// acknowledged survives a crash at any later moment. Files found damaged are passed over, reported and left in place; when
// old checkpoints are removed, only header and length are looked at for that.
//
// The digest finds damage, not malice: who can write the directory can write a checkpoint. One process and one goroutine
// at a time may write to a directory, and the first write clears away what a crash left half written. Others may read
// beside it: opening, listing, verifying and loading change nothing.
type Store struct {
	dir   folder
	cfg   StoreConfig
	swept bool // nothing is left half written, but by this Store
}

// OpenStore opens a directory, made if it is not there.
func OpenStore(dir string, cfg StoreConfig) (*Store, error) {
	if dir == "" {
		return nil, errors.New("recovery: store: dir is empty")
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f, err := makeFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("recovery: store: %w", err)
	}
	return openStore(f, cfg)
}

func (c *StoreConfig) check() error {
	switch {
	case c.Keep < 0:
		return fmt.Errorf("recovery: store: Keep is %d, want at least 0", c.Keep)
	case c.MaxAge < 0:
		return fmt.Errorf("recovery: store: MaxAge is %v, want at least 0", c.MaxAge)
	case c.MaxBytes < 0 || c.MaxBytes > math.MaxInt64-headerSize:
		return fmt.Errorf("recovery: store: MaxBytes is %d, want 0 to %d", c.MaxBytes, int64(math.MaxInt64-headerSize))
	}
	c.Keep = cmp.Or(c.Keep, 3)
	c.MaxBytes = cmp.Or(c.MaxBytes, 64<<30)
	return nil
}

func openStore(dir folder, cfg StoreConfig) (*Store, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if _, err := dir.names(); err != nil {
		return nil, fmt.Errorf("recovery: store: %w", err)
	}
	return &Store{dir: dir, cfg: cfg}, nil
}

// write replaces a file of the directory. Before the first one it makes room, which may be all the room there is.
func (s *Store) write(name string, step uint64, limit int64, write func(io.Writer) error) (Info, error) {
	if err := s.sweep(); err != nil {
		return Info{}, err
	}
	return writeFrame(s.dir, name, step, limit, write)
}

// sweep removes what an interrupted write has left, once.
func (s *Store) sweep() error {
	if s.swept {
		return nil
	}
	names, err := s.dir.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		base, temporary := strings.CutSuffix(name, tempSuffix)
		if _, ours := stepOf(base); temporary && (ours || base == ledgerName) {
			if err := s.dir.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	s.swept = true
	return nil
}

const (
	namePrefix, nameSuffix = "step-", ".ckpt"
	abandonedSuffix        = ".abandoned"
	stepDigits             = 20 // of the largest uint64: names sort as steps do
)

func nameOf(step uint64) string {
	return fmt.Sprintf("%s%0*d%s", namePrefix, stepDigits, step, nameSuffix)
}

func stepOf(name string) (uint64, bool) {
	if len(name) != len(namePrefix)+stepDigits+len(nameSuffix) || !strings.HasPrefix(name, namePrefix) {
		return 0, false
	}
	step, err := strconv.ParseUint(name[len(namePrefix):len(namePrefix)+stepDigits], 10, 64)
	return step, err == nil && nameOf(step) == name
}

// steps lists the steps of the checkpoints, damaged ones included, oldest first.
func (s *Store) steps() ([]uint64, error) {
	names, err := s.dir.names()
	if err != nil {
		return nil, fmt.Errorf("recovery: store: %w", err)
	}
	var steps []uint64
	for _, name := range names {
		if step, ok := stepOf(name); ok {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// Save writes a checkpoint of the state after the given step, replacing an earlier one of that step, and then removes the
// older ones that need not be kept. When it returns nil the checkpoint is durable. After an error the checkpoints from
// before are untouched; the new one may be there or not.
func (s *Store) Save(step uint64, state Checkpointer) (Info, error) {
	info, err := s.write(nameOf(step), step, s.cfg.MaxBytes, state.Save)
	if err != nil {
		return Info{}, fmt.Errorf("recovery: save step %d: %w", step, err)
	}
	info.Unpruned = s.prune(info)
	return info, nil
}

// prune removes what is beyond count or age. It counts only files that are whole by their header and length, so that
// damaged ones do not push out good ones, and never one newer than the checkpoint just written.
func (s *Store) prune(newest Info) error {
	names, err := s.dir.names()
	if err != nil {
		return err
	}
	slices.Sort(names)
	slices.Reverse(names)
	kept, set, removed := 0, 0, false
	for _, name := range names {
		live, abandoned := strings.CutSuffix(name, abandonedSuffix)
		step, ours := stepOf(live)
		if !ours || !abandoned && step > newest.Step {
			continue
		}
		info, err := s.peek(name)
		if err != nil {
			continue
		}
		count := &kept
		if abandoned {
			count = &set
		}
		*count++
		old := s.cfg.MaxAge > 0 && newest.Saved.Sub(info.Saved) > s.cfg.MaxAge
		if *count <= s.cfg.Keep && !old || !abandoned && step == newest.Step {
			continue
		}
		if err := s.dir.remove(name); err != nil {
			return err
		}
		removed = true
	}
	if removed {
		return s.dir.sync()
	}
	return nil
}

func (s *Store) peek(name string) (Info, error) {
	f, err := s.dir.open(name)
	if err != nil {
		return Info{}, fmt.Errorf("recovery: %s: %w", name, err)
	}
	defer f.Close()
	info, _, err := readHeader(f, name, s.cfg.MaxBytes)
	if step, ok := stepOf(name); err == nil && ok && step != info.Step {
		err = fmt.Errorf("holds step %d", info.Step)
	}
	if err != nil {
		return Info{}, damaged(name, err)
	}
	return info, nil
}

// List describes the checkpoints, oldest first, and those that are damaged as far as header and length tell. It does not
// read whole files; Verify does.
func (s *Store) List() ([]Info, []*DamageError, error) {
	steps, err := s.steps()
	if err != nil {
		return nil, nil, err
	}
	var infos []Info
	var damages []*DamageError
	for _, step := range steps {
		info, err := s.peek(nameOf(step))
		if damage := (*DamageError)(nil); errors.As(err, &damage) {
			damages = append(damages, damage)
			continue
		} else if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was listed
		} else if err != nil {
			return nil, nil, err
		}
		infos = append(infos, info)
	}
	return infos, damages, nil
}

// Verify reads the checkpoint of a step and checks its digest.
func (s *Store) Verify(step uint64) (Info, error) {
	return s.load(step, func(io.Reader) error { return nil })
}

// Load restores the state of one step.
func (s *Store) Load(step uint64, state Checkpointer) (Info, error) {
	return s.load(step, state.Restore)
}

func (s *Store) load(step uint64, restore func(io.Reader) error) (Info, error) {
	name := nameOf(step)
	info, err := s.peek(name)
	if err == nil {
		info, err = readFrame(s.dir, name, s.cfg.MaxBytes, func(info Info, r io.Reader) error {
			if err := restore(r); err != nil {
				return &RestoreError{Step: info.Step, Err: err}
			}
			return nil
		})
	}
	var failed *RestoreError
	switch {
	case err == nil:
		return info, nil
	case errors.Is(err, fs.ErrNotExist) && !errors.As(err, &failed): // perhaps no more, since another process saves
		return Info{}, fmt.Errorf("%w of step %d", ErrNoCheckpoint, step)
	}
	return Info{}, err
}

// RestoreError says that a checkpoint that is whole could not be restored: it belongs to another model, or there is no
// memory for it. The state is unknown.
type RestoreError struct {
	Step uint64
	Err  error
}

func (e *RestoreError) Error() string {
	return fmt.Sprintf("recovery: restore step %d: %v", e.Step, e.Err)
}

func (e *RestoreError) Unwrap() error { return e.Err }

// StateUnknown reports true: training must not go on from here.
func (e *RestoreError) StateUnknown() bool { return true }

// Newest restores the newest checkpoint of at most the given step (math.MaxUint64 for any) that is not damaged. Newer ones
// that are damaged are in Info.Passed. If all are, the error is an [ErrDamaged] and not an [ErrNoCheckpoint]: to begin
// anew is then for a person to decide.
func (s *Store) Newest(atMost uint64, state Checkpointer) (Info, error) {
	steps, err := s.steps()
	if err != nil {
		return Info{}, err
	}
	slices.Reverse(steps)
	return s.first(slices.DeleteFunc(steps, func(step uint64) bool { return step > atMost }), state)
}

// Before restores the newest checkpoint of at most the given step or, where there is none, the oldest after it.
func (s *Store) Before(step uint64, state Checkpointer) (Info, error) {
	steps, err := s.steps()
	if err != nil {
		return Info{}, err
	}
	after, _ := slices.BinarySearch(steps, step)
	if after < len(steps) && steps[after] == step {
		after++
	}
	slices.Reverse(steps[:after])
	return s.first(steps, state)
}

// first loads the first of the steps that is not damaged.
func (s *Store) first(steps []uint64, state Checkpointer) (Info, error) {
	var passed []*DamageError
	errs := []error{errors.New("recovery: every checkpoint is damaged")}
	for _, step := range steps {
		info, err := s.Load(step, state)
		var restore *RestoreError
		var damage *DamageError
		switch {
		case err == nil:
			info.Passed = passed
			return info, nil
		case errors.As(err, &restore):
			return Info{}, err
		case errors.As(err, &damage):
			passed = append(passed, damage)
			errs = append(errs, damage)
		case errors.Is(err, ErrNoCheckpoint): // removed since it was listed
		default:
			return Info{}, err
		}
	}
	if len(passed) == 0 {
		return Info{}, ErrNoCheckpoint
	}
	return Info{}, errors.Join(errs...)
}

// newest is the step of the checkpoint that Newest would restore, which is that of the given one or a later one.
func (s *Store) newest(atLeast uint64) uint64 {
	steps, _ := s.steps()
	for _, step := range slices.Backward(steps) {
		if step <= atLeast {
			break
		}
		if _, err := s.Verify(step); err == nil {
			return step
		}
	}
	return atLeast
}

// Abandon sets aside the checkpoints after the given step: they hold what a rollback undoes, and must not be the newest
// ones after a crash. They are renamed, and kept by the same rules as the others.
func (s *Store) Abandon(after uint64) error {
	steps, err := s.steps()
	if err != nil {
		return err
	}
	changed := false
	for _, step := range slices.Backward(steps) { // newest first: a crash in between leaves a history without gaps
		if step <= after {
			break
		}
		if err := s.dir.rename(nameOf(step), nameOf(step)+abandonedSuffix); err != nil {
			return fmt.Errorf("recovery: abandon step %d: %w", step, err)
		}
		changed = true
	}
	if !changed {
		return nil
	}
	if err := s.dir.sync(); err != nil {
		return fmt.Errorf("recovery: abandon: %w", err)
	}
	return nil
}
