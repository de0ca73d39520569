package safeharbor

import "net/netip"

// email looks for an address around the sign at b[i:domain].
func (s *Scanner) email(i, domain int) {
	b := s.buf.b
	from := i
	for from > 0 && i-from < 64 && localChar(b[from-1]) {
		from--
	}
	for from < i && s.is(from, ".'&=/?") { // punctuation in front, and what comes before an address in a URL
		from++
	}
	if from < i && s.domain(domain) > 0 {
		s.found(Email, from)
	}
}

func localChar(c byte) bool {
	switch c {
	case '.', '!', '#', '$', '&', '\'', '*', '+', '/', '=', '?', '^', '_', '`', '{', '|', '}', '~', '-':
		return true
	}
	return isAlnum(c) || c >= 0x80
}

// domain returns the end of the name of a host at b[i] that has two labels or more and ends in letters, or -1.
func (s *Scanner) domain(i int) int {
	b := s.buf.b
	label, dots, alpha, end := i, 0, true, -1
	for j := i; j <= len(b) && j-i <= 253; j++ {
		switch {
		case j < len(b) && (isAlnum(b[j]) || b[j] == '-' || b[j] >= 0x80):
			alpha = alpha && (!isDigit(b[j]) || j-label > 3 && s.follows(label, "xn--"))
			continue
		case j == label || b[label] == '-' || b[j-1] == '-':
			return end
		}
		if dots > 0 && alpha && j-label >= 2 {
			end = j
		}
		next := j + 1
		if s.is(j, "[(") { // name[dot]com
			if next = s.bracketedDot(j); next < 0 {
				return end
			}
		} else if !s.is(j, ".") {
			return end
		}
		dots++
		label, alpha = next, true
		j = next - 1
	}
	return end
}

// bracketed looks for an address with "(at)" or "[at]", whose bracket is b[i], and reports whether there is one.
func (s *Scanner) bracketed(i int) bool {
	b := s.buf.b
	j := s.skip(i+1, 1, " ")
	if !s.is(j, "aA") || !s.is(j+1, "tT") {
		return false
	}
	if j = s.skip(j+2, 1, " "); !s.is(j, ")]") {
		return false
	}
	from := i
	for from > 0 && s.is(from-1, " ") && i-from < 2 {
		from--
	}
	to := from
	for from > 0 && to-from < 64 && localChar(b[from-1]) {
		from--
	}
	if from == to || s.domain(s.skip(j+1, 1, " ")) < 0 {
		return false
	}
	s.found(Email, from)
	return true
}

// bracketedDot returns the end of "[dot]" or "(.)" at b[i], or -1.
func (s *Scanner) bracketedDot(i int) int {
	j := i + 1
	switch {
	case s.is(j, "dD") && s.is(j+1, "oO") && s.is(j+2, "tT"):
		j += 3
	case s.is(j, "."):
		j++
	default:
		return -1
	}
	if s.is(j, "])") {
		return j + 1
	}
	return -1
}

// url looks for a URL whose scheme ends at the colon b[i], and whose host starts at b[host].
func (s *Scanner) url(i, host int) {
	b := s.buf.b
	from := i
	for from > 0 && i-from < 16 && (isAlnum(b[from-1]) || s.is(from-1, "+.-")) {
		from--
	}
	for from < i && !isLetter(b[from]) {
		from++
	}
	if s.is(host, "/") && i-from == 4 && s.follows(from, "file") { // without a host
		host++
	}
	if i-from >= 2 && (s.alnumAt(host) || s.is(host, "[") || host < len(b) && b[host] >= 0x80) {
		s.found(URL, from)
	}
}

// dotted is an IPv4 address.
func (s *Scanner) dotted(g *groups, embedded bool) int {
	if embedded || g.n < 4 || s.leftJoined(g.at[0]) {
		return -1
	}
	b := s.buf.b
	zero := true
	padded := g.len(0) == 3 && g.len(1) == 3 && g.len(2) == 3 && g.len(3) == 3
	for k := range 4 {
		if n := g.len(k); n > 3 || g.value(b, k) > 255 || n > 1 && b[g.at[k]] == '0' && !padded {
			return -1
		}
		if k < 3 && (g.at[k+1]-g.end[k] != 1 || b[g.end[k]] != '.') {
			return -1
		}
		zero = zero && g.value(b, k) == 0
	}
	end := g.end[3]
	if s.letterAt(end) || s.is(end, ".-") && s.alnumAt(end+1) && !(s.is(end, "-") && s.quad(end+1)) || s.version(g.at[0]) {
		return -1 // a longer version or name
	}
	if !zero && g.value(b, 0) != 127 && g.value(b, 0) != 255 {
		s.found(IP, g.at[0])
	}
	return end
}

// quad reports whether four numbers with dots between start at b[i], where a range of addresses ends.
func (s *Scanner) quad(i int) bool {
	for k := range 4 {
		if k > 0 {
			if !s.is(i, ".") {
				return false
			}
			i++
		}
		n, end := s.digitsAt(i, 3)
		if end < 0 || n > 255 {
			return false
		}
		i = end
	}
	return true
}

// version reports whether b[i] is behind a word that says that a version follows.
func (s *Scanner) version(i int) bool {
	end := i
	for n := 0; n < 2 && s.is(end-1, " .:="); n++ {
		end--
	}
	from := end
	for s.letterAt(from-1) && end-from < maxWord {
		from--
	}
	var buf [maxWord]byte
	switch string(s.lower(from, end, &buf)) {
	case "version", "versions", "ver", "v", "release", "build", "rev", "revision", "firmware":
		return true
	}
	return false
}

// address looks for a MAC or an IPv6 address that starts with the token b[i:j], and returns its end or -1.
func (s *Scanner) address(i, j int) int {
	if j-i > 4 || j >= len(s.buf.b) {
		return -1
	}
	switch s.buf.b[j] {
	case ':', '-', '.':
		if end := s.mac(i, j); end > 0 {
			s.found(Device, i)
			return end
		}
	}
	if s.buf.b[j] == ':' && !s.is(i-1, ":") {
		return s.ipv6(i)
	}
	return -1
}

func isHex(c byte) bool { return isDigit(c) || c|0x20-'a' < 6 }

// mac returns the end of six pairs of hexadecimal digits, or three fours with dots, or -1.
func (s *Scanner) mac(i, j int) int {
	b := s.buf.b
	size, groups := j-i, 6
	if size == 4 && b[j] == '.' {
		groups = 3
	} else if size != 2 || b[j] == '.' {
		return -1
	}
	sep, end := b[j], i
	some := false
	for k := range groups {
		if k > 0 {
			if !s.is(end, string(sep)) {
				return -1
			}
			end++
		}
		for range size {
			if end >= len(b) || !isHex(b[end]) {
				return -1
			}
			some = some || b[end] != '0'
			end++
		}
	}
	if !some || s.alnumAt(end) || s.is(end, string(sep)) && s.alnumAt(end+1) || s.is(i-1, ":") {
		return -1
	}
	return end
}

// ipv6 returns the end of an IPv6 address at b[i], or -1. It notes those that are not loopback or unspecified.
func (s *Scanner) ipv6(i int) int {
	b := s.buf.b
	j, colons, digits := i, 0, 0
	for ; j < len(b) && j-i < 46 && (isHex(b[j]) || b[j] == ':' || b[j] == '.'); j++ {
		if b[j] == ':' {
			colons++
		} else if isDigit(b[j]) {
			digits++
		}
	}
	if s.alnumAt(j) || j-i < 4 || colons < 2 || digits == 0 && colons < 4 {
		return -1
	}
	for j > i && (b[j-1] == '.' || b[j-1] == ':' && !s.is(j-2, ":")) {
		j--
	}
	a, err := netip.ParseAddr(string(b[i:j]))
	if err != nil || !a.Is6() {
		return -1
	}
	if !a.IsLoopback() && !a.IsUnspecified() {
		s.found(IP, i)
	}
	return j
}
