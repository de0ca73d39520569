package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Policy is what a [Keyed] can keep: *[Limiter], *[Adaptive], *[Bulkhead] or *[Gradient].
type Policy interface {
	Admitter
	// fresh reports that a new one in its place would not admit more than it may.
	fresh(now time.Time) bool
}

// Keyed keeps one policy for each key, such as a tenant, a data source or a host, in bounded memory. It forgets a key only
// when it is used by nobody and a new policy would be no different: the bucket full, the window empty, no permit held and
// nobody in line. So no key is ever admitted more than by a Keyed without bound; only what an [Adaptive] or a [Gradient]
// has learned is lost, and they begin again.
//
// When there are as many keys as there may be, a new one takes the place of such a key, for which it looks at 8 others,
// taking turns. If none of these can be forgotten the new key is refused with [ErrKeys]: a flood of keys can keep
// others out that are new, but takes nothing from those that are there, grants itself nothing, and costs each caller the
// same little time. It is safe for concurrent use. A nil or zero Keyed does not limit.
type Keyed[K comparable, P Policy] struct {
	most  int
	build func(K) (P, error)

	mu      sync.Mutex // guards what follows
	entries map[K]*entry[K, P]
	places  []*entry[K, P]
	hand    int // the place to look at next
}

type entry[K comparable, P Policy] struct {
	key    K
	policy P
	users  atomic.Int64 // raised with mu held only
}

// looks bounds the search for a key that can be forgotten.
const looks = 8

// NewKeyed returns a Keyed of up to most keys, each with a policy made by build when the key is first used. build is called
// outside locks, perhaps more than once for a key, of which one is kept.
func NewKeyed[K comparable, P Policy](most int, build func(key K) (P, error)) (*Keyed[K, P], error) {
	if most < 1 {
		return nil, fmt.Errorf("ratelimit: %d keys, want 1 or more", most)
	}
	if build == nil {
		return nil, errors.New("ratelimit: keyed policies need a function that builds them")
	}
	return &Keyed[K, P]{most: most, build: build, entries: map[K]*entry[K, P]{}}, nil
}

// Use calls fn with the policy of a key, and returns its error. The policy must not be used after fn: it may be forgotten
// then, unless a permit of it is held. It fails with [ErrKeys], or with the error of building the policy.
func (k *Keyed[K, P]) Use(key K, fn func(P) error) error {
	e, err := k.enter(key)
	if err != nil {
		return err
	}
	if e == nil {
		var none P
		return fn(none)
	}
	defer e.users.Add(-1)
	return fn(e.policy)
}

// At returns the policy of a key as an admitter. It can be kept: it looks the key up each time.
func (k *Keyed[K, P]) At(key K) Admitter { return keyedAt[K, P]{k, key} }

// Len is how many keys there are now.
func (k *Keyed[K, P]) Len() int {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.entries)
}

// enter finds or makes the entry of a key, and raises its users. There is none without an error in a nil or zero Keyed.
func (k *Keyed[K, P]) enter(key K) (*entry[K, P], error) {
	if k == nil || k.build == nil {
		return nil, nil
	}
	e, full := k.look(key)
	if e != nil {
		return e, nil
	}
	// A key that is not equal to itself, as NaN, could be put in but never found.
	if same := key; full || key != same {
		return nil, ErrKeys
	}
	policy, err := k.build(key)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: policy of a new key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.find(key); e != nil {
		return e, nil
	}
	e = &entry[K, P]{key: key, policy: policy}
	e.users.Add(1)
	if len(k.places) < k.most {
		k.places = append(k.places, e)
	} else if place := k.forgettable(); place >= 0 {
		delete(k.entries, k.places[place].key)
		k.places[place] = e
	} else {
		return nil, ErrKeys
	}
	k.entries[key] = e
	return e, nil
}

// look finds the entry of a key, or whether there is no room for one. The map panics for a key of an interface type that
// cannot be hashed, so the lock is given back by defer.
func (k *Keyed[K, P]) look(key K) (e *entry[K, P], full bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e = k.find(key); e != nil {
		return e, false
	}
	return nil, len(k.places) >= k.most && k.forgettable() < 0
}

func (k *Keyed[K, P]) find(key K) *entry[K, P] {
	e := k.entries[key]
	if e != nil {
		e.users.Add(1)
	}
	return e
}

func (k *Keyed[K, P]) held(key K) *entry[K, P] {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(key)
}

// forgettable returns the next place whose key can be forgotten, and leaves the hand there, or returns -1.
func (k *Keyed[K, P]) forgettable() int {
	now := time.Now()
	for range min(looks, len(k.places)) {
		if e := k.places[k.hand]; e.users.Load() == 0 && e.policy.fresh(now) {
			return k.hand
		}
		k.hand = (k.hand + 1) % len(k.places)
	}
	return -1
}

type keyedAt[K comparable, P Policy] struct {
	keyed *Keyed[K, P]
	key   K
}

func (a keyedAt[K, P]) Admit(ctx context.Context) (token uint64, err error) {
	err = a.keyed.Use(a.key, func(p P) error {
		token, err = p.Admit(ctx)
		return err
	})
	return token, err
}

// Done tells the outcome to the policy, unless that has been forgotten since.
func (a keyedAt[K, P]) Done(token uint64, err error) {
	if a.keyed == nil {
		return
	}
	if e := a.keyed.held(a.key); e != nil {
		defer e.users.Add(-1)
		e.policy.Done(token, err)
	}
}
