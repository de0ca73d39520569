package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/surefoot-ml/surefoot/examples/internal/plot"
)

// across is the number of stretches that a long trace is drawn in, each by its lowest and its highest point.
const across = 1500

// draw writes the chart: the series below its limit, and the time left as it was foreseen and as it turned out to be.
func (q *question) draw(t *trace, say *told) (err error) {
	n := len(t.samples)
	x, value, limit, truth := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	begin := 0.0
	if t.numeric { // else from the beginning of the trace
		begin = float64(t.samples[0].at.Unix()) + float64(t.samples[0].at.Nanosecond())/1e9
	}
	end := math.NaN()
	for i := n - 1; i >= 0; i-- {
		s := t.samples[i]
		x[i], value[i], limit[i] = begin+s.at.Sub(t.samples[0].at).Seconds(), s.value, s.limit
		if s.value >= s.limit {
			end = x[i]
		}
		truth[i] = end - x[i]
	}
	left := make([]float64, n)
	copy(left, say.left)
	most := 10 * q.horizon.Seconds()
	for i := range left {
		left[i], truth[i] = within(left[i], most), within(truth[i], most)
	}
	chart := plot.Chart{
		Title:    "Foreseen exhaustion",
		Subtitle: fmt.Sprintf("%s: %d samples, alarm %v ahead", filepath.Base(q.trace), n, q.horizon),
		XLabel:   "seconds",
		Panels: []plot.Panel{
			{Title: "value", Lines: []plot.Line{thin("value", x, value), thin("limit", x, limit)}},
			{
				Title:    "seconds left",
				Lines:    []plot.Line{thin("foreseen", x, left), thin("as it was", x, truth)},
				Limits:   []plot.Limit{{Name: "alarm", Y: q.horizon.Seconds()}},
				FromZero: true,
			},
		},
	}
	for _, m := range say.marks {
		chart.Marks = append(chart.Marks, plot.Mark{Name: m.name, X: begin + m.at.Sub(t.samples[0].at).Seconds()})
	}
	file, err := os.OpenFile(q.svg, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	return chart.WriteSVG(file)
}

// within leaves out what is beyond most: a time of weeks would hide the rest.
func within(v, most float64) float64 {
	if v > most {
		return math.NaN()
	}
	return v
}

// thin is the line, of a long one its lowest and highest point in each stretch.
func thin(name string, x, y []float64) plot.Line {
	if len(x) <= 2*across {
		return plot.Line{Name: name, X: x, Y: y}
	}
	out := plot.Line{Name: name}
	for k := range across {
		from, to := k*len(x)/across, (k+1)*len(x)/across
		low, high := from, from
		for i := from; i < to; i++ {
			if y[i] < y[low] || math.IsNaN(y[low]) {
				low = i
			}
			if y[i] > y[high] || math.IsNaN(y[high]) {
				high = i
			}
		}
		for _, i := range [2]int{min(low, high), max(low, high)} {
			out.X, out.Y = append(out.X, x[i]), append(out.Y, y[i])
		}
	}
	return out
}
