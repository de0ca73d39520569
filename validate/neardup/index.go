package neardup

// Index keeps what is needed to compare the texts that were added. It is not safe for concurrent use: give each goroutine its
// own and merge them.
type Index struct {
	options Options
	signer  signer
	pages   []*[page]text // of the different texts, by their first rows
	texts   int
	slots   []uint32 // 1 + a text, by its hash

	labels map[string]uint32
	names  []string // of labels from 1

	rows, empty, lost, unlabelled int64
}

const page = 256

// text is a different text.
type text struct {
	hash     uint64
	n        int64 // rows that have it
	row      int64 // the first of them, from 1
	again    int64 // the second, or 0
	labelled int64 // the first with a label, or 0
	conflict int64 // the first with another label, or 0
	label    uint32
	other    uint32 // label of the row in conflict

	signature signature
}

// New returns an error that matches [ErrOptions] for options that make no sense.
func New(o Options) (*Index, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	return &Index{options: o, signer: newSigner(o.Words), labels: map[string]uint32{}, names: []string{""}}, nil
}

const longestLabel = 256

// label returns the number of a label, or 0 for the empty one and those that have no place.
func (x *Index) label(name string) uint32 {
	if name == "" {
		return 0
	}
	l := x.labels[name]
	if l == 0 && len(x.labels) < x.options.Labels && len(name) <= longestLabel {
		name = string([]byte(name)) // the caller's may be part of a large row
		l = uint32(len(x.names))
		x.labels[name] = l
		x.names = append(x.names, name)
	}
	return l
}

// Add adds the next row. Rows count from 0; one without words only counts. The label, which may be empty, is what the text is an
// example of: rows of the same text and different labels contradict each other. The text is not kept.
func (x *Index) Add(text, label string) {
	x.rows++
	l := x.label(label)
	if l == 0 && label != "" {
		x.unlabelled++
	}
	if !x.signer.sign(text) {
		x.empty++
		return
	}
	t, found := x.find(x.signer.whole)
	switch {
	case t == nil:
		x.lost++
	case found:
		if t.again == 0 {
			t.again = x.rows
		}
		t.n++
		t.labels(l, x.rows)
	default:
		t.row, t.n = x.rows, 1
		t.labels(l, x.rows)
		x.signer.signature(&t.signature)
	}
}

// labels notes the label of a row.
func (t *text) labels(label uint32, row int64) {
	switch {
	case label == 0:
	case t.label == 0:
		t.label, t.labelled = label, row
	case t.label != label && t.conflict == 0:
		t.other, t.conflict = label, row
	}
}

func (x *Index) text(i int) *text { return &x.pages[i/page][i%page] }

// find returns the text with a hash, or a new one with only that, or nil if there is no place.
func (x *Index) find(hash uint64) (t *text, found bool) {
	if x.texts*4 >= len(x.slots)*3 {
		x.grow()
	}
	mask := len(x.slots) - 1
	i := int(hash) & mask
	for ; x.slots[i] != 0; i = (i + 1) & mask {
		if t := x.text(int(x.slots[i] - 1)); t.hash == hash {
			return t, true
		}
	}
	if x.texts == x.options.Texts {
		return nil, false
	}
	if x.texts%page == 0 {
		x.pages = append(x.pages, new([page]text))
	}
	x.texts++
	x.slots[i] = uint32(x.texts)
	t = x.text(x.texts - 1)
	t.hash = hash
	return t, false
}

func (x *Index) grow() {
	x.slots = make([]uint32, max(1024, 2*len(x.slots)))
	mask := len(x.slots) - 1
	for n := range x.texts {
		i := int(x.text(n).hash) & mask
		for ; x.slots[i] != 0; i = (i + 1) & mask {
		}
		x.slots[i] = uint32(n + 1)
	}
}

// Merge adds the rows of o, as if they had been added after those of x; if no limit was met, the report is that of one pass.
// o must have the same options, and is left as it was.
func (x *Index) Merge(o *Index) error {
	if x.options != o.options || x == o {
		return ErrMerge
	}
	for n := range o.texts {
		from := o.text(n)
		t, found := x.find(from.hash)
		if t == nil {
			x.lost += from.n
			continue
		}
		if !found {
			t.row, t.signature = from.row+x.rows, from.signature
			if from.again > 0 {
				t.again = from.again + x.rows
			}
		} else if t.again == 0 {
			t.again = from.row + x.rows
		}
		t.n += from.n
		t.labels(x.label(o.names[from.label]), from.labelled+x.rows)
		t.labels(x.label(o.names[from.other]), from.conflict+x.rows)
	}
	x.rows += o.rows
	x.empty += o.empty
	x.lost += o.lost
	x.unlabelled += o.unlabelled
	return nil
}
