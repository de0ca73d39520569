package redact

import "slices"

// span is a part of a text to be replaced.
type span struct {
	start, end int
	kind       Kind
}

// What may begin at a pair of bytes. The pre-filter is a table from pairs to these; every detector checks the bytes itself
// again, so that the table can only be too wide, never wrong.
const (
	atSign    = 1 << iota // an address
	separator             // of a key and its value, or in front of a URL's user
	dash                  // of a flag
	digits                // a number begins with the second byte
	literals              // one of the prefixes
	values                // one of the known secrets
)

// table returns, for every pair of bytes, what may begin there.
func (r *Redactor) table() *[1 << 16]uint8 {
	var t [1 << 16]uint8
	for c := range 256 {
		t['@'<<8|c] |= atSign
		t[':'<<8|c] |= separator
		t['='<<8|c] |= separator
		if isLetter(byte(c)) || c == '-' {
			t['-'<<8|c] |= dash
		}
		for d := '0'; d <= '9' && !isDigit(byte(c)); d++ {
			t[c<<8|int(d)] |= digits
		}
	}
	for c, list := range r.literals {
		for _, l := range list {
			t[c<<8|int(l.second)] |= literals
		}
	}
	for pair := range r.values {
		t[pair] |= values
	}
	return &t
}

// find returns the next span at or after from. Nothing in front of from belongs to it.
func (r *Redactor) find(s string, from int) (span, bool) {
	if sp, ok := r.atStart(s, from); ok {
		return sp, true
	}
	if from >= len(s) {
		return span{}, false
	}
	t, pair := r.pairs, uint16(s[from])
	for i := from; i+1 < len(s); i++ {
		pair = pair<<8 | uint16(s[i+1])
		what := t[pair]
		if what == 0 || what == digits && s[i] != '+' && (i+2 >= len(s) || !isDigit(s[i+2])) {
			continue // most of a text; and a digit alone begins nothing but a telephone number
		}
		if sp, ok := r.at(s, i, from, what); ok {
			return sp, true
		}
	}
	return span{}, false
}

// atStart looks for a number that no other byte stands in front of.
func (r *Redactor) atStart(s string, from int) (span, bool) {
	if from < len(s) && isDigit(s[from]) && (from == 0 || !isDigit(s[from-1])) {
		return r.number(s, from, from)
	}
	return span{}, false
}

// at asks the detectors that the pair at s[i] may be for. Nothing in front of from is theirs.
func (r *Redactor) at(s string, i, from int, what uint8) (sp span, ok bool) {
	if what&separator != 0 && (s[i] == ':' || s[i] == '=') {
		if sp, ok = r.pair(s, i, from); ok {
			return sp, true
		}
		if s[i+1] == '/' {
			if sp, ok = r.userinfo(s, i); ok {
				return sp, true
			}
		}
	}
	if what&digits != 0 && isDigit(s[i+1]) && !isDigit(s[i]) {
		if sp, ok = r.number(s, i+1, from); ok {
			return sp, true
		}
	}
	if what&atSign != 0 && s[i] == '@' {
		if sp, ok = r.address(s, i, i+1, from); ok {
			return sp, true
		}
	}
	if what&dash != 0 && s[i] == '-' {
		if sp, ok = r.flag(s, i, from); ok {
			return sp, true
		}
	}
	if what&literals != 0 {
		for k := range r.literals[s[i]] {
			if l := &r.literals[s[i]][k]; l.second == s[i+1] {
				if sp, ok = l.find(r, s, i, from); ok {
					return sp, true
				}
			}
		}
	}
	if what&values != 0 {
		pair := uint16(s[i])<<8 | uint16(s[i+1])
		for _, v := range r.values[pair] {
			if len(s)-i >= len(v) && s[i:i+len(v)] == v {
				return span{i, i + len(v), KnownSecret}, true
			}
		}
	}
	return span{}, false
}

// on reports whether a kind is looked for.
func (r *Redactor) on(kind Kind) bool { return len(r.skip) == 0 || !slices.Contains(r.skip, kind) }
