// Package cosignature signs and verifies what a witness says of the head of a log: that at a time this was the latest
// that it had seen (https://c2sp.org/tlog-cosignature, of Ed25519).
package cosignature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const algorithm = 4

// key is the public key of a witness. It implements note.Verifier.
type key struct {
	name string
	hash uint32
	pub  ed25519.PublicKey
}

func newKey(name string, pub ed25519.PublicKey) (*key, error) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '+' || r >= 0x7f }) {
		return nil, fmt.Errorf("the name %.200q is not made of visible ASCII without a plus", name)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), encoded(pub)...))
	return &key{name, binary.BigEndian.Uint32(sum[:]), pub}, nil
}

func encoded(pub ed25519.PublicKey) []byte { return append([]byte{algorithm}, pub...) }

func (k *key) Name() string    { return k.name }
func (k *key) KeyHash() uint32 { return k.hash }

// String returns the key as NewVerifier reads it.
func (k *key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(encoded(k.pub)))
}

func (k *key) Verify(msg, sig []byte) bool {
	return len(sig) == 8+ed25519.SignatureSize &&
		ed25519.Verify(k.pub, signed(binary.BigEndian.Uint64(sig), msg), sig[8:])
}

func signed(at uint64, msg []byte) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, msg)
}

// NewVerifier reads the public key of a witness: one that signs the time too, or else one of the usual kind of signed notes.
func NewVerifier(vkey string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, data, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algorithm {
		return note.NewVerifier(vkey)
	}
	k, err := newKey(name, raw[1:])
	if err != nil {
		return nil, err
	}
	if k.String() != vkey {
		return nil, fmt.Errorf("%.200q is not the key of a witness", vkey)
	}
	return k, nil
}

// Signer signs as a witness, with the time of each signature. It implements note.Signer.
type Signer struct {
	*key
	signer crypto.Signer
}

// NewSigner gives an Ed25519 key the name of a witness.
func NewSigner(name string, signer crypto.Signer) (*Signer, error) {
	pub, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T, not Ed25519", signer.Public())
	}
	k, err := newKey(name, pub)
	return &Signer{k, signer}, err
}

// Sign implements note.Signer.
func (s *Signer) Sign(msg []byte) ([]byte, error) {
	at := uint64(time.Now().Unix())
	sig, err := s.signer.Sign(rand.Reader, signed(at, msg), crypto.Hash(0))
	return append(binary.BigEndian.AppendUint64(nil, at), sig...), err
}
