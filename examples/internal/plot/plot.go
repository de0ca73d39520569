// Package plot draws line charts as SVG: panels one above the other over a common horizontal axis, with limits to stay
// under and marks where something happened.
//
// Fill in a [Chart] and write it with [Chart.WriteSVG].
package plot

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Chart is a drawing. It needs a panel; everything else may be empty.
type Chart struct {
	Title    string
	Subtitle string
	XLabel   string
	Panels   []Panel // from top to bottom
	Marks    []Mark
	LogX     bool // the horizontal axis is logarithmic: what is not positive is not drawn
}

// Panel is one pair of axes. Its vertical range is that of its lines and limits.
type Panel struct {
	Title    string // what the vertical axis shows, with the unit
	Lines    []Line
	Limits   []Limit
	FromZero bool // the vertical axis starts at zero, or ends there if all is negative
	LogY     bool // the vertical axis is logarithmic, whatever FromZero says: what is not positive is not drawn
}

// Line joins points. A point that is not finite interrupts the line.
type Line struct {
	Name  string // for the legend; none if empty
	X, Y  []float64
	Faint bool // drawn thin and pale, in the colour of the next line that is not faint: raw values behind smoothed ones
}

// Limit is a horizontal dashed line with its name on it.
type Limit struct {
	Name string
	Y    float64
}

// Mark is an event at a place of the horizontal axis. Marks of one name share a colour and an entry of the legend.
type Mark struct {
	Name string
	X    float64
}

// ErrInvalid is returned for a chart that cannot be drawn.
var ErrInvalid = errors.New("plot: invalid chart")

func (c *Chart) check() error {
	if len(c.Panels) == 0 {
		return fmt.Errorf("%w: no panels", ErrInvalid)
	}
	for i, p := range c.Panels {
		for _, l := range p.Lines {
			if len(l.X) != len(l.Y) {
				return fmt.Errorf("%w: panel %d, line %q: %d values of x and %d of y", ErrInvalid, i, l.Name, len(l.X), len(l.Y))
			}
		}
	}
	return nil
}

// Measures of the drawing in pixels.
const (
	width        = 900.0
	left         = 76.0 // of the axes
	right        = width - 28
	top          = 98.0 // of the first panel's axes
	panelHeight  = 230.0
	panelGap     = 58.0
	bottomMargin = 84.0
)

// The colours are those of Okabe and Ito, which remain apart to the colour-blind.
var (
	lineColours = []string{"#0072b2", "#009e73", "#cc79a7", "#56b4e9"}
	markColours = []string{"#d55e00", "#7b4fb3", "#c48a00", "#009e73"}
)

const (
	ink   = "#1f2933"
	muted = "#52606d"
	grid  = "#e4e7eb"
	frame = "#9aa5b1"
	limit = "#b42318"
)

// WriteSVG writes the chart as one SVG element. Equal charts give equal bytes.
func (c *Chart) WriteSVG(w io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	c = c.scaled()
	n := float64(len(c.Panels))
	bottom := top + n*panelHeight + (n-1)*panelGap
	height := bottom + bottomMargin
	if len(c.Marks) == 0 {
		height -= 26
	}

	var d drawing
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" `+
		`font-family="Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif" font-size="13" fill="%s">`+"\n",
		num(width), num(height), num(width), num(height), ink)
	d.printf("<title>%s</title>\n", escape(c.Title))
	d.printf(`<rect width="%s" height="%s" fill="#ffffff"/>`+"\n", num(width), num(height))
	d.text(left, 32, "start", `font-size="19" font-weight="600"`, c.Title)
	d.text(left, 53, "start", `fill="`+muted+`"`, c.Subtitle)

	x := c.horizontal()
	for i := range c.Panels {
		y0 := top + float64(i)*(panelHeight+panelGap)
		drawMarks(&d, c.Marks, x, y0, y0+panelHeight, i == 0)
		c.Panels[i].draw(&d, x, y0, i == len(c.Panels)-1)
	}
	d.text((left+right)/2, bottom+40, "middle", "", c.XLabel)
	drawMarkLegend(&d, c.Marks, bottom+66)
	d.printf("</svg>\n")
	_, err := w.Write(d.buf.Bytes())
	return err
}

// horizontal is the axis that the panels share.
func (c *Chart) horizontal() axis {
	r := emptyRange()
	for _, p := range c.Panels {
		for _, l := range p.Lines {
			for i, v := range l.X {
				if finite(v) && finite(l.Y[i]) {
					r.add(v)
				}
			}
		}
	}
	for _, m := range c.Marks {
		r.add(m.X)
	}
	return newAxis(r, 8, left, right, c.LogX)
}

func (p *Panel) vertical(y0 float64) axis {
	r := emptyRange()
	for _, l := range p.Lines {
		for i, v := range l.Y {
			if finite(l.X[i]) {
				r.add(v)
			}
		}
	}
	named := false
	for _, l := range p.Limits {
		named = named || finite(l.Y) && l.Y >= r.high
		r.add(l.Y)
	}
	low, high := r.low, r.high
	if pad := 0.04 * (high - low); finite(pad) {
		r.low, r.high = low-pad, high+pad
		if named {
			r.high += 2 * pad // room for the name above the limit
		}
	}
	if p.FromZero && !p.LogY && low <= high {
		if low >= 0 {
			r.low = 0
		}
		if high <= 0 {
			r.high = 0
		}
	}
	return newAxis(r, 5, y0+panelHeight, y0, p.LogY)
}

// draw draws the axes and what is on them; the last panel has the labels of the horizontal axis.
func (p *Panel) draw(d *drawing, x axis, y0 float64, last bool) {
	y := p.vertical(y0)
	base := y0 + panelHeight
	for _, t := range y.ticks {
		at := y.at(t)
		d.line(left, at, right, at, grid, 1, "")
		d.text(left-9, at+4.5, "end", `fill="`+muted+`"`, y.label(t))
	}
	for _, t := range x.ticks {
		at := x.at(t)
		d.line(at, base, at, base+5, frame, 1, "")
		if last {
			d.text(at, base+20, "middle", `fill="`+muted+`"`, x.label(t))
		}
	}
	d.line(left, base, right, base, frame, 1, "")

	names := make([]legendEntry, 0, len(p.Lines))
	colour := 0
	for _, l := range p.Lines {
		stroke := lineColours[colour%len(lineColours)]
		d.path(l, x, y, stroke)
		if l.Name != "" {
			names = append(names, legendEntry{l.Name, stroke, l.Faint})
		}
		if !l.Faint {
			colour++
		}
	}
	for _, l := range p.Limits {
		if !finite(l.Y) {
			continue
		}
		at := y.at(l.Y)
		d.line(left, at, right, at, limit, 1.5, "6 4")
		d.text(right-4, at-7, "end", `font-weight="600" fill="`+limit+`" stroke="#ffffff" stroke-width="4" paint-order="stroke"`, l.Name)
	}
	d.text(left, y0-12, "start", `font-weight="600"`, p.Title)
	drawLegend(d, names, y0-12)
}

// finite is also false for numbers whose differences might overflow.
func finite(v float64) bool { return math.Abs(v) <= 1e300 }
