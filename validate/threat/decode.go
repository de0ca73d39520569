package threat

import "strings"

// percent removes one layer of percent encoding (%41, %u0041) and reports whether there was any. Plus signs become spaces only
// where something else was encoded: "C++" has no spaces.
func percent(s string) (string, bool) {
	i := strings.IndexByte(s, '%')
	for i >= 0 && i < len(s) && !encoded(s[i:]) {
		j := strings.IndexByte(s[i+1:], '%')
		if j < 0 {
			return s, false
		}
		i += 1 + j
	}
	if i < 0 {
		return s, false
	}
	if len(s) > maxDecode {
		s = s[:maxDecode]
		if i >= len(s) {
			return s, false
		}
	}
	var b strings.Builder
	b.Grow(len(s))
	for k := 0; k < len(s); k++ {
		switch c := s[k]; {
		case c == '+':
			b.WriteByte(' ')
		case c == '%' && len(s)-k >= 6 && s[k+1]|0x20 == 'u' && hexes(s[k+2:k+6]):
			b.WriteRune(rune(unhex(s[k+2])<<12 | unhex(s[k+3])<<8 | unhex(s[k+4])<<4 | unhex(s[k+5])))
			k += 5
		case c == '%' && len(s)-k >= 3 && hexes(s[k+1:k+3]):
			b.WriteByte(byte(unhex(s[k+1])<<4 | unhex(s[k+2])))
			k += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

func encoded(s string) bool {
	return len(s) >= 3 && s[0] == '%' && (hexes(s[1:3]) || len(s) >= 6 && s[1]|0x20 == 'u' && hexes(s[2:6]))
}

func hexes(s string) bool {
	for i := range len(s) {
		if unhex(s[i]) < 0 {
			return false
		}
	}
	return true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// layers calls judge with the text and with what is left without one and two layers of percent encoding, until a verdict.
func layers(s string, judge func(string) Class) Class {
	for range 3 {
		if c := judge(s); c != None {
			return c
		}
		var more bool
		if s, more = percent(s); !more {
			break
		}
	}
	return None
}
