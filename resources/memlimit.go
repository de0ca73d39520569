package resources

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sync"
)

// GoMemoryLimit is what [LimitGoMemory] has done.
type GoMemoryLimit struct {
	Set    bool   // the limit was set by this call
	Limit  int64  // in force, in bytes; math.MaxInt64 for none
	Was    int64  // before
	Why    string // why, or why not
	undone *sync.Once
}

// LimitGoMemory sets the Go runtime's soft memory limit, as GOMEMLIMIT does, to the limit of the container less a
// share of headroom. Then the garbage collector works harder before the kernel kills the process. M is mostly
// Sample.Memory.
//
// Headroom is what the runtime does not count: memory of C code, mapped files, other processes in the container. 0
// means 0.1; it must be below 1. The limit is soft: if what is live comes near it, collection takes up to half of the
// CPU, so leave what is live well below.
//
// Nothing is set, and no error returned, where there is no limit below the host's memory, where GOMEMLIMIT is in the
// environment (also as "off"), or where the program has set a limit already. The setting is that of the process; call
// it once, early in main.
func LimitGoMemory(m Memory, headroom float64) (GoMemoryLimit, error) {
	headroom = orDefault(headroom, 0.1)
	if !(headroom > 0 && headroom < 1) {
		return GoMemoryLimit{}, fmt.Errorf("resources: Go memory limit: headroom is %v, want more than 0 and less than 1", headroom)
	}
	now := debug.SetMemoryLimit(-1) // a negative one only asks
	out := GoMemoryLimit{Limit: now, Was: now}
	if text, ok := os.LookupEnv("GOMEMLIMIT"); ok && text != "" {
		out.Why = "GOMEMLIMIT is in the environment"
		return out, nil
	}
	switch {
	case now != math.MaxInt64:
		out.Why = "a limit is set already"
		return out, nil
	case !m.Total.OK:
		out.Why = "the limit of the container is not known"
		return out, errors.New("resources: Go memory limit: the memory is absent")
	case !m.Limited:
		out.Why = "the container has no limit"
		return out, nil
	}
	limit := int64(min(float64(m.Total.V)*(1-headroom), math.MaxInt64/2))
	if limit < 1 {
		return out, fmt.Errorf("resources: Go memory limit: a limit of %d bytes leaves nothing", m.Total.V)
	}
	if was := debug.SetMemoryLimit(limit); was != math.MaxInt64 { // somebody was faster
		debug.SetMemoryLimit(was)
		out.Limit, out.Was, out.Why = was, was, "a limit is set already"
		return out, nil
	}
	return GoMemoryLimit{Set: true, Limit: limit, Was: now, Why: fmt.Sprintf("%d bytes of the container less %v", m.Total.V, headroom), undone: new(sync.Once)}, nil
}

// Undo puts back what was before, once, unless somebody has set another limit since. It reports whether it did.
func (l GoMemoryLimit) Undo() (done bool) {
	if !l.Set || l.undone == nil {
		return false
	}
	l.undone.Do(func() {
		if was := debug.SetMemoryLimit(l.Was); was != l.Limit {
			debug.SetMemoryLimit(was)
			return
		}
		done = true
	})
	return done
}
