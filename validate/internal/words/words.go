// Package words cuts texts into words, in a form in which they can be compared: without case, width and accents.
package words

import (
	"unicode"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/validate/sketch"
)

// Longest is how many bytes a word has at most: what is longer is cut into several.
const Longest = 64

// Scanner finds the words of a text, and the signs between them. A character of a script that writes no spaces (Han, kana, Thai,
// Lao, Khmer, Myanmar) is a word, and so is a pictograph. Characters that are not seen are passed over. Of letters with
// accents the Latin ones, composed or not, are compared without; other scripts are compared as they are encoded, so that texts in
// different normal forms differ. It allocates nothing, however long the text is. The zero Scanner has no words.
type Scanner struct {
	text string
	at   int
	n    int
	sign bool
	word [Longest + utf8.UTFMax]byte
}

// Reset begins with another text.
func (s *Scanner) Reset(text string) { s.text, s.at = text, 0 }

// Word is the last word found, until the next call of Next.
func (s *Scanner) Word() []byte { return s.word[:s.n] }

// Sign reports whether the last word is none: a run of punctuation or other signs.
func (s *Scanner) Sign() bool { return s.sign }

// Hash is that of the last word.
func (s *Scanner) Hash() uint64 { return sketch.HashBytes(s.word[:s.n]) }

// class is what a character does to the word before it.
type class uint8

const (
	space  class = iota // ends it
	unseen              // nothing
	letter              // goes on with it
	single              // is a word
	sign                // goes on with a run of signs
)

// Next finds the next word or run of signs.
func (s *Scanner) Next() bool {
	s.n = 0
	for s.at < len(s.text) {
		c := s.text[s.at]
		if k := ascii[c]; k > ' ' { // a letter or digit, the most frequent by far
			if s.n > 0 && s.sign || s.n >= Longest {
				return true
			}
			s.sign = false
			s.word[s.n] = k
			s.n++
			s.at++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s.text[s.at:])
			r = fold(r)
		}
		switch k := classOf(r); {
		case k == unseen:
		case k == space:
			if s.n > 0 {
				s.at += size
				return true
			}
		case s.n > 0 && (k == single || s.sign != (k == sign) || s.n >= Longest):
			return true
		default:
			s.sign = k == sign
			s.n = len(utf8.AppendRune(s.word[:s.n], r))
			if k == single {
				s.at += size
				return true
			}
		}
		s.at += size
	}
	return s.n > 0
}

// ascii has the letters and digits, folded, and 0 for the others.
var ascii = [256]byte{
	'0': '0', '1': '1', '2': '2', '3': '3', '4': '4', '5': '5', '6': '6', '7': '7', '8': '8', '9': '9',
	'a': 'a', 'A': 'a', 'b': 'b', 'B': 'b', 'c': 'c', 'C': 'c', 'd': 'd', 'D': 'd', 'e': 'e', 'E': 'e', 'f': 'f', 'F': 'f',
	'g': 'g', 'G': 'g', 'h': 'h', 'H': 'h', 'i': 'i', 'I': 'i', 'j': 'j', 'J': 'j', 'k': 'k', 'K': 'k', 'l': 'l', 'L': 'l',
	'm': 'm', 'M': 'm', 'n': 'n', 'N': 'n', 'o': 'o', 'O': 'o', 'p': 'p', 'P': 'p', 'q': 'q', 'Q': 'q', 'r': 'r', 'R': 'r',
	's': 's', 'S': 's', 't': 't', 'T': 't', 'u': 'u', 'U': 'u', 'v': 'v', 'V': 'v', 'w': 'w', 'W': 'w', 'x': 'x', 'X': 'x',
	'y': 'y', 'Y': 'y', 'z': 'z', 'Z': 'z',
}

func classOf(r rune) class {
	switch {
	case r <= ' ' || r == 0x7f:
		return space
	case r < utf8.RuneSelf:
		if ascii[r] != 0 {
			return letter
		}
		return sign
	case r >= 0x300 && r <= 0x36f, r >= 0xfe00 && r <= 0xfe0f, unicode.Is(unicode.Cf, r): // accents, variants, zero width, direction
		return unseen
	case r >= 0xe00 && r <= 0xeff, r >= 0x1000 && r <= 0x109f, r >= 0x1780 && r <= 0x17ff, r >= 0x2e80 && r <= 0x31ff,
		r >= 0x3400 && r <= 0x9fff, r >= 0xf900 && r <= 0xfaff, r >= 0x20000 && r <= 0x3ffff:
		if unicode.In(r, unicode.L, unicode.M, unicode.N) {
			return single
		}
	case unicode.In(r, unicode.L, unicode.M, unicode.N):
		return letter
	case unicode.Is(unicode.So, r):
		return single
	}
	if unicode.IsSpace(r) || unicode.IsControl(r) {
		return space
	}
	return sign
}

// fold maps a character beyond ASCII to the one that it is compared as.
func fold(r rune) rune {
	const (
		// U+00C0 to U+024F and U+1E00 to U+1EFF without accents, after the decompositions of Unicode; a point where there is
		// none.
		latin = "" +
			"aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.yaaaaaaccccccccdd..eeeeeeeeeegggggggg" +
			"hh..iiiiiiiii...jjkk.llllll....nnnnnn...oooooo..rrrrrrsssssssstttt..uuuuuuuuuuuuwwyyyzzzzzz........." +
			"........................oo.............uu............................aaiioouuuuuuuuuu.aaaa....ggkkoo" +
			"oo..j...gg..nnaa....aaaaeeeeiiiioooorrrruuuusstt..hh......aaeeooooooooyy............................"
		additional = "" +
			"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrrrssss" +
			"ssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy......aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeee" +
			"iiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy......"
	)
	var base byte = '.'
	switch {
	case r >= 0xff01 && r <= 0xff5e: // full width
		r -= 0xfee0
		if ascii[r] != 0 {
			base = ascii[r]
		}
	case r >= 0xc0 && r < 0x250:
		base = latin[r-0xc0]
	case r >= 0x1e00 && r < 0x1f00:
		base = additional[r-0x1e00]
	case r == 0x3c2: // the sigma at the end of a word
		return 0x3c3
	}
	if base != '.' {
		return rune(base)
	}
	return unicode.ToLower(r)
}
