package resources

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"
)

// HistoryConfig configures a [History]. The zero value has the defaults.
type HistoryConfig struct {
	// Steps are the resolutions, finest first, each a multiple of the one before. Default 1 s, 10 s, 1 min and 10 min.
	Steps []time.Duration
	// Length is the number of points kept at each of them. Default 360: of the defaults, 6 minutes, 1 hour, 6 hours and
	// 60 hours.
	Length int
}

// Point is what was observed during one step of a [History].
type Point struct {
	At             time.Time // its beginning
	Count          int       // observations
	Min, Mean, Max float64
}

// History keeps one series at several resolutions, in memory that never grows. Safe for concurrent use. Create one with
// [NewHistory]; nil and the zero History keep nothing.
type History struct {
	mu    sync.Mutex
	rings []ring // finest first. Guarded by mu.
}

// ring keeps the last points of one resolution. A point without observations is not stored.
type ring struct {
	step   time.Duration
	points []Point
	n      int // points since the start, the open one included
}

// NewHistory checks the configuration and returns an empty history, which has all its memory already.
func NewHistory(cfg HistoryConfig) (*History, error) {
	if cfg.Steps == nil {
		cfg.Steps = []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}
	}
	if cfg.Length == 0 {
		cfg.Length = 360
	}
	if cfg.Length < 1 {
		return nil, fmt.Errorf("resources: history: Length %d is negative", cfg.Length)
	}
	if len(cfg.Steps) == 0 {
		return nil, errors.New("resources: history: Steps is empty")
	}
	h := &History{rings: make([]ring, len(cfg.Steps))}
	for i, step := range cfg.Steps {
		switch {
		case step <= 0:
			return nil, fmt.Errorf("resources: history: Steps[%d] %v is not positive", i, step)
		case i > 0 && (step <= cfg.Steps[i-1] || step%cfg.Steps[i-1] != 0):
			return nil, fmt.Errorf("resources: history: Steps[%d] %v is not a multiple of %v", i, step, cfg.Steps[i-1])
		}
		h.rings[i] = ring{step: step, points: make([]Point, cfg.Length)}
	}
	return h, nil
}

// Observe takes a value. One that is NaN or infinite is left out; one from before the open step counts for that step.
func (h *History) Observe(at time.Time, value float64) {
	if h == nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.rings {
		h.rings[i].observe(at.Truncate(h.rings[i].step), value)
	}
}

func (r *ring) observe(at time.Time, value float64) {
	if r.n > 0 {
		if p := r.point(r.n - 1); !at.After(p.At) {
			p.Count++
			p.Mean += (value - p.Mean) / float64(p.Count)
			p.Min, p.Max = min(p.Min, value), max(p.Max, value)
			return
		}
	}
	r.n++
	*r.point(r.n - 1) = Point{At: at, Count: 1, Min: value, Mean: value, Max: value}
}

func (r *ring) point(i int) *Point { return &r.points[i%len(r.points)] }

// oldest is the index of the first point still there.
func (r *ring) oldest() int { return max(0, r.n-len(r.points)) }

// Since yields what is known from a time on, oldest first, at the finest resolution that goes back as far, or else the
// coarsest. Steps in which nothing was observed are left out; the last point may still be open. It holds no lock while it
// yields.
func (h *History) Since(from time.Time) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		for _, p := range h.since(from) {
			if !yield(p) {
				return
			}
		}
	}
}

func (h *History) since(from time.Time) []Point {
	if h == nil || len(h.rings) == 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &h.rings[len(h.rings)-1]
	for i := range h.rings {
		// A ring that has not lost anything yet goes back to the start.
		if q := &h.rings[i]; q.oldest() == 0 || !q.point(q.oldest()).At.After(from) {
			r = q
			break
		}
	}
	var out []Point
	for i := r.oldest(); i < r.n; i++ {
		if p := r.point(i); p.At.Add(r.step).After(from) {
			out = append(out, *p)
		}
	}
	return out
}
