package privacy

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// recorder counts the events of an accountant. Every accountant embeds one and adds its questions.
type recorder struct {
	mu      sync.Mutex
	history history // guarded by mu, but for the repeats of hot
	// hot is the last event as long as Step may count its repeats without the lock: its true count is count + repeats. It changes
	// under mu, and whoever changes it folds what it held.
	hot atomic.Pointer[entry]
}

// Step records one execution of e. On error nothing was recorded.
func (r *recorder) Step(e Event) error {
	x := r.hot.Load()
	if x == nil || x.event != e {
		return r.Add(e, 1)
	}
	x.repeats.Add(1)
	if r.hot.Load() != x { // else whoever changes hot after this sees the repeat
		r.mu.Lock()
		x.fold()
		r.mu.Unlock()
	}
	return nil
}

// counts returns the history with nothing left outside. The caller holds mu.
func (r *recorder) counts() *history {
	if x := r.hot.Load(); x != nil {
		x.fold()
	}
	return &r.history
}

// heat makes x hot, if its count is so far from overflow that steps alone will not get there. The caller holds mu.
func (r *recorder) heat(x *entry) {
	if x != nil && x.most-x.count < math.MaxInt64/2 {
		x = nil
	}
	if old := r.hot.Swap(x); old != nil {
		old.fold()
	}
}

// Add records n executions of e; n = 0 only validates. The first event fixes the relation, and events under another relation
// are refused. On error nothing was recorded.
func (r *recorder) Add(e Event, n int) error {
	if n < 0 {
		return &InvalidError{"count", n, "0 or more"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.counts()
	x, err := h.entry(e)
	if err != nil {
		return err
	}
	if err := h.add(x, int64(n)); err != nil {
		return err
	}
	if n > 0 {
		r.heat(x)
	}
	return nil
}

// Merge adds everything that other has recorded, for example another worker's share of the steps; other may be any accountant of
// this package and is not changed. Merging the same accountant twice counts it twice. On error nothing was recorded.
func (r *recorder) Merge(other Accountant) error {
	o, ok := other.(interface{ snapshot() []entry })
	if !ok {
		return &InvalidError{"other", fmt.Sprintf("%T", other), "an accountant of this package"}
	}
	entries := o.snapshot() // first: other may be r itself
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heat(nil)
	return r.history.merge(entries)
}

// State returns the recorded counts as JSON, for a checkpoint. Equal histories give equal bytes, whichever accountant wrote them.
func (r *recorder) State() ([]byte, error) {
	return encodeState(kindAccountant, nil, r.snapshot())
}

// Restore continues from a State, of this or another kind of accountant: afterwards every event counts at least as often as there. An
// accountant that has recorded more keeps it, so an older checkpoint never lowers an epsilon. On error nothing has changed; saved
// states are checked strictly, so they may come from outside.
func (r *recorder) Restore(data []byte) error {
	_, h, err := decodeState(kindAccountant, data)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heat(nil)
	return r.history.raise(h)
}

// snapshot returns the entries in their order.
func (r *recorder) snapshot() []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts().sorted()
}

// infinite returns an upper bound on the probability of an infinite privacy loss of all entries.
func infinite(entries []entry) float64 {
	sum := 0.0
	for _, x := range entries {
		for _, p := range x.parts {
			if d := p.infinite(); d > 0 {
				sum = up(sum+ceil(x.count)*ceil(p.count)*d, 4)
			}
		}
	}
	return min(sum, 1)
}

func checkEpsilon(eps float64) error {
	if !(eps >= 0 && eps <= maxEpsilon) {
		return &InvalidError{"eps", eps, "a number from 0 to 1e15"}
	}
	return nil
}

// nothing is the answer for a history that costs nothing.
func nothing() Interval { return Interval{Method: "nothing spent", Converged: true} }
