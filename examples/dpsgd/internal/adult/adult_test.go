package adult

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

const header = "age,type_employer,fnlwgt,education,education_num,marital,occupation,relationship,race,sex," +
	"capital_gain,capital_loss,hr_per_week,country,income\n"

// person is a made-up row; age makes it distinct.
func person(age int, income string) string {
	return fmt.Sprintf("%d,Private,1000,Masters,14,Divorced,Sales,Unmarried,Other,Female,0,0,38,Peru,%s\n", age, income)
}

// people are enough rows for both parts of the split.
func people() string {
	var b strings.Builder
	for age := 17; age < 90; age++ {
		b.WriteString(person(age, classes[age%2]))
	}
	return b.String()
}

func read(t *testing.T, text string) (*dataset.Dataset, Summary, error) {
	t.Helper()
	return Read(t.Context(), strings.NewReader(text))
}

func TestColumns(t *testing.T) {
	t.Parallel()
	width, have := 1, 1
	for i := range columns {
		c := &columns[i]
		width += c.width()
		if c.width() > 0 {
			have++
		}
		if !slices.IsSorted(c.values) || !slices.IsSorted(c.edges) {
			t.Errorf("%s: values or edges are not sorted", c.name)
		}
		for _, e := range c.edges {
			if e <= c.min || e > c.max {
				t.Errorf("%s: an edge at %d makes an empty range in %d to %d", c.name, e, c.min, c.max)
			}
		}
		if len(c.values) != len(slices.Compact(slices.Clone(c.values))) || len(c.edges) != len(slices.Compact(slices.Clone(c.edges))) {
			t.Errorf("%s: a value or an edge is listed twice", c.name)
		}
	}
	if len(columns) != 15 || width != features || have != present {
		t.Errorf("%d columns with %d features, %d to a row; want 15, %d, %d", len(columns), width, have, features, present)
	}
}

// named returns the features of an example as column=value or column[range], without the constant one.
func named(x dataset.Example) []string {
	var names []string
	first := int32(0)
	for i := range columns {
		c := &columns[i]
		for k := range int32(c.width()) {
			if !slices.Contains(x.Index, first+k) {
				continue
			}
			name := fmt.Sprintf("%s[%d]", c.name, k)
			if c.values != nil {
				name = c.name + "=" + c.values[k]
			}
			names = append(names, name)
		}
		first += int32(c.width())
	}
	return names
}

func TestExample(t *testing.T) {
	t.Parallel()
	row := strings.Split("22,State-gov,7,Bachelors,13,Widowed,Sales,Wife,Black,Female,2000,0,99,Hong,>50K", ",")
	x, err := example(row)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"age[1]", "type_employer=State-gov", "education=Bachelors", "marital=Widowed", "occupation=Sales",
		"relationship=Wife", "race=Black", "sex=Female", "capital_gain[3]", "capital_loss[0]", "hr_per_week[8]", "country=Hong",
	}
	if got := named(x); !reflect.DeepEqual(got, want) {
		t.Errorf("features %q, want %q", got, want)
	}
	if x.Label != 1 || x.Index[len(x.Index)-1] != features-1 {
		t.Errorf("label %d, last feature %d; want 1, %d", x.Label, x.Index[len(x.Index)-1], features-1)
	}
	norm := 0.0
	for _, v := range x.Value {
		norm += float64(v) * float64(v)
	}
	if len(x.Value) != len(x.Index) || math.Abs(norm-1) > 1e-6 {
		t.Errorf("%d values of squared norm %g, want %d and 1", len(x.Value), norm, len(x.Index))
	}

	// The survey weight and the second column of education say nothing.
	row[2], row[4] = "999", "1"
	if y, err := example(row); err != nil || !reflect.DeepEqual(x, y) {
		t.Errorf("ignored columns changed the example (%v)", err)
	}
	for age, want := range map[string]string{"0": "age[0]", "21": "age[0]", "25": "age[1]", "26": "age[2]", "64": "age[9]", "65": "age[10]", "120": "age[10]"} {
		row[0] = age
		if x, err := example(row); err != nil || named(x)[0] != want {
			t.Errorf("age %s: %v, %v; want %s", age, named(x), err, want)
		}
	}
}

func TestReadAcceptsTheKnownLayouts(t *testing.T) {
	t.Parallel()
	plain, sum, err := read(t, people())
	if err != nil || sum != (Summary{Rows: 73}) {
		t.Fatalf("%+v, %v", sum, err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(header + people())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	unknown := strings.Replace(person(30, classes[0]), "Sales", "?", 1)
	for name, text := range map[string]string{
		"header":       header + people(),
		"gzip":         packed.String(),
		"CRLF":         strings.ReplaceAll(header+people(), "\n", "\r\n"),
		"UCI training": strings.ReplaceAll(people(), ",", ", ") + "\n",
		"UCI test":     "|1x3 Cross validator\n" + strings.ReplaceAll(strings.ReplaceAll(people(), ",", ", "), "\n", ".\n"),
		"unknown":      unknown + people() + unknown,
		"other order":  reversed(people()),
		"no last LF":   strings.TrimSuffix(people(), "\n"),
	} {
		d, sum, err := read(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if wantUnknown := 2 * strings.Count(name, "unknown"); sum != (Summary{Rows: 73, Unknown: wantUnknown}) {
			t.Errorf("%s: %+v", name, sum)
		}
		if d.Digest() != plain.Digest() {
			t.Errorf("%s: other data than without", name)
		}
	}
}

func reversed(lines string) string {
	all := strings.SplitAfter(lines, "\n")
	slices.Reverse(all)
	return strings.Join(all, "")
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	spoil := func(old, spoiled string) string {
		return person(40, classes[0]) + strings.Replace(person(41, classes[0]), old, spoiled, 1) + people()
	}
	for name, c := range map[string]struct{ text, says string }{
		"unknown category": {spoil("Masters", "Wizardry"), `line 2: education is "Wizardry", not one of its 16 values`},
		"empty category":   {spoil("Sales", ""), `line 2: occupation is ""`},
		"trailing space":   {spoil("Sales", "Sales "), `line 2: occupation is "Sales "`},
		"not a number":     {spoil("41", "old"), `line 2: age is "old", want a whole number in 0 to 120`},
		"fraction":         {spoil("38", "38.5"), `line 2: hr_per_week is "38.5"`},
		"negative":         {spoil("38", "-1"), `line 2: hr_per_week is "-1"`},
		"too large":        {spoil("38", "169"), `line 2: hr_per_week is "169", want a whole number in 0 to 168`},
		"overflow":         {spoil("1000", "99999999999999999999"), `line 2: fnlwgt is`},
		"unknown label":    {spoil("<=50K", "<=60K"), `line 2: income is "<=60K"`},
		"missing column":   {spoil("Sales,", ""), "line 2"},
		"extra column":     {spoil("Sales", "Sales,Sales"), "line 2"},
		"stray quote":      {spoil("Sales", `Sa"les`), "line 2"},
		"other header":     {strings.Replace(header, "race", "sex", 1) + people(), `column 9 is called "sex", want "race"`},
		"late header":      {people() + header, `line 74: age is "age"`},
	} {
		_, _, err := read(t, c.text)
		if !errors.Is(err, ErrRow) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want ErrRow that says %q", name, err, c.says)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "header alone": header, "one person": person(40, classes[0]),
		"only unknown": strings.Replace(person(40, classes[0]), "Peru", "?", 1),
	} {
		if _, _, err := read(t, text); !errors.Is(err, dataset.ErrEmpty) {
			t.Errorf("%s: %v, want ErrEmpty", name, err)
		}
	}
	if _, _, err := read(t, "\x1f\x8b\x08 not gzip"); err == nil || errors.Is(err, dataset.ErrEmpty) {
		t.Errorf("bad gzip: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, _, err := Read(ctx, strings.NewReader(people())); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
	if _, _, err := Load(t.Context(), filepath.Join(t.TempDir(), "none.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(name, []byte(people()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, sum, err := Load(t.Context(), name); err != nil || sum.Rows != 73 {
		t.Errorf("%+v, %v", sum, err)
	}
	if err := os.WriteFile(name, []byte("oops"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(t.Context(), name); !errors.Is(err, ErrRow) || !strings.Contains(err.Error(), name) {
		t.Errorf("%v, want ErrRow that names the file", err)
	}
}

// TestPublished checks the published counts on the data themselves, where they are at hand.
func TestPublished(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "..", "..", "..", "..", "shared", "data", "adult", "adult.csv.gz")
	if _, err := os.Stat(name); err != nil {
		t.Skip("the data are not here: ", err)
	}
	d, sum, err := Load(t.Context(), name)
	if err != nil || sum != (Summary{Rows: 30162}) {
		t.Fatalf("%+v, %v", sum, err)
	}
	labels := [2]int{}
	counts := make([]int, features)
	for _, part := range [][]dataset.Example{d.Train, d.Heldout} {
		for _, x := range part {
			labels[x.Label]++
			for _, f := range x.Index {
				counts[f]++
			}
		}
	}
	if labels != [2]int{22654, 7508} {
		t.Errorf("labels %v, want [22654 7508]", labels)
	}
	first := 0
	for i := range columns {
		c := &columns[i]
		for k, v := range c.values {
			want := map[string]int{"Male": 20380, "United-States": 27504, "Never-worked": 0}
			n, known := want[v]
			if got := counts[first+k]; known && got != n || !known && got == 0 {
				t.Errorf("%s is %s for %d people", c.name, v, got)
			}
		}
		first += c.width()
	}
	if counts[features-1] != 30162 {
		t.Errorf("the constant feature is in %d of 30162", counts[features-1])
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(people()))
	f.Add([]byte(header + person(20, ">50K.") + person(30, "<=50K")))
	f.Add([]byte("|x\n\n" + person(20, "?")))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte(strings.Repeat(",", 14)))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, sum, err := Read(t.Context(), bytes.NewReader(text))
		if err != nil {
			if d != nil {
				t.Fatal("data beside an error")
			}
			return
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		if n := len(d.Train) + len(d.Heldout); n != sum.Rows {
			t.Fatalf("%d examples of %d rows", n, sum.Rows)
		}
		for _, x := range append(d.Train, d.Heldout...) {
			if len(x.Index) != present || len(named(x)) != present-1 {
				t.Fatalf("features %v", named(x))
			}
		}
	})
}
