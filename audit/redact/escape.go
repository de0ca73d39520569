package redact

import "strings"

// inWord reports whether the byte in front of s[i] makes what begins there the rest of a word. The letters of an escape
// sequence do not, as in JSON that stands in a string, or in a URL: "\nghp_...", "\u0026sig=...", "%20Bearer".
func inWord(s string, i int) bool { return i > 0 && isAlnum(s[i-1]) && !escaped(s, i) }

// escaped reports whether an escape sequence ends in front of s[i].
func escaped(s string, i int) bool {
	if i >= 2 && s[i-2] == '\\' && strings.IndexByte("nrtbf", s[i-1]) >= 0 {
		return true
	}
	return i >= 3 && s[i-3] == '%' && isHex(s[i-1]) && isHex(s[i-2]) ||
		i >= 4 && s[i-4] == '\\' && s[i-3] == 'x' && isHex(s[i-1]) && isHex(s[i-2]) ||
		i >= 6 && s[i-6] == '\\' && s[i-5] == 'u' && isHex(s[i-1]) && isHex(s[i-2]) && isHex(s[i-3]) && isHex(s[i-4])
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
