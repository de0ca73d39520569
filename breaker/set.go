package breaker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ErrSetFull is returned by [Set.Get] for a new name when the set holds as many as it may.
var ErrSetFull = errors.New("breaker: set is full")

// maxName is the longest name of a breaker in a Set, in bytes.
const maxName = 255

// Set keeps breakers by name, for guarded things whose names are known only when they come up: hosts, shards, providers.
// It is safe for concurrent use. The zero Set keeps up to 1000 breakers with the zero [Config]; a nil *Set gives none. A
// Set must not be copied.
type Set struct {
	limit  int
	config func(name string) Config

	mu       sync.RWMutex // guards breakers
	breakers map[string]*Breaker
}

// NewSet returns an empty set of at most limit breakers, 1000 if limit is 0, so that names from outside cannot fill the
// memory. The function gives each name its configuration, of which Name is set to the name; nil means the zero Config. It
// is called outside any lock and, when several ask first for a name at once, perhaps for each of them.
func NewSet(limit int, config func(name string) Config) (*Set, error) {
	if limit < 0 {
		return nil, fmt.Errorf("breaker: limit %d of a Set is below 0", limit)
	}
	return &Set{limit: limit, config: config}, nil
}

// Get returns the breaker of that name, and makes it if there is none. It is an error if the name is longer than 255
// bytes, if its configuration is refused by [New], or if the set is full: then errors.Is finds [ErrSetFull]. An existing
// breaker is always returned.
func (s *Set) Get(name string) (*Breaker, error) {
	if s == nil {
		return nil, errors.New("breaker: Get of a nil Set")
	}
	s.mu.RLock()
	b, ok := s.breakers[name]
	full := len(s.breakers) >= or(s.limit, 1000)
	s.mu.RUnlock()
	switch {
	case ok:
		return b, nil
	case len(name) > maxName:
		return nil, fmt.Errorf("breaker: name %.40q… has %d bytes, above %d", name, len(name), maxName)
	case full:
		return nil, s.errFull(name)
	}
	var cfg Config
	if s.config != nil {
		cfg = s.config(name)
	}
	cfg.Name = strings.Clone(name) // not what it may be a part of
	b, err := New(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w (in a Set, for %q)", err, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.breakers[name]; ok {
		return b, nil
	}
	if len(s.breakers) >= or(s.limit, 1000) {
		return nil, s.errFull(name)
	}
	if s.breakers == nil {
		s.breakers = map[string]*Breaker{}
	}
	s.breakers[cfg.Name] = b
	return b, nil
}

func (s *Set) errFull(name string) error {
	return fmt.Errorf("%w: %q would be above %d", ErrSetFull, name, or(s.limit, 1000))
}

// sorted returns the breakers in order of their names.
func (s *Set) sorted() []*Breaker {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	list := slices.Collect(maps.Values(s.breakers))
	s.mu.RUnlock()
	slices.SortFunc(list, func(a, b *Breaker) int { return strings.Compare(a.cfg.Name, b.cfg.Name) })
	return list
}

// Snapshots returns what each breaker is now, in order of the names.
func (s *Set) Snapshots() []Snapshot {
	list := s.sorted()
	all := make([]Snapshot, len(list))
	for i, b := range list {
		all[i] = b.Snapshot()
	}
	return all
}

// Restore restores each snapshot to the breaker of its name, which is made if there is none; see [Breaker.Restore]. It
// restores those that it can and returns the errors of the others, joined.
func (s *Set) Restore(all []Snapshot) error {
	var errs []error
	for _, snapshot := range all {
		b, err := s.Get(snapshot.Name)
		if err == nil {
			err = b.Restore(snapshot)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Reset resets every breaker; see [Breaker.Reset].
func (s *Set) Reset() {
	for _, b := range s.sorted() {
		b.Reset()
	}
}

// Health grades breakers. Grades compare by rank: a higher one is worse, and max is the worst of several.
type Health uint8

const (
	Healthy    Health = iota // every step runs
	Recovering               // only probes run
	Degraded                 // no step runs
)

func (h Health) String() string {
	switch h {
	case Healthy:
		return "healthy"
	case Recovering:
		return "recovering"
	case Degraded:
		return "degraded"
	}
	return fmt.Sprintf("health %d", uint8(h))
}

// Health grades the state. A disabled breaker knows of no harm.
func (s State) Health() Health {
	switch s {
	case Closed, ForcedClosed, Disabled:
		return Healthy
	case HalfOpen:
		return Recovering
	}
	return Degraded
}

// Summary is the health of a [Set].
type Summary struct {
	Health Health        // the worst of all breakers; Healthy if there are none
	States map[State]int // how many breakers are in each state, as far as there are any
}

// Summary returns the health of the set now.
func (s *Set) Summary() Summary {
	sum := Summary{States: map[State]int{}}
	for _, b := range s.sorted() {
		state := b.State()
		sum.States[state]++
		sum.Health = max(sum.Health, state.Health())
	}
	return sum
}
