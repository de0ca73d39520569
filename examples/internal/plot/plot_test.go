package plot

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// element is what the tests want to know of a drawn element.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// draw writes the chart and parses it as XML.
func draw(t *testing.T, c *Chart) []element {
	t.Helper()
	var b bytes.Buffer
	if err := c.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(b.Bytes()) {
		t.Fatal("not UTF-8")
	}
	var all []element
	var open []int
	for d := xml.NewDecoder(&b); ; {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			e := element{name: tok.Name.Local, attrs: make(map[string]string)}
			for _, a := range tok.Attr {
				if _, twice := e.attrs[a.Name.Local]; twice {
					t.Fatalf("attribute %s twice", a.Name.Local)
				}
				e.attrs[a.Name.Local] = a.Value
				if a.Name.Local != "font-family" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
					t.Fatalf("%s=%q", a.Name.Local, a.Value)
				}
			}
			open = append(open, len(all))
			all = append(all, e)
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(tok)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
	if len(all) == 0 || all[0].name != "svg" {
		t.Fatal("no svg element")
	}
	return all
}

func texts(all []element) []string {
	var s []string
	for _, e := range all {
		if e.name == "text" {
			s = append(s, e.text)
		}
	}
	return s
}

func lines(all []element) []element {
	var s []element
	for _, e := range all {
		if e.name == "path" && e.attrs["fill"] == "none" {
			s = append(s, e)
		}
	}
	return s
}

func training() *Chart {
	return &Chart{
		Title: "A <title> & \"more\"", Subtitle: "ε ≤ 3", XLabel: "step",
		Panels: []Panel{
			{
				Title: "loss", FromZero: true,
				Lines: []Line{
					{Name: "raw", X: []float64{0, 10, 20}, Y: []float64{2, 1, 0.5}, Faint: true},
					{Name: "smooth", X: []float64{0, 20}, Y: []float64{2, 0.7}},
				},
			},
			{
				Title: "epsilon", FromZero: true,
				Lines:  []Line{{X: []float64{0, 20}, Y: []float64{0, 2.5}}},
				Limits: []Limit{{"budget", 3}},
			},
		},
		Marks: []Mark{{"fault", 5}, {"pause", 10}, {"fault", 15}, {"fault", math.NaN()}},
	}
}

func TestWriteSVG(t *testing.T) {
	t.Parallel()
	all := draw(t, training())
	have := texts(all)
	for _, want := range []string{
		"A <title> & \"more\"", "ε ≤ 3", "step", "loss", "epsilon", "raw", "smooth", "budget", "fault (2)", "pause (1)",
	} {
		n := 0
		for _, s := range have {
			if s == want {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q is written %d times", want, n)
		}
	}
	ls := lines(all)
	if len(ls) != 3 {
		t.Fatalf("%d lines, want 3", len(ls))
	}
	if ls[0].attrs["stroke"] != ls[1].attrs["stroke"] || ls[0].attrs["stroke-opacity"] == "" || ls[1].attrs["stroke-opacity"] != "" {
		t.Errorf("the faint line %v and its strong one %v", ls[0].attrs, ls[1].attrs)
	}
	// The axes end where the data do: the line of the second panel goes from corner to limit.
	if d := ls[2].attrs["d"]; !strings.HasPrefix(d, "M76 616h0L872 ") {
		t.Errorf("path %q", d)
	}
	var a, b bytes.Buffer
	if err := errors.Join(training().WriteSVG(&a), training().WriteSVG(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("equal charts, different bytes (%v)", err)
	}
}

func TestGapsInterruptLines(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	all := draw(t, &Chart{Panels: []Panel{{Lines: []Line{{
		X: []float64{0, 1, 2, 3, nan, 5, 6},
		Y: []float64{0, 1, nan, 3, 4, inf, 6},
	}}}}})
	d := lines(all)[0].attrs["d"]
	if strings.Count(d, "M") != 3 || strings.Count(d, "L") != 1 {
		t.Errorf("path %q, want a line and two dots", d)
	}
}

func TestEmptyAndConstantData(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]Line{
		"no points":   {},
		"all missing": {X: []float64{1}, Y: []float64{math.NaN()}},
		"one point":   {X: []float64{7}, Y: []float64{-3}},
		"constant":    {X: []float64{1, 2}, Y: []float64{1e9, 1e9}},
		"zero":        {X: []float64{0, 0}, Y: []float64{0, 0}},
		"tiny":        {X: []float64{0, 5e-324}, Y: []float64{5e-324, 1e-300}},
		"huge":        {X: []float64{-1e300, 1e300}, Y: []float64{1e300, -1e300}},
		"beyond":      {X: []float64{-math.MaxFloat64, 1}, Y: []float64{1, math.MaxFloat64}},
	} {
		for _, fromZero := range []bool{false, true} {
			all := draw(t, &Chart{Panels: []Panel{{Lines: []Line{l}, FromZero: fromZero}}})
			if len(lines(all)) != 1 || len(texts(all)) < 4 {
				t.Errorf("%s: %d lines and labels %q", name, len(lines(all)), texts(all))
			}
		}
	}
	if err := (&Chart{}).WriteSVG(io.Discard); !errors.Is(err, ErrInvalid) {
		t.Errorf("no panels: %v", err)
	}
	odd := &Chart{Panels: []Panel{{}, {Lines: []Line{{Name: "odd", X: []float64{1}}}}}}
	if err := odd.WriteSVG(io.Discard); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `panel 1, line "odd": 1 values of x and 0 of y`) {
		t.Errorf("unequal lengths: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteErrorIsReturned(t *testing.T) {
	t.Parallel()
	if err := training().WriteSVG(broken{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestTicksAreRound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		low, high float64
		wanted    int
		labels    string
	}{
		{0, 300, 8, "0 50 100 150 200 250 300"},
		{1, 300, 8, "50 100 150 200 250 300"},
		{0, 3, 5, "0 1 2 3"},
		{0, 2.5, 5, "0.0 0.5 1.0 1.5 2.0 2.5"},
		{-1, 1, 5, "-1.0 -0.5 0.0 0.5 1.0"},
		{0.61, 0.68, 5, "0.62 0.64 0.66 0.68"},
		{0, 0.0007, 5, "0.0000 0.0002 0.0004 0.0006"},
		{0, 4.1e9, 5, "0 1e+09 2e+09 3e+09 4e+09"},
		{0, 8e-9, 5, "0 2e-09 4e-09 6e-09 8e-09"},
		{5, 5, 5, "4.6 4.8 5.0 5.2 5.4"},
		{1, -1, 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
	} {
		a := newAxis(span{c.low, c.high}, c.wanted, 0, 100, false)
		var labels []string
		for _, v := range a.ticks {
			labels = append(labels, a.label(v))
		}
		if got := strings.Join(labels, " "); got != c.labels {
			t.Errorf("%g to %g: ticks %s, want %s", c.low, c.high, got, c.labels)
		}
	}
}

func TestLogarithmicAxes(t *testing.T) {
	t.Parallel()
	c := &Chart{LogX: true, Panels: []Panel{{
		LogY: true, FromZero: true, Limits: []Limit{{"floor", 0}, {"one", 1}},
		Lines: []Line{{X: []float64{0, 1e-4, 1e-2, 1}, Y: []float64{0.5, 1e-3, 0, 1}}},
	}}, Marks: []Mark{{"seen", 0.1}, {"unseen", -1}}}
	all := draw(t, c)
	have := strings.Join(texts(all), " ")
	for _, want := range []string{"0.0001 0.001 0.01 0.1 1", "seen (1)", "one"} {
		if !strings.Contains(have, want) {
			t.Errorf("%q is not in %q", want, have)
		}
	}
	if strings.Contains(have, "floor") {
		t.Error("a limit at zero is drawn")
	}
	if d := lines(all)[0].attrs["d"]; strings.Count(d, "M") != 2 {
		t.Errorf("path %q, want two dots: what is not positive is a gap", d)
	}
	if c.Panels[0].Lines[0].X[1] != 1e-4 || c.Marks[0].X != 0.1 {
		t.Error("the chart was changed")
	}
	// Less than two decades have round ticks of the logarithm, with their values.
	a := newAxis(span{-0.5, 0.2}, 5, 0, 100, true)
	if len(a.ticks) < 3 || a.label(0) != "1" {
		t.Errorf("ticks %v", a.ticks)
	}
}

func TestNumbersAreShort(t *testing.T) {
	t.Parallel()
	got := map[float64]string{}
	want := map[float64]string{0: "0", -0.001: "0", 100: "100", 1.5: "1.5", -2.346: "-2.35", 0.1: "0.1", 120.004: "120"}
	for v := range want {
		got[v] = num(v)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// FuzzWriteSVG draws any numbers and any text: the result is XML without a number that is not finite.
func FuzzWriteSVG(f *testing.F) {
	f.Add("loss", []byte("12345678abcdefgh12345678abcdefgh"), true)
	f.Add("]]>&amp;\x00\xff", []byte{}, false)
	f.Fuzz(func(t *testing.T, text string, numbers []byte, flag bool) {
		var v []float64
		for len(numbers) >= 8 {
			v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(numbers)))
			numbers = numbers[8:]
		}
		n := len(v) / 2
		c := &Chart{Title: text, Subtitle: text, XLabel: text, LogX: n%2 == 1, Panels: []Panel{{
			Title: text, FromZero: flag, LogY: n%3 == 1, Lines: []Line{{Name: text, X: v[:n], Y: v[n : 2*n], Faint: flag}},
		}}}
		for i, x := range v {
			c.Marks = append(c.Marks, Mark{text[:i%(len(text)+1)], x})
			c.Panels[0].Limits = append(c.Panels[0].Limits, Limit{text, x})
		}
		draw(t, c)
	})
}
