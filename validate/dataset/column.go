package dataset

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/sketch"
)

// column is what is known of a column.
type column struct {
	spec    Column
	listed  bool
	counted bool // its values are
	pattern *regexp.Regexp
	set     map[string]bool

	seen      int64 // the row in which it was seen last, from 1
	last      int   // the cell of that row that counts
	present   int64 // rows where it is there, null or not
	null      int64
	kinds     [kinds]int64
	numbers   gathered          // of numbers, and of the numbers in lists
	quantiles sketch.Quantiles  // of numbers, after a flush of them
	lengths   gathered          // of texts in characters, of lists in elements
	distinct  sketch.Distinct   // of texts
	values    map[string]*int64 // texts, truth values and whole numbers; nil when there were too many
	many      bool
	unique    keys
	tags      map[string]int64
}

// kind is the type of one value.
type kind int

const (
	kindBool kind = iota
	kindInt
	kindFloat
	kindString
	kindList
	kindObject
	kinds
)

func (k kind) typ() Type { return [...]Type{Bool, Int, Float, String, List, Object}[k] }

const longestValue = 64 // bytes of a text that may be one of a few

// fits reports whether a value of a kind is one of the column's type.
func (c *column) fits(k kind) bool {
	return c.spec.Type == Any || c.spec.Type == k.typ() || c.spec.Type == Float && k == kindInt
}

func (c *column) count(v []byte, limit int) {
	if c.many {
		return
	}
	if n := c.values[view(v)]; n != nil { // an assignment would keep the bytes that are shown here as its key
		*n++
		return
	}
	if len(v) > longestValue || len(c.values) >= limit {
		c.many, c.values = true, nil
		return
	}
	c.countMore(string(v), 1)
}

func (c *column) countMore(value string, n int64) {
	if c.values == nil {
		c.values = map[string]*int64{}
	}
	if c.values[value] == nil {
		c.values[value] = new(int64)
	}
	*c.values[value] += n
}

// value checks what all kinds have in common. It reports whether the value is of the right type.
func (v *Validator) value(c *column, k kind, shown []byte) bool {
	c.kinds[k]++
	if !c.fits(k) {
		v.fail(c, CodeType, shown, string(c.spec.Type))
		return false
	}
	return true
}

func (v *Validator) unique(c *column, hash uint64, shown []byte) {
	if again, _ := c.unique.add(hash, v.row, 0); again {
		v.fail(c, CodeDuplicate, shown, "unique")
	}
}

func (v *Validator) boolean(c *column, shown []byte) {
	if v.value(c, kindBool, shown) && c.counted {
		c.count(shown, v.options.Values)
	}
}

func (v *Validator) number(c *column, n number, shown []byte) {
	k := kindFloat
	if n.whole {
		k = kindInt
	}
	if n.large {
		c.tag("int_beyond_64_bits")
	}
	if !v.value(c, k, shown) {
		return
	}
	if !v.options.RulesOnly {
		c.numbers.add(n.float)
	}
	v.inRange(c, n, shown)
	if k == kindInt && c.counted {
		c.count(shown, v.options.Values)
	}
	if c.spec.Unique {
		v.unique(c, math.Float64bits(n.float)^uint64(n.int)*0x9e3779b97f4a7c15, shown)
	}
}

func (v *Validator) inRange(c *column, n number, shown []byte) {
	switch r := c.spec.Range; {
	case n.over || n.float-n.float != 0:
		v.fail(c, validate.CodeNotFinite, shown, "finite")
	case r == nil:
	case n.whole && (compare(n.int, r.Min) < 0 || compare(n.int, r.Max) > 0),
		!n.whole && !(r.Min <= n.float && n.float <= r.Max):
		v.fail(c, validate.CodeRange, shown, "in ["+format(r.Min)+", "+format(r.Max)+"]")
	}
}

// compare compares exactly: most whole numbers above 2^53 are no float64.
func compare(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Floor(f)
	switch j := int64(whole); {
	case i < j:
		return -1
	case i > j:
		return 1
	case f > whole:
		return -1
	}
	return 0
}

func format(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func (v *Validator) text(c *column, t text) {
	if !v.value(c, kindString, t.bytes) {
		return
	}
	length := len(t.bytes)
	if !t.ascii {
		length = utf8.RuneCount(t.bytes)
	}
	var hash uint64
	if !v.options.RulesOnly || c.spec.Unique || c == v.key {
		hash = sketch.HashBytes(t.bytes)
	}
	if !v.options.RulesOnly {
		c.lengths.add(float64(length))
		c.distinct.Add(hash)
	}
	if c.counted {
		c.count(t.bytes, v.options.Values)
	}
	if c.set != nil && !c.set[view(t.bytes)] {
		v.fail(c, validate.CodeChoice, t.bytes, "one of the set")
	}
	if c.pattern != nil && !c.pattern.Match(t.bytes) {
		v.fail(c, validate.CodeForm, t.bytes, "like "+c.spec.Pattern)
	}
	v.length(c, length, t.bytes, "characters")
	if c.spec.Unique {
		v.unique(c, hash, t.bytes)
	}
	if t.invalid {
		c.tag("invalid_utf8")
	}
	if t.surrogate {
		c.tag("lone_surrogate")
	}
	if !t.ascii {
		c.tagUnicode(t.bytes)
	}
	if v.options.Tag != nil {
		v.options.Tag(view(t.bytes), c.tag)
	}
	if c == v.key {
		v.keyHash, v.keyed, v.keyText = hash, true, t.bytes
	}
}

func (v *Validator) length(c *column, n int, shown []byte, what string) {
	if n >= c.spec.MinLength && (c.spec.MaxLength == 0 || n <= c.spec.MaxLength) {
		return
	}
	limit := "of at least " + strconv.Itoa(c.spec.MinLength) + " " + what
	if c.spec.MaxLength > 0 {
		limit = "of " + strconv.Itoa(c.spec.MinLength) + " to " + strconv.Itoa(c.spec.MaxLength) + " " + what
	}
	v.fail(c, validate.CodeLength, shown, limit)
}

func (c *column) tag(name string) {
	if c.tags == nil {
		c.tags = map[string]int64{}
	}
	if _, known := c.tags[name]; known || len(c.tags) < 64 {
		c.tags[name]++
	}
}

// tagUnicode counts texts with characters that are not seen, and those that change the direction.
func (c *column) tagUnicode(b []byte) {
	var hidden, bidi bool
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		switch {
		case r < 0xad:
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x61c:
			bidi = true
		case r >= 0x200b && r <= 0x2064, r >= 0xe0000 && r <= 0xe007f, r == 0xfeff, r == 0xad:
			hidden = hidden || unicode.Is(unicode.Cf, r)
		}
	}
	if hidden {
		c.tag("invisible")
	}
	if bidi {
		c.tag("bidi")
	}
}

// merge adds what o holds, but for what must be unique. The limit is that of different values.
func (c *column) merge(o *column, limit int) {
	c.present += o.present
	c.null += o.null
	for k := range c.kinds {
		c.kinds[k] += o.kinds[k]
	}
	c.numbers.moments = c.numbers.all().Merge(o.numbers.all())
	c.lengths.moments = c.lengths.all().Merge(o.lengths.all())
	c.quantiles.Merge(&o.quantiles)
	c.distinct.Merge(&o.distinct)
	for tag, n := range o.tags {
		if c.tag(tag); c.tags[tag] > 0 {
			c.tags[tag] += n - 1
		}
	}
	if c.many || o.many {
		c.many, c.values = true, nil
		return
	}
	for value, n := range o.values {
		c.countMore(value, *n)
	}
	if len(c.values) > limit {
		c.many, c.values = true, nil
	}
}

// typ is what the values of the column have in common.
func (c *column) typ() Type {
	var found []Type
	for k, n := range c.kinds {
		if n > 0 {
			found = append(found, kind(k).typ())
		}
	}
	switch {
	case len(found) == 1:
		return found[0]
	case len(found) == 2 && slices.Contains(found, Int) && slices.Contains(found, Float):
		return Float
	}
	return Any
}
