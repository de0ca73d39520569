package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/surefoot-ml/surefoot/internal/journal"
)

// Times between attempts to heal.
const (
	healFirst = 100 * time.Millisecond
	healMost  = 5 * time.Second
)

// fail notes that the journal of a generation accepts nothing more.
func (l *Log) fail(gen int, cause error) {
	var p *journal.PoisonedError
	if errors.As(cause, &p) {
		cause = p.Err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if gen != l.gen || l.failed != nil {
		return
	}
	l.failed = &PoisonedError{Path: l.path, Err: cause}
	l.healed = make(chan struct{})
	l.rouse()
	l.logger.Error("audit: log cannot be written", "path", l.path, "err", cause)
}

// doom ends the log for good.
func (l *Log) doom(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !l.fatal {
		close(l.healed) // those who wait are told
	}
	l.failed, l.fatal = &PoisonedError{Path: l.path, Err: cause}, true
	l.logger.Error("audit: log cannot be written any more", "path", l.path, "err", cause)
}

// outage does what the policy says about an error of place. It says whether to try again.
func (l *Log) outage(ctx context.Context, err error) (again bool, _ error) {
	if errors.Is(err, ErrClosed) || errors.Is(err, journal.ErrClosed) {
		return false, ErrClosed
	}
	l.mu.Lock()
	failed, fatal, healed := l.failed, l.fatal, l.healed
	l.mu.Unlock()
	switch {
	case l.opts.OnFailure == Drop:
		return false, l.drop(err)
	case errors.Is(err, errBehind) && l.opts.OnFailure == Block && !fatal:
		again := time.NewTimer(healFirst) // the keeper tries as often
		defer again.Stop()
		select {
		case <-again.C:
			return true, nil
		case <-ctx.Done():
			return false, fmt.Errorf("%w: %w", err, ctx.Err())
		}
	case errors.Is(err, errBehind):
		return false, err
	case failed == nil:
		return true, nil // it has healed already
	case l.opts.OnFailure == Fail || fatal:
		return false, failed
	}
	select {
	case <-healed:
		return true, nil
	case <-ctx.Done():
		return false, fmt.Errorf("%w: %w", failed, ctx.Err())
	}
}

// drop counts an event that is lost.
func (l *Log) drop(cause error) error {
	l.mu.Lock()
	l.stats.Dropped++
	l.untold++
	l.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrDropped, cause)
}

// rescue says whether an entry was in the journal when it had healed.
func (l *Log) rescue(gen int, seq uint64, text []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gen != gen+1 {
		return false
	}
	tail := l.rescued.tail
	for n := l.rescued.base + 1; n <= l.rescued.end; n++ {
		have, rest, _ := cutBundled(tail)
		if n == seq {
			return bytes.Equal(have, text)
		}
		tail = rest
	}
	return false
}

// heal opens the journal anew. The keeper calls it.
func (l *Log) heal() {
	l.build.Lock()
	defer l.build.Unlock()
	l.mu.Lock()
	old, failed := l.journal, l.failed
	l.mu.Unlock()
	_ = old.Close() // says what is known
	var src source
	j, err := l.openJournal(&src, nil)
	if err != nil {
		l.logger.Warn("audit: log still cannot be written", "path", l.path, "err", err)
		return
	}
	b := &l.builder
	if src.end < b.tree.size || src.base > b.tree.size {
		err := &DamageError{Path: filepath.Join(l.path, journalName), Seq: src.end + 1, Reason: "it lost entries that were on stable storage"}
		_ = j.Close()
		l.doom(err)
		return
	}
	rest := src.tail
	for n := src.base; n < b.tree.size; n++ {
		_, rest, _ = cutBundled(rest)
	}
	b.queue, b.base = bytes.Clone(rest), src.base
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal, l.next, l.placed, l.rescued = j, src.end+1, nil, src
	l.gen++
	l.failed = nil
	l.stats.Healed++
	for len(l.signers) > 1 && l.signers[len(l.signers)-1].from > src.end {
		l.signers = l.signers[:len(l.signers)-1]
	}
	close(l.healed)
	l.tellRecovered(src.found, 0, failed)
}

func (l *Log) openJournal(src *source, accept func() error) (*journal.Journal, error) {
	return journal.OpenIn(l.root.Sub(journalName), l.journalPath(), journal.Options{
		MaxEntry: maxEntry,
		Replay:   src.replay,
		Accept: func(found journal.Recovery) error {
			src.found, src.have = found, true
			if accept == nil {
				return nil
			}
			return accept()
		},
	})
}

// recoveredData is the data of KindRecovered.
type recoveredData struct {
	// Adopted is how many entries before this one no head had signed, whoever wrote them.
	Adopted uint64 `json:"adopted,omitempty"`
	Cut     int64  `json:"cut"`
	Offset  int64  `json:"offset"`
	Error   string `json:"error,omitempty"`
}

// tellRecovered records that the journal had to be opened anew, and why if the log has lived on. The lock must be held.
func (l *Log) tellRecovered(found journal.Recovery, adopted uint64, failed error) {
	s := scratches.Get().(*scratch)
	defer s.free()
	data := recoveredData{Adopted: adopted, Cut: found.Cut, Offset: found.Offset}
	if failed != nil {
		data.Error = errorText(failed)
	}
	ev := Event{Kind: KindRecovered, Data: data}
	if s.encodeData(&ev, nil) == nil {
		_, _ = l.stage(time.Time{}, "", &ev, s) // a failure shows at the next entry
	}
	l.logger.Warn("audit: log was recovered", "path", l.path, "adopted", adopted, "cut", found.Cut, "offset", found.Offset)
}
