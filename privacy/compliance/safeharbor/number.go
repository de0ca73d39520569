package safeharbor

// groups are groups of digits with up to three separators between two.
type groups struct {
	n       int
	at, end [8]int
	plus    bool // in front of the first
	open    bool // a bracket, too
}

func (g *groups) len(k int) int {
	if k >= g.n {
		return 0
	}
	return g.end[k] - g.at[k]
}

// value is the number of a group of up to 9 digits; of more, it is that of the first 9.
func (g *groups) value(b []byte, k int) (n int) {
	if k >= g.n {
		return 0
	}
	for i := g.at[k]; i < min(g.end[k], g.at[k]+9); i++ {
		n = 10*n + int(b[i]-'0')
	}
	return n
}

// part is the number of some digits of the first group.
func (g *groups) part(b []byte, from, to int) (n int) {
	for _, c := range b[g.at[0]+from : g.at[0]+to] {
		n = 10*n + int(c-'0')
	}
	return n
}

// shape reports whether the first three groups may be the shape of a tensor, such as 256 512 1024: about one of a thousand telephone
// numbers looks like that, too.
func (g *groups) shape(b []byte) bool {
	n0, n1, n2 := g.value(b, 0), g.value(b, 1), g.value(b, 2)
	return n0%4 == 0 && n1%2 == 0 && (n1 < 100 || n1%4 == 0) && (n2%128 == 0 || n2%500 == 0)
}

// abroad reports whether the groups begin with "00" and the code of a country, and may go on with the rest of a telephone number.
func (g *groups) abroad(b []byte) bool {
	n := g.len(0)
	if g.n < 2 || n < 3 || n > 5 || g.at[0] > 0 && b[g.at[0]-1] == '-' || b[g.at[0]] != '0' || b[g.at[0]+1] != '0' || b[g.at[0]+2] == '0' || g.len(g.n-1) < 3 {
		return false
	}
	return b[g.at[1]] != '0' // 001 002 003
}

// core is the separator behind group k without spaces around it; ' ' if there are but spaces, 0 if there are several.
func (g *groups) core(s *Scanner, k int) byte {
	c := byte(' ')
	for _, x := range s.buf.b[g.end[k]:g.at[k+1]] {
		if x != ' ' {
			if c != ' ' {
				return 0
			}
			c = x
		}
	}
	return c
}

// split reads groups of digits from b[i], which is one.
func (s *Scanner) split(i int) (g groups) {
	g.open = s.is(i-1, "(")
	g.plus = s.is(i-1, "+") || g.open && s.is(i-2, "+")
	for g.n < len(g.at) {
		j := i
		for s.digitAt(j) && j-i < 24 {
			j++
		}
		g.at[g.n], g.end[g.n] = i, j
		g.n++
		i = s.skip(j, 3, " -./()")
		if i == j || !s.digitAt(i) {
			break
		}
	}
	return g
}

// leftJoined reports whether b[i] goes on with a number that begins before it.
func (s *Scanner) leftJoined(i int) bool { return s.is(i-1, "-./") && s.digitAt(i-2) }

// number looks for what starts with the digit b[i], and returns its end or -1. Embedded says that a letter stands in front, where only
// what has an unmistakable format counts.
func (s *Scanner) number(i int, embedded bool) int {
	g := s.split(i)
	if g.len(0) >= 24 {
		return -1
	}
	w, strong := s.adjacent(i)
	if w == wordZIP {
		if end := s.zip(&g, true); end > 0 {
			return end
		}
	}
	if end := s.dotted(&g, embedded); end > 0 {
		return end
	}
	if end := s.date(&g, embedded); end > 0 {
		return end
	}
	if w >= wordMRN && w <= wordDevice && !embedded {
		// Numbers with a checksum have their kind, whatever they are called.
		if end := s.checked(&g, embedded); end > 0 {
			return end
		}
		if end := s.called(i); end > 0 {
			return end
		}
	}
	if end := s.social(&g, w == wordSSN && strong, embedded); end > 0 {
		return end
	}
	if end := s.checked(&g, embedded); end > 0 {
		return end
	}
	if end := s.phone(&g, embedded); end > 0 {
		return end
	}
	if embedded {
		return -1
	}
	if end := s.zip(&g, false); end > 0 {
		return end
	}
	if end := s.age(i, g.end[0], g.value(s.buf.b, 0)); end > 0 {
		return end
	}
	return -1
}

// social is a social security number, or an individual taxpayer number, by its area and group.
func (s *Scanner) social(g *groups, called, embedded bool) int {
	b := s.buf.b
	near := called || s.after(wordSSN, g.at[0], 32)
	var area, group, serial, end int
	switch {
	case g.n >= 3 && g.len(0) == 3 && g.len(1) == 2 && g.len(2) == 4:
		c0, c1 := g.core(s, 0), g.core(s, 1)
		if c0 == 0 || c1 == 0 || c0 == '(' || c0 == ')' || c1 == '(' || c1 == ')' {
			return -1
		}
		if !near && (s.leftJoined(g.at[0]) || g.n > 3 && g.core(s, 2) == c0 || c0 == ' ' && s.is(g.at[0]-1, " ") && s.digitAt(g.at[0]-2)) {
			return -1 // part of a longer row of numbers
		}
		if !near && c0 == ' ' && c1 == ' ' && g.shape(b) {
			return -1
		}
		area, group, serial, end = g.value(b, 0), g.value(b, 1), g.value(b, 2), g.end[2]
	case near && g.len(0) == 9 && !embedded:
		area, group, serial, end = g.part(b, 0, 3), g.part(b, 3, 5), g.part(b, 5, 9), g.end[0]
	default:
		return -1
	}
	taxpayer := area >= 900 && (group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group <= 92 || group >= 94)
	if area == 0 || area == 666 || area >= 900 && !taxpayer || group == 0 || serial == 0 || s.digitAt(end) {
		return -1
	}
	s.found(SSN, g.at[0])
	return end
}

// phone is a telephone or a fax number.
func (s *Scanner) phone(g *groups, embedded bool) int {
	b := s.buf.b
	i := g.at[0]
	if s.leftJoined(i) {
		return -1
	}
	near := s.after(wordPhone, i, 24) || s.after(wordFax, i, 24)
	k := 0 // the first group of a number of North America
	if g.n > 1 && g.len(0) == 1 && b[i] == '1' {
		k = 1
	}
	end := -1
	bare := func(group int) bool { // without separators
		return (near || g.plus) && s.northAmerican(g.at[group], g.end[group])
	}
	switch {
	case g.n >= k+3 && g.len(k) == 3 && g.len(k+1) == 3 && g.len(k+2) == 4:
		if !s.exchange(g.at[k]) || !s.exchange(g.at[k+1]) || s.is(g.end[k+2], "-.") && s.digitAt(g.end[k+2]+1) && !near {
			break
		}
		if spaces := g.core(s, k) == ' ' && g.core(s, k+1) == ' '; spaces && !near && !g.plus && !g.open && k == 0 &&
			(g.n > 3 || s.is(i-1, " ") && s.digitAt(i-2)) {
			break // part of a longer row of numbers
		}
		if !near && !g.plus && !g.open && k == 0 && g.shape(b) {
			break
		}
		end = g.end[k+2]
	case g.n >= k+2 && g.len(k) == 3 && g.len(k+1) == 7 && (near || g.open || !embedded && s.alone(g, k)) && s.exchange(g.at[k]) && s.exchange(g.at[k+1]):
		end = g.end[k+1]
	case embedded:
	case g.len(0) == 10 && bare(0), g.len(0) == 11 && b[i] == '1' && (near || g.plus) && s.northAmerican(i+1, g.end[0]):
		end = g.end[0]
	case k == 1 && g.len(1) == 10 && bare(1):
		end = g.end[1]
	}
	if end < 0 && !embedded && (g.plus || near || g.abroad(b)) {
		end = s.international(g, near)
	}
	if end < 0 || s.digitAt(end) {
		return -1
	}
	if s.after(wordFax, i, 24) && !s.phoneSince(i) || s.follows(s.skip(end, 3, " ("), "fax") {
		s.found(Fax, i)
	} else {
		s.found(Phone, i)
	}
	return end
}

// alone reports whether groups k and k+1 have a dash between, and nothing around that makes them part of another code.
func (s *Scanner) alone(g *groups, k int) bool {
	end := g.end[k+1]
	return g.core(s, k) == '-' && !s.is(g.at[0]-1, "-_") && !s.alnumAt(end) && !(s.is(end, "-./") && s.alnumAt(end+1))
}

// phoneSince reports whether a word for a telephone came after the last one for a fax.
func (s *Scanner) phoneSince(int) bool {
	return s.state.near[wordPhone] != 0 && s.state.near[wordPhone] > s.state.near[wordFax]
}

// exchange reports whether three digits may be an area code or an exchange of North America.
func (s *Scanner) exchange(i int) bool { return s.buf.b[i] >= '2' }

func (s *Scanner) northAmerican(i, j int) bool {
	return j-i == 10 && s.exchange(i) && s.exchange(i+3)
}

// international is a number of 8 to 15 digits behind "+" or "00", or of 7 to 15 behind a word for a telephone.
func (s *Scanner) international(g *groups, near bool) int {
	digits, end := 0, -1
	for k := range g.n {
		if k > 0 && g.core(s, k-1) == 0 && !s.is(g.end[k-1], ")") && !s.is(g.end[k-1], " ") {
			break
		}
		if digits += g.len(k); digits > 15 {
			break
		}
		end = g.end[k]
	}
	total := 0
	for k := 0; k < g.n && g.end[k] <= end; k++ {
		total += g.len(k)
	}
	abroad := g.plus && s.buf.b[g.at[0]] != '0' || near && s.is(g.at[0], "0") && s.is(g.at[0]+1, "0")
	switch {
	case g.abroad(s.buf.b) && total >= 11 && total <= 15 && end == g.end[g.n-1] && !s.letterAt(end):
		return end
	case abroad && total >= 8 && total <= 15, near && total >= 7 && total <= 15:
		return end
	}
	return -1
}

// zip is a ZIP code, called so or behind the abbreviation of a state, or one of nine digits.
func (s *Scanner) zip(g *groups, called bool) int {
	b := s.buf.b
	i := g.at[0]
	if s.alnumAt(g.end[0]) && !(called && s.is(g.end[0], "xX")) || s.leftJoined(i) {
		return -1
	}
	four := g.n > 1 && g.len(1) == 4 && g.core(s, 0) == '-' && !s.digitAt(g.end[1]) && !s.letterAt(g.end[1])
	state := s.state.us != 0 && s.base+int64(i)-s.state.us <= 3 && inState(b, int(s.state.us-s.base), b[i])
	switch {
	case g.len(0) == 5 && four && !(s.is(g.end[1], "-./") && s.digitAt(g.end[1]+1)):
		s.found(ZIP, i)
		return g.end[1]
	case g.len(0) == 5 && (called || state), called && (g.len(0) == 4 || g.len(0) == 9): // a number has lost its leading zero
		s.found(ZIP, i)
		return g.end[0]
	case called && g.len(0) == 3 && s.restricted[string(b[i:g.end[0]])]:
		s.found(ZIP, i)
		return g.end[0]
	}
	return -1
}

// inState reports whether ZIP codes of the state whose abbreviation ends at b[end] start with a digit; it knows the states whose
// abbreviations are words.
func inState(b []byte, end int, first byte) bool {
	if end < 2 || end >= 4 && b[end-3] == ' ' && b[end-4] == ',' { // Dayton, OH
		return true
	}
	switch string(b[end-2 : end]) {
	case "OR", "HI":
		return first == '9'
	case "IN", "OH":
		return first == '4'
	case "OK":
		return first == '7'
	case "ME":
		return first == '0'
	}
	return true
}
