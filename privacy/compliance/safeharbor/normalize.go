package safeharbor

import (
	"sort"
	"unicode"
	"unicode/utf8"
)

// shift says where the byte of a buffer comes from: buf[at+i] is at from+i in the input, up to the next shift.
type shift struct {
	at   int
	from int64
}

// buffer is text in the form that detectors read, and where it comes from.
type buffer struct {
	b      []byte
	shifts []shift
	in     int64 // bytes of input so far
}

// add appends text and returns the number of bytes taken: all but an unfinished character at the end, unless final is set.
func (t *buffer) add(text []byte, final bool) (taken int) {
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			j := i + 1
			for j < len(text) && text[j] < utf8.RuneSelf {
				j++
			}
			t.b = append(t.b, text[i:j]...)
			t.in += int64(j - i)
			i = j
			continue
		}
		if !final && !utf8.FullRune(text[i:]) {
			return i
		}
		r, n := utf8.DecodeRune(text[i:])
		as, other := plain(r)
		switch {
		case !other:
			t.b = append(t.b, text[i:i+n]...)
		case as != 0:
			t.b = append(t.b, as)
		}
		i += n
		t.in += int64(n)
		if other {
			if last := &t.shifts[len(t.shifts)-1]; last.at == len(t.b) {
				last.from = t.in
			} else {
				t.shifts = append(t.shifts, shift{len(t.b), t.in})
			}
		}
	}
	return len(text)
}

// from returns the place in the input of b[i].
func (t *buffer) from(i int) int64 {
	n := sort.Search(len(t.shifts), func(k int) bool { return t.shifts[k].at > i }) - 1
	return t.shifts[n].from + int64(i-t.shifts[n].at)
}

// drop forgets the first n bytes.
func (t *buffer) drop(n int) {
	from := t.from(n)
	k := sort.Search(len(t.shifts), func(k int) bool { return t.shifts[k].at > n })
	rest := append(t.shifts[:0], shift{0, from})
	for _, s := range t.shifts[k:] { // behind what was written: k is 1 or more
		rest = append(rest, shift{s.at - n, s.from})
	}
	t.shifts = rest
	t.b = append(t.b[:0], t.b[n:]...)
}

func (t *buffer) reset() {
	t.b, t.shifts, t.in = t.b[:0], append(t.shifts[:0], shift{}), 0
}

// plain returns the ASCII character that r looks like, 0 for one that has no width; other is false if there is none.
func plain(r rune) (as byte, other bool) {
	switch {
	case r == 0x00AD, r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x2064, r >= 0x2066 && r <= 0x2069, r == 0xFEFF,
		r >= 0xFE00 && r <= 0xFE0F, r == 0x034F, r == 0x180E:
		return 0, true
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0xFE58, r == 0xFE63, r == 0x2043:
		return '-', true
	case r == 0x00A0, r == 0x1680, r >= 0x2000 && r <= 0x200A, r == 0x202F, r == 0x205F, r == 0x3000, r == 0x2028, r == 0x2029, r == 0x0085:
		return ' ', true
	case r == 0x3002, r == 0x2024, r == 0xFF61:
		return '.', true
	case r == 0x2044, r == 0x2215:
		return '/', true
	case r == 0x2236:
		return ':', true
	case r >= 0xFF01 && r <= 0xFF5E: // full width
		return byte(r - 0xFEE0), true
	case unicode.IsDigit(r):
		return digit(r), true
	}
	return 0, false
}

// digit returns the ASCII digit of a decimal one. Those of a script stand in order from 0 to 9, and ranges hold whole sets of them.
func digit(r rune) byte {
	for _, x := range unicode.Nd.R16 {
		if uint32(r) >= uint32(x.Lo) && uint32(r) <= uint32(x.Hi) {
			return '0' + byte((uint32(r)-uint32(x.Lo))%10)
		}
	}
	for _, x := range unicode.Nd.R32 {
		if uint32(r) >= x.Lo && uint32(r) <= x.Hi {
			return '0' + byte((uint32(r)-x.Lo)%10)
		}
	}
	return '0'
}
