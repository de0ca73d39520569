package threat

import (
	"strings"
	"unicode/utf8"
)

// pathHides reports whether dots or separators hide in a text in an encoding other than percent.
func pathHides(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '2' || c == '5':
			if pathBare(s, i) != 0 {
				return true
			}
		case c >= 0xc0, c == '0':
			if _, n := pathUnit(s[i:]); n > 1 {
				return true
			}
		}
	}
	return false
}

// pathBare reads ..2f and ..5c, from which a filter took the percent sign; 0 if there is none at i.
func pathBare(s string, i int) byte {
	switch {
	case i < 2 || s[i-1] != '.' || s[i-2] != '.':
	case fold(s[i:], "2f"):
		return '/'
	case fold(s[i:], "5c"):
		return '\\'
	}
	return 0
}

// pathPlain writes dots and separators as what they are: those of full width, overlong in UTF-8, or in numbers of some language.
func pathPlain(s string) string {
	s = s[:min(len(s), maxDecode)]
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if c := pathBare(s, i); c != 0 {
			b.WriteByte(c)
			i += 2
			continue
		}
		c, n := pathUnit(s[i:])
		b.WriteByte(c)
		i += n
	}
	return b.String()
}

// pathUnit decodes what s begins with.
func pathUnit(s string) (c byte, n int) {
	switch {
	case s[0] == '0' && len(s) >= 4 && s[1]|0x20 == 'x' && hexes(s[2:4]): // 0x2e
		if c := byte(unhex(s[2])<<4 | unhex(s[3])); oneOf(c, `./\`) {
			return c, 4
		}
	case s[0] >= 0xc0:
		if c, n := overlong(s); n > 0 {
			return c, n
		}
		r, n := utf8.DecodeRuneInString(s)
		switch r {
		case '\u2215', '\u2044', '\uff0f', '\uefc8', '\uf025': // the last two, of private use, fit to it in old code pages
			return '/', n
		case '\u2216', '\uff3c':
			return '\\', n
		case '\u2024', '\ufe52', '\uff0e':
			return '.', n
		}
	}
	return s[0], 1
}

// overlong reads a character below 64 that UTF-8 forbids to be written in so many bytes, as careless decoders do: they mask the
// bytes that follow without looking at them.
func overlong(s string) (c byte, n int) {
	switch {
	case s[0] == 0xc0 || s[0] == 0xc1:
		n = 2
	case s[0] == 0xe0:
		n = 3
	case s[0] == 0xf0:
		n = 4
	case s[0] == 0xf8:
		n = 5
	case s[0] == 0xfc:
		n = 6
	}
	if n == 0 || len(s) < n {
		return 0, 0
	}
	if n == 2 { // the lead byte is lost on some decoders
		switch s[1] & 0x3f {
		case '.':
			return '.', n
		case '/':
			return '/', n
		case '\\' & 0x3f:
			return '\\', n
		}
		if len(s) >= 4 && s[1] == '%' { // IIS computed with digits that are none: %c0%9v
			switch strings.ToLower(s[2:4]) {
			case "9v", "qf":
				return '/', 4
			case "8s", "pc":
				return '\\', 4
			}
		}
		return 0, 0
	}
	v := 0
	for i := 1; i < n; i++ {
		v = v<<6 | int(s[i]&0x3f)
	}
	if v &= 0xffff; v > 0x7f || !oneOf(byte(v), `./\`) {
		return 0, 0
	}
	return byte(v), n
}
