package carbon

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// KeyRing holds the keys of one account through a change of keys: the current one, the one before and the one to come. A
// call uses the current key; when the provider refuses it, the next one, then the previous one is tried, and the one that
// works becomes the current. So a change needs no moment at which everybody changes.
//
// A ring never shows its keys: not in logs, errors, JSON or any format verb. nil has no key. Safe for concurrent use.
type KeyRing struct {
	mu   sync.Mutex
	keys func() []string // the current first, then those to try, best first; as a function, which no printer looks into
}

// all are the keys, not to be changed. The caller holds mu.
func (r *KeyRing) all() []string {
	if r.keys == nil {
		return nil
	}
	return r.keys()
}

func (r *KeyRing) keep(keys []string) { r.keys = func() []string { return keys } }

// NewKeyRing takes the keys; previous and next may be empty. A key has no control character and no space around it: one
// that does was read with the line it stood on.
func NewKeyRing(previous, current, next string) (*KeyRing, error) {
	if current == "" {
		return nil, errors.New("carbon: key ring: the current key is empty")
	}
	r := &KeyRing{}
	var keys []string
	names := [...]string{"current", "next", "previous"}
	for i, key := range []string{current, next, previous} {
		if strings.ContainsFunc(key, unicode.IsControl) || strings.TrimSpace(key) != key {
			return nil, fmt.Errorf("carbon: key ring: the %s key has a control character in it or a space around it", names[i])
		}
		if key != "" {
			keys = append(keys, key)
		}
	}
	r.keep(keys)
	return r, nil
}

// SetNext makes next the key to try when the current one is refused, and forgets the other ones.
func (r *KeyRing) SetNext(next string) error {
	if r == nil {
		return errors.New("carbon: key ring: nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all()) == 0 {
		return errors.New("carbon: key ring: not made by NewKeyRing")
	}
	fresh, err := NewKeyRing("", r.all()[0], next)
	if err != nil {
		return err
	}
	r.keys = fresh.keys
	return nil
}

// candidates are the keys in the order to try.
func (r *KeyRing) candidates() []string {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.all()...)
}

// worked makes a key the current one.
func (r *KeyRing) worked(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.all()
	for i, k := range keys {
		if k == key && i > 0 {
			r.keep(slices.Concat([]string{key}, keys[:i], keys[i+1:]))
			return
		}
	}
}

// redact takes the keys out of a text that came from outside.
func (r *KeyRing) redact(text string) string {
	for _, key := range r.candidates() {
		text = hide(text, key)
	}
	return text
}

// hide takes a secret out of a text, also as it is written in a URL and in JSON.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	quoted, _ := json.Marshal(secret) // of a string: never fails
	for _, form := range []string{secret, string(quoted[1 : len(quoted)-1])} {
		text = strings.ReplaceAll(text, form, "[key]")
	}
	text = upperEscapes(text)
	for _, form := range []string{url.QueryEscape(secret), url.PathEscape(secret)} {
		text = strings.ReplaceAll(text, form, "[key]")
	}
	return text
}

// upperEscapes writes %2f as %2F, which is the same to a URL (RFC 3986, 2.1).
func upperEscapes(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	b := []byte(text)
	for i := 0; i+2 < len(b); i++ {
		if _, err := hex.DecodeString(string(b[i+1 : i+3])); b[i] == '%' && err == nil {
			copy(b[i+1:i+3], bytes.ToUpper(b[i+1:i+3]))
		}
	}
	return string(b)
}

// String says how many keys there are.
func (r *KeyRing) String() string { return fmt.Sprintf("KeyRing(%d keys)", len(r.candidates())) }

// Format writes String for every verb, %#v too.
func (r *KeyRing) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.String()) }

// LogValue is String.
func (r *KeyRing) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String, and so is the JSON.
func (r *KeyRing) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
