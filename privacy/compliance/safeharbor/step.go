package safeharbor

// state is all that a scan knows beside the text around it. Places are in the text as it is read.
type state struct {
	at int64 // the next character

	last    word  // the last token, if it was a word of the vocabulary
	lastEnd int64 // its end
	strong  bool  // the last word, or what follows it, says that a number comes
	phrase  word  // what last has become together with the words before
	near    [words]int64
	us      int64 // end of the last token if it was the abbreviation of a state of the US, else 0
}

// next returns the place of the next character in a buffer that starts at base.
func (st *state) next(base int64) int { return int(st.at - base) }

// rebase makes the end of what was read place 0.
func (st *state) rebase(end int64) {
	st.at = 0
	st.lastEnd -= end
	st.us = 0
	for w := range st.near {
		if st.near[w] != 0 {
			st.near[w] -= end + 1 // 0 is never
		}
	}
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return c|0x20-'a' < 26 }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }

const maxToken = 64 // longer ones are data of another kind

// is reports whether b[i] is one of set; places outside the text are none.
func (s *Scanner) is(i int, set string) bool {
	if i < 0 || i >= len(s.buf.b) {
		return false
	}
	for k := range len(set) {
		if set[k] == s.buf.b[i] {
			return true
		}
	}
	return false
}

func (s *Scanner) digitAt(i int) bool  { return i >= 0 && i < len(s.buf.b) && isDigit(s.buf.b[i]) }
func (s *Scanner) letterAt(i int) bool { return i >= 0 && i < len(s.buf.b) && isLetter(s.buf.b[i]) }
func (s *Scanner) alnumAt(i int) bool  { return i >= 0 && i < len(s.buf.b) && isAlnum(s.buf.b[i]) }

// step looks at what starts at b[i] and returns the place to go on from. It reads b[i-behind : i+ahead] at most, and nothing of it
// depends on how the text was cut into chunks.
func (s *Scanner) step(i int) int {
	b := s.buf.b
	c := b[i]
	switch {
	case isAlnum(c):
		if s.alnumAt(i - 1) { // the rest of a long token, or of what was found
			for n := 0; n < maxToken && i < len(b) && isAlnum(b[i]); n++ {
				i++
			}
			return i
		}
		return s.token(i)
	case c == '@':
		s.email(i, i+1)
	case c == '%' && i+2 < len(b) && b[i+1] == '4' && b[i+2] == '0':
		s.email(i, i+3)
		return i + 3
	case (c == '(' || c == '[') && s.is(i+1, "aA ") && s.bracketed(i):
	case c == ':' && s.is(i+1, "/") && s.is(i+2, "/"):
		s.url(i, i+3)
	case c == ':' && s.is(i+1, "\\") && s.is(i+2, "/") && s.is(i+3, "\\") && s.is(i+4, "/"): // as some write JSON
		s.url(i, i+5)
	case c == ':' && s.is(i+1, ":") && !s.is(i-1, ":") && !s.alnumAt(i-1):
		if end := s.ipv6(i); end > 0 {
			return end
		}
	case (c == '(' || c == '+') && s.digitAt(i+1) && !s.alnumAt(i-1):
		if end := s.number(i+1, false); end > 0 {
			return end
		}
	case c == '+' && s.is(i+1, "(") && s.digitAt(i+2): // +(49) 30 ...
		if end := s.number(i+2, false); end > 0 {
			return end
		}
	}
	return i + 1
}

// token looks at a run of letters and digits.
func (s *Scanner) token(i int) int {
	b := s.buf.b
	letters, digits, first := 0, 0, -1 // first digit
	j := i
	for ; j < len(b) && j-i < maxToken && isAlnum(b[j]); j++ {
		if isDigit(b[j]) {
			if digits++; first < 0 {
				first = j
			}
		} else {
			letters++
		}
	}
	if j-i == maxToken && s.alnumAt(j) {
		s.state.forget()
		return j
	}
	if end := s.address(i, j); end > 0 { // MAC and IPv6
		s.state.forget()
		return end
	}
	if end := s.coded(i, j, letters, digits); end > 0 {
		s.state.forget()
		return end
	}
	if digits == 0 {
		return s.word(i, j)
	}
	end := -1
	if first > i && s.glued(i, first) { // MRN12345678
		end = s.number(first, false)
	}
	if end < 0 {
		if first == i {
			end = s.number(i, false)
		} else if end = s.called(i); end < 0 {
			end = s.number(first, true)
		}
	}
	s.state.forget()
	if end > 0 {
		return end
	}
	return j
}
