package softmax

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

// random returns a model with normal weights and n examples that fit it.
func random(seed uint64, classes, dim, n int) (*Model, []dataset.Example) {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := New(classes, dim)
	for i := range m.Weights {
		m.Weights[i] = rng.NormFloat64()
	}
	xs := make([]dataset.Example, n)
	for i := range xs {
		xs[i].Label = rng.IntN(classes)
		for f := range dim {
			if rng.IntN(3) == 0 {
				xs[i].Index = append(xs[i].Index, int32(f))
				xs[i].Value = append(xs[i].Value, float32(rng.NormFloat64()))
			}
		}
	}
	return m, xs
}

// naiveLoss is the definition, without any care.
func naiveLoss(m *Model, x dataset.Example) float64 {
	total, label := 0.0, 0.0
	for c := range m.Classes {
		s := 0.0
		for i, f := range x.Index {
			s += m.Weights[c*m.Dim+int(f)] * float64(x.Value[i])
		}
		total += math.Exp(s)
		if c == x.Label {
			label = s
		}
	}
	return math.Log(total) - label
}

// TestGradient compares every coordinate with a central difference of the naive loss.
func TestGradient(t *testing.T) {
	t.Parallel()
	m, xs := random(1, 4, 9, 30)
	var g Gradient
	for i, x := range xs {
		loss := m.Gradient(x, &g)
		if want := naiveLoss(m, x); math.Abs(loss-want) > 1e-12*max(1, want) {
			t.Errorf("example %d: loss %g, want %g", i, loss, want)
		}
		if len(g.Index) != len(g.Value) || len(g.Index) != m.Classes*len(x.Index) {
			t.Fatalf("example %d: %d indices, %d values for %d features", i, len(g.Index), len(g.Value), len(x.Index))
		}
		dense := make([]float64, len(m.Weights))
		norm, features := 0.0, 0.0
		for k, j := range g.Index {
			if k > 0 && j <= g.Index[k-1] {
				t.Fatalf("example %d: index %d after %d", i, j, g.Index[k-1])
			}
			dense[j] = g.Value[k]
			norm += g.Value[k] * g.Value[k]
		}
		for _, v := range x.Value {
			features += float64(v) * float64(v)
		}
		if norm > 2*features*(1+1e-12) {
			t.Errorf("example %d: squared norm %g of the gradient, %g of the features", i, norm, features)
		}
		for j := range m.Weights {
			const h = 1e-5
			w := m.Weights[j]
			m.Weights[j] = w + h
			above := naiveLoss(m, x)
			m.Weights[j] = w - h
			below := naiveLoss(m, x)
			m.Weights[j] = w
			if want := (above - below) / (2 * h); math.Abs(dense[j]-want) > 1e-8 {
				t.Errorf("example %d: derivative %g for weight %d, want %g", i, dense[j], j, want)
			}
		}
	}
}

func TestGradientOfNewModel(t *testing.T) {
	t.Parallel()
	var g Gradient
	m := New(4, 3)
	loss := m.Gradient(dataset.Example{Index: []int32{1}, Value: []float32{2}, Label: 2}, &g)
	if loss != math.Log(4) || !slices.Equal(g.Index, []int{1, 4, 7, 10}) || !slices.Equal(g.Value, []float64{0.5, 0.5, -1.5, 0.5}) {
		t.Errorf("loss %g, gradient %v at %v", loss, g.Value, g.Index)
	}
	if loss := m.Gradient(dataset.Example{Label: 1}, &g); loss != math.Log(4) || len(g.Index) != 0 {
		t.Errorf("without features: loss %g, gradient at %v", loss, g.Index)
	}
}

// TestExtremeWeights has scores far beyond what exp can take, and weights that are no numbers.
func TestExtremeWeights(t *testing.T) {
	t.Parallel()
	x := dataset.Example{Index: []int32{0}, Value: []float32{1}, Label: 0}
	var g Gradient
	m := New(3, 1)
	copy(m.Weights, []float64{-1e6, 1e6, 0})
	loss := m.Gradient(x, &g)
	if math.IsInf(loss, 0) || loss < 700 || !slices.Equal(g.Value, []float64{-1, 1, 0}) && g.Value[2] > 1e-300 {
		t.Errorf("loss %g, gradient %v; want a large finite loss", loss, g.Value)
	}
	if loss, accuracy := m.Evaluate([]dataset.Example{x}); math.IsInf(loss, 0) || accuracy != 0 {
		t.Errorf("loss %g, accuracy %g", loss, accuracy)
	}
	// A step that broke the weights must show in the loss.
	for _, w := range []float64{math.NaN(), math.Inf(1)} {
		copy(m.Weights, []float64{0, w, 0})
		if loss, _ := m.Evaluate([]dataset.Example{x}); !math.IsNaN(loss) {
			t.Errorf("loss %g with a weight %g, want NaN", loss, w)
		}
	}
}

func TestEvaluate(t *testing.T) {
	for _, n := range []int{1, 511, 512, 513, 3000} {
		m, xs := random(uint64(n), 5, 12, n)
		want, right := 0.0, 0
		for _, x := range xs {
			want += naiveLoss(m, x) / float64(n)
			best := 0
			for c := range m.Classes {
				at := x
				at.Label = c
				other := x
				other.Label = best
				if naiveLoss(m, at) < naiveLoss(m, other) {
					best = c
				}
			}
			if best == x.Label {
				right++
			}
		}
		loss, accuracy := m.Evaluate(xs)
		if math.Abs(loss-want) > 1e-10*want || accuracy != float64(right)/float64(n) {
			t.Errorf("%d examples: loss %g and accuracy %g, want %g and %g", n, loss, accuracy, want, float64(right)/float64(n))
		}
		procs := runtime.GOMAXPROCS(1)
		one, sameAccuracy := m.Evaluate(xs)
		runtime.GOMAXPROCS(procs)
		if one != loss || sameAccuracy != accuracy {
			t.Errorf("%d examples: loss %v on one core, %v on several", n, one, loss)
		}
	}
	if loss, accuracy := New(2, 1).Evaluate(nil); !math.IsNaN(loss) || !math.IsNaN(accuracy) {
		t.Errorf("no examples: loss %g, accuracy %g", loss, accuracy)
	}
}

func TestGradientDoesNotAllocate(t *testing.T) {
	m, xs := random(3, 12, 200, 20)
	var g Gradient
	for _, x := range xs {
		m.Gradient(x, &g)
	}
	if n := testing.AllocsPerRun(10, func() {
		for _, x := range xs {
			m.Gradient(x, &g)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// labelled replaces the labels by those that another model gives.
func labelled(xs []dataset.Example, teacher *Model) []dataset.Example {
	for i := range xs {
		xs[i].Label = argmax(teacher.probabilities(xs[i], nil))
	}
	return xs
}

func TestDescent(t *testing.T) {
	t.Parallel()
	teacher, xs := random(7, 3, 10, 2000)
	xs = labelled(xs, teacher)
	fit := func(d Descent) *Model {
		m := New(3, 10)
		if err := d.Fit(t.Context(), m, xs); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := fit(Descent{Seed: 1})
	if loss, accuracy := m.Evaluate(xs); accuracy < 0.95 || loss > 0.2 {
		t.Errorf("loss %g, accuracy %g on what can be learned", loss, accuracy)
	}
	if !slices.Equal(m.Weights, fit(Descent{Seed: 1, Epochs: 10, Rate: 2}).Weights) {
		t.Error("equal seeds, or the documented defaults, gave other weights")
	}
	if slices.Equal(m.Weights, fit(Descent{Seed: 2}).Weights) {
		t.Error("other seeds gave equal weights")
	}
}

func TestDescentRefuses(t *testing.T) {
	t.Parallel()
	m, xs := random(7, 3, 10, 5)
	before := slices.Clone(m.Weights)
	for _, d := range []Descent{{Epochs: -1}, {Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}} {
		if err := d.Fit(t.Context(), m, xs); err == nil {
			t.Errorf("%+v was accepted", d)
		}
	}
	if err := (Descent{}).Fit(t.Context(), m, nil); err == nil {
		t.Error("no examples were accepted")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if err := (Descent{}).Fit(ctx, m, xs); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
	if !slices.Equal(m.Weights, before) {
		t.Error("a refusal changed the weights")
	}
}

func BenchmarkGradient(b *testing.B) {
	m, xs := random(3, 12, 150, 64) // about 50 features each
	var g Gradient
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Gradient(xs[i%len(xs)], &g)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	m, xs := random(3, 12, 150, 4096)
	b.ReportAllocs()
	for b.Loop() {
		m.Evaluate(xs)
	}
}
