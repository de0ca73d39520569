package validate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Rules are the rules for the fields of a T, as data: they check a value, and write themselves down as a JSON Schema. Make
// them once and use them often: a value without problems costs no allocation and no reflection. The nil and the zero Rules
// have no rules. They are safe for concurrent use.
type Rules[T any] struct {
	fields []Field[T]
	steps  []step[T] // one for each field
	// The steps again, by what they read, for the fast path.
	floats []floatStep[T]
	ints   []intStep[T]
	others []func(v *T) bool
}

// step tests whether a field breaks no rule. Most are a getter and two limits, which a warning narrows.
type step[T any] struct {
	float floatStep[T]
	int   intStep[T]
	other func(v *T) bool
}

type floatStep[T any] struct {
	get       func(v *T) float64
	low, high float64
}

type intStep[T any] struct {
	get       func(v *T) int
	low, high int
}

func (s *step[T]) passes(v *T) bool {
	switch {
	case s.float.get != nil:
		x := s.float.get(v)
		return s.float.low <= x && x <= s.float.high
	case s.int.get != nil:
		x := s.int.get(v)
		return s.int.low <= x && x <= s.int.high
	}
	return s.other(v)
}

// rulesOf is NewRules for fields that are known to be possible.
func rulesOf[T any](fields ...Field[T]) *Rules[T] {
	r := &Rules[T]{fields: fields, steps: make([]step[T], len(fields))}
	for i, f := range fields {
		s := f.step()
		switch r.steps[i] = s; {
		case s.float.get != nil:
			r.floats = append(r.floats, s.float)
		case s.int.get != nil:
			r.ints = append(r.ints, s.int)
		default:
			r.others = append(r.others, s.other)
		}
	}
	return r
}

// Field is a rule set for one field of a T: a [Float], [Int], [Duration], [String] or [Bool], or a [Part], [Each] or [Own].
type Field[T any] interface {
	// step returns the test of whether the field breaks no rule, those for warnings included.
	step() step[T]
	// report adds the problems of a field that does not pass.
	report(c *Check, v *T)
	// valid returns an error for a rule that makes no sense.
	valid() error
	// describe adds the field to a schema.
	describe(o *object)
}

// ErrRule is matched by the error of [NewRules].
var ErrRule = errors.New("validate: impossible rule")

// NewRules returns an error that matches [ErrRule] for a field without a name or getter, or with limits that no value meets.
func NewRules[T any](fields ...Field[T]) (*Rules[T], error) {
	for i, f := range fields {
		if f == nil {
			return nil, fmt.Errorf("%w: field %d is nil", ErrRule, i)
		}
		if err := f.valid(); err != nil {
			return nil, fmt.Errorf("%w: field %d: %w", ErrRule, i, err)
		}
	}
	return rulesOf(slices.Clone(fields)...), nil
}

// passes reports whether v breaks no rule and gives no warning.
func (r *Rules[T]) passes(v *T) bool {
	if r == nil {
		return true
	}
	for i := range r.floats {
		s := &r.floats[i]
		if x := s.get(v); !(s.low <= x && x <= s.high) {
			return false
		}
	}
	for i := range r.ints {
		s := &r.ints[i]
		if x := s.get(v); x < s.low || x > s.high {
			return false
		}
	}
	for _, passes := range r.others {
		if !passes(v) {
			return false
		}
	}
	return true
}

// Check adds the problems of v to c.
func (r *Rules[T]) Check(c *Check, v *T) {
	if r == nil {
		return
	}
	for i := range r.steps {
		if !r.steps[i].passes(v) {
			r.fields[i].report(c, v)
		}
	}
}

// Err returns the errors of v as [Problems], or nil.
func (r *Rules[T]) Err(v *T) error {
	if r.passes(v) {
		return nil
	}
	var c Check
	r.Check(&c, v)
	return c.Err()
}

// ErrStrict returns the errors and the warnings of v as [Problems], or nil.
func (r *Rules[T]) ErrStrict(v *T) error {
	if r.passes(v) {
		return nil
	}
	var c Check
	r.Check(&c, v)
	return c.ErrStrict()
}

// Presence tells a value that is absent from one that is zero.
type Presence[T any] struct {
	Has      func(v *T) bool // reports whether the field is there; nil for always
	Required bool            // an absent field is an error; otherwise it breaks no rule
}

func (p *Presence[T]) absent(v *T) bool { return p.Has != nil && !p.Has(v) }

// missing adds the problem of an absent field.
func (p *Presence[T]) missing(c *Check, path string) {
	if p.Required {
		c.Add(Problem{Path: path, Code: CodeEmpty, Limit: "present"})
	}
}

func hasGetter(path string, get bool) error {
	if path == "" || !get {
		return fmt.Errorf("field %q must have a name and a getter", path)
	}
	return nil
}

// Float is a finite number: Min <= v <= Max, or Min < v with Above.
type Float[T any] struct {
	Name string // such as "epsilon", or "privacy.epsilon"
	Get  func(v *T) float64
	Presence[T]
	Min, Max float64
	Above    bool   // Min itself is out
	Usual    Usual  // a warning outside
	Doc      string // for the schema
}

// Usual are the limits outside of which a value is probably not what was meant. The zero Usual warns of nothing.
type Usual struct{ Min, Max float64 }

func (u Usual) out(v float64) bool { return u != Usual{} && !(u.Min <= v && v <= u.Max) }

func (u Usual) valid(path string) error {
	if !isFinite(u.Min) || !isFinite(u.Max) || u.Min > u.Max {
		return fmt.Errorf("%s is usually in [%v, %v]", path, u.Min, u.Max)
	}
	return nil
}

func (f Float[T]) good(v float64) bool {
	return f.Min <= v && v <= f.Max && isFinite(v) && !(f.Above && v == f.Min)
}

func (f Float[T]) step() step[T] {
	low, high := max(f.Min, -math.MaxFloat64), min(f.Max, math.MaxFloat64)
	if f.Above {
		low = max(math.Nextafter(f.Min, math.Inf(1)), low)
	}
	if f.Usual != (Usual{}) {
		low, high = max(low, f.Usual.Min), min(high, f.Usual.Max)
	}
	if f.Has == nil {
		return step[T]{float: floatStep[T]{f.Get, low, high}}
	}
	return step[T]{other: func(v *T) bool {
		if !f.Has(v) {
			return !f.Required
		}
		x := f.Get(v)
		return low <= x && x <= high
	}}
}

func (f Float[T]) report(c *Check, v *T) {
	if f.absent(v) {
		f.missing(c, f.Name)
		return
	}
	x := f.Get(v)
	switch {
	case f.good(x):
		c.Warn().Range(f.Name, x, f.Usual.Min, f.Usual.Max)
	case f.Above:
		c.float(f.Name, x, "in ("+number(f.Min)+", "+number(f.Max)+"]")
	default:
		c.Range(f.Name, x, f.Min, f.Max)
	}
}

func (f Float[T]) valid() error {
	if err := hasGetter(f.Name, f.Get != nil); err != nil {
		return err
	}
	if !(f.Min <= f.Max) || f.Above && f.Min == f.Max || math.IsInf(f.Min, 1) || math.IsInf(f.Max, -1) {
		return fmt.Errorf("%s from %v to %v", f.Name, f.Min, f.Max)
	}
	return f.Usual.valid(f.Name)
}

// Int is a whole number: Min <= v <= Max.
type Int[T any] struct {
	Name string
	Get  func(v *T) int
	Presence[T]
	Min, Max int
	Usual    Usual // a warning outside
	Doc      string
}

func (f Int[T]) step() step[T] {
	if f.Has == nil && f.Usual == (Usual{}) {
		return step[T]{int: intStep[T]{f.Get, f.Min, f.Max}}
	}
	return step[T]{other: func(v *T) bool {
		if f.absent(v) {
			return !f.Required
		}
		x := f.Get(v)
		return f.Min <= x && x <= f.Max && !f.Usual.out(float64(x))
	}}
}

func (f Int[T]) report(c *Check, v *T) {
	if f.absent(v) {
		f.missing(c, f.Name)
		return
	}
	x := f.Get(v)
	c.RangeInt(f.Name, x, f.Min, f.Max)
	if f.Usual.out(float64(x)) {
		c.Warn().Range(f.Name, float64(x), f.Usual.Min, f.Usual.Max)
	}
}

func (f Int[T]) valid() error {
	if err := hasGetter(f.Name, f.Get != nil); err != nil {
		return err
	}
	if f.Min > f.Max {
		return fmt.Errorf("%s from %d to %d", f.Name, f.Min, f.Max)
	}
	return f.Usual.valid(f.Name)
}

// Duration is a time span: Min <= v <= Max. In a schema it is a number of nanoseconds, as encoding/json has it.
type Duration[T any] struct {
	Name string
	Get  func(v *T) time.Duration
	Presence[T]
	Min, Max time.Duration
	Doc      string
}

func (f Duration[T]) step() step[T] {
	if f.Has == nil {
		get, low, high := f.Get, f.Min, f.Max
		return step[T]{other: func(v *T) bool { x := get(v); return low <= x && x <= high }}
	}
	return step[T]{other: func(v *T) bool {
		if f.absent(v) {
			return !f.Required
		}
		x := f.Get(v)
		return f.Min <= x && x <= f.Max
	}}
}

func (f Duration[T]) report(c *Check, v *T) {
	if f.absent(v) {
		f.missing(c, f.Name)
		return
	}
	c.RangeDuration(f.Name, f.Get(v), f.Min, f.Max)
}

func (f Duration[T]) valid() error {
	if err := hasGetter(f.Name, f.Get != nil); err != nil {
		return err
	}
	if f.Min > f.Max {
		return fmt.Errorf("%s from %v to %v", f.Name, f.Min, f.Max)
	}
	return nil
}

// Bool is a switch. There is nothing to check but that it is there; it is for the schema.
type Bool[T any] struct {
	Name string
	Get  func(v *T) bool
	Presence[T]
	Doc string
}

func (f Bool[T]) step() step[T] {
	return step[T]{other: func(v *T) bool { return !f.absent(v) || !f.Required }}
}

func (f Bool[T]) report(c *Check, _ *T) { f.missing(c, f.Name) }

func (f Bool[T]) valid() error { return hasGetter(f.Name, f.Get != nil) }

// Part is a part of a T that has rules of its own. What Get returns is nil for a part that is absent.
type Part[T, U any] struct {
	Name     string
	Get      func(v *T) *U
	Rules    *Rules[U]
	Required bool
}

func (f Part[T, U]) step() step[T] {
	return step[T]{other: func(v *T) bool {
		u := f.Get(v)
		if u == nil {
			return !f.Required
		}
		return f.Rules.passes(u)
	}}
}

func (f Part[T, U]) report(c *Check, v *T) {
	if u := f.Get(v); u != nil {
		f.Rules.Check(c.At(f.Name), u)
		return
	}
	c.Add(Problem{Path: f.Name, Code: CodeEmpty, Limit: "present"})
}

func (f Part[T, U]) valid() error { return hasGetter(f.Name, f.Get != nil) }

// Each is a list of a T whose elements have rules: Min to Max of them.
type Each[T, U any] struct {
	Name     string
	Get      func(v *T) []U
	Rules    *Rules[U]
	Min, Max int
}

func (f Each[T, U]) step() step[T] {
	return step[T]{other: func(v *T) bool {
		list := f.Get(v)
		if len(list) < f.Min || len(list) > f.Max {
			return false
		}
		for i := range list {
			if !f.Rules.passes(&list[i]) {
				return false
			}
		}
		return true
	}}
}

func (f Each[T, U]) report(c *Check, v *T) {
	list := f.Get(v)
	if len(list) < f.Min || len(list) > f.Max {
		c.Add(Problem{Path: f.Name, Code: CodeLength, Value: fmt.Sprintf("of %d elements", len(list)),
			Limit: fmt.Sprintf("of %d to %d elements", f.Min, f.Max)})
		return // a list of any length is not worth its time
	}
	for i := range list {
		if !f.Rules.passes(&list[i]) {
			f.Rules.Check(c.Index(f.Name, i), &list[i])
		}
	}
}

func (f Each[T, U]) valid() error {
	if err := hasGetter(f.Name, f.Get != nil); err != nil {
		return err
	}
	if f.Min < 0 || f.Min > f.Max {
		return fmt.Errorf("%s of %d to %d elements", f.Name, f.Min, f.Max)
	}
	return nil
}

// Own is a rule of the caller's own, such as one between two fields. A schema does not have it.
type Own[T any] struct {
	OK      func(v *T) bool
	Problem func(v *T) Problem // what to report if OK does not hold
}

func (f Own[T]) step() step[T] { return step[T]{other: f.OK} }

func (f Own[T]) report(c *Check, v *T) { c.Add(f.Problem(v)) }

func (f Own[T]) valid() error {
	if f.OK == nil || f.Problem == nil {
		return errors.New("an own rule must have OK and Problem")
	}
	return nil
}

func (f Own[T]) describe(*object) {}
