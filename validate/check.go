package validate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Check collects the problems of a configuration, all of them, under the paths of their values. The zero Check is ready
// for use. It is not safe for concurrent use.
//
//	var c validate.Check
//	c.Range("dropout", cfg.Dropout, 0, 0.9)
//	c.Warn().Range("dropout", cfg.Dropout, 0, 0.5)
//	cfg.Privacy.Check(c.At("privacy"))
//	return c.Err()
type Check struct {
	path  string
	warn  bool
	found *Problems // shared by all parts; nil until there is a part or a problem
}

// At returns a Check for a part of the configuration. What it finds goes to c, with name in front of the path.
func (c *Check) At(name string) *Check {
	return &Check{path: join(c.path, name), warn: c.warn, found: c.shared()}
}

// Index returns a Check for one element of a list, such as "layers[2]".
func (c *Check) Index(name string, i int) *Check {
	return c.At(name + "[" + strconv.Itoa(i) + "]")
}

// Warn returns a Check whose rules add warnings to c instead of errors. A value with an error gets no warning besides, if
// the error is found first.
func (c *Check) Warn() *Check { return &Check{path: c.path, warn: true, found: c.shared()} }

func (c *Check) shared() *Problems {
	if c.found == nil {
		c.found = new(Problems)
	}
	return c.found
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	if name == "" {
		return path
	}
	return path + "." + name
}

// Add adds a problem of the caller's own, whose path is relative to c. Its texts are made printable and cut if they are
// long. A severity that is not set is Error.
func (c *Check) Add(p Problem) {
	if c.warn {
		p.Severity = Warning
	} else if p.Severity != Warning {
		p.Severity = Error
	}
	p.Path = printable(join(c.path, p.Path), maxPath)
	p.Code, p.Limit = printable(p.Code, maxPath), printable(p.Limit, maxPath)
	p.Value = printable(p.Value, 4*maxValue+64)
	found := c.shared()
	if p.Severity == Warning && slices.ContainsFunc(*found, func(q Problem) bool {
		return q.Path == p.Path && q.Severity == Error
	}) {
		return
	}
	*found = append(*found, p)
}

// Err returns the errors found so far, by c and all parts of the configuration, as [Problems], or nil.
func (c *Check) Err() error { return asError(c.least(Error)) }

// ErrStrict returns the errors and the warnings found so far as [Problems], or nil.
func (c *Check) ErrStrict() error { return asError(c.least(Warning)) }

// Warnings returns the warnings found so far.
func (c *Check) Warnings() Problems {
	return slices.DeleteFunc(c.least(Warning), func(p Problem) bool { return p.Severity != Warning })
}

func asError(ps Problems) error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// least returns the problems of at least a severity, by path.
func (c *Check) least(severity Severity) Problems {
	var ps Problems
	if c.found != nil {
		for _, p := range *c.found {
			if p.Severity >= severity {
				ps = append(ps, p)
			}
		}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	return ps
}

// Finite asks for a number that is neither NaN nor infinite.
func (c *Check) Finite(path string, v float64) {
	if !isFinite(v) {
		c.float(path, v, "finite")
	}
}

// Range asks for lo <= v <= hi. Like every rule for numbers it fails for NaN and infinities, whatever the limits.
func (c *Check) Range(path string, v, lo, hi float64) {
	if !(lo <= v && v <= hi) || !isFinite(v) {
		c.float(path, v, "in ["+number(lo)+", "+number(hi)+"]")
	}
}

// Positive asks for v > 0.
func (c *Check) Positive(path string, v float64) {
	if !(v > 0) || !isFinite(v) {
		c.float(path, v, "above 0")
	}
}

// Fraction asks for 0 < v <= 1.
func (c *Check) Fraction(path string, v float64) {
	if !(v > 0 && v <= 1) {
		c.float(path, v, "in (0, 1]")
	}
}

// Below asks for v < limit, where limit is the value of the field named other.
func (c *Check) Below(path string, v float64, other string, limit float64) {
	if !(v < limit) || !isFinite(v) || !isFinite(limit) {
		c.Add(Problem{Path: path, Code: CodeOrder, Value: number(v), Limit: "below " + other + " (" + number(limit) + ")"})
	}
}

// AtMost asks for v <= limit, where limit is the value of the field named other.
func (c *Check) AtMost(path string, v float64, other string, limit float64) {
	if !(v <= limit) || !isFinite(v) || !isFinite(limit) {
		c.Add(Problem{Path: path, Code: CodeOrder, Value: number(v), Limit: "at most " + other + " (" + number(limit) + ")"})
	}
}

// RangeInt asks for lo <= v <= hi.
func (c *Check) RangeInt(path string, v, lo, hi int) {
	if v < lo || v > hi {
		c.Add(Problem{Path: path, Code: CodeRange, Value: strconv.Itoa(v),
			Limit: "in [" + strconv.Itoa(lo) + ", " + strconv.Itoa(hi) + "]"})
	}
}

// RangeDuration asks for lo <= v <= hi.
func (c *Check) RangeDuration(path string, v, lo, hi time.Duration) {
	if v < lo || v > hi {
		c.Add(Problem{Path: path, Code: CodeRange, Value: v.String(), Limit: "in [" + lo.String() + ", " + hi.String() + "]"})
	}
}

// OneOf asks for one of the allowed strings.
func (c *Check) OneOf(path, v string, allowed ...string) {
	if slices.Contains(allowed, v) {
		return
	}
	var b strings.Builder
	b.WriteString("one of ")
	for i, a := range allowed {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(a))
	}
	c.Add(Problem{Path: path, Code: CodeChoice, Value: quote(v), Limit: b.String()})
}

// NotEmpty asks for a string with anything but white space.
func (c *Check) NotEmpty(path, v string) {
	if strings.TrimSpace(v) == "" {
		c.Add(Problem{Path: path, Code: CodeEmpty, Value: quote(v), Limit: "set"})
	}
}

// Zone asks for the name of a grid zone or cloud region: 1 to 64 letters, digits, '-', '_' and '.', starting with a letter
// or digit, without "..". It checks the form, so that the name is safe in a URL or path, and not whether the zone exists:
// providers name theirs differently (DE, US-CAL-CISO, CAISO_NORTH, europe-west1, 10YDE-VE-------2).
func (c *Check) Zone(path, v string) {
	if !validZone(v) {
		c.Add(Problem{Path: path, Code: CodeForm, Value: quote(v),
			Limit: "1 to 64 letters, digits, '-', '_' and '.', starting with a letter or digit, without \"..\""})
	}
}

func validZone(v string) bool {
	if v == "" || len(v) > 64 {
		return false
	}
	// The bits of the characters 0 to 63 and 64 to 127: letters, digits, hyphen, underscore, dot.
	const low, high = 1<<'-' | 1<<'.' | (1<<10-1)<<'0', (1<<26-1)<<('A'-64) | 1<<('_'-64) | (1<<26-1)<<('a'-64)
	before := byte('.')
	for i := range len(v) {
		c := v[i]
		set := uint64(low)
		if c >= 64 {
			set = high
		}
		if c >= 128 || set>>(c&63)&1 == 0 || c == '.' && before == '.' {
			return false
		}
		before = c
	}
	return v[0] != '-' && v[0] != '_'
}

// Secret asks for a key or password that is set, has no spaces or characters that do not print, and was not left as the
// documentation had it. No part of it comes into a problem, nor its length.
func (c *Check) Secret(path, v string) {
	code, limit, bad := secretProblem(v)
	if !bad {
		return
	}
	p := Problem{Path: path, Code: code, Value: masked, Limit: limit}
	if v == "" {
		p.Value = ""
	}
	c.Add(p)
}

func secretProblem(v string) (code, limit string, bad bool) {
	switch {
	case v == "":
		return CodeEmpty, "set", true
	case strings.ContainsFunc(v, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }):
		return CodeForm, "without spaces, line ends and other characters that do not print", true
	case standIn(v):
		return CodeStandIn, "a real one and not an example", true
	}
	return "", "", false
}

// standIn recognises what examples write in place of a secret.
func standIn(v string) bool {
	var letters [16]byte // longer than every word below, so that a real secret needs no memory
	word := letters[:0]
	only := true // of x and decoration
	for i := range len(v) {
		c := v[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if strings.IndexByte("-_.<>${}[]%*", c) >= 0 {
			continue
		}
		if only = only && c == 'x'; !only && len(word) == len(letters) {
			break
		}
		if len(word) < len(letters) {
			word = append(word, c)
		}
	}
	switch string(word) {
	case "apikey", "changeit", "changeme", "dummy", "example", "key", "myapikey", "mykey", "none", "null", "password",
		"redacted", "secret", "test", "token", "yourapikey", "yourapikeyhere", "yourkey", "yourkeyhere", "yourpassword",
		"yoursecret", "yourtoken", "yourtokenhere":
		return true
	}
	wrapped := func(open, end string) bool { return strings.HasPrefix(v, open) && strings.HasSuffix(v, end) }
	return only || wrapped("${", "}") || wrapped("{{", "}}") || wrapped("<", ">")
}

// float adds a problem of a number, whose code says whether it is one.
func (c *Check) float(path string, v float64, limit string) {
	code := CodeRange
	if !isFinite(v) {
		code = CodeNotFinite
	}
	c.Add(Problem{Path: path, Code: code, Value: number(v), Limit: limit})
}
