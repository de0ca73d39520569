// Package dataset holds labelled examples with sparse features, split into a training and a held-out part.
//
// One [Example] is one protected unit: the loaders build each from one record alone (a function, a person), with constants
// fixed in advance and nothing computed over the records, so that adding or removing a record adds or removes exactly one
// example. What they publish besides the examples is the number of them, which the privacy of a training run takes as known.
package dataset

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Example is one labelled example. Its features are zero except at Index.
type Example struct {
	Index []int32   // feature numbers, strictly increasing, in [0, Dim)
	Value []float32 // their values, finite, one per index
	Label int       // a class, in [0, len(Classes))
}

// Dataset is a classification task. The zero Dataset is invalid: Check refuses it.
type Dataset struct {
	Name    string   // what the data are, for reports
	Unit    string   // what one example is, and so what is protected: "function", "person"
	Classes []string // names, by label
	Dim     int      // number of features, a constant one (the bias) included
	Train   []Example
	Heldout []Example
}

// Errors of Check.
var (
	ErrEmpty   = errors.New("dataset: no examples") // the training or the held-out part has none
	ErrInvalid = errors.New("dataset: invalid")     // an example, or the shape, breaks a rule of this package
)

// Check reports the first violation of what the fields promise, as an error that wraps ErrEmpty or ErrInvalid.
func (d *Dataset) Check() error {
	if len(d.Classes) < 2 || d.Dim < 1 {
		return fmt.Errorf("%w: %d classes, %d features", ErrInvalid, len(d.Classes), d.Dim)
	}
	if len(d.Train) == 0 || len(d.Heldout) == 0 {
		return fmt.Errorf("%w: %d for training, %d held out", ErrEmpty, len(d.Train), len(d.Heldout))
	}
	for _, part := range []struct {
		name     string
		examples []Example
	}{{"training", d.Train}, {"held-out", d.Heldout}} {
		for i, x := range part.examples {
			if err := x.check(len(d.Classes), d.Dim); err != nil {
				return fmt.Errorf("%w: %s example %d: %w", ErrInvalid, part.name, i, err)
			}
		}
	}
	return nil
}

func (x Example) check(classes, dim int) error {
	if x.Label < 0 || x.Label >= classes {
		return fmt.Errorf("label %d, want 0 to %d", x.Label, classes-1)
	}
	if len(x.Index) != len(x.Value) {
		return fmt.Errorf("%d indices and %d values", len(x.Index), len(x.Value))
	}
	for i, f := range x.Index {
		if f < 0 || int(f) >= dim || i > 0 && f <= x.Index[i-1] {
			return fmt.Errorf("index %d at place %d, want increasing in 0 to %d", f, i, dim-1)
		}
		if v := float64(x.Value[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("feature %d is %g", f, v)
		}
	}
	return nil
}

// Digest identifies the data: equal digests mean equal classes, features, examples, order and split. A run that resumes
// from a checkpoint compares it. It is a function of the private records with no noise in it, so it belongs with the data
// and not in anything published.
func (d *Dataset) Digest() [sha256.Size]byte {
	h := sha256.New()
	buf := binary.AppendUvarint(nil, uint64(d.Dim))
	buf = binary.AppendUvarint(buf, uint64(len(d.Classes)))
	for _, c := range d.Classes {
		buf = binary.AppendUvarint(buf, uint64(len(c)))
		buf = append(buf, c...)
	}
	for _, part := range [][]Example{d.Train, d.Heldout} {
		buf = binary.AppendUvarint(buf, uint64(len(part)))
		for _, x := range part {
			buf = binary.AppendUvarint(buf, uint64(x.Label))
			buf = binary.AppendUvarint(buf, uint64(len(x.Index)))
			for i, f := range x.Index {
				buf = binary.LittleEndian.AppendUint32(buf, uint32(f))
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x.Value[i]))
			}
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return [sha256.Size]byte(h.Sum(nil))
}

// Majority returns the commonest label of the training part (the lowest of equals) and the share of held-out examples
// that have it: the accuracy of an answer that never looks. Like any other baseline, it is computed without privacy.
func (d *Dataset) Majority() (label int, accuracy float64) {
	counts := make([]int, len(d.Classes))
	for _, x := range d.Train {
		counts[x.Label]++
	}
	for c, n := range counts {
		if n > counts[label] {
			label = c
		}
	}
	right := 0
	for _, x := range d.Heldout {
		if x.Label == label {
			right++
		}
	}
	return label, float64(right) / float64(max(len(d.Heldout), 1))
}

// Record is an example on its way into a data set, with a digest of the record that it was made of.
type Record struct {
	Digest  [sha256.Size]byte
	Example Example
}

// Split fills Train and Heldout from records, which it reorders: one digest in five is held out. The digest alone decides,
// so that equal records fall on the same side and none moves because others come or go. Both parts are in the order of
// digests, which is that of a shuffle but the same every time: a prefix is a fair sample.
func (d *Dataset) Split(records []Record) {
	slices.SortStableFunc(records, func(a, b Record) int {
		return cmp.Or(bytes.Compare(a.Digest[:], b.Digest[:]), cmp.Compare(a.Example.Label, b.Example.Label))
	})
	d.Train, d.Heldout = nil, nil
	for _, r := range records {
		// The last bytes, because the first give the order.
		if binary.BigEndian.Uint64(r.Digest[sha256.Size-8:])%5 == 0 {
			d.Heldout = append(d.Heldout, r.Example)
		} else {
			d.Train = append(d.Train, r.Example)
		}
	}
}
