package compliance

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed rules.json
var defaultRules []byte

// Rules is a versioned set of checks, as data.
type Rules struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// MaxAge is how old evidence may be: a number of days such as "30d", or a duration of Go such as "12h". It counts from the
	// moment at which the evidence was observed, see Fact.
	MaxAge string  `json:"max_age"`
	Checks []Check `json:"checks"`
}

// Check applies a predicate and says for which article.
type Check struct {
	// ID starts with a letter and has at most 64 lower-case letters, digits and '-'.
	ID string `json:"id"`
	// Version counts from 1; a check that is changed gets a new one.
	Version    int    `json:"version"`
	Regulation string `json:"regulation"`
	Article    string `json:"article"`
	Title      string `json:"title"`
	// Severity of a failure, from 1 to 10, the worst.
	Severity int `json:"severity"`
	// Predicate is the name of one of Predicates or of the caller's own.
	Predicate string `json:"predicate"`
	// Parameters are those of the predicate. For one of the caller's own their fields have any name, each given once.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// MaxAge replaces that of the rules.
	MaxAge string `json:"max_age,omitempty"`
	// Remaining is what is left for a human.
	Remaining string `json:"remaining"`
}

// Default returns the rules of this package.
func Default() Rules {
	r, err := ParseRules(defaultRules)
	if err != nil {
		panic(err) // a test reads them
	}
	return r
}

// ParseRules reads rules from JSON in UTF-8, with known fields only, each given once and none of them null.
func ParseRules(data []byte) (Rules, error) {
	var r Rules
	if err := decode(data, &r); err != nil {
		return Rules{}, err
	}
	if err := r.validate(); err != nil {
		return Rules{}, err
	}
	return r, nil
}

// With returns the rules with checks added; one that has the ID of another takes its place. The receiver is not changed.
func (r Rules) With(checks ...Check) Rules {
	r.Checks = slices.Clone(r.Checks)
	for _, c := range checks {
		if i := slices.IndexFunc(r.Checks, func(have Check) bool { return have.ID == c.ID }); i >= 0 {
			r.Checks[i] = c
		} else {
			r.Checks = append(r.Checks, c)
		}
	}
	return r
}

// Only returns the rules with the checks that keep accepts, for example those of one regulation. The receiver is not changed.
func (r Rules) Only(keep func(Check) bool) Rules {
	r.Checks = slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return !keep(c) })
	return r
}

func (r Rules) validate() error {
	switch {
	case r.Name == "" || clip(r.Name) != r.Name:
		return invalid("rules' name", quoted(r.Name), "one line")
	case r.Version == "" || clip(r.Version) != r.Version:
		return invalid("rules' version", quoted(r.Version), "one line")
	case len(r.Checks) == 0:
		return invalid("rules' checks", 0, "1 or more")
	}
	if _, err := parseAge(r.MaxAge); err != nil {
		return err
	}
	seen := make(map[string]bool, len(r.Checks))
	for _, c := range r.Checks {
		if err := c.validate(); err != nil {
			return err
		}
		if seen[c.ID] {
			return invalid("check's id", quoted(c.ID), "one check per id")
		}
		seen[c.ID] = true
	}
	return nil
}

func (c Check) validate() error {
	if !validID(c.ID) {
		return invalid("check's id", quoted(c.ID), "a letter and up to 63 lower-case letters, digits and '-'")
	}
	switch {
	case c.Version < 1:
		return invalid(c.ID+"'s version", c.Version, "1 or more")
	case c.Severity < 1 || c.Severity > 10:
		return invalid(c.ID+"'s severity", c.Severity, "1 to 10")
	}
	for _, f := range [][2]string{{"regulation", c.Regulation}, {"article", c.Article}, {"title", c.Title}, {"predicate", c.Predicate}, {"remaining", c.Remaining}} {
		if strings.TrimSpace(f[1]) == "" || len(f[1]) > 4*maxText || strings.ContainsAny(f[1], "\r\n\x00") {
			return invalid(c.ID+"'s "+f[0], quoted(f[1]), "one line of text")
		}
	}
	if c.MaxAge != "" {
		if _, err := parseAge(c.MaxAge); err != nil {
			return fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > 64 || id[0] < 'a' || id[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// hash is the SHA-256 of the rules as JSON.
func (r Rules) hash() string {
	data, err := json.Marshal(r)
	if err != nil { // parameters that are no JSON, which New has refused
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func quoted(s string) string { return strconv.Quote(clip(s)) }

const maxAge = 100 * 366 * 24 * time.Hour

// parseAge reads a period above 0, such as "30d" or "12h".
func parseAge(s string) (time.Duration, error) {
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil && n > 0 && n <= int(maxAge/(24*time.Hour)) {
			d = time.Duration(n) * 24 * time.Hour
		}
	} else {
		d, err = time.ParseDuration(s)
	}
	if err != nil || d <= 0 || d > maxAge {
		return 0, invalid("period", quoted(s), `one such as "30d" or "12h", up to 100 years`)
	}
	return d, nil
}
