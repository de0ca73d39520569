package breaker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// snapshotVersion is that of the JSON of a Snapshot.
const snapshotVersion = 1

// maxCount bounds numbers in a Snapshot: what a float64 holds exactly, as other readers of JSON do.
const maxCount = 1 << 53

// Snapshot is what a breaker was at one time. As JSON it carries the breaker over a restart: see [Breaker.Restore].
type Snapshot struct {
	Name     string
	State    State     // as [Breaker.State] returns it
	Until    time.Time // when the next probe is due, in the open state
	Reopened uint64    // how often probes failed since the breaker was closed, on which the next open period depends
	Counts   Counts
	At       time.Time
}

// Snapshot returns what the breaker is now. A nil Breaker is open and due at no time.
func (b *Breaker) Snapshot() Snapshot {
	if b == nil {
		return Snapshot{State: Open, At: time.Now()}
	}
	b.ready()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Snapshot{Name: b.cfg.Name, State: b.seen(), Reopened: b.reopened, Counts: b.counts(), At: time.Now()}
	if s.State == Open {
		s.Until = b.until
	}
	return s
}

// Restore puts the breaker into the state of a snapshot, mostly one taken by a process that is no more. What is under way
// counts nothing from then on. A snapshot that makes no sense, or of a breaker of another name, is an error and changes
// nothing.
//
// An open breaker stays open as long as it would have, but no longer than Config.MaxOpen from now, whatever became of the
// clock. A half-open one begins its probing anew. The results of a closed one count as if they came now, in an order
// that is not known: those of a window in time unless it has passed since the snapshot, and those of a window in steps as
// far as they fit, the newest first to stay. Isolated, forced closed and disabled stay so.
func (b *Breaker) Restore(s Snapshot) error {
	if b == nil {
		return errors.New("breaker: Restore of a nil Breaker")
	}
	if err := s.validate(); err != nil {
		return err
	}
	b.ready()
	if s.Name != b.cfg.Name {
		return fmt.Errorf("breaker: Snapshot of %q for the breaker %q", s.Name, b.cfg.Name)
	}
	b.mu.Lock()
	b.counts() // moves the window on, for the listener
	now := time.Now()
	b.enter(s.State, ByRestore, now)
	if s.State != Closed {
		b.reopened = s.Reopened
	}
	b.refused, b.dropped = s.Counts.Refused, s.Counts.Dropped
	switch s.State {
	case Open:
		b.until = now.Add(min(s.Until.Sub(now), b.cfg.MaxOpen))
	case Closed, ForcedClosed:
		b.row = s.Counts.ConsecutiveFailures
		c := tally{successes: s.Counts.Successes, failures: s.Counts.Failures, neutral: s.Counts.Neutral, slow: s.Counts.Slow}
		if age := now.Sub(s.At); b.cfg.Window == 0 || age >= 0 && age < b.cfg.Window {
			b.window.restore(c, b.row)
		}
	}
	b.unlock()
	return nil
}

func (s Snapshot) validate() error {
	if _, err := s.State.MarshalText(); err != nil {
		return err
	}
	if (s.State == Open) == s.Until.IsZero() {
		return fmt.Errorf("breaker: Snapshot is %v until %v", s.State, s.Until)
	}
	c := s.Counts
	for _, n := range []struct {
		field string
		value uint64
	}{
		{"Reopened", s.Reopened}, {"Successes", c.Successes}, {"Failures", c.Failures}, {"Neutral", c.Neutral}, {"Slow", c.Slow},
		{"ConsecutiveFailures", c.ConsecutiveFailures}, {"Refused", c.Refused}, {"Dropped", c.Dropped},
	} {
		if n.value > maxCount {
			return fmt.Errorf("breaker: Snapshot has %s %d, above %d", n.field, n.value, uint64(maxCount))
		}
	}
	if c.Slow > c.Successes+c.Failures {
		return fmt.Errorf("breaker: Snapshot has Slow %d of %d results", c.Slow, c.Successes+c.Failures)
	}
	return nil
}

type snapshotJSON struct {
	Version  int       `json:"version"`
	Name     string    `json:"name"`
	State    *State    `json:"state"`
	Until    time.Time `json:"until,omitzero"`
	Reopened uint64    `json:"reopened"`
	Counts   *Counts   `json:"counts"`
	At       time.Time `json:"at"`
}

// MarshalJSON returns the snapshot with the version of its form. One that makes no sense is an error.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	return json.Marshal(snapshotJSON{snapshotVersion, s.Name, &s.State, s.Until, s.Reopened, &s.Counts, s.At})
}

// UnmarshalJSON accepts what MarshalJSON returns. Another version, a field that is not known, a state or counts that are
// missing or make no sense are errors, and then the snapshot stays as it was.
func (s *Snapshot) UnmarshalJSON(data []byte) error {
	var v snapshotJSON
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("breaker: Snapshot: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("breaker: Snapshot is followed by more")
	}
	if v.Version != snapshotVersion {
		return fmt.Errorf("breaker: Snapshot has version %d, want %d", v.Version, snapshotVersion)
	}
	if v.State == nil || v.Counts == nil {
		return errors.New("breaker: Snapshot has no state or no counts")
	}
	u := Snapshot{Name: v.Name, State: *v.State, Until: v.Until, Reopened: v.Reopened, Counts: *v.Counts, At: v.At}
	if err := u.validate(); err != nil {
		return err
	}
	*s = u
	return nil
}
