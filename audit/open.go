package audit

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Open opens the log in a directory, and creates both if there is none: the directory with mode 0700 in an existing
// parent, its files with mode 0600. It locks the directory against other processes ([ErrLocked]) and verifies all of it
// (see Options.Quick): a damaged log is a [*DamageError] or a [*HeadError], and stays as it is. What a crash left
// unfinished is cut, which an entry of kind [KindRecovered] reports. Locks need a Unix system with flock; elsewhere Open
// fails with errors.ErrUnsupported.
func Open(dir string, opts Options) (*Log, error) {
	return openIn(durable.OS(dir), dir, opts)
}

func openIn(root durable.Dir, path string, opts Options) (*Log, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	l := &Log{
		root: root, path: path, opts: opts, logger: opts.Logger, open: true,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	if err := root.Make(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := l.mirrored(); err != nil {
		return nil, err
	}
	s := &scanner{root: root, path: path, quick: opts.Quick}
	var refused error
	j, err := l.openJournal(&s.src, func() error { refused = l.load(s); return refused })
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, journalError(err)
	}
	l.journal = j
	go l.keep()
	if err := l.settle(s); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (o *Options) complete() error {
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = defaultEvery
	}
	if o.OnFailure < Fail || o.OnFailure > Drop {
		return fmt.Errorf("audit: OnFailure %d is no policy", o.OnFailure)
	}
	if o.WitnessTimeout < 0 {
		return fmt.Errorf("audit: WitnessTimeout %v is negative", o.WitnessTimeout)
	}
	if o.WitnessTimeout == 0 {
		o.WitnessTimeout = defaultWitnessTimeout
	}
	if o.compactAt == 0 {
		o.compactAt = defaultCompactAt
	}
	if o.Origin != "" {
		if err := checkOrigin(o.Origin); err != nil {
			return err
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// mirrored refuses a directory with a checkpoint and without a journal, which nobody can go on with.
func (l *Log) mirrored() error {
	names, err := l.root.Sub(journalName).Names()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit: %w", err)
	}
	if _, err := l.root.Read(checkpointName); err == nil && !slices.Contains(names, journalName) {
		return &DamageError{Path: l.journalPath(), Reason: "it is missing (or the log is a mirror, and cannot be appended to)"}
	}
	return nil
}

// load verifies what there is.
func (l *Log) load(s *scanner) error {
	b := &l.builder
	if err := s.list(); err != nil {
		return err
	}
	parts := map[place]bool{}
	for level, tiles := range s.tiles {
		for index := range tiles.parts {
			parts[place{level: level, index: index}] = true
		}
	}
	witnessed, err := readWitnessed(l.root, l.path)
	if err != nil {
		return err
	}
	if witnessed != nil {
		s.heads = append(s.heads, witnessed.head)
		b.witnessed, l.stats.Witnessed = witnessed.head.Size, witnessed.head.Size
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.close()
	for err = error(nil); err == nil; {
		_, err = s.next()
	}
	if err != io.EOF {
		return err
	}
	b.init(l.root, s.start)
	b.parts, b.base, b.pruned = parts, s.src.base, s.pruned
	b.queue = s.src.tail
	l.next = s.src.end + 1
	if s.checkpoint != nil {
		b.checkpoint, l.stats.Signed = s.checkpoint.head, s.checkpoint.head.Size
	}
	return l.loadKeys(s.keys)
}

// loadKeys finds the private key of the log. A new log has none yet.
func (l *Log) loadKeys(keys keyring) error {
	if len(keys) == 0 {
		key := l.opts.Key
		if key == nil {
			own, err := ownKey(l.root)
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			key = own
		}
		signer, err := newKeySigner(key, l.opts.Origin)
		if err != nil {
			return err
		}
		l.signers = []signerAt{{0, signer, handover{Key: signer.verifier, Seq: 1}}}
		return nil
	}
	for i, h := range keys { // old ones sign nothing more
		l.signers = append(l.signers, signerAt{h.Seq, &keySigner{verifier: h.Key}, h})
		if i == 0 {
			l.signers[0].from = 0
		}
	}
	now := keys[len(keys)-1].Key
	origin, _, _ := strings.Cut(now, "+")
	if l.opts.Origin != "" && l.opts.Origin != origin {
		return fmt.Errorf("audit: %s has origin %s, not %s", l.path, origin, l.opts.Origin)
	}
	signer, err := l.privateKey(now, origin)
	if err != nil {
		return err
	}
	l.signers[len(l.signers)-1].signer = signer
	return nil
}

// privateKey returns the signer for a public key: the one of the options, or the one beside the log, or the one that was
// to replace it when a rotation was interrupted.
func (l *Log) privateKey(vkey, origin string) (*keySigner, error) {
	try := func(key crypto.Signer) (*keySigner, error) {
		s, err := newKeySigner(key, origin)
		if err == nil && s.verifier != vkey {
			err = fmt.Errorf("%w: %s is signed by %s, the given key is %s", ErrKey, l.path, vkey, s.verifier)
		}
		return s, err
	}
	if l.opts.Key != nil {
		return try(l.opts.Key)
	}
	key, err := readKey(l.root, keyName)
	if err == nil {
		var s *keySigner
		if s, err = try(key); err == nil {
			return s, nil
		}
	}
	next, nerr := readKey(l.root, nextKeyName)
	if nerr == nil {
		if s, nerr := try(next); nerr == nil {
			if nerr = l.root.Rename(nextKeyName, keyName); nerr == nil {
				nerr = l.root.Sync()
			}
			return s, nerr
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s needs Options.Key, the private key of %s", ErrKey, l.path, vkey)
	}
	return nil, err
}

func (l *Log) journalPath() string { return filepath.Join(l.path, journalName) }

// settle writes what belongs at the beginning of a log, or of what follows a crash, and signs.
func (l *Log) settle(s *scanner) error {
	found := s.src.found
	l.mu.Lock()
	if s.src.end == 0 {
		l.tellCreated()
	}
	adopted := s.src.end - min(s.src.end, s.signed())
	if s.src.end > 0 && !found.Clean || found.Cut > 0 || adopted > 0 {
		l.tellRecovered(found, adopted, nil)
	}
	changed := l.next-1 > s.signed()
	l.mu.Unlock()
	if !changed {
		l.rouse()
		return nil
	}
	_, err := l.Checkpoint(context.Background())
	if errors.Is(err, ErrWitness) && l.Err() == nil {
		return nil
	}
	return err
}

// tellCreated records the public key. The lock must be held.
func (l *Log) tellCreated() {
	s := scratches.Get().(*scratch)
	defer s.free()
	ev := Event{Kind: KindCreated, Data: handover{Key: l.signers[0].signer.verifier}}
	if s.encodeData(&ev, nil) == nil {
		_, _ = l.stage(time.Time{}, "", &ev, s) // a failure shows at the checkpoint
	}
}
