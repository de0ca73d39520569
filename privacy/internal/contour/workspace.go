package contour

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Workspace keeps the buffers of the computation between calls, for callers that solve for a parameter. The answers do not depend on
// what it was used for before. The zero Workspace is ready; it must not be used by two goroutines at once.
type Workspace struct {
	parts   []Part
	cells   []cell
	scratch []scratch
	totals  []totals
	series  series
}

// chunk is the number of parts whose numbers are summed one after the other. Chunks are summed in order, whoever computed them, so that
// the bits of an answer do not depend on the number of processors.
const chunk = 32

// representatives is the number of cells a long composition is planned with.
const representatives = 24

// budget bounds the products of one evaluation, nodes in x times nodes on the line over all parts: about two seconds of one core.
const budget = 2e9

// wide is the relative width above which an interval is not worth returning.
const wide = 1e-3

// load checks and orders the parts, equal ones merged.
func (w *Workspace) load(c Composition) error {
	if !(c.Mu2 >= 0 && c.Mu2 <= 1e12) {
		return fmt.Errorf("contour: mu^2 = %g is not in [0, 1e12]", c.Mu2)
	}
	w.parts = w.parts[:0]
	for i, p := range c.Parts {
		switch {
		case !(p.Rate > 0 && p.Rate < 1):
			return fmt.Errorf("contour: part %d: rate %g is not in (0, 1)", i, p.Rate)
		case !(p.Sigma > 0 && p.Sigma <= math.MaxFloat64):
			return fmt.Errorf("contour: part %d: noise multiplier %g is not positive and finite", i, p.Sigma)
		case p.Count < 0 || p.Count > 1<<53:
			return fmt.Errorf("contour: part %d: count %d is not in [0, 2^53]", i, p.Count)
		case p.Count > 0:
			w.parts = append(w.parts, p)
		}
	}
	slices.SortFunc(w.parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(a.Rate, b.Rate), cmp.Compare(a.Sigma, b.Sigma))
	})
	n := 0
	for _, p := range w.parts {
		if n > 0 && w.parts[n-1].Rate == p.Rate && w.parts[n-1].Sigma == p.Sigma {
			if w.parts[n-1].Count > 1<<53-p.Count {
				return fmt.Errorf("contour: rate %g, noise multiplier %g: count above 2^53", p.Rate, p.Sigma)
			}
			w.parts[n-1].Count += p.Count
			continue
		}
		w.parts[n] = p
		n++
	}
	w.parts = w.parts[:n]
	return nil
}

// fits refuses what the rounding analysis does not cover.
func (w *Workspace) fits() error {
	for _, p := range w.parts {
		if p.Rate < 1e-100 || !(p.Sigma >= 0.02 && p.Sigma <= 1e6) {
			return refuse("rate %g, noise multiplier %g are out of the range of the method", p.Rate, p.Sigma)
		}
	}
	return nil
}

// variation bounds delta(0), the total variation, from above: it adds up over the parts.
func (w *Workspace) variation(mu2 float64) float64 {
	sum := math.Erf(math.Sqrt(mu2) / (2 * math.Sqrt2))
	for _, p := range w.parts {
		sum += float64(p.Count) * p.Rate * math.Erf(1/(2*math.Sqrt2*p.Sigma))
	}
	// denormal products err by 2^-1075 each, twice per part
	return sum*(1+1e-13+float64(len(w.parts))*2*unit) + float64(2*len(w.parts))*0x1p-1074
}

// lay sets up the planner: every part, or representatives of consecutive ones, weighed by their variance.
func (w *Workspace) lay(d Direction, mu2, cutMass float64) planner {
	n := min(len(w.parts), representatives)
	for len(w.cells) < n {
		w.cells = append(w.cells, cell{})
	}
	var total float64
	for _, p := range w.parts {
		total += float64(p.Count)
	}
	for i := range n {
		lo, hi := i*len(w.parts)/n, (i+1)*len(w.parts)/n
		ce := &w.cells[i]
		ce.law = newLaw(w.parts[(lo+hi)/2], d)
		if hi-lo > 1 {
			var sum float64
			for _, p := range w.parts[lo:hi] {
				l := newLaw(p, d)
				sum += l.count * weight(&l)
			}
			ce.law.count = sum / weight(&ce.law)
		}
		if cutMass > 0 {
			ce.law.cut = ce.law.cutAt(cutMass / total)
		}
	}
	return planner{cells: w.cells[:n], mu2: mu2, limit: 1200}
}

// prove runs the parts through the plan and assembles the series.
func (w *Workspace) prove(p *plan, d Direction, mu2, cutMass float64) error {
	chunks := max(1, (len(w.parts)+chunk-1)/chunk)
	for len(w.totals) < chunks {
		w.totals = append(w.totals, totals{})
	}
	cells := min(len(w.parts), representatives)
	var count float64
	for _, q := range w.parts {
		count += float64(q.Count)
	}
	sums := float64(min(chunk, len(w.parts)) + chunks)
	p.work = budget / float64(chunks)
	work := func(sc *scratch, i int) error {
		t := &w.totals[i]
		t.reset(p.nodes)
		for j := i * chunk; j < min((i+1)*chunk, len(w.parts)); j++ {
			l := newLaw(w.parts[j], d)
			if cutMass > 0 {
				l.cut = l.cutAt(cutMass / count)
			}
			if err := sc.part(t, &l, p, w.cells[j*cells/len(w.parts)].theta, sums); err != nil {
				return err
			}
		}
		return nil
	}
	workers := min(chunks, runtime.GOMAXPROCS(0))
	for len(w.scratch) < workers {
		w.scratch = append(w.scratch, scratch{})
	}
	if workers == 1 {
		for i := range chunks {
			if err := work(&w.scratch[0], i); err != nil {
				return err
			}
		}
	} else if err := share(workers, chunks, func(worker, i int) error { return work(&w.scratch[worker], i) }); err != nil {
		return err
	}
	t := &w.totals[0]
	for i := 1; i < chunks; i++ {
		t.merge(&w.totals[i])
	}
	w.series.assemble(t, p, mu2, sums)
	return nil
}

// share calls work(worker, i) for i = 0..n-1 on a number of goroutines and waits for them. It returns the error of the least i that
// was reached with one.
func share(workers, n int, work func(worker, i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, n)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = work(k, i); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
