// Package pii finds personal data in text that has a form of its own: e-mail and IP addresses, phone numbers, payment cards,
// IBANs and US social security numbers.
//
// For most uses call [Find] on a text, or [Count] to know the kinds alone. A find is a tag: the text stays as it is. What has
// a checksum or rules must fulfil them (Luhn, ISO 7064 MOD 97-10, the areas of social security numbers), and what is just
// digits must have a word of its kind nearby to be sure of. Names and postal addresses have no form and are not found.
package pii

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/internal/checkdigit"
)

// Kind is what was found.
type Kind string

const (
	Email Kind = "email"
	IP    Kind = "ip"    // of a public network: private, loopback and documentation addresses say nothing of a person
	Phone Kind = "phone" // with a country code (E.164), or with a word such as "call" before it
	Card  Kind = "card"  // 13 to 19 digits of a known network, with the digit of Luhn (ISO/IEC 7812)
	IBAN  Kind = "iban"  // with the check digits of ISO 13616
	SSN   Kind = "ssn"   // in the form 123-45-6789, or with a word such as "SSN" before nine digits
)

// Match is one find: the bytes from Start to End.
type Match struct {
	Kind       Kind
	Start, End int
	Sure       bool // a checksum, a strict form or a word nearby speaks for it, and not its form alone
}

// Find calls found with the finds in text, in their order, until it returns false. Finds do not overlap. It does not
// allocate and takes time in proportion to the text.
func Find(text string, found func(Match) bool) {
	last := 0 // end of the find before
	for i := 0; i < len(text); {
		c := text[i]
		var m Match
		switch {
		case c == '@':
			m = email(text, i)
		case isDigit(c) || c == '+':
			if i > 0 && (follows(text, i) || i > 1 && text[i-1] == '.' && isDigit(text[i-2])) {
				i = run(text, i+1)
				continue
			}
			m = numeral(text, i)
		case isUpper(c) && !follows(text, i):
			m = iban(text, i)
		case c == ':' && i+1 < len(text):
			m = ipv6(text, i)
		}
		if m.End <= i || m.Start < last {
			i++
			continue
		}
		if !found(m) {
			return
		}
		i, last = m.End, m.End
	}
}

// Count returns how many finds of each kind are in text that are sure, or nil if there are none.
func Count(text string) map[Kind]int {
	var n map[Kind]int
	Find(text, func(m Match) bool {
		if m.Sure {
			if n == nil {
				n = map[Kind]int{}
			}
			n[m.Kind]++
		}
		return true
	})
	return n
}

// Tag calls add with "pii_" and the kind for each kind that is surely in text, once. It fits the options of a data set's validator.
func Tag(text string, add func(tag string)) {
	var seen [6]bool
	kinds := [6]Kind{Email, IP, Phone, Card, IBAN, SSN}
	names := [6]string{"pii_email", "pii_ip", "pii_phone", "pii_card", "pii_iban", "pii_ssn"}
	Find(text, func(m Match) bool {
		for i, k := range kinds {
			if m.Kind == k && m.Sure && !seen[i] {
				seen[i] = true
				add(names[i])
			}
		}
		return true
	})
}

func isDigit(c byte) bool { return c-'0' <= 9 }
func isUpper(c byte) bool { return c-'A' < 26 }
func isLetter(c byte) bool {
	return c|0x20-'a' < 26
}
func isWord(c byte) bool { return isDigit(c) || isLetter(c) || c == '_' || c >= 0x80 }

// follows and precedes report whether a letter or digit stands before i, or at i: quotation marks, dashes and the like of
// Unicode do not belong to a word.
func follows(text string, i int) bool {
	if i == 0 || text[i-1] < utf8.RuneSelf {
		return i > 0 && isWord(text[i-1])
	}
	r, _ := utf8.DecodeLastRuneInString(text[:i])
	return joins(r)
}

func precedes(text string, i int) bool {
	if i == len(text) || text[i] < utf8.RuneSelf {
		return i < len(text) && isWord(text[i])
	}
	r, _ := utf8.DecodeRuneInString(text[i:])
	return joins(r)
}

func joins(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSpace(r) && !unicode.IsSymbol(r) }

// run returns the end of the word that i is in.
func run(text string, i int) int {
	for i < len(text) && isWord(text[i]) {
		i++
	}
	return i
}

// email reads around an @: the local part of RFC 5321 without quotes, up to 64 bytes, and a domain whose last label has letters.
func email(text string, at int) Match {
	start := at
	for start > 0 && at-start < 65 {
		c := text[start-1]
		if !isDigit(c) && !isLetter(c) && strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) < 0 {
			break
		}
		start--
	}
	for start < at && strings.IndexByte(".'`*/{|=&", text[start]) >= 0 { // rather what stands before the address
		start++
	}
	if start == at || at-start > 64 || text[at-1] == '.' || strings.Contains(text[start:at], "..") {
		return Match{}
	}
	end, label, labels, letters := at+1, at+1, 0, 0
	for ; end < len(text) && end-at <= 254; end++ {
		c := text[end]
		switch {
		case isDigit(c) || c == '-' && end > label:
			letters = 0
			continue
		case isLetter(c):
			letters++
			continue
		case c == '.' && end > label && text[end-1] != '-' && end+1 < len(text) && (isDigit(text[end+1]) || isLetter(text[end+1])):
			labels++
			label, letters = end+1, 0
			continue
		}
		break
	}
	last := text[label:end]
	if labels == 0 || len(last) < 2 || len(last) > 63 || letters != len(last) || end < len(text) && (text[end] == '@' || text[end] >= 0x80 && precedes(text, end)) {
		return Match{}
	}
	return Match{Kind: Email, Start: start, End: end, Sure: true}
}

// group is what a numeral looks like: its digits, and what separates them.
type group struct {
	digits     [24]byte
	n          int
	end        int
	separators [23]byte // after each digit, 0 for none
	ends       [24]int  // of each digit
}

// gather reads digits that stand together or apart by a single space, hyphen, dot or bracket.
func gather(text string, i int) (g group) {
	for ; i < len(text); i++ {
		c := text[i]
		if isDigit(c) {
			if g.n == len(g.digits) {
				g.end = run(text, i)
				g.n++ // too many
				return g
			}
			g.digits[g.n] = c - '0'
			g.n++
			g.end = i + 1
			g.ends[g.n-1] = g.end
			continue
		}
		if g.n == 0 || g.n > len(g.separators) || strings.IndexByte(" -.()/", c) < 0 {
			break
		}
		if g.separators[g.n-1] != 0 && c != '(' && c != ' ' && text[i-1] != ')' {
			break
		}
		if g.separators[g.n-1] == 0 {
			g.separators[g.n-1] = c
		}
	}
	return g
}

// numeral judges what starts with a digit or plus.
func numeral(text string, i int) Match {
	if text[i] == '+' {
		if i+1 >= len(text) || text[i+1] < '1' || text[i+1] > '9' {
			return Match{}
		}
		for g := gather(text, i+1); g.n >= 8; g.shorten() {
			if g.n <= 15 && !precedes(text, g.end) {
				return Match{Kind: Phone, Start: i, End: g.end, Sure: true}
			}
		}
		return Match{}
	}
	if m := ipv4(text, i); m.End > 0 {
		return m
	}
	g := gather(text, i)
	m := g.judge(text, i, true)
	for m.End == 0 && g.n > 9 { // what follows behind a space may be another number
		g.shorten()
		m = g.judge(text, i, false)
	}
	return m
}

// shorten leaves out what stands behind the last space.
func (g *group) shorten() {
	n := min(g.n, len(g.digits)) - 1
	for n > 0 && g.separators[n-1] != ' ' {
		n--
	}
	g.n = n
	if n > 0 {
		g.end = g.ends[n-1]
		g.separators[n-1] = 0
	}
}

// judge tells what the digits of a group are as a whole.
func (g *group) judge(text string, i int, whole bool) Match {
	skip := Match{}
	if precedes(text, g.end) {
		return skip
	}
	switch {
	case g.n == 9 && ssnForm(g) && ssnAreas(g):
		hyphens := g.separators[2] == '-'
		near := nearby(text, i, "ssn", "social security", "soc sec")
		if hyphens || near {
			return Match{Kind: SSN, Start: i, End: g.end, Sure: near || hyphens}
		}
	case g.n <= 19 && checkdigit.Card(g.digits[:g.n]) && evenly(g):
		return Match{Kind: Card, Start: i, End: g.end, Sure: spaced(g) || nearby(text, i, "card", "visa", "mastercard", "amex", "credit", "debit", "payment")}
	case whole && g.n >= 7 && g.n <= 12 && nearby(text, i, "phone", "call", "tel", "mobile", "fax", "whatsapp", "cell"):
		return Match{Kind: Phone, Start: i, End: g.end, Sure: true}
	}
	return skip
}

// nearby looks for a word in the 32 bytes before i, in any case.
func nearby(text string, i int, words ...string) bool {
	before := text[max(0, i-32):i]
	for _, w := range words {
		for at := 0; at+len(w) <= len(before); at++ {
			end := at + len(w)
			if strings.EqualFold(before[at:end], w) && (at == 0 || !isWord(before[at-1])) && (end == len(before) || !isLetter(before[end])) {
				return true
			}
		}
	}
	return false
}

// ssnForm asks for 123-45-6789, 123 45 6789 or 123456789.
func ssnForm(g *group) bool {
	for i, s := range g.separators[:8] {
		if (i == 2 || i == 4) != (s != 0) && g.separators[2]|g.separators[4] != 0 {
			return false
		}
	}
	return g.separators[2] == g.separators[4] && (g.separators[2] == '-' || g.separators[2] == ' ' || g.separators[2] == 0)
}

// ssnAreas are the numbers that were never given out: area 000, 666 and 900 up, group 00 and serial 0000; and two of advertisements.
func ssnAreas(g *group) bool {
	d := g.digits
	area := int(d[0])*100 + int(d[1])*10 + int(d[2])
	number := 0
	for _, x := range d[:9] {
		number = number*10 + int(x)
	}
	return area != 0 && area != 666 && area < 900 && (d[3] != 0 || d[4] != 0) && d[5]|d[6]|d[7]|d[8] != 0 && number != 78051120 && number != 219099999
}

// evenly reports whether the digits stand together or in the groups that cards have: of at least four, or 4-6-5.
func evenly(g *group) bool {
	length := 0
	for i := range g.n - 1 {
		length++
		if s := g.separators[i]; s != 0 {
			if s != ' ' && s != '-' || length < 4 {
				return false
			}
			length = 0
		}
	}
	return length < 7 || !spaced(g)
}

func spaced(g *group) bool {
	for _, s := range g.separators[:g.n-1] {
		if s != 0 {
			return true
		}
	}
	return false
}

// iban reads two letters, two check digits and 11 to 30 more, in one word or in groups of four.
func iban(text string, i int) Match {
	if i+4 > len(text) || !isUpper(text[i+1]) || !isDigit(text[i+2]) || !isDigit(text[i+3]) {
		return Match{}
	}
	var word [34]byte
	n, end := 0, i
	for j := i; j < len(text); j++ {
		c := text[j]
		if c == ' ' && n%4 == 0 && j+1 < len(text) && (isDigit(text[j+1]) || isUpper(text[j+1])) {
			continue
		}
		if !isDigit(c) && !isUpper(c) {
			if precedes(text, j) {
				return Match{}
			}
			break
		}
		if n == len(word) {
			break
		}
		word[n] = c
		n++
		end = j + 1
		if !precedes(text, j+1) && checkdigit.IBAN(word[:n]) {
			return Match{Kind: IBAN, Start: i, End: end, Sure: true}
		}
	}
	return Match{}
}

// ipv4 reads four numbers with dots, of a public network.
func ipv4(text string, i int) Match {
	end, dots := i, 0
	for end < len(text) && (isDigit(text[end]) || text[end] == '.' && end+1 < len(text) && isDigit(text[end+1])) {
		if text[end] == '.' {
			dots++
		}
		end++
	}
	if dots != 3 || end-i > 15 || precedes(text, end) {
		return Match{}
	}
	a, err := netip.ParseAddr(text[i:end])
	if err != nil || !public(a) || nearby(text, i, "version", "v", "ver", "release") {
		return Match{}
	}
	return Match{Kind: IP, Start: i, End: end, Sure: true}
}

// ipv6 reads around a colon.
func ipv6(text string, i int) Match {
	isHex := func(c byte) bool { return isDigit(c) || c|0x20-'a' < 6 }
	start := i
	for start > 0 && i-start < 5 && isHex(text[start-1]) {
		start--
	}
	if start > 0 && (isWord(text[start-1]) || text[start-1] == ':' || text[start-1] == '.') {
		return Match{}
	}
	end, colons := start, 0
	for end < len(text) && end-start < 40 && (isHex(text[end]) || text[end] == ':') {
		if text[end] == ':' {
			colons++
		}
		end++
	}
	if colons < 3 || end < len(text) && (isWord(text[end]) || text[end] == ':') {
		return Match{}
	}
	for end > start && text[end-1] == ':' && (end < 2 || text[end-2] != ':') {
		end--
	}
	a, err := netip.ParseAddr(text[start:end])
	if err != nil || !public(a) || end <= i {
		return Match{}
	}
	return Match{Kind: IP, Start: start, End: end, Sure: true}
}

// public leaves out what no person can be reached at (RFC 6890).
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	if a.Is4() {
		b := a.As4()
		switch {
		case b[0] == 192 && b[1] == 0 && b[2] == 2, b[0] == 198 && b[1] == 51 && b[2] == 100, b[0] == 203 && b[1] == 0 && b[2] == 113,
			b[0] == 0, b[0] >= 240, b[0] == 100 && b[1]&0xc0 == 64, b[0] == 198 && b[1]&0xfe == 18:
			return false
		}
		return true
	}
	b := a.As16()
	return !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8)
}
