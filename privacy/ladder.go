package privacy

import (
	"fmt"
	"math"
	"sync"
)

const (
	octave   = 1 << 21 // points of the search ladder from c to 2c
	coarse   = 1 << 12 // points that are not a multiple of it are rarely needed
	points   = (maxLadder-minLadder)*octave + 1
	maxTerms = 256     // with more terms than this the search looks at as many of them
	maxKept  = 1 << 20 // curve values kept
)

// ladder answers for the Rényi divergences of a history: it keeps the curve values that it has needed, at the orders 1+c of a fixed
// ladder or at given orders. What it returns depends on the history and the question alone, never on what is kept.
type ladder struct {
	mu     sync.Mutex
	ids    map[mechanism]int // guarded by mu, as all below
	laws   []mechanism       // by id
	layout []*entry          // the entries that terms was made from
	terms  []term
	lost   float64 // probability of an infinite loss, rounded up
	kept   int     // values in all rungs
	pages  [maxLadder - minLadder + 1]*[octave / coarse]*rung
	rare   map[int]*rung
	given  []*rung
}

// term is a part of an entry, with the count of all its executions, rounded up.
type term struct {
	id     int
	weight float64
}

// rung is one order 1+c.
type rung struct {
	c, inverse, kappa float64
	k                 []float64 // by id: upper bounds on K(c), NaN where it was not needed yet
	method            string
}

// question is an epsilon at a delta, or the logarithm of a delta at an epsilon.
type question struct {
	delta   bool
	l       float64 // -log delta or epsilon
	classic bool    // the conversion of Abadi et al. 2016, that is without kappa
}

// at returns the bound that the rung gives where K(c) <= k.
func (q question) at(r *rung, k float64) float64 {
	kappa := r.kappa
	if q.classic {
		kappa = 0
	}
	if q.delta {
		return logDeltaWith(r.c, kappa, k, q.l)
	}
	return epsilonWith(r.c, kappa, k, q.l)
}

// epsilon bounds the epsilon of r at delta; orders nil stands for every real order. A ladder is asked for classic answers always or never.
func (s *ladder) epsilon(r *recorder, orders []float64, delta float64, classic bool) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read(r, false)
	return s.epsilonNow(orders, delta, classic)
}

// epsilonNow is epsilon of what was read last.
func (s *ladder) epsilonNow(orders []float64, delta float64, classic bool) (Interval, error) {
	rest := delta
	if s.lost > 0 {
		rest = math.Nextafter(delta-s.lost, 0)
	}
	if !(rest > 0) {
		return Interval{}, &InvalidError{"delta", delta, "above the probability of an infinite loss of the recorded events"}
	}
	return s.best(orders, question{l: minusLog(rest), classic: classic}, func(v float64) float64 { return v })
}

// delta bounds the delta of r at eps.
func (s *ladder) delta(r *recorder, orders []float64, eps float64, classic bool) (Interval, error) {
	if err := checkEpsilon(eps); err != nil {
		return Interval{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read(r, false)
	return s.deltaNow(orders, eps, classic)
}

// deltaNow is delta of what was read last.
func (s *ladder) deltaNow(orders []float64, eps float64, classic bool) (Interval, error) {
	return s.best(orders, question{delta: true, l: eps, classic: classic}, func(v float64) float64 {
		return min(1, up(up(math.Exp(v), 8)+s.lost, 2))
	})
}

// renyi bounds the Rényi divergence of r at an order.
func (s *ladder) renyi(r *recorder, order float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read(r, false)
	if len(s.terms) == 0 {
		return 0
	}
	once := newRung(order)
	k := s.total(once, s.terms)
	s.kept -= len(once.k)
	return divergence(k, order)
}

// read takes over the counts of r, and returns the entries of that moment if they are wanted too.
func (s *ladder) read(r *recorder, wanted bool) (entries []entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.counts()
	order := h.ordered()
	fresh := len(order) != len(s.layout) || len(order) > 0 && &order[0] != &s.layout[0]
	if fresh {
		s.layout, s.terms = order, s.terms[:0]
	}
	s.lost = 0
	i := 0
	for _, x := range order {
		for _, p := range x.parts {
			if fresh {
				s.terms = append(s.terms, term{id: s.id(p.mechanism)})
			}
			t := &s.terms[i]
			t.weight = ceil(x.count * p.count) // add keeps the product below 2^63
			if d := p.infinite(); d > 0 {
				s.lost = min(1, up(s.lost+t.weight*d, 4))
			}
			i++
		}
	}
	if wanted {
		entries = h.sorted()
	}
	return entries
}

func (s *ladder) id(m mechanism) int {
	id, ok := s.ids[m]
	if !ok {
		if s.ids == nil {
			s.ids = make(map[mechanism]int)
		}
		id = len(s.laws)
		s.ids[m], s.laws = id, append(s.laws, m)
	}
	return id
}

// total returns an upper bound on K(c) of the terms.
func (s *ladder) total(r *rung, terms []term) float64 {
	sum := 0.0
	for _, t := range terms {
		if t.id >= len(r.k) || r.k[t.id] != r.k[t.id] {
			s.fill(r, t.id)
		}
		sum += t.weight * r.k[t.id]
	}
	return up(sum, float64(len(terms)+3))
}

// fill computes a missing value of r.
func (s *ladder) fill(r *rung, id int) {
	for len(r.k) < len(s.laws) {
		r.k = append(r.k, math.NaN())
		s.kept++
	}
	k := s.laws[id].logMoment(1 + r.c)
	if !(k >= 0) {
		if k == k {
			k = 0 // a divergence is not negative
		} else {
			k = math.Inf(1)
		}
	}
	r.k[id] = k
}

// best minimises the bound over the orders.
func (s *ladder) best(orders []float64, q question, result func(float64) float64) (Interval, error) {
	if len(s.terms) == 0 {
		return nothing(), nil
	}
	if s.kept > maxKept {
		s.pages, s.rare, s.given, s.kept = [len(s.pages)]*[octave / coarse]*rung{}, nil, nil, 0
	}
	var at *rung
	var v float64
	var inside bool
	if orders == nil {
		at, v, inside = s.search(q)
	} else {
		at, v, inside = s.list(orders, q)
	}
	if at.method == "" {
		at.method = fmt.Sprintf("rdp order %.6g", 1+at.c)
		if q.classic {
			at.method = fmt.Sprintf("moment %g", at.c)
		}
	}
	if !(v <= math.MaxFloat64) {
		return Interval{}, noBound("rdp", "a recorded event has no known Rényi divergence, or an infinite one, at every order tried")
	}
	return Interval{Upper: result(v), Method: at.method, Order: 1 + at.c, Converged: inside || v == 0}, nil
}

func (s *ladder) list(orders []float64, q question) (at *rung, v float64, inside bool) {
	v = math.Inf(1)
	for i, o := range orders {
		if i == len(s.given) {
			s.given = append(s.given, newRung(o))
		}
		if x := q.at(s.given[i], s.total(s.given[i], s.terms)); x < v || at == nil {
			at, v, inside = s.given[i], x, i > 0 && i < len(orders)-1
		}
	}
	return at, v, inside
}

// search finds the point of the ladder with the smallest bound. The bound has one minimum in c: K + kappa is convex, so
// (K - log delta + kappa)/c has one, and so has the logarithm of delta. Each round divides the spacing by eight, starts at the vertex of
// the parabola through the best point and its neighbours, and walks downhill. The path depends on the curves alone.
//
// Of a history with many terms it looks at some only, each standing for its neighbours, and takes the whole sum at the point found: as
// much a bound as any other.
func (s *ladder) search(q question) (at *rung, v float64, inside bool) {
	w := walk{s: s, q: q, terms: s.terms, point: (startRung - minLadder) * octave}
	if len(s.terms) > maxTerms {
		w.terms = s.sample()
	}
	w.at, w.v = w.look(w.point)
	w.descend(octave)
	for step := octave; step > 1 && !q.settled(&w); {
		shift := float64(step) / 2 * (w.left - w.right) / (w.left - 2*w.v + w.right)
		step /= 8
		if math.Abs(shift) <= float64(8*step) { // false for NaN
			next := w.point + int(math.Round(shift/float64(step)))*step
			if at, v := w.look(next); v < w.v {
				w.point, w.at, w.v = next, at, v
			}
		}
		w.descend(step)
	}
	return w.at, q.at(w.at, s.total(w.at, s.terms)), w.point > 0 && w.point < points-1
}

// settled reports whether a finer spacing is worth little: with a parabola the best value between the neighbours is lower by at most
// an eighth of what they are higher.
func (q question) settled(w *walk) bool {
	rise, scale := max(w.left, w.right)-w.v, w.v
	if q.delta {
		scale = 1
	}
	return w.v <= 0 && !q.delta || rise <= 4e-6*scale
}

// walk is a search for the smallest bound, now at point; left and right are the bounds one step beside it.
type walk struct {
	s              *ladder
	q              question
	terms          []term
	point          int
	at             *rung
	v, left, right float64
}

// look returns the bound at a point, up to rounding: enough to compare.
func (w *walk) look(point int) (*rung, float64) {
	if point < 0 || point >= points {
		return nil, math.Inf(1)
	}
	r, k := w.s.rung(point), 0.0
	for _, t := range w.terms {
		if t.id >= len(r.k) || r.k[t.id] != r.k[t.id] {
			w.s.fill(r, t.id)
		}
		k += t.weight * r.k[t.id]
	}
	if w.q.delta {
		return r, k - r.c*w.q.l + r.kappa
	}
	return r, (k + w.q.l + r.kappa) * r.inverse
}

// descend goes to a point that has no lower neighbour.
func (w *walk) descend(step int) {
	start := w.point
	w.right = math.Inf(1)
	for w.point+step < points {
		at, v := w.look(w.point + step)
		w.right = v
		if v >= w.v && !math.IsInf(w.v, 1) {
			break
		}
		w.left = w.v
		w.point, w.at, w.v = w.point+step, at, v
	}
	for w.point <= start {
		at, v := w.look(w.point - step)
		w.left = v
		if v >= w.v {
			break
		}
		w.right = w.v
		w.point, w.at, w.v = w.point-step, at, v
	}
}

// sample is a part of the terms: from each of some stretches of equal length the middle one, with the weight of its stretch.
func (s *ladder) sample() []term {
	terms := make([]term, maxTerms)
	for i := range terms {
		from, to := i*len(s.terms)/maxTerms, (i+1)*len(s.terms)/maxTerms
		terms[i].id = s.terms[(from+to)/2].id
		for _, t := range s.terms[from:to] {
			terms[i].weight += t.weight
		}
	}
	return terms
}

// rung returns the point of the ladder.
func (s *ladder) rung(point int) *rung {
	if point%coarse != 0 {
		r, ok := s.rare[point]
		if !ok {
			if s.rare == nil {
				s.rare = make(map[int]*rung)
			}
			r = rungAt(point)
			s.rare[point] = r
		}
		return r
	}
	page := &s.pages[point/octave]
	if *page == nil {
		*page = new([octave / coarse]*rung)
	}
	r := &(*page)[point%octave/coarse]
	if *r == nil {
		*r = rungAt(point)
	}
	return *r
}

func rungAt(point int) *rung { return newRung(1 + math.Exp2(float64(point)/octave+minLadder)) }

func newRung(order float64) *rung {
	c := order - 1
	return &rung{c: c, inverse: 1 / c, kappa: kappa(c)}
}
