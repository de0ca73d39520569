package audit

import (
	"context"
	"errors"
	"fmt"
)

// Witness is a party outside that signs a head only if it continues the one that it signed before, and so sees to it that
// nobody, the key's holder included, cuts or rewrites the log unnoticed. The method is the one request of
// https://c2sp.org/tlog-witness: package audit/witness has a client for witnesses that speak it, and one to run oneself.
type Witness interface {
	// Cosign is given a signed head, and the proof that it continues the one of size old, which is the last that the
	// witness is known to have signed, or 0. It returns signature lines of a signed note. If it has signed another size
	// meanwhile the error is a [*WitnessSizeError]. The context bounds the wait.
	Cosign(ctx context.Context, old uint64, proof []Hash, checkpoint []byte) (signatures []byte, err error)
}

// WitnessSizeError says that a witness has last signed a head of another size than it was asked to continue.
type WitnessSizeError struct{ Size uint64 }

// Error names the size.
func (e *WitnessSizeError) Error() string {
	return fmt.Sprintf("audit: the witness has signed %d entries", e.Size)
}

// cosign returns the checkpoint with the signatures of the witness, or without and why. A witness that has seen more of
// the log than there is ends it: it was cut, and to go on would hide that.
func (l *Log) cosign(h Head, text []byte) ([]byte, error) {
	if l.opts.Witness == nil {
		return text, nil
	}
	full, err := l.askWitness(h, text)
	l.mu.Lock()
	if err == nil {
		l.stats.Witnessed = h.Size
	} else {
		l.stats.WitnessErrors++
	}
	l.mu.Unlock()
	if err == nil {
		l.builder.witnessed = h.Size
		return full, nil
	}
	err = fmt.Errorf("%w: %w", ErrWitness, err)
	l.logger.Error("audit: checkpoint without witness", "path", l.path, "size", h.Size, "err", err)
	var cut *HeadError
	if errors.As(err, &cut) {
		l.doom(err)
	}
	return text, err
}

func (l *Log) askWitness(h Head, text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.opts.WitnessTimeout)
	defer cancel()
	old := l.builder.witnessed
	for attempt := 1; ; attempt++ {
		proof, err := consistency(old, h, hashReader(l.root, h))
		if err != nil {
			return nil, err
		}
		sigs, err := l.opts.Witness.Cosign(ctx, old, proof, text)
		var other *WitnessSizeError
		switch {
		case err == nil:
			full := append(text[:len(text):len(text)], sigs...)
			if _, err := parseCheckpoint(full); err != nil || len(sigs) == 0 {
				return nil, errors.New("its answer is no signature")
			}
			return full, nil
		case !errors.As(err, &other) || attempt == 3 || other.Size == old:
			return nil, err
		case other.Size > h.Size:
			return nil, &HeadError{Path: l.path, Want: Head{Size: other.Size}, Have: h}
		}
		old = other.Size
	}
}
