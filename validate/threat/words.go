package threat

import "strings"

// Helpers that all flags share. They look at ASCII only and never allocate.

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// blank: a space or a control character, all of which separate something somewhere.
func blank(c byte) bool { return c <= ' ' }

// fold reports whether s begins with the lower-case prefix, whatever the case.
func fold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// containsFold reports whether the lower-case word is in s, whatever the case.
func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if lower(s[i]) == word[0] && fold(s[i:], word) {
			return true
		}
	}
	return false
}

// anyFold reports whether s begins with one of the lower-case prefixes, whatever the case.
func anyFold(s string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if fold(s, prefix) {
			return true
		}
	}
	return false
}

// folded writes s in lower case to buf; nil if it does not fit, which no word of a table does.
func folded(buf []byte, s string) []byte {
	if len(s) > len(buf) {
		return nil
	}
	for i := range len(s) {
		buf[i] = lower(s[i])
	}
	return buf[:len(s)]
}

// fewWords reports whether s has at most n words.
func fewWords(s string, n int) bool {
	in := false
	for i := range len(s) {
		switch {
		case blank(s[i]):
			in = false
		case !in:
			if n--; n < 0 {
				return false
			}
			in = true
		}
	}
	return true
}

// first returns the first byte of s, 0 if there is none.
func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// oneOf reports whether c is in set; 0, the byte of no text, never is.
func oneOf(c byte, set string) bool { return c != 0 && strings.IndexByte(set, c) >= 0 }
