package redact

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// errMarked is returned where a secret is read from the text that stood in its place.
var errMarked = errors.New("redact: text is the mark of a redacted secret, not the secret")

// Secret holds a value that nothing shows by accident: every way of printing, logging or encoding it yields
// "[redacted:secret]", also from inside structs, maps and unexported fields. [Secret.Reveal] is the only way to the value.
// Secrets cannot be compared with ==, only with [Secret.Equal]; reflect.DeepEqual finds two of them different. The zero
// Secret is empty.
//
// What it cannot do: remove the value from memory. Go may keep copies of a string for as long as it likes.
type Secret struct {
	// A function, because printers and dumpers that follow pointers and read unexported fields do not call one. It also
	// makes == a compile error.
	reveal func() string
}

// NewSecret returns a Secret with its own copy of value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	value = strings.Clone(value)
	return Secret{reveal: func() string { return value }}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the value is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal compares two values in a time that does not depend on where they differ.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns the mark of a secret.
func (s Secret) String() string { return secretMark }

// GoString returns the mark of a secret.
func (s Secret) GoString() string { return secretMark }

// Format writes the mark of a secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, secretMark) }

// MarshalJSON returns the mark of a secret.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + secretMark + `"`), nil }

// MarshalText returns the mark of a secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(secretMark), nil }

// LogValue returns the mark of a secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(secretMark) }

// UnmarshalText sets the value, so that a Secret can stand in a configuration that is read as JSON or from the environment.
// It refuses a mark: a configuration that was printed is not one to load.
func (s *Secret) UnmarshalText(text []byte) error {
	if isMark(string(text)) {
		return errMarked
	}
	*s = NewSecret(string(text))
	return nil
}
