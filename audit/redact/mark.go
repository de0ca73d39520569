package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	markOpen   = "[redacted:"
	secretMark = markOpen + "secret]"
	allMark    = markOpen + "all]" // of a Redactor that was not made by New

	digestBytes = 6
)

// mark returns what stands in the place of value.
func (r *Redactor) mark(kind Kind, value string) string {
	if r.digestKey == nil {
		return markOpen + string(kind) + "]"
	}
	h := hmac.New(sha256.New, r.digestKey)
	h.Write([]byte(value))
	var sum [sha256.Size]byte
	return markOpen + string(kind) + "#" + hex.EncodeToString(h.Sum(sum[:0])[:digestBytes]) + "]"
}

// isMark reports whether s is a mark and nothing else.
func isMark(s string) bool { return markLen(s) == len(s) && s != "" }

// markLen returns the length of the mark that s begins with, or 0.
func markLen(s string) int {
	if !strings.HasPrefix(s, markOpen) {
		return 0
	}
	for i := len(markOpen); i < len(s); i++ {
		switch c := s[i]; {
		case c == ']' && i > len(markOpen):
			return i + 1
		case !isKindByte(c) && c != '#':
			return 0
		}
	}
	return 0
}

func isKindByte(c byte) bool { return c >= 'a' && c <= 'z' || isDigit(c) || c == '-' }

func validKind(kind string) bool {
	for i := range len(kind) {
		if !isKindByte(kind[i]) {
			return false
		}
	}
	return kind != "" && len(kind) <= 64
}
