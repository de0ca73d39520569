package redact

import "github.com/surefoot-ml/surefoot/internal/checkdigit"

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
	if n < 13 || goesOn(s, j) || !checkdigit.Card(number[:n]) {
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
// 0.
func ibanEnd(s string, i int) int {
	want := checkdigit.IBANLength(s[i], s[i+1])
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
	if !checkdigit.IBAN(number[:n]) {
		return 0
	}
	return j
}
