package dataset

import (
	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/sketch"
)

// gathered collects numbers and describes them many at a time, which is several times faster than one by one.
type gathered struct {
	moments   validate.Moments
	quantiles *sketch.Quantiles // of the same numbers; nil if they are not wanted
	waiting   []float64
}

const mostWaiting = 512

func (g *gathered) add(x float64) {
	if len(g.waiting) == cap(g.waiting) {
		g.grow()
	}
	g.waiting = append(g.waiting, x)
}

func (g *gathered) addAll(xs []float64) {
	for len(xs) > 0 {
		if len(g.waiting) == cap(g.waiting) {
			g.grow()
		}
		n := min(len(xs), cap(g.waiting)-len(g.waiting))
		g.waiting = append(g.waiting, xs[:n]...)
		xs = xs[n:]
	}
}

// grow makes room.
func (g *gathered) grow() {
	if g.waiting == nil {
		g.waiting = make([]float64, 0, 16) // most columns of a hostile file stay small
	} else if g.flush(); cap(g.waiting) < mostWaiting {
		g.waiting = make([]float64, 0, mostWaiting)
	}
}

func (g *gathered) flush() {
	g.moments = g.moments.Merge(validate.Describe(g.waiting))
	if g.quantiles != nil {
		g.quantiles.AddAll(g.waiting)
	}
	g.waiting = g.waiting[:0]
}

// all describes everything so far.
func (g *gathered) all() validate.Moments {
	g.flush()
	return g.moments
}
