package neardup

import (
	"math/bits"

	"github.com/surefoot-ml/surefoot/validate/internal/words"
)

// signature is the hashes of a text: of each of 128 random orders of all shingles, 16 bits of its first one.
type signature [hashes]uint16

// matches counts the hashes that are equal.
func (s *signature) matches(o *signature) (n int) {
	for i, h := range s {
		if h == o[i] {
			n++
		}
	}
	return n
}

const blockSize = 128

// signer makes signatures. It allocates nothing.
type signer struct {
	words  words.Scanner
	width  int
	orders [hashes]uint64 // an odd factor makes an order of 64-bit hashes
	least  [hashes]uint64
	block  [blockSize]uint64 // shingles that least does not know yet
	filled int
	last   [16]uint64 // words, as a ring
	of     int        // words in the text
	whole  uint64     // hash of all words
}

func newSigner(width int) signer {
	s := signer{width: width}
	for i := range s.orders {
		s.orders[i] = mix(uint64(i)+1, 0x8c9d3e5b1f6a7042) | 1
	}
	return s
}

// mix spreads two hashes over all bits; it does not commute.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd6e8feb86659fd93)
	hi, lo = bits.Mul64(hi^lo^a, 0xa0761d6478bd642f)
	return hi ^ lo
}

// sign reads a text, and reports false if it has no word. The hash of all words in order is then in whole.
func (s *signer) sign(text string) bool {
	for i := range s.least {
		s.least[i] = 1<<64 - 1
	}
	s.words.Reset(text)
	s.of, s.filled, s.whole = 0, 0, 0
	for s.words.Next() {
		if s.words.Sign() {
			continue
		}
		h := s.words.Hash()
		s.last[s.of%s.width] = h
		s.whole = mix(s.whole, h)
		s.of++
		if s.of < s.width {
			continue
		}
		shingle := uint64(s.width)
		for i := range s.width {
			shingle = mix(shingle, s.last[(s.of+i)%s.width])
		}
		s.add(shingle)
	}
	if s.of == 0 {
		return false
	}
	if s.of < s.width {
		s.add(s.whole)
	}
	s.flush()
	return true
}

func (s *signer) add(shingle uint64) {
	if s.filled == blockSize {
		s.flush()
	}
	s.block[s.filled] = shingle
	s.filled++
}

// flush takes two orders at a time, whose factors and least hashes stay in registers.
func (s *signer) flush() {
	block := s.block[:s.filled]
	for i := 0; i < hashes; i += 2 {
		f0, f1, l0, l1 := s.orders[i], s.orders[i+1], s.least[i], s.least[i+1]
		for _, h := range block {
			l0 = min(l0, h*f0)
			l1 = min(l1, h*f1)
		}
		s.least[i], s.least[i+1] = l0, l1
	}
	s.filled = 0
}

// signature is that of the text read last. A least hash is nearly zero in its high bits: they are spread first.
func (s *signer) signature(to *signature) {
	for i, l := range s.least {
		to[i] = uint16(l * 0x9e3779b97f4a7c15 >> 48)
	}
}
