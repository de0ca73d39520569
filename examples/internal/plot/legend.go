package plot

// legendEntry names a line by its colour.
type legendEntry struct {
	name, colour string
	faint        bool
}

// drawLegend puts the entries in a row that ends at the right edge.
func drawLegend(d *drawing, entries []legendEntry, y float64) {
	const swatch, gap, between = 22.0, 7.0, 20.0
	total := -between
	for _, e := range entries {
		total += swatch + gap + textWidth(e.name) + between
	}
	x := right - total
	for _, e := range entries {
		width, opacity := 2.5, "1"
		if e.faint {
			width, opacity = 1.5, "0.45"
		}
		d.printf(`<g stroke-opacity="%s">`, opacity)
		d.line(x, y-4.5, x+swatch, y-4.5, e.colour, width, "")
		d.printf("</g>\n")
		d.text(x+swatch+gap, y, "start", `fill="`+muted+`"`, e.name)
		x += swatch + gap + textWidth(e.name) + between
	}
}

// markNames are the distinct names of marks that can be drawn, in order of appearance.
func markNames(marks []Mark) (names []string, count map[string]int) {
	count = make(map[string]int)
	for _, m := range marks {
		if !finite(m.X) {
			continue
		}
		if count[m.Name] == 0 {
			names = append(names, m.Name)
		}
		count[m.Name]++
	}
	return names, count
}

func markColour(i int) string { return markColours[i%len(markColours)] }

// drawMarks draws the marks over the height of a panel, with heads if wanted.
func drawMarks(d *drawing, marks []Mark, x axis, y0, y1 float64, heads bool) {
	names, _ := markNames(marks)
	for i, name := range names {
		for _, m := range marks {
			if m.Name != name || !finite(m.X) {
				continue
			}
			at := x.at(m.X)
			d.printf(`<g stroke-opacity="0.55">`)
			d.line(at, y0, at, y1, markColour(i), 1, "2 3")
			d.printf("</g>\n")
			if heads {
				d.triangle(at, y0+4, markColour(i))
			}
		}
	}
}

// drawMarkLegend names the marks, with their number, in a row from the left edge.
func drawMarkLegend(d *drawing, marks []Mark, y float64) {
	names, count := markNames(marks)
	x := left
	for i, name := range names {
		label := name + " (" + num(float64(count[name])) + ")"
		d.triangle(x+5, y-1, markColour(i))
		d.text(x+17, y, "start", `fill="`+muted+`"`, label)
		x += 17 + textWidth(label) + 22
	}
}
