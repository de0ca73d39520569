package neardup

// LeakReport is which rows of a test set are in the training set, too.
type LeakReport struct {
	TrainRows int64 `json:"train_rows"`
	TestRows  int64 `json:"test_rows"`
	Lost      int64 `json:"lost,omitempty"` // rows of either that had no place
	Equal     int64 `json:"equal"`          // rows of the test set with the words of a row of the training set
	Near      int64 `json:"near"`           // other rows of the test set that are nearly the same as one of the training set

	Pairs []Pair `json:"pairs,omitempty"` // one for each text of the test set, the first ones by row

	Method
}

// Leaks compares a test set with a training set. Both must have the same options. They are left as they are.
func Leaks(train, test *Index) (*LeakReport, error) {
	if train.options != test.options || train == test {
		return nil, ErrMerge
	}
	r := &LeakReport{TrainRows: train.rows, TestRows: test.rows, Lost: train.lost + test.lost, Method: train.options.method()}
	pairs := first{keep: train.options.Keep}
	found := make([]bool, test.texts)
	leak := func(i int, first *text, similarity float64) {
		found[i] = true
		t := test.text(i)
		p := Pair{First: first.row, Second: t.row, Similarity: similarity}
		if a, b := train.names[first.label], test.names[t.label]; a != b && a != "" && b != "" {
			p.Labels = a + ", " + b
		}
		pairs.add(p)
	}
	for i := range test.texts {
		if t := train.known(test.text(i).hash); t != nil {
			r.Equal += test.text(i).n
			leak(i, t, 1)
		}
	}
	at := func(i int) *text {
		if i < train.texts {
			return train.text(i)
		}
		return test.text(i - train.texts)
	}
	j := newJoin(train.options, train.texts+test.texts, at)
	j.all(train.texts, func(a, b int, _ bool) {
		if b -= train.texts; found[b] {
			return
		}
		t := test.text(b)
		if m := train.text(a).signature.matches(&t.signature); m >= j.least {
			r.Near += t.n
			leak(b, train.text(a), float64(m)/hashes)
		}
	})
	r.Unseen = j.unseen
	r.Pairs = pairs.cut()
	return r, nil
}

// known returns the text with a hash, or nil.
func (x *Index) known(hash uint64) *text {
	if x.texts == 0 {
		return nil
	}
	mask := len(x.slots) - 1
	for i := int(hash) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		if t := x.text(int(x.slots[i] - 1)); t.hash == hash {
			return t
		}
	}
	return nil
}
