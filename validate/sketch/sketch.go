// Package sketch summarises streams in bounded memory: [Quantiles] of numbers and how many [Distinct] values there are.
//
// Both merge: the sketch of two halves of a stream, merged, is the sketch of the whole, bit for bit, in any order and over any
// number of parts. Nothing in them is random, so the same data give the same numbers on every machine. For moments see
// Moments of package validate, and for the comparison of two sketches package validate/drift.
package sketch

import "math/bits"

// Hash returns a 64-bit hash of s that is the same on every machine and in every run. It is fast and spreads well; it is no
// protection against somebody who looks for collisions.
func Hash(s string) uint64 {
	const k0, k1, k2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93, 0xa0761d6478bd642f
	h := uint64(len(s)) * k0
	if len(s) > 64 { // two at a time, neither of which waits for the other
		g := h ^ k2
		for ; len(s) >= 32; s = s[32:] {
			h = fold(load(s)^k1, load(s[8:])^h)
			g = fold(load(s[16:])^k2, load(s[24:])^g)
		}
		h ^= g
	}
	for ; len(s) >= 16; s = s[16:] {
		h = fold(load(s)^k1, load(s[8:])^h)
	}
	var a, b uint64
	if len(s) >= 8 {
		a, b = load(s), loadTail(s[8:])
	} else {
		a = loadTail(s)
	}
	return fold(fold(a^k2, b^h^k1), k0)
}

// HashBytes is [Hash] of the same bytes.
func HashBytes(b []byte) uint64 { return Hash(view(b)) }

// fold multiplies to 128 bits and folds the halves, so that every bit of the factors reaches every bit of the result.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a
}

func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// loadTail reads fewer than 8 bytes. A missing byte reads as zero; the length is in the hash already.
func loadTail(s string) (x uint64) {
	for i := range len(s) {
		x |= uint64(s[i]) << (8 * i)
	}
	return x
}
