package corpus

import (
	"go/scanner"
	"go/token"
	"math"
	"slices"
)

// bias is the value of the constant feature, the last one. It is small beside the unit length of the others because the
// bias weights get the noise of the mechanism like any other weight, and a large input would pass more of it on.
const bias = 0.25

// A kind of feature starts its hashes from a basis of its own, so that a word and an identifier spelled alike are apart.
const (
	words       uint64 = 14695981039346656037 // the offset basis of FNV-1a
	identifiers uint64 = words ^ fnvPrime
	fnvPrime    uint64 = 1099511628211
)

// vectorizer turns the text of a function into features: the set of its words and of its whole identifiers, hashed into
// buckets. The words are those of identifiers, comments and strings, split at case changes, folded to lower case and of
// two letters or more; keywords, operators and numbers are left out. Each bucket that is hit counts the same, and the
// vector has unit length, so a feature depends on one function only.
type vectorizer struct {
	buckets uint64
	hit     []int32 // scratch
}

// vector returns the features of text, which need not be valid Go, and the constant one.
func (v *vectorizer) vector(text []byte) (index []int32, value []float32) {
	v.hit = v.hit[:0]
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(text)), text, nil, scanner.ScanComments)
	for tok := token.ILLEGAL; tok != token.EOF; {
		var lit string
		switch _, tok, lit = s.Scan(); tok {
		case token.IDENT:
			v.add(hash(identifiers, lit, false))
			v.addWords(lit)
		case token.STRING, token.COMMENT:
			v.addWords(lit)
		}
	}
	slices.Sort(v.hit)
	v.hit = slices.Compact(v.hit)
	n := len(v.hit)
	index = append(slices.Grow(index, n+1), v.hit...)
	value = slices.Repeat([]float32{float32(1 / math.Sqrt(float64(n)))}, n+1)
	value[n] = bias
	return append(index, int32(v.buckets)), value
}

// addWords adds the words of s: runs of letters, broken where lower case turns to upper case and before the last of
// several upper-case letters (HTTPServer is http and server). Letters outside ASCII are taken for lower case.
func (v *vectorizer) addWords(s string) {
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && upper(s[i]) {
			i++
		}
		if i-start > 1 && i < len(s) && lower(s[i]) {
			i--
		} else if i-start <= 1 {
			for i < len(s) && lower(s[i]) {
				i++
			}
		}
		switch i - start {
		case 0:
			i++ // not a letter
		case 1:
		default:
			v.add(hash(words, s[start:i], true))
		}
	}
}

func (v *vectorizer) add(h uint64) { v.hit = append(v.hit, int32(h%v.buckets)) }

// hash is FNV-1a from the given basis, finished with the mix of MurmurHash3 because only its low bits are used.
func hash(basis uint64, s string, fold bool) uint64 {
	h := basis
	for i := range len(s) {
		c := s[i]
		if fold && upper(c) {
			c += 'a' - 'A'
		}
		h = (h ^ uint64(c)) * fnvPrime
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func lower(c byte) bool { return 'a' <= c && c <= 'z' || c >= 0x80 }
