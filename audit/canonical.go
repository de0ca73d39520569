package audit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and objects of an event's data nest.
const maxDepth = 128

// maxExact is the largest integer that every reader of JSON keeps, 2^53.
const maxExact = 1 << 53

// canonicalizer writes JSON in its canonical form of RFC 8785: no white space, members sorted by the UTF-16 code units of
// their names, one way to write each string and each number. It is stricter: integers beyond ±2^53, numbers beyond a
// float64, repeated names, lone surrogates and text that is not UTF-8 are errors, since readers disagree about them.
type canonicalizer struct {
	src     []byte
	pos     int
	depth   int
	members []member // of the objects under way
	moved   []byte   // for sorting
}

// member is a part of the output. Its name is the text between the quotes.
type member struct {
	start, name, end int
	special          bool // the name has escapes or is not ASCII
}

// append appends the canonical form of src to dst.
func (c *canonicalizer) append(dst, src []byte) ([]byte, error) {
	c.src, c.pos, c.depth, c.members = src, 0, 0, c.members[:0]
	dst, err := c.value(dst)
	if err == nil {
		if c.space(); c.pos < len(c.src) {
			err = c.bad("something follows the value")
		}
	}
	c.src = nil
	return dst, err
}

func (c *canonicalizer) bad(what string) error { return fmt.Errorf("%s at offset %d", what, c.pos) }

func (c *canonicalizer) space() {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0.
func (c *canonicalizer) peek() byte {
	c.space()
	if c.pos == len(c.src) {
		return 0
	}
	return c.src[c.pos]
}

func (c *canonicalizer) value(dst []byte) ([]byte, error) {
	switch b := c.peek(); {
	case b == '{', b == '[':
		if c.depth++; c.depth > maxDepth {
			return dst, c.bad("nested too deep")
		}
		var err error
		if b == '{' {
			dst, err = c.object(dst)
		} else {
			dst, err = c.array(dst)
		}
		c.depth--
		return dst, err
	case b == '"':
		dst, _, err := c.string(dst)
		return dst, err
	case b == '-', '0' <= b && b <= '9':
		return c.number(dst)
	}
	for _, word := range []string{"null", "true", "false"} {
		if bytes.HasPrefix(c.src[c.pos:], []byte(word)) {
			c.pos += len(word)
			return append(dst, word...), nil
		}
	}
	return dst, c.bad("no JSON value")
}

func (c *canonicalizer) array(dst []byte) ([]byte, error) {
	c.pos++
	dst = append(dst, '[')
	if c.peek() == ']' {
		c.pos++
		return append(dst, ']'), nil
	}
	for {
		var err error
		if dst, err = c.value(dst); err != nil {
			return dst, err
		}
		switch c.peek() {
		case ',':
			c.pos++
			dst = append(dst, ',')
		case ']':
			c.pos++
			return append(dst, ']'), nil
		default:
			return dst, c.bad("no comma or bracket")
		}
	}
}

func (c *canonicalizer) object(dst []byte) ([]byte, error) {
	c.pos++
	dst = append(dst, '{')
	if c.peek() == '}' {
		c.pos++
		return append(dst, '}'), nil
	}
	first, start, sorted := len(c.members), len(dst), true
	for {
		if c.peek() != '"' {
			return dst, c.bad("no name of a member")
		}
		m := member{start: len(dst)}
		var err error
		if dst, m.special, err = c.string(dst); err != nil {
			return dst, err
		}
		m.name = len(dst) - 1
		if len(c.members) > first {
			switch order := compare(dst, c.members[len(c.members)-1], m); {
			case order == 0:
				return dst, c.bad("repeated name")
			case order > 0:
				sorted = false
			}
		}
		if c.peek() != ':' {
			return dst, c.bad("no colon")
		}
		c.pos++
		if dst, err = c.value(append(dst, ':')); err != nil {
			return dst, err
		}
		m.end = len(dst)
		c.members = append(c.members, m)
		switch c.peek() {
		case ',':
			c.pos++
			dst = append(dst, ',')
			continue
		case '}':
			c.pos++
		default:
			return dst, c.bad("no comma or brace")
		}
		break
	}
	if !sorted {
		if !c.sort(dst, start, c.members[first:]) {
			return dst, c.bad("repeated name")
		}
	}
	c.members = c.members[:first]
	return append(dst, '}'), nil
}

// sort puts the members that stand in dst from start on in their order. It is false if two have the same name.
func (c *canonicalizer) sort(dst []byte, start int, members []member) bool {
	slices.SortFunc(members, func(a, b member) int { return compare(dst, a, b) })
	c.moved = c.moved[:0]
	for i, m := range members {
		if i > 0 {
			if compare(dst, members[i-1], m) == 0 {
				return false
			}
			c.moved = append(c.moved, ',')
		}
		c.moved = append(c.moved, dst[m.start:m.end]...)
	}
	copy(dst[start:], c.moved)
	return true
}

func compare(dst []byte, a, b member) int {
	x, y := dst[a.start+1:a.name], dst[b.start+1:b.name]
	if !a.special && !b.special {
		return bytes.Compare(x, y)
	}
	return slices.Compare(units(x), units(y))
}

// units returns the UTF-16 code units of the canonical text of a string.
func units(text []byte) []uint16 {
	var out []uint16
	for len(text) > 0 {
		if text[0] != '\\' {
			r, n := utf8.DecodeRune(text)
			out, text = utf16.AppendRune(out, r), text[n:]
			continue
		}
		if text[1] == 'u' {
			v, _ := strconv.ParseUint(string(text[2:6]), 16, 16) // as string wrote it
			out, text = append(out, uint16(v)), text[6:]
			continue
		}
		c := text[1]
		if i := bytes.IndexByte([]byte("btnfr"), c); i >= 0 {
			c = "\b\t\n\f\r"[i]
		}
		out, text = append(out, uint16(c)), text[2:]
	}
	return out
}

// string copies a string with its quotes.
func (c *canonicalizer) string(dst []byte) (_ []byte, special bool, _ error) {
	c.pos++
	dst = append(dst, '"')
	for {
		from := c.pos
		c.pos += plainPrefix(c.src[c.pos:])
		dst = append(dst, c.src[from:c.pos]...)
		if c.pos == len(c.src) {
			return dst, special, c.bad("unfinished string")
		}
		switch b := c.src[c.pos]; {
		case b == '"':
			c.pos++
			return append(dst, '"'), special, nil
		case b == '\\':
			r, err := c.escape()
			if err != nil {
				return dst, special, err
			}
			special = special || r < ' ' || r == '"' || r == '\\' || r >= utf8.RuneSelf
			dst = appendRune(dst, r)
		case b < ' ':
			return dst, special, c.bad("control character in a string")
		default:
			r, n := utf8.DecodeRune(c.src[c.pos:])
			if r == utf8.RuneError && n <= 1 {
				return dst, special, c.bad("not valid UTF-8")
			}
			special = true
			dst = append(dst, c.src[c.pos:c.pos+n]...)
			c.pos += n
		}
	}
}

// plainPrefix returns how many bytes at the start of a string are copied as they are: ASCII from the space on, but for
// quote and backslash. It looks at eight bytes at a time: a borrow may mark a byte above one that is rightly marked, never
// below.
func plainPrefix[T string | []byte](s T) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, slash := x^'"'*ones, x^'\\'*ones
		if marks := (x | (x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & high; marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\t':
		return append(dst, `\t`...)
	case '\n':
		return append(dst, `\n`...)
	case '\f':
		return append(dst, `\f`...)
	case '\r':
		return append(dst, `\r`...)
	}
	if r < ' ' {
		const digits = "0123456789abcdef"
		return append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// escape reads what follows a backslash.
func (c *canonicalizer) escape() (rune, error) {
	if c.pos++; c.pos == len(c.src) {
		return 0, c.bad("unfinished string")
	}
	b := c.src[c.pos]
	c.pos++
	switch b {
	case '"', '\\', '/':
		return rune(b), nil
	case 'b':
		return '\b', nil
	case 't':
		return '\t', nil
	case 'n':
		return '\n', nil
	case 'f':
		return '\f', nil
	case 'r':
		return '\r', nil
	case 'u':
		r, ok := c.hex4()
		if !ok {
			return 0, c.bad("bad escape")
		}
		if !utf16.IsSurrogate(r) {
			return r, nil
		}
		if c.pos+2 <= len(c.src) && c.src[c.pos] == '\\' && c.src[c.pos+1] == 'u' {
			c.pos += 2
			low, ok := c.hex4()
			if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
				return r, nil
			}
		}
		return 0, c.bad("half of a surrogate pair")
	}
	return 0, c.bad("bad escape")
}

func (c *canonicalizer) hex4() (rune, bool) {
	if c.pos+4 > len(c.src) {
		return 0, false
	}
	r := rune(0)
	for _, b := range c.src[c.pos : c.pos+4] {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	c.pos += 4
	return r, true
}

// number copies a number in the form of ECMAScript.
func (c *canonicalizer) number(dst []byte) ([]byte, error) {
	from := c.pos
	if c.src[c.pos] == '-' {
		c.pos++
	}
	digits := c.digits()
	if digits == 0 || digits > 1 && c.src[c.pos-digits] == '0' {
		return dst, c.bad("bad number")
	}
	integer := true
	if c.pos < len(c.src) && c.src[c.pos] == '.' {
		integer = false
		if c.pos++; c.digits() == 0 {
			return dst, c.bad("bad number")
		}
	}
	if c.pos < len(c.src) && c.src[c.pos]|0x20 == 'e' {
		integer = false
		if c.pos++; c.pos < len(c.src) && (c.src[c.pos] == '+' || c.src[c.pos] == '-') {
			c.pos++
		}
		if c.digits() == 0 {
			return dst, c.bad("bad number")
		}
	}
	text := c.src[from:c.pos]
	if integer && digits <= 15 && string(text) != "-0" {
		return append(dst, text...), nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return dst, c.bad("number beyond a float64")
	}
	from = len(dst)
	dst = appendNumber(dst, v)
	if integer && math.Abs(v) >= maxExact && !bytes.Equal(dst[from:], text) {
		return dst, c.bad("integer beyond ±2^53 (write it as a string)")
	}
	return dst, nil
}

func (c *canonicalizer) digits() (n int) {
	for c.pos < len(c.src) && '0' <= c.src[c.pos] && c.src[c.pos] <= '9' {
		c.pos++
		n++
	}
	return n
}

// appendNumber writes a finite number as ECMAScript does.
func appendNumber(dst []byte, v float64) []byte {
	abs := math.Abs(v)
	switch {
	case v == 0:
		return append(dst, '0')
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 is e-7
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

var errCanonical = errors.New("its data is not in canonical form")

// appendString writes a Go string as a canonical JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; ; {
		i += plainPrefix(s[i:])
		if i == len(s) {
			break
		}
		dst = append(dst, s[from:i]...)
		r, n := utf8.DecodeRuneInString(s[i:])
		dst = appendRune(dst, r)
		i += n
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
