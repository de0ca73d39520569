package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// drawing is SVG in the making.
type drawing struct{ buf bytes.Buffer }

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(&d.buf, format, args...) }

func (d *drawing) line(x1, y1, x2, y2 float64, stroke string, width float64, dashes string) {
	d.printf(`<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="%s"`,
		num(x1), num(y1), num(x2), num(y2), stroke, num(width))
	if dashes != "" {
		d.printf(` stroke-dasharray="%s"`, dashes)
	}
	d.printf("/>\n")
}

// text writes nothing if s is empty. Attrs is trusted, s is not.
func (d *drawing) text(x, y float64, anchor, attrs, s string) {
	if s == "" {
		return
	}
	d.printf(`<text x="%s" y="%s" text-anchor="%s" %s>%s</text>`+"\n", num(x), num(y), anchor, attrs, escape(s))
}

// path draws the line; a point between two gaps becomes a dot.
func (d *drawing) path(l Line, x, y axis, stroke string) {
	style := `stroke-width="2"`
	if l.Faint {
		style = `stroke-width="1" stroke-opacity="0.35"`
	}
	d.printf(`<path fill="none" stroke="%s" %s stroke-linejoin="round" stroke-linecap="round" d="`, stroke, style)
	pen := false
	for i := range l.X {
		if !finite(l.X[i]) || !finite(l.Y[i]) {
			pen = false
			continue
		}
		command := "M"
		if pen {
			command = "L"
		}
		d.printf("%s%s %s", command, num(x.at(l.X[i])), num(y.at(l.Y[i])))
		if !pen {
			d.printf("h0")
		}
		pen = true
	}
	d.printf(`"/>` + "\n")
}

// triangle points down at (x, y).
func (d *drawing) triangle(x, y float64, fill string) {
	d.printf(`<path d="M%s %sl-5 -8h10z" fill="%s"/>`+"\n", num(x), num(y), fill)
}

func num(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	if s == "-0" {
		s = "0"
	}
	return s
}

func escape(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a bytes.Buffer does not fail
	}
	return b.String()
}

// textWidth estimates the width of s at the size of the legend: SVG has no layout, and a font's own widths are unknown.
func textWidth(s string) float64 { return 7.1 * float64(utf8.RuneCountInString(s)) }
