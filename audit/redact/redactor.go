package redact

import (
	"fmt"
	"slices"
	"sync"
)

// Kind says what was found, and stands in the mark: "[redacted:jwt]". A value that was found by its key has a kind of the
// key's words: "api-key".
type Kind string

// Kinds that are found by how they look.
const (
	JWT         Kind = "jwt"          // JSON web tokens, signed or encrypted
	PrivateKey  Kind = "private-key"  // PEM, and identities of age
	CloudKey    Kind = "cloud-key"    // of AWS, Google, Azure (signatures), DigitalOcean, Vault, Databricks: by prefix
	APIToken    Kind = "api-token"    // of GitHub, GitLab, Slack, Stripe, OpenAI, Anthropic, Hugging Face, npm and others: by prefix
	Bearer      Kind = "bearer"       // what follows the word
	Basic       Kind = "basic"        // what follows the word and is Base64 of a pair
	URLUser     Kind = "url-user"     // user and password in a URL
	Email       Kind = "email"        // addresses with a domain, also with "%40"
	Card        Kind = "card"         // payment cards by length, network and Luhn digit
	IBAN        Kind = "iban"         // bank accounts by country, length and checksum
	SSN         Kind = "ssn"          // US social security numbers in groups
	Phone       Kind = "phone"        // telephone numbers with '+' and country (E.164)
	KnownSecret Kind = "known-secret" // one of Config.Secrets
)

// Kinds returns all of them.
func Kinds() []Kind {
	return []Kind{JWT, PrivateKey, CloudKey, APIToken, Bearer, Basic, URLUser, Email, Card, IBAN, SSN, Phone, KnownSecret}
}

const (
	minKnown  = 6  // bytes of a known secret: shorter ones stand in words by chance
	minDigest = 16 // bytes of a key
)

// Config of a Redactor. The zero value is a good one.
type Config struct {
	// Keys are names, beside the built-in ones, whose values are secrets. The case of letters and what stands between
	// words do not matter: "api_key" finds apiKey, API-KEY and my.api.key. A key is found at the end of a name, at the
	// beginning of a word or, if it has six letters or more, inside one (PGPASSWORD).
	Keys []string
	// Except are names that end in a key and are no secrets, beside the built-in ones such as "eos_token".
	Except []string
	// Skip are kinds not to look for.
	Skip []Kind
	// Secrets are replaced wherever they stand, as they are. Each has at least 6 bytes.
	Secrets []Secret
	// DigestKey, of at least 16 bytes, adds to every mark 12 hexadecimal digits of HMAC-SHA-256 of what it replaces, so
	// that equal secrets can be told from different ones: "[redacted:token#0f3d8a21c97e]". Who has the key can test
	// guesses.
	DigestKey Secret
}

// Redactor replaces secrets with marks. It is safe for concurrent use. A nil or zero Redactor replaces everything.
type Redactor struct {
	keys      keySet
	skip      []Kind
	literals  [256][]anchored     // by the first byte of the pair
	values    map[uint16][]string // longest first
	pairs     *[1 << 16]uint8
	digestKey []byte
	plans     sync.Map // reflect.Type to *plan
}

// New returns a Redactor. Errors do not show secrets.
func New(cfg Config) (*Redactor, error) {
	r := &Redactor{values: make(map[uint16][]string)}
	var err error
	if r.keys, err = newKeySet(append(defaultKeys(), cfg.Keys...), append(defaultExcept(), cfg.Except...)); err != nil {
		return nil, err
	}
	r.skip = slices.Clone(cfg.Skip)
	for _, kind := range r.skip {
		if !slices.Contains(Kinds(), kind) {
			return nil, fmt.Errorf("redact: no kind %q to skip", kind)
		}
	}
	for _, l := range builtins() {
		if r.on(l.kind) {
			r.addLiteral(l)
		}
	}
	for i, secret := range cfg.Secrets {
		v := secret.Reveal()
		if len(v) < minKnown {
			return nil, fmt.Errorf("redact: known secret %d has %d bytes, must have %d at least", i, len(v), minKnown)
		}
		if r.on(KnownSecret) {
			pair := uint16(v[0])<<8 | uint16(v[1])
			r.values[pair] = append(r.values[pair], v)
			slices.SortFunc(r.values[pair], func(a, b string) int { return len(b) - len(a) })
		}
	}
	if key := cfg.DigestKey.Reveal(); key != "" {
		if len(key) < minDigest {
			return nil, fmt.Errorf("redact: digest key has %d bytes, must have %d at least", len(key), minDigest)
		}
		r.digestKey = []byte(key)
	}
	r.pairs = r.table()
	return r, nil
}

func (r *Redactor) addLiteral(l literal) {
	first, second := []byte{l.text[l.anchor]}, []byte{l.text[l.anchor+1]}
	if l.fold {
		first, second = bothCases(first[0]), bothCases(second[0])
	}
	for _, a := range first {
		for _, b := range second {
			r.literals[a] = append(r.literals[a], anchored{second: b, literal: l})
		}
	}
}

func bothCases(c byte) []byte {
	if isLetter(c) {
		return []byte{c | 0x20, c &^ 0x20}
	}
	return []byte{c}
}

func (r *Redactor) unusable() bool { return r == nil || r.pairs == nil }

// Key returns the kind of a name that is one of the keys, or ends in one.
func (r *Redactor) Key(name string) (Kind, bool) {
	if r.unusable() {
		return "all", true
	}
	return r.keys.match(name)
}

// Has reports whether a text has a secret in it.
func (r *Redactor) Has(s string) bool {
	if r.unusable() {
		return true
	}
	_, found := r.find(s, 0)
	return found
}

// String returns a text without its secrets. A text that has none is returned as it is, and nothing allocated.
func (r *Redactor) String(s string) string {
	if r.unusable() {
		return allMark
	}
	sp, found := r.find(s, 0)
	if !found {
		return s
	}
	return string(r.append(make([]byte, 0, len(s)+32), s, sp))
}

// Append appends a text without its secrets to dst.
func (r *Redactor) Append(dst []byte, s string) []byte {
	if r.unusable() {
		return append(dst, allMark...)
	}
	sp, found := r.find(s, 0)
	if !found {
		return append(dst, s...)
	}
	return r.append(dst, s, sp)
}

// append replaces the first span and those after it.
func (r *Redactor) append(dst []byte, s string, sp span) []byte {
	last := 0
	for found := true; found; sp, found = r.find(s, last) {
		dst = append(dst, s[last:sp.start]...)
		dst = append(dst, r.mark(sp.kind, s[sp.start:sp.end])...)
		last = sp.end
	}
	return append(dst, s[last:]...)
}

// Error returns an error with the text of err, without its secrets, and nothing else: errors.Is and errors.As find nothing
// in it. A nil err is nil.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	return plainError(r.String(errorText(err)))
}

type plainError string

func (e plainError) Error() string { return string(e) }
