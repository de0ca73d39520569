package compliance

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var (
	// ErrInvalid is matched by every refusal of a rule, a parameter, a configuration or an encoded value.
	ErrInvalid = errors.New("compliance: invalid")
	// ErrKey is matched by the refusal to compare hashes that were made with different keys: they would never meet.
	ErrKey = errors.New("compliance: hashes of different keys")
	// ErrClosed is returned by a Monitor that was closed.
	ErrClosed = errors.New("compliance: monitor is closed")
)

// InvalidError says what was refused, with its value and what is wanted.
type InvalidError struct {
	Field string
	Value any
	Want  string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("compliance: %s = %v, want %s", e.Field, e.Value, e.Want)
}

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// Permanent tells a retrier that another attempt cannot succeed.
func (e *InvalidError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *InvalidError) Neutral() bool { return true }

func invalid(field string, value any, want string) error {
	return &InvalidError{Field: field, Value: value, Want: want}
}

const maxText = 240 // bytes of a name or a reason in a result

// clip makes text from outside fit for one line of a result.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxText {
		cut := maxText
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' ' // line breaks, control characters, and those that turn the direction of the rest
		}
		return r
	}, s)
}
