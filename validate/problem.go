package validate

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity ranks problems.
type Severity int

const (
	// Warning marks a value that is allowed and probably not what was meant.
	Warning Severity = 1 + iota
	// Error marks a value that must not be used.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Codes of the problems that this package finds. Callers add their own through [Check.Add].
const (
	CodeNotFinite = "not_finite" // NaN or infinite where a limit asks for a number
	CodeRange     = "range"      // outside its limits
	CodeOrder     = "order"      // at odds with another value
	CodeChoice    = "choice"     // none of the allowed ones
	CodeEmpty     = "empty"      // missing
	CodeForm      = "form"       // wrong characters or length
	CodeLength    = "length"     // too short or too long
	CodeStandIn   = "stand_in"   // a secret that was copied from documentation
	CodeNoNoise   = "no_noise"   // a noise multiplier of zero
	CodeWeak      = "weak"       // a privacy guarantee that says little
)

// Problem is one value that broke one rule. All texts are printable, on one line and bounded in length, whatever the input.
type Problem struct {
	Path     string   `json:"path"`            // such as "privacy.epsilon" or "layers[2].rate"
	Code     string   `json:"code"`            // for programs
	Value    string   `json:"value,omitempty"` // as text: strings are quoted, secrets masked
	Limit    string   `json:"limit"`           // what it must be, such as "in [0.001, 100]"
	Severity Severity `json:"severity"`
}

// String returns the problem as a sentence.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Path)
	if p.Value != "" {
		b.WriteString(" is ")
		b.WriteString(p.Value)
		b.WriteByte(',')
	}
	if p.Severity == Warning {
		b.WriteString(" should be ")
	} else {
		b.WriteString(" must be ")
	}
	b.WriteString(p.Limit)
	return b.String()
}

// Problems is an error made of one or more problems, in the order of their paths. Find it with errors.As.
type Problems []Problem

// maxShown bounds how many problems the text of an error names.
const maxShown = 32

func (ps Problems) Error() string {
	var b strings.Builder
	b.WriteString("validate: ")
	for i, p := range ps {
		if i == maxShown {
			fmt.Fprintf(&b, "; and %d more", len(ps)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Permanent reports true: trying again does not mend a configuration.
func (ps Problems) Permanent() bool { return true }

const (
	maxPath  = 256 // bytes of a path, code or limit in a problem
	maxValue = 96  // bytes of a string value, before quoting
	masked   = "[redacted]"
)

// quote shows a string of unknown origin.
func quote(s string) string {
	if len(s) <= maxValue {
		return strconv.Quote(s)
	}
	head := cut(s, maxValue)
	return fmt.Sprintf("%q… (%d bytes more)", head, len(s)-len(head))
}

// printable makes s safe to show: it is cut to at most about limit bytes, and what is not printable (line ends, terminal
// escapes, direction marks, invalid UTF-8) is escaped.
func printable(s string, limit int) string {
	clean := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if len(s) <= limit && strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	head := cut(s, limit)
	var b strings.Builder
	for i, r := range head {
		if clean(r) {
			b.WriteRune(r)
			continue
		}
		_, size := utf8.DecodeRuneInString(head[i:])
		q := strconv.Quote(head[i : i+size])
		b.WriteString(q[1 : len(q)-1])
	}
	if len(head) < len(s) {
		b.WriteString("…")
	}
	return b.String()
}

// cut returns the first bytes of s, at most limit, and no broken character at the end.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > max(0, limit-utf8.UTFMax) && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
