package dataset

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// cursor reads one JSON text from front to back, by the grammar of RFC 8259 and with the meaning that encoding/json gives it.
// Its methods return "" or the code of what is wrong.
type cursor struct {
	data     []byte
	at       int
	depth    int // how much deeper it may still get
	elements int // how many values it may still hold

	cells   []cell
	list    []float64
	scratch []byte // decoded strings of the row
}

func (c *cursor) space() {
	for c.at < len(c.data) {
		switch c.data[c.at] {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return
		}
	}
}

// peek returns the next byte after spaces, or 0 at the end. A zero byte is no part of any JSON text outside of errors.
func (c *cursor) peek() byte {
	if c.at < len(c.data) && c.data[c.at] > ' ' {
		return c.data[c.at]
	}
	c.space()
	if c.at < len(c.data) {
		return c.data[c.at]
	}
	return 0
}

func (c *cursor) word(w string) string {
	if len(c.data)-c.at >= len(w) && string(c.data[c.at:c.at+len(w)]) == w {
		c.at += len(w)
		return ""
	}
	return CodeSyntax
}

// text is a JSON string after decoding.
type text struct {
	bytes     []byte // valid until the next row is read
	ascii     bool
	invalid   bool // held invalid UTF-8, which became U+FFFD
	surrogate bool // held half of a surrogate pair, which became U+FFFD
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks the bytes of eight that end ordinary characters of a string, in their high bits. A byte below its subtrahend borrows
// into its high bit; one beyond ASCII is left out by the last term. A borrow from the byte before can mark a byte wrongly, but
// only above one that is marked rightly.
func special(x uint64) uint64 {
	return ((x - ones*0x20) | (x ^ ones*'"' - ones) | (x ^ ones*'\\' - ones)) &^ x & highs
}

// plain returns how many bytes from i on are ordinary characters of a string: no quote, backslash or control. It ors the
// bytes into seen, whose high bits tell whether there is anything beyond ASCII.
func (c *cursor) plain(i int) (end int, seen uint64) {
	data := c.data
	for i+16 <= len(data) { // two at a time, as long as both are plain
		x, y := binary.LittleEndian.Uint64(data[i:]), binary.LittleEndian.Uint64(data[i+8:])
		if special(x)|special(y) != 0 {
			break
		}
		seen |= x | y
		i += 16
	}
	for i+8 <= len(data) {
		x := binary.LittleEndian.Uint64(data[i:])
		if special(x) != 0 {
			break
		}
		seen |= x
		i += 8
	}
	for ; i < len(data); i++ {
		b := data[i]
		if b == '"' || b == '\\' || b < 0x20 {
			break
		}
		seen |= uint64(b)
	}
	return i, seen & highs
}

// string reads a string whose opening quote is next.
func (c *cursor) string() (t text, code string) {
	start := c.at + 1
	end, high := c.plain(start)
	if end >= len(c.data) || c.data[end] < 0x20 {
		c.at = min(end, len(c.data))
		return text{}, CodeSyntax
	}
	if c.data[end] == '"' {
		c.at = end + 1
		t = text{bytes: c.data[start:end], ascii: high == 0}
		if high != 0 && !utf8.Valid(t.bytes) {
			from := len(c.scratch)
			c.scratch = appendValid(c.scratch, t.bytes)
			t.bytes, t.invalid = c.scratch[from:], true
		}
		return t, ""
	}
	from := len(c.scratch)
	out := c.scratch
	add := func(part []byte, high uint64) {
		if high != 0 && !utf8.Valid(part) {
			t.invalid = true
			out = appendValid(out, part)
			return
		}
		out = append(out, part...)
	}
	seen := high
	add(c.data[start:end], high)
	for {
		if end >= len(c.data) || c.data[end] < 0x20 {
			c.at = min(end, len(c.data))
			return text{}, CodeSyntax
		}
		if c.data[end] == '"' {
			break
		}
		if end+1 >= len(c.data) { // a backslash at the end
			return text{}, CodeSyntax
		}
		escape := c.data[end+1]
		end += 2
		switch escape {
		case '"', '\\', '/':
			out = append(out, escape)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := c.hex(end)
			if !ok {
				return text{}, CodeSyntax
			}
			end += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if end+1 < len(c.data) && c.data[end] == '\\' && c.data[end+1] == 'u' {
					if low, ok := c.hex(end + 2); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if r = pair; r == utf8.RuneError {
					t.surrogate = true
				} else {
					end += 6
				}
			}
			if r >= utf8.RuneSelf {
				seen |= highs
			}
			out = utf8.AppendRune(out, r)
		default:
			return text{}, CodeSyntax
		}
		next, high := c.plain(end)
		add(c.data[end:next], high)
		seen |= high
		end = next
	}
	c.at = end + 1
	c.scratch = out
	t.bytes, t.ascii = out[from:], seen == 0
	return t, ""
}

func (c *cursor) hex(at int) (rune, bool) {
	if at+4 > len(c.data) {
		return 0, false
	}
	var r rune
	for _, b := range c.data[at : at+4] {
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
	return r, true
}

// appendValid appends part with U+FFFD for every byte that is not UTF-8, as encoding/json does.
func appendValid(out, part []byte) []byte {
	for len(part) > 0 {
		r, size := utf8.DecodeRune(part)
		out = utf8.AppendRune(out, r)
		part = part[size:]
	}
	return out
}

// number is a JSON number.
type number struct {
	float float64
	int   int64
	whole bool // without fraction and exponent, and within int64: int is exact
	large bool // without fraction and exponent, and beyond int64: float is rounded
	over  bool // beyond float64
}

// maxExactPower is the largest power of ten that a float64 holds exactly.
const maxExactPower = 22

var power10 = [maxExactPower + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number reads a number whose first byte is next.
func (c *cursor) number() (n number, code string) {
	data, i := c.data, c.at
	start := i
	negative := data[i] == '-'
	if negative {
		i++
	}
	if i >= len(data) {
		return n, CodeSyntax
	}
	var mantissa uint64
	first := i
	switch {
	case data[i] == '0':
		i++
	case '1' <= data[i] && data[i] <= '9':
		for i < len(data) && data[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(data[i]-'0')
			i++
		}
	default:
		return n, CodeSyntax
	}
	figures, power, fraction := i-first, 0, false
	if i < len(data) && data[i] == '.' {
		i++
		point := i
		for i < len(data) && data[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(data[i]-'0')
			i++
		}
		if i == point {
			return n, CodeSyntax
		}
		fraction, power = true, point-i
		figures += i - point
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		sign := 1
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			if data[i] == '-' {
				sign = -1
			}
			i++
		}
		begin, e := i, 0
		for i < len(data) && data[i]-'0' <= 9 {
			if e < 10000 {
				e = e*10 + int(data[i]-'0')
			}
			i++
		}
		if i == begin {
			return n, CodeSyntax
		}
		fraction = true
		power += sign * e
	}
	c.at = i
	if !fraction && figures <= 18 {
		n.whole, n.int = true, int64(mantissa)
		if negative {
			n.int = -n.int
		}
		if n.float = float64(n.int); negative && mantissa == 0 {
			n.float = math.Copysign(0, -1)
		}
		return n, ""
	}
	if figures <= 19 && mantissa < 1<<53 && -maxExactPower <= power && power <= maxExactPower {
		// Both factors are exact, so that there is one rounding (Clinger 1990).
		if n.float = float64(mantissa); power < 0 {
			n.float /= power10[-power]
		} else {
			n.float *= power10[power]
		}
		if negative {
			n.float = -n.float
		}
		return n, ""
	}
	written := view(data[start:i])
	if !fraction {
		var err error
		if n.int, err = strconv.ParseInt(written, 10, 64); err == nil {
			n.whole, n.float = true, float64(n.int)
			return n, ""
		}
		n.large = true
	}
	var err error
	if n.float, err = strconv.ParseFloat(written, 64); err != nil {
		n.over = true
	}
	return n, ""
}

// view shows bytes as a string for as long as they do not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// skip reads any value, and counts it.
func (c *cursor) skip() (code string) {
	if c.elements--; c.elements < 0 {
		return CodeTooMany
	}
	switch b := c.peek(); b {
	case '"':
		_, code = c.string()
		return code
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	case '[', '{':
		return c.skipInside(b)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		_, code = c.number()
		return code
	}
	return CodeSyntax
}

// skipInside reads an array or object whose opening bracket is next.
func (c *cursor) skipInside(open byte) (code string) {
	if c.depth--; c.depth < 0 {
		return CodeTooDeep
	}
	c.at++
	end := open + 2
	if c.peek() == end {
		c.at++
		c.depth++
		return ""
	}
	for {
		if open == '{' {
			if c.peek() != '"' {
				return CodeSyntax
			}
			if _, code = c.string(); code != "" {
				return code
			}
			if c.peek() != ':' {
				return CodeSyntax
			}
			c.at++
		}
		if code = c.skip(); code != "" {
			return code
		}
		switch c.peek() {
		case ',':
			c.at++
		case end:
			c.at++
			c.depth++
			return ""
		default:
			return CodeSyntax
		}
	}
}
