package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// builder turns entries on stable storage into tiles.
type builder struct {
	tree   tree
	bundle []byte // entries of the bundle that is not full
	queue  []byte // entries that are not in the tree, as in a bundle
	hashed []byte
	out    []built // tiles that are full and not on stable storage
	shelf  *shelf
	parts  map[place]bool // by level and index: tiles of which parts were written
	pruned uint64

	// Of the keeper alone.
	checkpoint Head
	witnessed  uint64
	base       uint64 // entries in front of the journal
}

// built is a tile.
type built struct {
	place   place
	content []byte
}

func (b *builder) init(root durable.Dir, start tree) {
	b.shelf, b.parts, b.tree = newShelf(root), map[place]bool{}, start
	b.tree.tiled = func(level int, index uint64, hashes []Hash) {
		b.out = append(b.out, built{place{level, index, tileWidth}, appendHashes(nil, hashes)})
	}
}

// integrate adds what has reached stable storage to the tree. The build lock must be held.
func (l *Log) integrate() {
	b := &l.builder
	l.mu.Lock()
	durable, _ := l.journal.Last()
	if len(b.queue) == 0 {
		b.queue, l.placed, l.spare = l.placed, l.spare[:0], nil
	} else if len(l.placed) > 0 {
		b.queue = append(b.queue, l.placed...)
		l.placed = l.placed[:0]
	}
	l.mu.Unlock()
	taken := b.queue
	for b.tree.size < durable {
		text, rest, ok := cutBundled(b.queue)
		if !ok {
			break // placed a moment ago
		}
		var h Hash
		h, b.hashed = leafHash(b.hashed, text)
		b.bundle = append(b.bundle, b.queue[:len(b.queue)-len(rest)]...)
		b.queue = rest
		b.tree.add(h)
		if b.tree.size%tileWidth == 0 {
			b.out = append(b.out, built{place{bundleLevel, b.tree.size/tileWidth - 1, tileWidth}, b.bundle})
			b.bundle = make([]byte, 0, len(b.bundle)+1024)
		}
	}
	if len(b.queue) == 0 && cap(taken) <= 2*buildAt {
		b.queue = nil
		l.mu.Lock()
		l.spare = taken
		l.mu.Unlock()
	}
}

// flush writes full tiles. The build lock must be held.
func (b *builder) flush() error {
	if err := b.shelf.put(b.out); err != nil {
		return err
	}
	b.out = b.out[:0:0]
	return nil
}

// flush writes full tiles, and stops the log once too many of them wait. The build lock must be held.
func (l *Log) flush() error {
	err := l.builder.flush()
	l.mu.Lock()
	l.behind = err != nil && len(l.builder.out) > maxOut
	l.mu.Unlock()
	return err
}

// fringe writes the parts of tiles that a head needs. The build lock must be held.
func (b *builder) fringe() error {
	var parts []built
	edge := append([][]Hash{nil}, b.tree.edge...)
	for i, hashes := range edge {
		level := i + bundleLevel
		depth := max(level, 0)
		p := place{level, b.tree.size >> (tileHeight * (depth + 1)), int(b.tree.size >> (tileHeight * depth) % tileWidth)}
		if p.width == 0 {
			continue
		}
		content := b.bundle
		if level != bundleLevel {
			content = appendHashes(nil, hashes)
		}
		parts = append(parts, built{p, content})
		b.parts[place{level: level, index: p.index}] = true
	}
	return b.shelf.put(parts)
}

// tidy removes parts of tiles that are full.
func (b *builder) tidy() error {
	for p := range b.parts {
		if p.index >= b.checkpoint.Size>>(tileHeight*(max(p.level, 0)+1)) {
			continue
		}
		if err := b.shelf.removeParts(p.level, p.index); err != nil {
			return err
		}
		delete(b.parts, p)
	}
	return nil
}

// keep builds tiles and signs heads until the log is closed.
func (l *Log) keep() {
	defer close(l.stopped)
	var due, healing <-chan time.Time
	wait := healFirst
	for {
		select {
		case <-l.wake:
		case <-due:
			due = nil
			_, _ = l.publish() // which counts and tells
		case <-healing:
			healing = nil
			l.heal()
		}
		l.mu.Lock()
		waiting, open, failed := l.waiting, l.open, l.failed != nil
		heals := failed && !l.fatal && l.opts.OnFailure != Fail
		much := len(l.placed) > buildAt
		l.waiting = nil
		l.mu.Unlock()
		if len(waiting) > 0 {
			head, err := l.publish()
			for _, r := range waiting {
				r.head, r.err = head, err
				close(r.done)
			}
		} else if much {
			l.ahead()
		}
		if !open {
			l.closed = l.shut()
			return
		}
		switch {
		case !heals:
			wait = healFirst
		case healing == nil:
			healing = time.After(wait)
			wait = min(2*wait, healMost)
		}
		if l.unsigned() && due == nil && l.opts.CheckpointEvery > 0 {
			due = time.After(l.opts.CheckpointEvery)
		}
	}
}

// unsigned says whether there are entries that no head covers.
func (l *Log) unsigned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = l.next-1 == l.builder.checkpoint.Size
	return !l.idle
}

// ahead builds tiles before their head is due.
func (l *Log) ahead() {
	l.build.Lock()
	defer l.build.Unlock()
	l.integrate()
	if err := l.flush(); err != nil {
		l.blame(fmt.Errorf("audit: tiles of %s: %w", l.path, err))
	}
}

func (l *Log) blame(err error) {
	l.mu.Lock()
	l.stats.CheckpointErrors++
	l.mu.Unlock()
	l.logger.Error("audit: no checkpoint", "path", l.path, "err", err)
}

// publish signs the head of what is on stable storage. Tiles come first, so that a head never lacks any.
func (l *Log) publish() (Head, error) {
	b := &l.builder
	l.build.Lock()
	l.integrate()
	h := b.tree.head()
	start := b.tree.copy() // at the last full bundle
	if start.size -= start.size % tileWidth; len(start.edge) > 0 {
		start.edge[0] = nil
	}
	err := l.flush()
	if err == nil && h != b.checkpoint {
		err = b.fringe()
	}
	pruned := b.pruned
	l.build.Unlock()
	l.mu.Lock()
	shorten := l.shorten
	l.mu.Unlock()
	if err == nil && h == b.checkpoint && !shorten {
		return h, nil
	}
	var werr error
	if err == nil && h != b.checkpoint {
		werr, err = l.sign(h)
	}
	if err == nil {
		b.checkpoint = h
		l.mu.Lock()
		l.stats.Signed = h.Size
		l.mu.Unlock()
		if err = b.tidy(); err == nil {
			err = l.compact(&start, pruned, shorten)
		}
	}
	if err != nil {
		err = fmt.Errorf("audit: checkpoint of %s: %w", l.path, err)
		l.blame(err)
		return h, err
	}
	return h, werr
}

// sign puts a signed head into the directory. Without a signature of the witness it does so too, and says so.
func (l *Log) sign(h Head) (werr, err error) {
	text, err := signHead(l.signerAt(h.Size), h)
	if err != nil {
		return nil, err
	}
	full, werr := l.cosign(h, text)
	if err := durable.WriteFile(l.root, checkpointName, checkpointName+tempSuffix, full); err != nil {
		return nil, err
	}
	if werr == nil && l.opts.Witness != nil {
		if err := durable.WriteFile(l.root, witnessedName, witnessedName+tempSuffix, full); err != nil {
			return nil, err
		}
	}
	return werr, l.root.Sync()
}

// signerAt returns the key that signs a head.
func (l *Log) signerAt(size uint64) *keySigner {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := len(l.signers) - 1
	for i > 0 && l.signers[i].from > size {
		i--
	}
	return l.signers[i].signer
}

// keyring returns the keys that were in force at a size.
func (l *Log) keyring(size uint64) (keys keyring) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.signers {
		if s.from <= size {
			keys = append(keys, s.record)
		}
	}
	return keys
}

// compact shortens the journal by the full bundles under the head, once it is long.
func (l *Log) compact(start *tree, pruned uint64, now bool) error {
	b := &l.builder
	l.mu.Lock()
	j, gen := l.journal, l.gen
	l.mu.Unlock()
	if _, size := j.Last(); size < l.opts.compactAt && !now || start.size <= b.base {
		l.shortened()
		return nil
	}
	text, err := json.Marshal(state{start.head(), l.keyring(start.size), pruned, start.pack()})
	if err == nil {
		err = j.Compact(context.Background(), start.size, text)
	}
	if err == nil {
		b.base = start.size
		l.shortened()
	} else if errors.Is(err, journal.ErrPoisoned) {
		l.fail(gen, err)
	}
	return err
}

func (l *Log) shortened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shorten = false
}

// shut ends the log: a last head, and the journal.
func (l *Log) shut() error {
	l.mu.Lock()
	if l.untold > 0 {
		l.tellDropped()
	}
	j, failed, last := l.journal, l.failed, l.last
	if failed != nil && !l.fatal {
		close(l.healed) // those who wait are told that the log is closed
	}
	l.mu.Unlock()
	err := failed
	var cerr error
	if failed == nil && last.Wait(context.Background()) == nil {
		if _, cerr = l.publish(); errors.Is(cerr, ErrWitness) {
			cerr = nil // it was told
		}
	}
	jerr := j.Close()
	var p *journal.PoisonedError
	if err == nil && errors.As(jerr, &p) {
		return &PoisonedError{Path: l.path, Err: p.Err}
	}
	if err == nil && jerr != nil {
		err = fmt.Errorf("audit: close: %w", jerr)
	}
	return errors.Join(err, cerr)
}
