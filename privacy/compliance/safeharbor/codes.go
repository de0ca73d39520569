package safeharbor

import (
	"fmt"

	"github.com/surefoot-ml/surefoot/internal/checkdigit"
)

// format is one of the site.
type format struct {
	kind    Kind
	pattern string
}

func compile(k Kind, pattern string) (format, error) {
	digits := 0
	for i := range len(pattern) {
		c := pattern[i]
		if c == '9' || c == 'X' {
			digits++
		}
		if c < ' ' || c > '~' || i == 0 && !isAlnum(c) {
			return format{}, fmt.Errorf("safeharbor: format %.40q of %v, want ASCII that starts with a letter or a digit", pattern, k)
		}
	}
	if len(pattern) < 4 || len(pattern) > 32 || digits < 3 {
		return format{}, fmt.Errorf("safeharbor: format %.40q of %v, want 4 to 32 characters, three of them '9' or 'X' or more", pattern, k)
	}
	return format{k, pattern}, nil
}

// match returns the end of what has the format at b[i], or -1.
func (f format) match(s *Scanner, i int) int {
	b := s.buf.b
	if i+len(f.pattern) > len(b) {
		return -1
	}
	for k := range len(f.pattern) {
		c, ok := b[i+k], false
		switch p := f.pattern[k]; p {
		case 'A':
			ok = isLetter(c)
		case '9':
			ok = isDigit(c)
		case 'X':
			ok = isAlnum(c)
		default:
			ok = c == p || isLetter(c) && isLetter(p) && c|0x20 == p|0x20
		}
		if !ok {
			return -1
		}
	}
	if end := i + len(f.pattern); !s.alnumAt(end) {
		return end
	}
	return -1
}

// coded looks for what is known by its letters and digits alone: formats of the site, VINs, IBANs, DEA numbers, Medicare beneficiary
// identifiers. It returns the end or -1.
func (s *Scanner) coded(i, j, letters, digits int) int {
	b := s.buf.b
	for _, f := range s.formats {
		if end := f.match(s, i); end > 0 {
			s.found(f.kind, i)
			return end
		}
	}
	if letters == 0 || digits == 0 {
		return -1
	}
	switch j - i {
	case 17:
		if isVIN(b[i:j]) && (b[i] != '0' || b[i+1]|0x20 != 'x') {
			s.found(Vehicle, i)
			return j
		}
	case 11:
		if isMBI(b[i:j]) {
			s.found(Plan, i)
			return j
		}
	case 9:
		if isDEA(b[i:j]) {
			s.found(Licence, i)
			return j
		}
	case 4: // 1EG4-TE5-MK73
		if i+13 <= len(b) && s.is(i+4, "-") && s.is(i+8, "-") && !s.alnumAt(i+13) {
			var m [11]byte
			copy(m[:], b[i:i+4])
			copy(m[4:], b[i+5:i+8])
			copy(m[7:], b[i+9:i+13])
			if isMBI(m[:]) {
				s.found(Plan, i)
				return i + 13
			}
		}
	}
	if isLetter(b[i]) && s.letterAt(i+1) && s.digitAt(i+2) && s.digitAt(i+3) {
		if end := s.iban(i); end > 0 {
			s.found(Account, i)
			return end
		}
	}
	return -1
}

// isVIN checks the check digit of a vehicle identification number, 49 CFR 565.15.
func isVIN(v []byte) bool {
	const weights = "\x08\x07\x06\x05\x04\x03\x02\x0a\x00\x09\x08\x07\x06\x05\x04\x03\x02"
	const values = "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x02\x03\x04\x05\x00\x07\x00\x09\x02\x03\x04\x05\x06\x07\x08\x09" // A to Z
	sum := 0
	for i, c := range v {
		n := int(c - '0')
		if isLetter(c) {
			if n = int(values[c|0x20-'a']); n == 0 {
				return false // I, O or Q
			}
		}
		sum += n * int(weights[i])
	}
	check := byte('0' + sum%11)
	if sum%11 == 10 {
		check = 'X'
	}
	return v[8] == check || check == 'X' && v[8] == 'x'
}

// isMBI checks the format of a Medicare beneficiary identifier.
func isMBI(m []byte) bool {
	for i, c := range m {
		up := c &^ 0x20
		letter := isLetter(c) && up != 'S' && up != 'L' && up != 'O' && up != 'I' && up != 'B' && up != 'Z'
		ok := false
		switch "1AN9AN9AA99"[i] {
		case '1':
			ok = c >= '1' && c <= '9'
		case 'A':
			ok = letter
		case 'N':
			ok = letter || isDigit(c)
		case '9':
			ok = isDigit(c)
		}
		if !ok {
			return false
		}
	}
	return true
}

// isDEA checks the check digit of a registration number of the Drug Enforcement Administration.
func isDEA(d []byte) bool {
	if !isLetter(d[0]) || !isLetter(d[1]) {
		return false
	}
	switch d[0] &^ 0x20 {
	case 'I', 'N', 'O', 'Q', 'V', 'W', 'Y', 'Z':
		return false
	}
	var n [7]int
	for i := range n {
		if !isDigit(d[2+i]) {
			return false
		}
		n[i] = int(d[2+i] - '0')
	}
	return (n[0]+n[2]+n[4]+2*(n[1]+n[3]+n[5]))%10 == n[6]
}

// iban returns the end of an International Bank Account Number at b[i], in groups or not, by its length and checksum, or -1.
func (s *Scanner) iban(i int) int {
	b := s.buf.b
	want := checkdigit.IBANLength(b[i], b[i+1])
	if want == 0 {
		return -1
	}
	var code [34]byte
	n, j := 0, i
	for ; n < want && j < len(b); j++ {
		switch c := b[j]; {
		case isDigit(c):
			code[n] = c
			n++
		case isLetter(c):
			code[n] = c &^ 0x20
			n++
		case (c == ' ' || c == '-') && s.alnumAt(j+1) && n >= 4:
		default:
			return -1
		}
	}
	if n < want || s.alnumAt(j) {
		return -1
	}
	if !checkdigit.IBAN(code[:n]) {
		return -1
	}
	return j
}

// checked looks for payment cards, IMEIs and UDIs in groups of digits, and returns the end or -1.
func (s *Scanner) checked(g *groups, embedded bool) int {
	b := s.buf.b
	if s.leftJoined(g.at[0]) {
		return -1
	}
	if g.open && g.n >= 2 && g.len(0) == 2 && b[g.at[0]] == '0' && b[g.at[0]+1] == '1' && s.is(g.end[0], ")") && g.len(1) >= 14 { // (01)GTIN
		if at := g.at[1]; gtin(b[at : at+14]) {
			s.found(Device, g.at[0]-1)
			return g.end[1]
		}
	}
	var digits [20]byte
	n, end, sep := 0, -1, byte(0)
	for k := range g.n {
		if k > 0 {
			c := b[g.end[k-1]]
			if g.at[k]-g.end[k-1] != 1 || c != ' ' && c != '-' && c != '.' || sep != 0 && c != sep {
				break
			}
			sep = c
		}
		if n+g.len(k) > 19 {
			break
		}
		n += copy(digits[n:], b[g.at[k]:g.end[k]])
		end = g.end[k]
		last := k == g.n-1 || k == 3 || n == 15 || k == 0 && n >= 14 || k == 2 && n == 14 && g.len(0) == 4
		switch {
		case !last || embedded && k == 0 || s.alnumAt(end):
		case (k == 0 || k == 3 && (g.len(0) == 2 && g.len(1) == 6 || g.len(0) == 6 && g.len(1) == 2)) && n == 15 && isIMEI(digits[:n]):
			s.found(Device, g.at[0])
			return end
		case k == 0 && n > 16 && (digits[0] != '6' || digits[1] != '2'): // such cards are rare, and such numbers are not
		case (k == 0 || k == 2 && g.len(0) == 4 || k == 3 && g.len(0) == 4 || k == 4 && g.len(0) == 4) && isCard(digits[:n]):
			s.found(Account, g.at[0])
			return end
		}
	}
	return -1
}

func number(digits []byte) (n int) {
	for _, c := range digits {
		n = 10*n + int(c-'0')
	}
	return n
}

// isCard checks issuer, length and sum of the number of a payment card, of Maestro too.
func isCard(d []byte) bool {
	if len(d) < 14 {
		return false
	}
	two := number(d[:2])
	maestro := two == 50 || two >= 56 && two <= 58 || two == 67
	return checkdigit.Card(d) || maestro && len(d) >= 16 && checkdigit.Luhn(d)
}

// isIMEI checks the sum of an International Mobile Equipment Identity and the body that gave it out.
func isIMEI(d []byte) bool {
	switch number(d[:2]) {
	case 1, 35, 44, 45, 49, 50, 51, 52, 53, 54, 86, 91, 98, 99:
		return checkdigit.Luhn(d)
	}
	return false
}

// gtin checks the sum of a Global Trade Item Number of 14 digits, with which a unique device identifier starts.
func gtin(d []byte) bool {
	sum := 0
	for i, c := range d {
		n := int(c - '0')
		if i%2 == 0 {
			n *= 3
		}
		sum += n
	}
	return sum%10 == 0
}
