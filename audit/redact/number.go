package redact

// number finds what begins with a digit: a card, a social security number, the digits of an IBAN or of a telephone number.
// The byte in front of s[i] is no digit.
func (r *Redactor) number(s string, i, from int) (span, bool) {
	i = afterEscape(s, i)
	var before, further byte
	if i > 0 {
		before = s[i-1]
	}
	if i > 1 {
		further = s[i-2]
	}
	switch {
	case isLetter(before) && !escaped(s, i):
		if i-2 >= from && isLetter(further) && !inWord(s, i-2) && r.on(IBAN) {
			if end := ibanEnd(s, i-2); end > 0 {
				return span{i - 2, end, IBAN}, true
			}
		}
		return span{}, false
	case before == '+':
		if (i == 1 || !inWord(s, i-1) && further != ')') && i-1 >= from && r.on(Phone) {
			if end := phoneEnd(s, i); end > 0 {
				return span{i - 1, end, Phone}, true
			}
		}
		return span{}, false
	case escaped(s, i):
	case before == '_' || before >= 0x80, (before == '.' || before == '-') && isWordByte(further) && !escaped(s, i-1):
		return span{}, false // part of a longer name or number
	}
	if len(s)-i < len("000-00-0000") || !isDigit(s[i+1]) || !isDigit(s[i+2]) {
		return span{}, false
	}
	if s[i+3] == '-' && r.on(SSN) && isSSN(s[i:]) {
		return span{i, i + len("000-00-0000"), SSN}, true
	}
	if isDigit(s[i+3]) && r.on(Card) {
		if end := cardEnd(s, i); end > 0 {
			return span{i, end, Card}, true
		}
	}
	return span{}, false
}

// afterEscape returns where a number begins whose first digits are the last of an escape sequence, as in "%204111...".
func afterEscape(s string, i int) int {
	switch {
	case i >= 1 && s[i-1] == '%' && i+2 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]):
		return i + 2
	case i >= 2 && s[i-1] == 'u' && s[i-2] == '\\' && i+4 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]) && isDigit(s[i+4]):
		return i + 4
	}
	return i
}

// goesOn reports whether s[i] continues a number or a name that ends in front of it.
func goesOn(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	c := s[i]
	return isAlnum(c) || c == '_' || c >= 0x80 || (c == '-' || c == '.') && i+1 < len(s) && isAlnum(s[i+1])
}

// isSSN reports whether s begins with a US social security number in groups, of an area, group and serial that are given out.
func isSSN(s string) bool {
	const shape = "000-00-0000"
	if len(s) < len(shape) || goesOn(s, len(shape)) {
		return false
	}
	for i := range len(shape) {
		if isDigit(shape[i]) != isDigit(s[i]) || shape[i] == '-' && s[i] != '-' {
			return false
		}
	}
	area := s[:3]
	return area != "000" && area != "666" && area[0] != '9' && s[4:6] != "00" && s[7:11] != "0000"
}

const maxCard = 19

// cardEnd returns the end of the payment card number at s[i], written in one piece or in the groups of its brand, or 0.
func cardEnd(s string, i int) int {
	var number [maxCard]byte
	var groups [6]int
	n, g, sep := 0, 0, byte(0)
	j := i
	for j < len(s) {
		c := s[j]
		if isDigit(c) {
			if n == maxCard {
				return 0
			}
			number[n] = c - '0'
			n++
			groups[g]++
			j++
			continue
		}
		if c != ' ' && c != '-' || sep != 0 && c != sep || j+1 >= len(s) || !isDigit(s[j+1]) || g == len(groups)-1 ||
			groups[g] != 4 && groups[g] != 6 || n >= 16 && groups[g] != 4 {
			break
		}
		sep = c
		g++
		j++
	}
	if n < 13 || goesOn(s, j) || !isBrand(number[:n]) || !luhn(number[:n]) {
		return 0
	}
	if g > 0 {
		switch groups {
		case [6]int{4, 4, 4, 4}, [6]int{4, 6, 5}, [6]int{4, 6, 4}, [6]int{4, 4, 4, 4, 3}:
		default:
			return 0
		}
	}
	return j
}

// isBrand reports whether a number of that length begins as the large payment networks let theirs begin (ISO/IEC 7812).
func isBrand(d []byte) bool {
	n := len(d)
	head := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	switch {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19
	case head >= 5100 && head < 5600, head >= 2221 && head <= 2720:
		return n == 16
	case head/100 == 34, head/100 == 37:
		return n == 15
	case head >= 3000 && head < 3060, head/100 == 36, head/100 == 38, head/100 == 39:
		return n == 14 || n == 16
	case head == 6011, head/100 == 65, head >= 6440 && head < 6500, head >= 3528 && head < 3590, head/100 == 62:
		return n >= 16
	}
	return false
}

// luhn checks the last digit (ISO/IEC 7812-1, annex B).
func luhn(d []byte) bool {
	sum := 0
	for i, c := range d {
		v := int(c)
		if (len(d)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// phoneEnd returns the end of the E.164 number whose first digit is s[i], with single separators between its digits, or 0.
func phoneEnd(s string, i int) int {
	if s[i] == '0' {
		return 0
	}
	n, end := 0, 0
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case isDigit(c):
			n++
			end = j + 1
			continue
		case (c == ' ' || c == '-' || c == '.' || c == '(' || c == ')') && j-end < 2 && n > 0:
			continue
		}
		break
	}
	if n < 8 || n > 15 || end < len(s) && (isAlnum(s[end]) || s[end] == '_') {
		return 0
	}
	return end
}

// ibanEnd returns the end of the account number that begins with a country at s[i], in one piece or in groups of four, or
// 0. The check is that of ISO 13616: the number, with its first four characters moved to the end and letters read as 10 to
// 35, is 1 modulo 97.
func ibanEnd(s string, i int) int {
	want := ibanLength(string([]byte{s[i] &^ 0x20, s[i+1] &^ 0x20}))
	if want == 0 {
		return 0
	}
	var number [34]byte
	n, j := 0, i
	for ; j < len(s) && n < want; j++ {
		c := s[j]
		if c == ' ' && n%4 == 0 && n > 0 && s[j-1] != ' ' {
			continue
		}
		if !isAlnum(c) || (n == 2 || n == 3) && !isDigit(c) {
			return 0
		}
		number[n] = c
		n++
	}
	if n < want || goesOn(s, j) {
		return 0
	}
	rest := 0
	for k := range n {
		c := lower(number[(k+4)%n])
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'a') + 10) % 97
		}
	}
	if rest != 1 {
		return 0
	}
	return j
}

// ibanLength returns how long the numbers of a country are (SWIFT's register), or 0.
func ibanLength(country string) int {
	switch country {
	case "NO":
		return 15
	case "BE":
		return 16
	case "DK", "FI", "FK", "FO", "GL", "NL", "SD":
		return 18
	case "MK", "SI":
		return 19
	case "AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK":
		return 20
	case "CH", "CR", "HR", "LI", "LV":
		return 21
	case "BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA":
		return 22
	case "AE", "GI", "IL", "IQ", "OM", "SO", "TL":
		return 23
	case "AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG":
		return 24
	case "LY", "PT", "ST":
		return 25
	case "IS", "TR":
		return 26
	case "BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM":
		return 27
	case "AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV":
		return 28
	case "BR", "EG", "PS", "QA", "UA":
		return 29
	case "JO", "KW", "MU", "YE":
		return 30
	case "MT", "SC":
		return 31
	case "LC":
		return 32
	case "RU":
		return 33
	}
	return 0
}
