package dataset

import "github.com/surefoot-ml/surefoot/validate"

// gathered collects numbers and describes them many at a time, which is several times faster than one by one.
type gathered struct {
	moments validate.Moments
	waiting []float64
}

func (g *gathered) add(x float64) {
	if len(g.waiting) == cap(g.waiting) {
		if g.waiting == nil {
			g.waiting = make([]float64, 0, 16) // most columns of a hostile file stay small
		} else if g.flush(); cap(g.waiting) < 512 {
			g.waiting = make([]float64, 0, 512)
		}
	}
	g.waiting = append(g.waiting, x)
}

func (g *gathered) flush() {
	g.moments = g.moments.Merge(validate.Describe(g.waiting))
	g.waiting = g.waiting[:0]
}

// all describes everything so far.
func (g *gathered) all() validate.Moments {
	g.flush()
	return g.moments
}
