package validate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

// String is a text. The zero limits allow any.
type String[T any] struct {
	Name string
	Get  func(v *T) string
	Presence[T]
	Min, Max int            // characters; a Max of 0 is no limit
	OneOf    []string       // the allowed ones; nil for any
	Pattern  *regexp.Regexp // matches somewhere, as in a JSON Schema: anchor it
	Kind     TextKind
	Doc      string
}

// TextKind is a kind of text with a check of its own.
type TextKind uint8

const (
	AnyText    TextKind = iota
	SecretText          // see [Check.Secret]
	ZoneText            // see [Check.Zone]
)

// zonePattern is the form of a zone as a regular expression of ECMA-262, which schemas use.
const zonePattern = `^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// step returns the shortest test that does for the rules there are: most texts have one.
func (f String[T]) step() step[T] {
	get, bare := f.Get, f.Has == nil && f.Pattern == nil
	switch {
	case bare && f.Kind == ZoneText && f.OneOf == nil && f.Min == 0 && f.Max == 0:
		return step[T]{other: func(v *T) bool { return validZone(get(v)) }}
	case bare && f.Kind == AnyText && f.OneOf != nil && f.Min == 0 && f.Max == 0:
		allowed := f.OneOf
		return step[T]{other: func(v *T) bool {
			s := get(v)
			for i := range allowed {
				if allowed[i] == s {
					return true
				}
			}
			return false
		}}
	case bare && f.Kind == AnyText && f.OneOf == nil && f.Min <= 1 && f.Max > 0:
		least, most := f.Min, f.Max
		return step[T]{other: func(v *T) bool {
			s := get(v)
			return len(s) >= least && (len(s) <= most || utf8.RuneCountInString(s) <= most)
		}}
	}
	return step[T]{other: (&f).passes}
}

func (f *String[T]) passes(v *T) bool {
	if f.absent(v) {
		return !f.Required
	}
	s := f.Get(v)
	if f.Min > 0 || f.Max > 0 {
		if n := len(s); n < f.Min || f.Max > 0 && n > f.Max { // bytes first: they are an upper bound
			if n = utf8.RuneCountInString(s); n < f.Min || f.Max > 0 && n > f.Max {
				return false
			}
		} else if f.Min > 0 && n < 4*f.Min && utf8.RuneCountInString(s) < f.Min {
			return false
		}
	}
	if f.OneOf != nil && !slices.Contains(f.OneOf, s) {
		return false
	}
	switch f.Kind {
	case SecretText:
		if _, _, bad := secretProblem(s); bad {
			return false
		}
	case ZoneText:
		if !validZone(s) {
			return false
		}
	}
	return f.Pattern == nil || f.Pattern.MatchString(s)
}

func (f String[T]) report(c *Check, v *T) {
	if f.absent(v) {
		f.missing(c, f.Name)
		return
	}
	s := f.Get(v)
	shown := quote(s)
	if f.Kind == SecretText {
		shown = masked
		if _, _, bad := secretProblem(s); bad {
			c.Secret(f.Name, s)
			return
		}
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n < f.Min || f.Max > 0 && n > f.Max:
		limit := "of at least " + strconv.Itoa(f.Min) + " characters"
		if f.Max > 0 {
			limit = "of " + strconv.Itoa(f.Min) + " to " + strconv.Itoa(f.Max) + " characters"
		}
		c.Add(Problem{Path: f.Name, Code: CodeLength, Value: shown, Limit: limit})
		return
	case f.Kind == ZoneText && !validZone(s):
		c.Zone(f.Name, s)
		return
	case f.Pattern != nil && !f.Pattern.MatchString(s):
		c.Add(Problem{Path: f.Name, Code: CodeForm, Value: shown, Limit: "like " + f.Pattern.String()})
		return
	}
	if f.OneOf != nil && f.Kind != SecretText {
		c.OneOf(f.Name, s, f.OneOf...)
	}
}

func (f String[T]) valid() error {
	if err := hasGetter(f.Name, f.Get != nil); err != nil {
		return err
	}
	if f.Min < 0 || f.Max < 0 || f.Max > 0 && f.Min > f.Max {
		return fmt.Errorf("%s of %d to %d characters", f.Name, f.Min, f.Max)
	}
	if f.OneOf != nil && (len(f.OneOf) == 0 || f.Kind == SecretText) {
		return fmt.Errorf("%s must be one of none, or of known secrets", f.Name)
	}
	if f.Kind > ZoneText {
		return fmt.Errorf("%s is of an unknown kind of text", f.Name)
	}
	return nil
}
