package dataset

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// cell is one value of a row that is being read.
type cell struct {
	name       text
	column     *column
	kind       kind // kinds for null
	start, end int  // of the value in the row
	text       text
	number     number
	first      int // of a list: where its numbers are in cursor.list,
	numbers    int // how many they are,
	length     int // how many elements it has,
	large      int // and how many are whole and beyond int64
}

// object reads the object of a row into cells.
func (c *cursor) object() (code string) {
	c.cells, c.list, c.scratch = c.cells[:0], c.list[:0], c.scratch[:0]
	if c.depth--; c.depth < 0 {
		return CodeTooDeep
	}
	c.at++
	if c.peek() == '}' {
		c.at++
		return ""
	}
	for {
		if c.peek() != '"' {
			return CodeSyntax
		}
		name, code := c.string()
		if code != "" {
			return code
		}
		if c.peek() != ':' {
			return CodeSyntax
		}
		c.at++
		if code = c.value(name); code != "" {
			return code
		}
		switch c.peek() {
		case ',':
			c.at++
		case '}':
			c.at++
			return ""
		default:
			return CodeSyntax
		}
	}
}

// value reads the value of a name into a cell.
func (c *cursor) value(name text) (code string) {
	if c.elements--; c.elements < 0 {
		return CodeTooMany
	}
	b := c.peek()
	if n := len(c.cells); n < cap(c.cells) {
		c.cells = c.cells[:n+1] // what a cell of another row left in it is not read
	} else {
		c.cells = append(c.cells, cell{})
	}
	cell := &c.cells[len(c.cells)-1]
	cell.name, cell.kind, cell.start = name, kinds, c.at
	switch {
	case b == '"':
		cell.kind = kindString
		cell.text, code = c.string()
	case b == '-' || '0' <= b && b <= '9':
		cell.kind = kindFloat
		cell.number, code = c.number()
	case b == '[':
		cell.kind = kindList
		code = c.numbers(cell)
	case b == '{':
		cell.kind = kindObject
		code = c.skipInside('{')
	case b == 'n':
		code = c.word("null")
	case b == 't':
		cell.kind = kindBool
		code = c.word("true")
	case b == 'f':
		cell.kind = kindBool
		code = c.word("false")
	default:
		return CodeSyntax
	}
	cell.end = c.at
	return code
}

// numbers reads a list, and keeps its numbers. One beyond float64 is an infinity.
func (c *cursor) numbers(cell *cell) (code string) {
	cell.first, cell.numbers, cell.length, cell.large = len(c.list), 0, 0, 0
	if c.depth--; c.depth < 0 {
		return CodeTooDeep
	}
	c.at++
	if c.peek() == ']' {
		c.at++
		c.depth++
		return ""
	}
	for {
		b := c.peek()
		if b-'-' <= '9'-'-' && b != '.' && b != '/' { // a minus or a digit, by guesses that are right for both
			if c.elements--; c.elements < 0 {
				return CodeTooMany
			}
			if x, end := decimal(c.data, c.at); end > 0 {
				c.list = append(c.list, x)
				c.at = end
			} else {
				n, code := c.number()
				if code != "" {
					return code
				}
				c.list = append(c.list, n.float)
				if n.large {
					cell.large++
				}
			}
		} else if code = c.skip(); code != "" {
			return code
		}
		cell.length++
		switch c.peek() {
		case ',':
			c.at++
		case ']':
			c.at++
			c.depth++
			cell.numbers = len(c.list) - cell.first
			return ""
		default:
			return CodeSyntax
		}
	}
}

// decimal reads the numbers that most are: up to 15 digits with a point among them and no exponent, all in one pass. For
// others it returns an end of 0. It is number in short, and agrees with it.
func decimal(data []byte, i int) (x float64, end int) {
	// 1 for a minus, without a branch: which sign comes next is hard to guess for a processor.
	minus := (uint(data[i]^'-') - 1) >> (bits.UintSize - 1)
	i += int(minus)
	first := i
	var mantissa uint64
	for i < len(data) && data[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(data[i]-'0')
		i++
	}
	whole := i - first
	if whole == 0 || whole > 1 && data[first] == '0' || i >= len(data) || data[i] != '.' {
		return 0, 0
	}
	i++
	point := i
	if v, n := digits8(data, i); n > 0 {
		mantissa = mantissa*uint64(power10[n]) + v
		i += n
	}
	for i < len(data) && data[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(data[i]-'0')
		i++
	}
	fraction := i - point
	if fraction == 0 || whole+fraction > 15 || i >= len(data) || data[i]|0x20 == 'e' {
		return 0, 0
	}
	x = float64(mantissa) / power10[fraction]
	return math.Float64frombits(math.Float64bits(x) | uint64(minus)<<63), i
}

// digits8 reads up to eight digits at once, where eight bytes are left.
func digits8(data []byte, i int) (v uint64, n int) {
	if i+8 > len(data) {
		return 0, 0
	}
	d := binary.LittleEndian.Uint64(data[i:]) ^ ones*'0' // digits become 0 to 9, and all else more
	n = bits.TrailingZeros64((d+ones*(0x80-10)|d)&highs) / 8
	if n == 0 {
		return 0, 0
	}
	d <<= 64 - 8*n // zeros before the first digit
	d = d*10 + d>>8
	const twos = 0x000000ff000000ff
	return (d&twos*(100+1000000<<32) + d>>16&twos*(1+10000<<32)) >> 32, n
}

// numberAt returns the text of the k-th number of a list that was read before, for a message.
func numberAt(list []byte, k int) []byte {
	c := cursor{data: list, at: 1, depth: 10000, elements: len(list)}
	for {
		b := c.peek()
		start := c.at
		if c.skip() != "" {
			return list
		}
		if b == '-' || '0' <= b && b <= '9' {
			if k == 0 {
				return list[start:c.at]
			}
			k--
		}
		c.peek()
		c.at++
	}
}
