// Package softmax is multinomial logistic regression on sparse examples, with the gradient of one example at a time that
// differentially private training needs.
//
// A gradient touches only the features of its example, so it is given as increasing flat indices into the weights and the
// values there. Everything is a pure function of its arguments: equal calls give equal bits, on any number of cores.
package softmax

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

// Model holds the weights. Its methods take examples that fit its shape (dataset.Dataset.Check) and panic on others; the
// ones that only read may run at the same time.
type Model struct {
	Classes int
	Dim     int
	Weights []float64 // of class c and feature f at c*Dim+f
}

// New returns a model with all weights zero, to which every class is as likely as another.
func New(classes, dim int) *Model {
	return &Model{Classes: classes, Dim: dim, Weights: make([]float64, classes*dim)}
}

// Gradient is the gradient of the loss of one example, and the buffers to compute the next one without allocating. The
// zero value is ready for use, by one goroutine.
type Gradient struct {
	Index []int     // into Weights, strictly increasing
	Value []float64 // one per index
	probs []float64
}

// Gradient sets g to the gradient at x and returns the loss there, the negative log likelihood of the label in nats. For
// weight (c, f) it is (p_c - [c = label]) * x_f; its Euclidean norm is below sqrt(2) times that of the features.
func (m *Model) Gradient(x dataset.Example, g *Gradient) (loss float64) {
	g.probs = m.probabilities(x, g.probs)
	loss = -math.Log(g.probs[x.Label])
	g.probs[x.Label]--
	g.Index, g.Value = g.Index[:0], g.Value[:0]
	for c, r := range g.probs {
		row := c * m.Dim
		for i, f := range x.Index {
			g.Index = append(g.Index, row+int(f))
			g.Value = append(g.Value, r*float64(x.Value[i]))
		}
	}
	return loss
}

// Evaluate returns the mean loss in nats and the share of right predictions over examples, on all cores. Both are NaN
// without examples.
func (m *Model) Evaluate(examples []dataset.Example) (loss, accuracy float64) {
	const chunk = 512 // sums are taken by chunk and then in order, so that they do not depend on the number of cores
	type part struct {
		loss  float64
		right int
	}
	var (
		parts = make([]part, (len(examples)+chunk-1)/chunk)
		next  atomic.Int64
		wg    sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), len(parts)) {
		wg.Go(func() {
			var probs []float64
			for {
				k := int(next.Add(1)) - 1
				if k >= len(parts) {
					return
				}
				for _, x := range examples[k*chunk : min((k+1)*chunk, len(examples))] {
					probs = m.probabilities(x, probs)
					parts[k].loss -= math.Log(probs[x.Label])
					if argmax(probs) == x.Label {
						parts[k].right++
					}
				}
			}
		})
	}
	wg.Wait()
	right := 0
	for _, p := range parts {
		loss += p.loss
		right += p.right
	}
	n := float64(len(examples))
	return loss / n, float64(right) / n
}

// probabilities returns the probability of every class, in dst if it has room. None is zero, so that a loss is finite
// as long as the weights are.
func (m *Model) probabilities(x dataset.Example, dst []float64) []float64 {
	dst = dst[:0]
	top := math.Inf(-1)
	for c := range m.Classes {
		s := m.score(c, x)
		dst = append(dst, s)
		top = max(top, s)
	}
	total := 0.0
	for c, s := range dst {
		dst[c] = math.Exp(s - top)
		total += dst[c]
	}
	for c := range dst {
		dst[c] = max(dst[c]/total, math.SmallestNonzeroFloat64)
	}
	return dst
}

func (m *Model) score(c int, x dataset.Example) float64 {
	row := m.Weights[c*m.Dim : (c+1)*m.Dim]
	s := 0.0
	for i, f := range x.Index {
		s += row[f] * float64(x.Value[i])
	}
	return s
}

func argmax(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
