package compliance

import (
	"crypto/sha256"
	"encoding/hex"
)

// Pseudonym is the keyed hash of the identifier of a person: HMAC-SHA-256, cut to 128 bits. Two of ten million identifiers share one
// with a probability below 2^-80.
type Pseudonym [16]byte

// KeyID names a key without revealing it. Pseudonyms of different keys cannot be compared.
type KeyID [8]byte

// String returns the KeyID in hexadecimal.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// Pseudonymizer turns identifiers into pseudonyms. Keep its key apart from manifests and lists: who has the key can try identifiers.
// Make one with NewPseudonymizer; it is safe for concurrent use.
type Pseudonymizer struct {
	inner, outer [sha256.BlockSize]byte // the pads of HMAC
}

// NewPseudonymizer returns a Pseudonymizer with a secret key of 16 to 64 bytes.
func NewPseudonymizer(key []byte) (*Pseudonymizer, error) {
	if len(key) < 16 || len(key) > sha256.BlockSize {
		return nil, invalid("key's length", len(key), "16 to 64 bytes")
	}
	p := new(Pseudonymizer)
	copy(p.inner[:], key)
	copy(p.outer[:], key)
	for i := range p.inner {
		p.inner[i] ^= 0x36
		p.outer[i] ^= 0x5c
	}
	return p, nil
}

// Of returns the pseudonym of an identifier. Identifiers are compared byte by byte: bring them into one form before.
func (p *Pseudonymizer) Of(id string) Pseudonym {
	sum := p.mac('p', id)
	return Pseudonym(sum[:16])
}

// Key returns the KeyID of the key.
func (p *Pseudonymizer) Key() KeyID {
	sum := p.mac('k', "")
	return KeyID(sum[:8])
}

// mac is HMAC-SHA-256 (RFC 2104) of the domain and the identifier, without an allocation for short ones.
func (p *Pseudonymizer) mac(domain byte, id string) [sha256.Size]byte {
	var buf [sha256.BlockSize + 192]byte
	in := sha256.Sum256(append(append(append(buf[:0], p.inner[:]...), domain), id...))
	return sha256.Sum256(append(append(buf[:0], p.outer[:]...), in[:]...))
}

// String hides the key.
func (p *Pseudonymizer) String() string { return "compliance.Pseudonymizer" }

// GoString hides the key.
func (p *Pseudonymizer) GoString() string { return p.String() }
