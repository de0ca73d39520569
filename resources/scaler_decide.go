package resources

import "context"

// limitMoves is by how much a limit rises or falls before what was learned under the old one is forgotten.
const limitMoves = 1.05

// learnLimit takes in the limit of now. The caller holds mu.
func (s *Scaler) learnLimit(limit Value[uint64]) {
	if !limit.OK {
		return
	}
	s.limit = limit
	if f := s.failed; f.Limit > 0 && float64(limit.V) > limitMoves*float64(f.Limit) {
		s.failed = failedSize{}
	}
	if s.useless && limitMoves*float64(limit.V) < float64(s.triedAt) {
		s.useless = false
	}
}

// fail takes in that a batch ran out of memory. It reports false if there is no smaller one. Several failures of the same
// size, as of workers side by side, halve it once. The caller holds mu.
func (s *Scaler) fail(size int) bool {
	if s.failed.Size == 0 || size < s.failed.Size {
		s.failed.Size = size
	}
	s.failed.Limit = s.limit.V
	s.failed.Times = min(maxBatch, s.failed.Times+1)
	s.failed.Since, s.good = 0, 0
	if half := s.half(size); half < min(s.size, s.want) {
		s.want, s.why = half, BatchRanOut
	} else if s.want > s.size { // growth that has not begun does not now
		s.want = s.size
	}
	return size > s.cfg.Min
}

func (s *Scaler) half(size int) int { return max(s.cfg.Min, s.down(size/2)) }

// down rounds to a multiple, s.cfg.Min at least.
func (s *Scaler) down(size int) int { return max(s.cfg.Min, size-size%s.cfg.Multiple) }

// ceiling is the largest size to use, given the smallest one that failed.
func (s *Scaler) ceiling() int {
	if s.failed.Size == 0 {
		return s.cfg.Max
	}
	below := min(s.failed.Size-1, int(float64(s.failed.Size)*(1-failedMargin)))
	return min(s.cfg.Max, s.down(below))
}

// bound is how much of the memory may be used with a share of it free. ok is false without a limit.
func (s *Scaler) bound(free float64) (bytes float64, ok bool) {
	return float64(s.limit.V) * (1 - free), s.limit.OK
}

// decide chooses the next size after a good batch. The caller holds mu.
func (s *Scaler) decide() {
	if s.tight() {
		return
	}
	if s.cfg.GrowAfter < 0 || s.good < s.cfg.GrowAfter {
		return
	}
	s.good = 0
	if f := &s.failed; f.Size > 0 && s.cfg.Forget > 0 && f.Since>>min(f.Times-1, 16) >= s.cfg.Forget {
		f.Size = 0 // Times stays: the next failure at it counts double
	}
	if n := s.larger(); n > s.size {
		s.want, s.why = n, BatchGrown
	}
}

// tight wants a smaller size when half of the headroom is used up by what batches really took, not by what is forecast;
// unless that proved useless.
func (s *Scaler) tight() bool {
	u := s.model.of(s.size)
	bound, ok := s.bound(s.cfg.Headroom / 2)
	if !ok || u == nil || s.here < tightAfter {
		return false
	}
	used := u.median(s.here)
	if d := s.shrunk; d.from > 0 {
		s.useless, s.triedAt = d.before-used < d.fall/2, s.limit.V
		s.shrunk = shrinking{}
	}
	if used <= bound || s.useless || s.size <= s.cfg.Min {
		return false
	}
	fit, ok := s.model.fit()
	if !ok {
		return false
	}
	goal, _ := s.bound(s.cfg.Headroom)
	n := fit.largest(s.cfg.Min, s.size-s.cfg.Multiple, s.cfg.Multiple, goal)
	n = max(n, s.half(s.size)) // not further at once, however poor the fit
	s.want, s.why = n, BatchTight
	s.shrunk = shrinking{from: s.size, before: used, fall: fit.per * float64(s.size-n)}
	return true
}

// larger is the size to grow to, 0 or the present one for none.
func (s *Scaler) larger() int {
	p := scalerPolicies[s.cfg.Policy]
	step := s.size + s.cfg.Multiple
	most := min(s.ceiling(), max(step, s.down(int(min(maxBatch, float64(s.size)*p.factor)))))
	if step > most {
		return 0
	}
	bound, known := s.bound(s.cfg.Headroom)
	fit, ok := s.model.fit()
	if !known || !ok {
		return s.down(min(most, s.proven))
	}
	n := fit.largest(step, most, s.cfg.Multiple, bound)
	if n == 0 && p.bold && s.worthTrying(fit, step, bound) {
		return step
	}
	// Not for a few examples, since a change may cost a new accounting, unless it is the first to tell of the slope.
	if n < most && n-s.size < s.size/20 && fit.lo < fit.hi {
		return 0
	}
	return n
}

// worthTrying reports whether the smallest step, which upper would not allow, may fit: by the fitted line if there is
// one. With one size alone nothing is known of the slope, but there is room now.
func (s *Scaler) worthTrying(fit usageFit, step int, bound float64) bool {
	if fit.lo == fit.hi {
		return fit.upper(s.size) <= bound
	}
	return step-s.size <= max(1, s.size) && fit.at(step)+fit.spread <= bound
}

// Find looks for the largest size that leaves the headroom, by trials before training, and makes it the wanted size:
// the next Next changes to it. It begins at the present size and doubles, or halves, and then closes in, mostly
// within ten trials. try runs a batch of that many examples and returns what it took (its Size is ignored); it must
// have given back all memory when it returns. It must not touch what is trained, nor release anything learned from
// private data. Any other error than lack of memory ends the search. Without figures of memory, the size found stays
// a tenth below one that failed. One trial does not show how much batches of a size differ: that is what the headroom
// is for, and what Observe learns later.
func (s *Scaler) Find(ctx context.Context, try func(ctx context.Context, size int) BatchUse) (size int, err error) {
	if size, err = s.Next(ctx); err != nil {
		return 0, err
	}
	found := search{Scaler: s, next: size}
	for found.next > 0 {
		if ctx.Err() != nil {
			return 0, ended(ctx)
		}
		u := try(ctx, found.next)
		u.Size = found.next
		ranOut := u.Err != nil && s.cfg.IsOOM(u.Err)
		if u.Err != nil && !ranOut {
			return 0, u.Err
		}
		s.mu.Lock()
		err := found.trial(u, ranOut)
		s.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want, s.why, s.good = found.result(), BatchFound, 0
	return s.want, nil
}
