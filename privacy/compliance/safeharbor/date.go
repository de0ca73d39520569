package safeharbor

// month returns the number of a month from its English name or abbreviation in lower case, else 0.
func month(low []byte) int {
	switch string(low) {
	case "jan", "january":
		return 1
	case "feb", "february":
		return 2
	case "mar", "march":
		return 3
	case "apr", "april":
		return 4
	case "may":
		return 5
	case "jun", "june":
		return 6
	case "jul", "july":
		return 7
	case "aug", "august":
		return 8
	case "sep", "sept", "september":
		return 9
	case "oct", "october":
		return 10
	case "nov", "november":
		return 11
	case "dec", "december":
		return 12
	}
	return 0
}

func isYear(n int) bool { return n >= 1800 && n <= 2199 }

func isDay(month, day int) bool {
	switch month {
	case 1, 3, 5, 7, 8, 10, 12:
		return day >= 1 && day <= 31
	case 4, 6, 9, 11:
		return day >= 1 && day <= 30
	case 2:
		return day >= 1 && day <= 29
	}
	return false
}

// digitsAt returns the number at b[i:], up to most digits, and its end; end is -1 if there is none or a longer one.
func (s *Scanner) digitsAt(i, most int) (n, end int) {
	j := i
	for s.digitAt(j) && j-i <= most {
		n = 10*n + int(s.buf.b[j]-'0')
		j++
	}
	if j == i || j-i > most {
		return 0, -1
	}
	return n, j
}

// ordinal skips "st", "nd", "rd" or "th".
func (s *Scanner) ordinal(i int) int {
	if i+1 < len(s.buf.b) && !s.letterAt(i+2) {
		switch string([]byte{s.buf.b[i] | 0x20, s.buf.b[i+1] | 0x20}) {
		case "st", "nd", "rd", "th":
			return i + 2
		}
	}
	return i
}

// skip skips up to most characters of set.
func (s *Scanner) skip(i, most int, set string) int {
	for n := 0; n < most && s.is(i, set); n++ {
		i++
	}
	return i
}

// monthFirst looks for a date that starts with the name of a month at b[i:j], and returns its end or -1. A name in lower case, which may
// be a verb, needs a day and a year.
func (s *Scanner) monthFirst(i, j int) int {
	capital := s.buf.b[i] < 'a'
	at := s.skip(s.skip(j, 1, "."), 3, " -,/'\n")
	if at == j {
		return -1
	}
	n, end := s.digitsAt(at, 4)
	if end < 0 || s.is(end, ".:%") && s.digitAt(end+1) {
		return -1
	}
	switch {
	case end-at == 4 && isYear(n) && capital:
	case end-at <= 2 && n >= 1 && n <= 31:
		end = s.ordinal(end)
		after := s.skip(end, 3, " ,-/")
		if y, yend := s.digitsAt(after, 4); yend == after+4 && isYear(y) && after > end {
			end = yend
		} else if !capital {
			return -1
		}
	case end-at == 2 && s.is(at-1, "'"):
	default:
		return -1
	}
	if s.alnumAt(end) {
		return -1
	}
	s.found(Date, i)
	return end
}

// dayFirst looks for a date whose day is the number at b[i:j], followed by the name of a month, and returns its end or -1.
func (s *Scanner) dayFirst(i, j, day int) int {
	if day < 1 || day > 31 {
		return -1
	}
	at := s.skip(s.ordinal(j), 3, " -/.,")
	if s.is(at, "oO") && s.is(at+1, "fF") && s.is(at+2, " ") {
		at += 3
	}
	end := at
	for s.letterAt(end) && end-at < 10 {
		end++
	}
	var buf [maxWord]byte
	m := month(s.lower(at, end, &buf))
	if m == 0 || !isDay(m, day) {
		return -1
	}
	year := s.skip(end, 3, " -/.,")
	if y, yend := s.digitsAt(year, 4); yend > 0 && (yend-year == 4 && isYear(y) || yend-year == 2 && s.is(year-1, "-/")) {
		end = yend
	} else if s.buf.b[at] >= 'a' || m == 5 && s.buf.b[at+1] >= 'a' && end-at == 3 && at == j { // in lower case it may be a verb
		return -1
	}
	s.found(Date, i)
	return end
}

// date looks for a date in groups of digits, and returns its end or -1.
func (s *Scanner) date(g *groups, embedded bool) int {
	b := s.buf.b
	i := g.at[0]
	near := s.after(wordDate, i, 32)
	if g.n == 0 {
		return -1
	}
	n0, n1, n2 := g.value(b, 0), g.value(b, 1), g.value(b, 2)
	l0, l1, l2 := g.len(0), g.len(1), g.len(2)
	if g.n >= 3 {
		core := g.core(s, 0)
		same := core == g.core(s, 1) && (core == '-' || core == '/' || core == '.')
		span := core == '/' && s.is(g.end[2], "-") || core == '-' && s.is(g.end[2], "/") // 3/5/2021-3/9/2021
		joined := !span && s.is(g.end[2], "-/.") && s.digitAt(g.end[2]+1) || s.leftJoined(i)
		switch {
		case !same || joined:
		case l0 == 4 && l1 <= 2 && l2 <= 2 && isYear(n0) && isDay(n1, n2):
			s.found(Date, i)
			return g.end[2]
		case l0 <= 2 && l1 <= 2 && l2 == 4 && isYear(n2) && (isDay(n0, n1) || isDay(n1, n0)):
			s.found(Date, i)
			return g.end[2]
		case l0 <= 2 && l1 <= 2 && l2 == 2 && (isDay(n0, n1) || isDay(n1, n0)) && (core == '/' || near):
			s.found(Date, i)
			return g.end[2]
		}
	}
	if embedded {
		return -1
	}
	if g.n >= 2 && !s.leftJoined(i) {
		core := g.core(s, 0)
		joined := s.is(g.end[1], "-/.") && s.digitAt(g.end[1]+1)
		switch {
		case joined || core != '-' && core != '/' && core != '.':
		case l0 <= 2 && l1 == 4 && core == '/' && n0 >= 1 && n0 <= 12 && isYear(n1): // 03/2021
			s.found(Date, i)
			return g.end[1]
		case core == '-' && l0 == 4 && l1 == 2 && n0 >= 1900 && n0 < 2100 && n1 >= 1 && n1 <= 12 && n1 != (n0+1)%100 && // not 2004-05
			!s.alnumAt(g.end[1]) && !s.is(g.end[1], "-_") && !s.is(i-1, "-_"),
			near && l0 == 4 && l1 <= 2 && isYear(n0) && n1 >= 1 && n1 <= 12, // date: 2021-03
			near && core != '.' && l0 <= 2 && l1 <= 2 && (isDay(n0, n1) || isDay(n1, n0)):
			s.found(Date, i)
			return g.end[1]
		}
	}
	if l0 == 8 { // 20210305
		y, m, d := g.part(b, 0, 4), g.part(b, 4, 6), g.part(b, 6, 8)
		stamp := s.is(g.end[0], "Tt") && s.digitAt(g.end[0]+1)
		other := near && (isDay(g.part(b, 0, 2), g.part(b, 2, 4)) || isDay(g.part(b, 2, 4), g.part(b, 0, 2))) && isYear(g.part(b, 4, 8))
		if (near || stamp) && isYear(y) && isDay(m, d) || other {
			s.found(Date, i)
			return g.end[0]
		}
	}
	if l0 <= 2 {
		return s.dayFirst(i, g.end[0], n0)
	}
	return -1
}

// age looks for an age above 89 at b[i:j], and returns its end or -1. The category "90 or older" is none.
func (s *Scanner) age(i, j, n int) int {
	if n < 90 || n > 130 {
		return -1
	}
	end := s.yearsOld(j)
	if end < 0 {
		if w, _ := s.adjacent(i); w == wordAge || s.ageOf(i) {
			end = j
			if _, part := s.digitsAt(j+1, 2); s.is(j, ".") && part > 0 { // 92.5
				end = part
			}
			if s.alnumAt(end) || s.is(end, ".-/") && s.digitAt(end+1) || s.otherUnit(end) {
				return -1
			}
		} else if end = s.patient(i, j, n); end < 0 {
			return -1
		}
	}
	if n == 90 && (s.is(j, "+") || s.follows(end, "or older") || s.follows(end, "or over") || s.follows(end, "and over") || s.follows(end, "and older") || s.follows(end, "or above") || s.follows(end, "and above")) {
		return -1
	}
	s.found(Age, i)
	return end
}

// otherUnit reports whether what stands at b[i] makes a number no age in years.
func (s *Scanner) otherUnit(i int) bool {
	for _, unit := range [...]string{"day", "week", "month", "hour", "minute", "second", "epoch", "step"} {
		if s.follows(i, unit) {
			return true
		}
	}
	return false
}

// patient returns the end of an age as clinical notes have it, 92y or 92F, which the number b[i:j] is of, or -1. Such as 101F may be
// temperatures, and 110M millions.
func (s *Scanner) patient(i, j, n int) int {
	at := s.skip(j, 1, " ")
	if s.alnumAt(at+1) || s.is(i-1, ".-/,$") {
		return -1
	}
	switch {
	case s.is(at, "yY"):
		return at + 1
	case s.is(at, "F") && n < 96, s.is(at, "M") && n < 100:
		for _, next := range [...]string{"with", "w/", "who", "was", "presents", "presented", "presenting", "admitted", "here", "c/o", "s/p", "h/o", "pt", "patient"} {
			if end := s.skip(at+1, 2, " ,"); end > at+1 && s.follows(end, next) {
				return at + 1
			}
		}
	}
	return -1
}

// ageOf reports whether "age of" stands in front of b[i].
func (s *Scanner) ageOf(i int) bool {
	return s.after(wordAge, i, 4) && s.is(i-1, " ") && s.is(i-2, "fF") && s.is(i-3, "oO")
}

// follows reports whether text, in lower case, stands at b[i], after up to two spaces.
func (s *Scanner) follows(i int, text string) bool {
	i = s.skip(i, 2, " -")
	if i+len(text) > len(s.buf.b) {
		return false
	}
	for k := range len(text) {
		if c := s.buf.b[i+k]; c != text[k] && (c|0x20 != text[k] || !isLetter(c)) {
			return false
		}
	}
	return true
}

// yearsOld returns the end of "years old" or its like behind b[j], or -1.
func (s *Scanner) yearsOld(j int) int {
	for _, w := range [...]string{"years old", "years-old", "years of age", "year old", "year-old", "yrs old", "yr old", "yr-old", "y/o", "yo", "yrs. old", "y.o."} {
		if s.follows(j, w) {
			end := s.skip(j, 2, " -") + len(w)
			if !s.letterAt(end) {
				return end
			}
		}
	}
	return -1
}

// ageInWords looks for an age above 89 that starts with the word at b[i:j], and returns its end or -1.
func (s *Scanner) ageInWords(i, j int) int {
	for range 4 {
		if end := s.yearsOld(j); end > 0 {
			s.found(Age, i)
			return end
		}
		at := s.skip(j, 1, " -")
		end := at
		for s.letterAt(end) && end-at < 10 {
			end++
		}
		var buf [maxWord]byte
		switch string(s.lower(at, end, &buf)) {
		case "and", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen":
		default:
			return -1
		}
		j = end
	}
	return -1
}
