package redact

import "strings"

// pair finds the value of a key in a text: key=value, key: "value", 'key' => value, \"key\":\"value\". s[i] is ':' or '='.
func (r *Redactor) pair(s string, i, from int) (span, bool) {
	if i == from {
		return span{}, false
	}
	if isAlnum(s[i-1]) { // most often: a name, and none that ends in a key
		if what, _ := r.keys.ending(s[from:], i-from); what == 0 {
			return span{}, false
		}
	}
	j, v := i, i+1
	if s[i] == ':' {
		if i+1 < len(s) && (s[i+1] == ':' || s[i+1] == '=' || strings.HasPrefix(s[i+1:], "//")) || i > from && s[i-1] == ':' {
			return span{}, false
		}
	} else if i > from {
		switch s[i-1] {
		case ':':
			j--
		case '=', '!', '<', '>', '~':
			return span{}, false
		}
		if i+1 < len(s) && s[i+1] == '=' { // a comparison, unless the value begins with '='
			if v++; v < len(s) && isSpace(s[v]) {
				return span{}, false
			}
		}
	}
	if v < len(s) && s[v] == '>' {
		v++
	} else if rest := strings.TrimLeft(s[v:], `\`); len(rest) < len(s)-v && strings.HasPrefix(rest, "u003e") {
		v = len(s) - len(rest) + len("u003e") // the same, as encoding/json writes it
	}
	kind, begin, quoted, ok := r.keyBefore(s, j, from)
	if !ok {
		return span{}, false
	}
	for v < len(s) && (s[v] == ' ' || s[v] == '\t') {
		v++
	}
	if v < len(s) && s[i] == ':' && isHeader(kind) && !quoted {
		return valueSpan(s, v, headerEnd(s, v, begin), kind)
	}
	start, end := valueAt(s, v, quoted, s[i] == '=')
	return valueSpan(s, start, end, kind)
}

// keyBefore looks for a key whose last byte stands in front of s[j], with nothing but spaces, quotes and a bracket between.
func (r *Redactor) keyBefore(s string, j, from int) (kind Kind, begin int, quoted, ok bool) {
	for n := 0; j > from && n < 8; n++ {
		switch c := s[j-1]; c {
		case '"', '\'', '`':
			quoted = true
		case ' ', '\t', '\\', ']':
		default:
			n = 8
			continue
		}
		j--
	}
	if what, _ := r.keys.ending(s[from:], j-from); what == 0 {
		return "", 0, false, false
	}
	begin = j
	for begin > from && j-begin < maxKey && isNameByte(s[begin-1]) && !(isAlnum(s[begin-1]) && escaped(s, begin)) {
		begin--
	}
	// Keys of several words are written with spaces too: "API key: ...".
	first := begin
	for words := 0; words < 2 && first-1 > from && s[first-1] == ' ' && isAlnum(s[first-2]); words++ {
		for first--; first > from && j-first < maxKey && isNameByte(s[first-1]); {
			first--
		}
	}
	kind, ok = r.keys.match(s[first:j])
	return kind, begin, quoted, ok
}

func isNameByte(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' }

func isHeader(kind Kind) bool {
	switch kind {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return true
	}
	return false
}

// headerEnd returns where a header's value ends: with the line, or with the quote that was opened in front of its name.
func headerEnd(s string, v, begin int) int {
	quote := byte('\n')
	if begin > 0 && isQuote(s[begin-1]) {
		quote = s[begin-1]
	}
	for v < len(s) && s[v] != '\n' && s[v] != '\r' && s[v] != quote {
		v++
	}
	return v
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// valueAt returns the extent of the value at s[v:], without the quotes around it.
func valueAt(s string, v int, quotedKey, equals bool) (start, end int) {
	if v >= len(s) {
		return v, v
	}
	if v+1 < len(s) && isQuote(s[v+1]) && strings.IndexByte("bBfFrRuU", s[v]) >= 0 {
		v++ // a literal of Python
	}
	slashes := 0
	for v+slashes < len(s) && s[v+slashes] == '\\' {
		slashes++
	}
	if q := v + slashes; q < len(s) && isQuote(s[q]) {
		return q + 1, quoteEnd(s, q+1, s[q], slashes)
	}
	switch s[v] {
	case '[', '{', '(':
		if markLen(s[v:]) == 0 {
			return v, bracketEnd(s, v)
		}
	}
	end = wordEnd(s, v, quotedKey)
	switch first := s[v:end]; {
	case isScheme(first):
		end = nextWord(s, end, quotedKey)
	case equals:
		for end > v && s[end-1] == ';' && end < len(s) && s[end] == ' ' { // further cookies
			next := nextWord(s, end, quotedKey)
			if strings.IndexByte(s[end:next], '=') < 0 {
				break
			}
			end = next
		}
	}
	return v, end
}

// isScheme reports whether a word is followed by the credentials proper.
func isScheme(word string) bool {
	switch len(word) {
	case 5:
		return strings.EqualFold(word, "basic") || strings.EqualFold(word, "token")
	case 6:
		return strings.EqualFold(word, "bearer") || strings.EqualFold(word, "digest") || strings.EqualFold(word, "apikey")
	case 9:
		return strings.EqualFold(word, "negotiate")
	}
	return false
}

func nextWord(s string, i int, quotedKey bool) int {
	j := i
	for j < len(s) && s[j] == ' ' {
		j++
	}
	if j == i || j == len(s) {
		return i
	}
	return wordEnd(s, j, quotedKey)
}

// quoteEnd returns where the quote at s[i-1] is closed, or the end of s. A quote behind fewer backslashes than the opening
// one ends a string around it.
func quoteEnd(s string, i int, quote byte, slashes int) int {
	for j := i; j < len(s); j++ {
		if s[j] != quote {
			continue
		}
		n := 0
		for j-n > i && s[j-n-1] == '\\' {
			n++
		}
		if slashes == 0 && n%2 == 0 || slashes > 0 && n <= slashes {
			return j - min(n, slashes)
		}
	}
	return len(s)
}

// bracketEnd returns where the bracket at s[i] is closed, or the end of s.
func bracketEnd(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// wordEnd returns where an unquoted value ends: before white space, before the next parameter of a query, and before a
// quote that seems to close what the whole pair stands in. A comma or a bracket may be part of a secret.
func wordEnd(s string, start int, quotedKey bool) int {
	i := start
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case isSpace(c):
			return i
		case c == '&' && isParameter(s[i+1:]):
			return i
		case quotedKey && (c == ',' || c == '}' || c == ']'):
			return i
		case c == '"' && (i+1 == len(s) || isSpace(s[i+1]) || strings.IndexByte(",:;}])", s[i+1]) >= 0):
			for i > start && s[i-1] == '\\' {
				i--
			}
			return i
		}
	}
	return i
}

// isParameter reports whether s begins with a name and '='.
func isParameter(s string) bool {
	i := 0
	for i < len(s) && i < maxKey && isNameByte(s[i]) {
		i++
	}
	return i > 0 && i < len(s) && s[i] == '='
}

// valueSpan returns the span of a value unless that says nothing.
func valueSpan(s string, start, end int, kind Kind) (span, bool) {
	switch v := s[start:end]; v {
	case "", "null", "nil", "<nil>", "None", "none", "true", "false", "True", "False", "{}", "[]", "()", "map[]":
		return span{}, false
	default:
		if n := markLen(v); n > 0 && strings.Trim(v[n:], ",;.)]}\"'\\") == "" || strings.Trim(v, "*,;.)]}\"'\\") == "" {
			return span{}, false
		}
	}
	return span{start, end, kind}, true
}

// flag finds the value of a command-line flag: --token value, -password value. s[i] is the last dash.
func (r *Redactor) flag(s string, i, from int) (span, bool) {
	if i > from && !isSpace(s[i-1]) && s[i-1] != '-' && !escaped(s, i) {
		return span{}, false
	}
	j := i + 1
	for j < len(s) && j-i < maxKey && isNameByte(s[j]) {
		j++
	}
	if j+1 >= len(s) || s[j] != ' ' || isSpace(s[j+1]) || !isLetter(s[i+1]) {
		return span{}, false
	}
	if s[j+1] == '-' && (j+2 == len(s) || isLetter(s[j+2]) || s[j+2] == '-') {
		return span{}, false // the next flag
	}
	kind, ok := r.keys.match(s[i+1 : j])
	if !ok {
		return span{}, false
	}
	start, end := valueAt(s, j+1, false, false)
	return valueSpan(s, start, end, kind)
}
