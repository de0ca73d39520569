package dataset

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// small is a valid data set of four examples.
func small() *Dataset {
	return &Dataset{
		Name: "small", Unit: "example", Classes: []string{"a", "b"}, Dim: 4,
		Train: []Example{
			{Index: []int32{0, 3}, Value: []float32{1, 0.5}, Label: 1},
			{Index: []int32{2}, Value: []float32{-1}, Label: 1},
			{Label: 0},
		},
		Heldout: []Example{{Index: []int32{1}, Value: []float32{2}, Label: 0}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := small().Check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(d *Dataset)
		want  error
		says  string
	}{
		"zero":             {func(d *Dataset) { *d = Dataset{} }, ErrInvalid, "0 classes"},
		"one class":        {func(d *Dataset) { d.Classes = d.Classes[:1] }, ErrInvalid, "1 classes"},
		"no features":      {func(d *Dataset) { d.Dim = 0 }, ErrInvalid, "0 features"},
		"no training":      {func(d *Dataset) { d.Train = nil }, ErrEmpty, "0 for training"},
		"nothing held out": {func(d *Dataset) { d.Heldout = nil }, ErrEmpty, "0 held out"},
		"label":            {func(d *Dataset) { d.Train[1].Label = 2 }, ErrInvalid, "training example 1: label 2"},
		"negative label":   {func(d *Dataset) { d.Heldout[0].Label = -1 }, ErrInvalid, "held-out example 0: label -1"},
		"lengths":          {func(d *Dataset) { d.Train[0].Value = nil }, ErrInvalid, "2 indices and 0 values"},
		"index too large":  {func(d *Dataset) { d.Train[0].Index[1] = 4 }, ErrInvalid, "index 4 at place 1"},
		"negative index":   {func(d *Dataset) { d.Train[0].Index[0] = -1 }, ErrInvalid, "index -1 at place 0"},
		"repeated index":   {func(d *Dataset) { d.Train[0].Index[0] = 3 }, ErrInvalid, "index 3 at place 1"},
		"NaN":              {func(d *Dataset) { d.Train[1].Value[0] = float32(math.NaN()) }, ErrInvalid, "feature 2 is NaN"},
		"infinity":         {func(d *Dataset) { d.Train[1].Value[0] = float32(math.Inf(1)) }, ErrInvalid, "feature 2 is +Inf"},
	} {
		d := small()
		c.spoil(d)
		if err := d.Check(); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q that says %q", name, err, c.want, c.says)
		}
	}
}

func TestDigestSeesEveryPart(t *testing.T) {
	t.Parallel()
	if a, b := small(), small(); a.Digest() != b.Digest() {
		t.Fatal("equal data, different digests")
	}
	seen := map[[sha256.Size]byte]string{small().Digest(): "unchanged"}
	for name, change := range map[string]func(d *Dataset){
		"class renamed":    func(d *Dataset) { d.Classes[0] = "c" },
		"class boundary":   func(d *Dataset) { d.Classes = []string{"ab", ""} },
		"dimension":        func(d *Dataset) { d.Dim++ },
		"label":            func(d *Dataset) { d.Train[2].Label = 1 },
		"index":            func(d *Dataset) { d.Train[1].Index[0] = 1 },
		"value":            func(d *Dataset) { d.Train[1].Value[0] = 1 },
		"order":            func(d *Dataset) { d.Train[0], d.Train[1] = d.Train[1], d.Train[0] },
		"moved over":       func(d *Dataset) { d.Train, d.Heldout = d.Train[:2], append([]Example{d.Train[2]}, d.Heldout...) },
		"held-out changed": func(d *Dataset) { d.Heldout[0].Value[0] = 3 },
		"one less":         func(d *Dataset) { d.Train = d.Train[:2] },
	} {
		d := small()
		change(d)
		digest := d.Digest()
		if other, ok := seen[digest]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[digest] = name
	}
}

func TestMajority(t *testing.T) {
	t.Parallel()
	d := small()
	if label, accuracy := d.Majority(); label != 1 || accuracy != 0 {
		t.Errorf("label %d, accuracy %g; want 1, 0", label, accuracy)
	}
	d.Train = d.Train[1:] // one of each: the lower label
	if label, accuracy := d.Majority(); label != 0 || accuracy != 1 {
		t.Errorf("label %d, accuracy %g; want 0, 1", label, accuracy)
	}
}

// records are n examples, told apart by one feature each.
func records(n int) []Record {
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = Record{sha256.Sum256(fmt.Append(nil, i)), Example{Index: []int32{int32(i)}, Value: []float32{1}}}
	}
	return rs
}

// TestSplitIsStable shuffles the records and removes some: the others keep their side and their order.
func TestSplitIsStable(t *testing.T) {
	t.Parallel()
	const n = 10_000
	var d Dataset
	d.Split(records(n))
	if len(d.Train)+len(d.Heldout) != n {
		t.Fatalf("%d and %d of %d", len(d.Train), len(d.Heldout), n)
	}
	// A binomial count with deviation 40.
	if h := len(d.Heldout); h < 1800 || h > 2200 {
		t.Errorf("%d of %d held out, want about a fifth", h, n)
	}
	if slices.IsSortedFunc(d.Train, func(a, b Example) int { return int(a.Index[0] - b.Index[0]) }) {
		t.Error("the order of the records came through")
	}

	shuffled := records(n)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	var other Dataset
	other.Split(shuffled)
	if !reflect.DeepEqual(d, other) {
		t.Fatal("the split depends on the order of the records")
	}

	gone := func(x Example) bool { return x.Index[0]%3 == 0 }
	var fewer Dataset
	fewer.Split(slices.DeleteFunc(records(n), func(r Record) bool { return gone(r.Example) }))
	if !reflect.DeepEqual(fewer.Train, slices.DeleteFunc(d.Train, gone)) ||
		!reflect.DeepEqual(fewer.Heldout, slices.DeleteFunc(d.Heldout, gone)) {
		t.Fatal("removing records moved others")
	}
}

// TestSplitKeepsEqualRecordsTogether has every record twice, with two labels.
func TestSplitKeepsEqualRecordsTogether(t *testing.T) {
	t.Parallel()
	rs := append(records(500), records(500)...)
	for i := range rs {
		rs[i].Example.Label = i / 500
	}
	var d Dataset
	d.Split(rs)
	for _, part := range [][]Example{d.Train, d.Heldout} {
		if len(part)%2 != 0 {
			t.Fatal("a pair was split")
		}
		for i := 0; i < len(part); i += 2 {
			if a, b := part[i], part[i+1]; a.Index[0] != b.Index[0] || a.Label != 0 || b.Label != 1 {
				t.Fatalf("%v and %v at %d, want a pair", a, b, i)
			}
		}
	}
}
