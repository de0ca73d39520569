package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/audit/internal/cosignature"
)

// signedHead is a checkpoint: the head of a log as a signed note.
type signedHead struct {
	origin string
	head   Head
	text   []byte // of the file
}

var errNote = errors.New("not a signed head")

// noteText is what is signed.
func noteText(origin string, h Head) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, h.Size, base64.StdEncoding.EncodeToString(h.Hash[:]))
}

// parseCheckpoint reads a checkpoint and verifies nothing, except that there is one way to write it.
func parseCheckpoint(text []byte) (signedHead, error) {
	body, sigs, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(body, "\n")
	if !ok || len(lines) != 3 || checkOrigin(lines[0]) != nil {
		return signedHead{}, errNote
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	sum, serr := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || serr != nil || len(sum) != len(Hash{}) {
		return signedHead{}, errNote
	}
	c := signedHead{origin: lines[0], head: Head{size, Hash(sum)}, text: text}
	if noteText(c.origin, c.head) != body+"\n" {
		return signedHead{}, errNote
	}
	for _, line := range strings.SplitAfter(sigs, "\n") {
		if line == "" {
			continue
		}
		sig := strings.TrimSuffix(line[strings.LastIndexByte(line, ' ')+1:], "\n")
		if _, err := base64.StdEncoding.Strict().DecodeString(sig); err != nil {
			return signedHead{}, errNote
		}
	}
	return c, nil
}

// verify checks the signature of the log's key, and returns which of the witnesses have signed.
func (c *signedHead) verify(vkey string, witnesses []note.Verifier) (cosigned []string, err error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if _, err := note.Open(c.text, note.VerifierList(v)); err != nil || v.Name() != c.origin {
		return nil, fmt.Errorf("its signature: not by %s", vkey)
	}
	var unverified *note.UnverifiedNoteError
	n, err := note.Open(c.text, note.VerifierList(witnesses...))
	if errors.As(err, &unverified) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the signature of a witness: %w", err)
	}
	for _, sig := range n.Sigs {
		if sig.Name != v.Name() || sig.Hash != v.KeyHash() { // a log is no witness of its own
			cosigned = append(cosigned, sig.Name)
		}
	}
	return cosigned, nil
}

// signHead makes a checkpoint.
func signHead(s *keySigner, h Head) ([]byte, error) {
	return note.Sign(&note.Note{Text: noteText(s.name, h)}, s)
}

// witnessVerifiers reads the keys of witnesses.
func witnessVerifiers(vkeys []string) ([]note.Verifier, error) {
	var list []note.Verifier
	for _, key := range vkeys {
		v, err := cosignature.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("audit: witness: %w", err)
		}
		same := func(w note.Verifier) bool { return w.Name() == v.Name() && w.KeyHash() == v.KeyHash() }
		if !slices.ContainsFunc(list, same) { // one that is given twice is one
			list = append(list, v)
		}
	}
	return list, nil
}
