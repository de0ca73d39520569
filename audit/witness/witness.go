// Package witness keeps an audit log honest from outside: a [Witness] signs a head only if it continues the one that it
// signed before, so that nobody, the holder of the log's key included, can cut or rewrite the log unnoticed. The protocol
// is https://c2sp.org/tlog-witness, which the public witnesses of transparency logs speak.
//
// For most uses: on another machine, which those who run the log do not administer, [Open] a witness for the log's key and
// serve it with net/http; in the training program give a [Client] of it to audit.Options.Witness; and give the witness's
// key to audit.Verify, in Trust.Witnesses.
package witness

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/audit/internal/cosignature"
	"github.com/surefoot-ml/surefoot/internal/durable"
)

// What a witness refuses, beside an [*audit.WitnessSizeError].
var (
	// ErrUnknownLog says that the witness was not told of the log.
	ErrUnknownLog = errors.New("witness: unknown log")
	// ErrSignature says that no key which the witness knows for the log has signed the head.
	ErrSignature = errors.New("witness: the head is not signed by a known key of the log")
	// ErrFork says that the log does not continue what the witness has signed: it was rewritten.
	ErrFork = errors.New("witness: the head does not continue the one signed before")
	// ErrRequest says that a request is not of the protocol.
	ErrRequest = errors.New("witness: bad request")
	// ErrClosed says that the witness was closed.
	ErrClosed = errors.New("witness: closed")
)

// Options of a witness.
type Options struct {
	// Name of the witness in its signatures, such as "witness.example.com": visible ASCII without a plus.
	Name string
	// Key signs: an Ed25519 key. Nil makes and uses one in a file of the witness's directory.
	Key crypto.Signer
	// Logs are the public keys of the logs to sign for, as audit.Log.Key returns them. A log may have several, those
	// before and after a hand-over.
	Logs []string
}

// Witness signs heads of logs, and remembers the last of each log in a directory. It is safe for concurrent use; a nil
// Witness refuses everything. It implements [audit.Witness], for a witness in the same process, and [http.Handler].
type Witness struct {
	signer *cosignature.Signer
	root   durable.Dir
	unlock io.Closer

	mu   sync.Mutex
	logs map[string]*watched // by origin
	open bool
}

// watched is what the witness knows of a log.
type watched struct {
	verifiers []note.Verifier
	file      string
	size      uint64
	hash      tlog.Hash
}

const keyName = "key"

// Open takes a directory for a witness, and creates it with mode 0700 in an existing parent if there is none. Its error
// names a file that does not hold what a witness wrote.
func Open(dir string, opts Options) (*Witness, error) { return openIn(durable.OS(dir), dir, opts) }

func openIn(root durable.Dir, path string, opts Options) (_ *Witness, err error) {
	unlock, err := root.Lock()
	if err != nil {
		return nil, fmt.Errorf("witness: open %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = unlock.Close() // the first error tells more
		}
	}()
	if opts.Key == nil {
		if opts.Key, err = ownKey(root); err != nil {
			return nil, fmt.Errorf("witness: open %s: %w", path, err)
		}
	}
	w := &Witness{root: root, unlock: unlock, logs: map[string]*watched{}, open: true}
	if w.signer, err = cosignature.NewSigner(opts.Name, opts.Key); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	for _, vkey := range opts.Logs {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("witness: key of a log %.200q: %w", vkey, err)
		}
		log := w.logs[v.Name()]
		if log == nil {
			sum := sha256.Sum256([]byte(v.Name()))
			log = &watched{file: hex.EncodeToString(sum[:16])}
			if err := log.load(root, v.Name()); err != nil {
				return nil, fmt.Errorf("witness: open %s: file %s: %w", path, log.file, err)
			}
			w.logs[v.Name()] = log
		}
		log.verifiers = append(log.verifiers, v)
	}
	return w, nil
}

func ownKey(root durable.Dir) (ed25519.PrivateKey, error) {
	text, err := root.Read(keyName)
	if errors.Is(err, fs.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		if err := durable.WriteFile(root, keyName, keyName+".new", hex.AppendEncode(nil, key.Seed())); err != nil {
			return nil, err
		}
		return key, root.Sync()
	}
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(string(text))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("file %q does not hold a key", keyName)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// load reads the last head that was signed.
func (l *watched) load(root durable.Dir, origin string) error {
	text, err := root.Read(l.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := parseHead(string(text))
	if err != nil || h.origin != origin {
		return fmt.Errorf("not a head of %q", origin)
	}
	l.size, l.hash = h.size, h.hash
	return nil
}

// Key returns the public key of the witness, as audit.Trust and [NewClient] take it.
func (w *Witness) Key() string {
	if w == nil {
		return ""
	}
	return w.signer.String()
}

// Cosign signs a head that is signed by the log and continues the one of size old, which must be the last that the witness
// has signed for this log, or 0. The head is on stable storage before Cosign returns. The error matches [ErrRequest],
// [ErrUnknownLog], [ErrSignature], [ErrFork] or [ErrClosed], is an [*audit.WitnessSizeError] that names the last size
// signed, or tells of the disk. Nothing is signed then.
func (w *Witness) Cosign(ctx context.Context, old uint64, proof []audit.Hash, checkpoint []byte) ([]byte, error) {
	if w == nil {
		return nil, ErrClosed
	}
	h, err := parseHead(string(checkpoint))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil { // while it waited
		return nil, fmt.Errorf("witness: %w", err)
	}
	if !w.open {
		return nil, ErrClosed
	}
	log := w.logs[h.origin]
	if log == nil {
		return nil, fmt.Errorf("%w %.200q", ErrUnknownLog, h.origin)
	}
	n, err := note.Open(checkpoint, note.VerifierList(log.verifiers...))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	case old > h.size:
		return nil, fmt.Errorf("%w: old size %d is larger than size %d", ErrRequest, old, h.size)
	case old != log.size:
		return nil, &audit.WitnessSizeError{Size: log.size}
	case h.size == log.size && h.size > 0 && h.hash != log.hash: // a status of its own in the protocol
		return nil, fmt.Errorf("%w: %w", ErrFork, &audit.WitnessSizeError{Size: log.size})
	case !continues(log, h, proof):
		return nil, ErrFork
	}
	signed, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		return nil, fmt.Errorf("witness: sign: %w", err)
	}
	if h.size > log.size {
		if err := durable.WriteFile(w.root, log.file, "head.new", checkpoint); err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		if err := w.root.Sync(); err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		log.size, log.hash = h.size, h.hash
	}
	return signed[len(n.Text)+1:], nil
}

// continues says whether the proof shows that the log of head h begins with what was signed.
func continues(log *watched, h head, proof []audit.Hash) bool {
	if log.size == 0 { // everything continues an empty log
		return len(proof) == 0 && (h.size > 0 || h.hash == sha256.Sum256(nil))
	}
	p := make(tlog.TreeProof, len(proof))
	for i := range proof {
		p[i] = tlog.Hash(proof[i])
	}
	return tlog.CheckTree(p, int64(h.size), h.hash, int64(log.size), log.hash) == nil
}

// Close releases the directory, once what is under way has ended. A second Close returns nil.
func (w *Witness) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return nil
	}
	w.open = false
	return w.unlock.Close()
}

// head is what a checkpoint says. It may have further lines, which the signatures cover (https://c2sp.org/tlog-checkpoint).
type head struct {
	origin string
	size   uint64
	hash   tlog.Hash
}

func parseHead(text string) (h head, err error) {
	body, _, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(body, "\n")
	if !ok || len(lines) < 3 || lines[0] == "" {
		return h, errors.New("not a signed head")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return h, fmt.Errorf("size %.40q is not a number", lines[1])
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(sum) != tlog.HashSize {
		return h, errors.New("no hash of 32 bytes")
	}
	return head{lines[0], size, tlog.Hash(sum)}, nil
}
