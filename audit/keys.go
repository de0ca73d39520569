package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// keySigner signs checkpoints. It implements note.Signer.
type keySigner struct {
	key      crypto.Signer
	name     string
	hash     uint32
	verifier string // key in the encoding of [Log.Key]
}

// newKeySigner gives a key the name of a log: the given one, or else one made of the key.
func newKeySigner(key crypto.Signer, origin string) (*keySigner, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("audit: the key is a %T, not Ed25519", key.Public())
	}
	if origin == "" {
		sum := sha256.Sum256(pub)
		origin = "surefoot-audit/" + hex.EncodeToString(sum[:8])
	}
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	vkey, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil {
		return nil, fmt.Errorf("audit: key: %w", err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("audit: key: %w", err)
	}
	return &keySigner{key: key, name: origin, hash: v.KeyHash(), verifier: vkey}, nil
}

func checkOrigin(origin string) error {
	if origin == "" || strings.ContainsRune(origin, '+') || !validName(origin) {
		return fmt.Errorf("audit: origin %s is not made of 1 to %d letters, digits and \"._:/@=-\"", quote(origin), maxName)
	}
	return nil
}

func (s *keySigner) Name() string    { return s.name }
func (s *keySigner) KeyHash() uint32 { return s.hash }

func (s *keySigner) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}

// handover is a key and how it came to be that of the log: the first signs nothing, each other one is signed by the one
// before it.
type handover struct {
	Key       string `json:"key"`
	Seq       uint64 `json:"seq,omitempty"` // of the entry
	Signature string `json:"signature,omitempty"`
}

// handoverText is what the old key signs.
func handoverText(old, next string) []byte {
	return fmt.Appendf(nil, "surefoot audit: another key takes over\n%s\n%s\n", old, next)
}

// keyring is the keys of a log in their order.
type keyring []handover

// add appends a key if the last one has signed that.
func (k *keyring) add(h handover) error {
	next, err := note.NewVerifier(h.Key)
	if err != nil {
		return fmt.Errorf("its key: %w", err)
	}
	if len(*k) > 0 {
		old := (*k)[len(*k)-1].Key
		v, err := note.NewVerifier(old)
		if err != nil {
			return fmt.Errorf("its key: %w", err)
		}
		sig, err := base64.StdEncoding.Strict().DecodeString(h.Signature)
		if err != nil || next.Name() != v.Name() || !v.Verify(handoverText(old, h.Key), sig) {
			return errors.New("its key is not signed by the one before it")
		}
	}
	*k = append(*k, h)
	return nil
}

// at returns the key that signs the head of so many entries.
func (k keyring) at(size uint64) string {
	if k = k.upTo(size); len(k) > 0 {
		return k[len(k)-1].Key
	}
	return ""
}

// upTo returns the keys up to the one that signs the head of so many entries.
func (k keyring) upTo(size uint64) keyring {
	n := len(k)
	for n > 1 && k[n-1].Seq > size {
		n--
	}
	return k[:n]
}

// trusted says whether one of the given keys, or one that it handed over to, signs the log now.
func (k keyring) trusted(keys []string) bool {
	for _, h := range k {
		for _, key := range keys {
			if h.Key == key {
				return true
			}
		}
	}
	return len(keys) == 0
}

const keyName, nextKeyName, tempKeyName = "key", "key.next", "key.new"

// readKey reads a private key from a file of the log.
func readKey(d durable.Dir, name string) (ed25519.PrivateKey, error) {
	text, err := d.Read(name)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(seed) != ed25519.SeedSize || string(formatKey(seed)) != string(text) {
		return nil, fmt.Errorf("%w: file %q does not hold a key", ErrKey, name)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func formatKey(seed []byte) []byte { return append(hex.AppendEncode(nil, seed), '\n') }

// newKey makes a key and keeps it in a file of the log.
func newKey(d durable.Dir, name string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := durable.WriteFile(d, name, tempKeyName, formatKey(key.Seed())); err != nil {
		return nil, err
	}
	return key, d.Sync()
}

// ownKey returns the key beside the log, and makes one if there is none.
func ownKey(d durable.Dir) (ed25519.PrivateKey, error) {
	key, err := readKey(d, keyName)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(d, keyName)
	}
	return key, err
}
