package noise

import (
	"crypto/aes"
	"crypto/cipher"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
)

// Source yields independent uniform 64-bit words. A Source is not safe for concurrent use.
type Source interface {
	Uint64() uint64
}

// Private reports whether src declares that its output cannot be predicted. A source that says nothing is not private.
func Private(src Source) bool {
	p, ok := src.(interface{ Private() bool })
	return ok && p.Private()
}

const keystreamBuffer = 16 << 10 // a power of two

// Crypto is an AES-256-CTR keystream under a key from crypto/rand: the source for noise that protects data.
//
// The zero Crypto is ready; it draws its key on first use. A Crypto must not be copied: both would give the same words, and noise that is
// used twice can be subtracted.
type Crypto struct {
	_      noCopy
	stream cipher.Stream
	left   int // unused bytes at the end of buf
	buf    [keystreamBuffer]byte
}

// NewCrypto returns a source with a fresh key.
func NewCrypto() (*Crypto, error) {
	c := new(Crypto)
	if err := c.rekey(); err != nil {
		return nil, fmt.Errorf("noise: no key: %w", err)
	}
	return c, nil
}

func (c *Crypto) rekey() error {
	var seed [32 + aes.BlockSize]byte
	if _, err := crand.Read(seed[:]); err != nil {
		return err
	}
	block, err := aes.NewCipher(seed[:32])
	if err != nil {
		return err
	}
	c.stream = cipher.NewCTR(block, seed[32:])
	return nil
}

// Uint64 returns the next word. It panics if the operating system has no randomness to give to a zero Crypto.
func (c *Crypto) Uint64() uint64 {
	if c.left == 0 {
		c.refill()
	}
	at := uint(-c.left) & (keystreamBuffer - 8) // left bytes from the end
	c.left -= 8
	return binary.LittleEndian.Uint64(c.buf[at:])
}

// unread returns the bytes of the next words, at least one; who takes some of them lowers left.
func (c *Crypto) unread() []byte {
	if c.left == 0 {
		c.refill()
	}
	return c.buf[keystreamBuffer-c.left:]
}

func (c *Crypto) refill() {
	if c.stream == nil {
		if err := c.rekey(); err != nil {
			panic(fmt.Sprintf("noise: no key: %v", err))
		}
	}
	clear(c.buf[:])
	c.stream.XORKeyStream(c.buf[:], c.buf[:])
	c.left = keystreamBuffer
}

// Format writes that it is a Crypto, for every verb: what it holds is noise to come.
func (*Crypto) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "noise.Crypto") }

// noCopy makes go vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Private reports true.
func (c *Crypto) Private() bool { return true }

// NotPrivate is a deterministic source for tests, simulations and reproducible experiments. Whoever knows its key can subtract the
// noise: what is released with it protects nobody, whatever epsilon is accounted for. The zero NotPrivate is ready too.
type NotPrivate struct {
	stream rand.ChaCha8
}

// NewNotPrivate returns the source with the given key, for instance a seed and a step number. Equal keys give equal words.
func NewNotPrivate(key ...uint64) *NotPrivate {
	n := new(NotPrivate)
	n.Rekey(key...)
	return n
}

// Rekey begins anew under another key: a step that draws under a key of its own can be repeated alone.
func (n *NotPrivate) Rekey(key ...uint64) {
	b := make([]byte, 0, 8*len(key))
	for _, k := range key {
		b = binary.LittleEndian.AppendUint64(b, k)
	}
	n.stream.Seed(sha256.Sum256(b))
}

// Format writes that it is not private, for every verb.
func (*NotPrivate) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "noise.NotPrivate") }

// Uint64 returns the next word.
func (n *NotPrivate) Uint64() uint64 { return n.stream.Uint64() }

// Private reports false.
func (*NotPrivate) Private() bool { return false }

// below returns an exactly uniform integer in [0, n), n > 0 (Lemire 2019, "Fast random integer generation in an interval").
func below(src Source, n uint64) uint64 {
	hi, lo := bits.Mul64(src.Uint64(), n)
	if lo < n {
		for reject := -n % n; lo < reject; {
			hi, lo = bits.Mul64(src.Uint64(), n)
		}
	}
	return hi
}
