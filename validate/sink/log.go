package sink

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Log returns the text as one line that shows all that is in it: a line break as \n, an escape of a terminal as \x1b, what turns the
// direction of the text or shows as nothing as \u202e, invalid UTF-8 as \xff, a backslash doubled, so that nothing can be made up. If limit
// is above 0 and the result is longer, it ends in "..." within limit bytes (at least 8). A text with none of this is returned as it is.
func Log(text string, limit int) string {
	if limit <= 0 {
		limit = math.MaxInt
	}
	limit = max(limit, 8)
	i := shown(text)
	if i == len(text) && i <= limit {
		return text
	}
	keep := runeStart(text[:i], limit-3) // what is left if the rest does not fit: no half of an escape
	if i >= limit || i == len(text) {
		return text[:keep] + "..."
	}
	out := append(make([]byte, 0, min(len(text), limit)+16), text[:i]...)
	for i < len(text) && len(out) <= limit {
		if len(out) <= limit-3 {
			keep = len(out)
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, text[i])
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r == '\\':
			out = append(out, `\\`...)
		case r < ' ' || r == 0x7f:
			out = fmt.Appendf(out, `\x%02x`, r)
		case hidden(r) && r > 0xffff:
			out = fmt.Appendf(out, `\U%08x`, r)
		case hidden(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[i:i+n]...)
		}
		i += n
	}
	if len(out) > limit {
		return string(out[:keep]) + "..."
	}
	return string(out)
}

// shown is where the first character stands that must be escaped, or the length.
func shown(text string) int {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f || c == '\\' {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if n == 1 || hidden(r) {
			return i
		}
		i += n
	}
	return len(text)
}

// runeStart is where the character begins that holds byte n, or the length of a shorter text.
func runeStart(text string, n int) int {
	if n >= len(text) {
		return len(text)
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}
