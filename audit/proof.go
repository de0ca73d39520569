package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Proof shows that an entry is in a log, to somebody who has the log's public key and nothing else of it.
type Proof struct {
	Seq        uint64
	Entry      []byte // as it is stored
	Hashes     []Hash // the way to the root
	Checkpoint []byte // signed head of a log that has the entry
}

// Prove returns a proof that an entry is in the log under its checkpoint. An entry that is not signed yet has none.
func Prove(dir string, seq uint64) (Proof, error) { return prove(durable.OS(dir), dir, seq) }

func prove(root durable.Dir, path string, seq uint64) (Proof, error) {
	c, err := lastCheckpoint(root, path)
	if err != nil {
		return Proof{}, err
	}
	if seq == 0 || seq > c.head.Size {
		return Proof{}, fmt.Errorf("audit: entry %d is not in 1..%d, what is signed of %s", seq, c.head.Size, path)
	}
	hashes, err := tlog.ProveRecord(int64(c.head.Size), int64(seq-1), hashReader(root, c.head))
	if err != nil {
		return Proof{}, fmt.Errorf("audit: prove entry %d of %s: %w", seq, path, err)
	}
	text, err := storedEntry(root, c.head.Size, seq)
	if err != nil {
		return Proof{}, fmt.Errorf("audit: prove entry %d of %s: %w", seq, path, err)
	}
	p := Proof{Seq: seq, Entry: text, Checkpoint: c.text}
	for _, h := range hashes {
		p.Hashes = append(p.Hashes, Hash(h))
	}
	if _, _, err := p.verify(c); err != nil { // a changed entry has no proof
		return Proof{}, err
	}
	return p, nil
}

// Check returns the proven entry and the head of the log that has it. One of the keys must have signed the head.
func (p *Proof) Check(keys ...string) (Entry, Head, error) {
	c, err := parseCheckpoint(p.Checkpoint)
	if err != nil {
		return Entry{}, Head{}, fmt.Errorf("audit: proof of entry %d: its checkpoint is %w", p.Seq, err)
	}
	if err := signedByOne(&c, keys); err != nil {
		return Entry{}, Head{}, fmt.Errorf("audit: proof of entry %d: %w", p.Seq, err)
	}
	return p.verify(&c)
}

func (p *Proof) verify(c *signedHead) (Entry, Head, error) {
	var hashes tlog.RecordProof
	for _, h := range p.Hashes {
		hashes = append(hashes, tlog.Hash(h))
	}
	if p.Seq == 0 || p.Seq > c.head.Size {
		return Entry{}, Head{}, fmt.Errorf("audit: proof of entry %d of %d", p.Seq, c.head.Size)
	}
	leaf, _ := leafHash(nil, p.Entry)
	err := tlog.CheckRecord(hashes, int64(c.head.Size), tlog.Hash(c.head.Hash), int64(p.Seq-1), tlog.Hash(leaf))
	if err != nil {
		return Entry{}, Head{}, fmt.Errorf("audit: proof of entry %d: %w", p.Seq, err)
	}
	e, err := new(reader).parse(p.Entry)
	if err == nil && e.Seq != p.Seq {
		err = fmt.Errorf("entry %d stands in its place", e.Seq)
	}
	if err != nil {
		return Entry{}, Head{}, fmt.Errorf("audit: proof of entry %d: %w", p.Seq, err)
	}
	return e, c.head, nil
}

func signedByOne(c *signedHead, keys []string) error {
	err := fmt.Errorf("%w: no key is trusted", ErrKey)
	for i, key := range keys {
		_, verr := c.verify(key, nil)
		if verr == nil {
			return nil
		}
		if i == 0 {
			err = fmt.Errorf("%w: %w", ErrKey, verr)
		}
	}
	return err
}

const proofHeader = "c2sp.org/tlog-proof@v1"

// MarshalText returns the proof as other tools read it (https://c2sp.org/tlog-proof), with the entry as extra data.
func (p Proof) MarshalText() ([]byte, error) {
	b64 := base64.StdEncoding
	out := fmt.Appendf(nil, "%s\nextra %s\nindex %d\n", proofHeader, b64.EncodeToString(p.Entry), p.Seq-1)
	for _, h := range p.Hashes {
		out = append(b64.AppendEncode(out, h[:]), '\n')
	}
	return append(append(out, '\n'), p.Checkpoint...), nil
}

// UnmarshalText reads what [Proof.MarshalText] returned.
func (p *Proof) UnmarshalText(text []byte) error {
	bad := errors.New("audit: not a proof of an entry")
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || len(lines) > 3+64 || lines[0] != proofHeader {
		return bad
	}
	b64 := base64.StdEncoding.Strict()
	extra, ok1 := strings.CutPrefix(lines[1], "extra ")
	index, ok2 := strings.CutPrefix(lines[2], "index ")
	entry, err := b64.DecodeString(extra)
	n, nerr := strconv.ParseUint(index, 10, 62)
	if !ok1 || !ok2 || err != nil || nerr != nil || strconv.FormatUint(n, 10) != index {
		return bad
	}
	q := Proof{Seq: n + 1, Entry: entry, Checkpoint: []byte(checkpoint)}
	for _, line := range lines[3:] {
		h, err := b64.DecodeString(line)
		if err != nil || len(h) != len(Hash{}) {
			return bad
		}
		q.Hashes = append(q.Hashes, Hash(h))
	}
	*p = q
	return nil
}

// Consistency shows that a log begins with the entries of an older head.
type Consistency struct {
	Old        uint64 // size
	Hashes     []Hash
	Checkpoint []byte // the newer head, signed
}

// ProveConsistency returns a proof that the log under its checkpoint begins with its first old entries, for somebody who
// has kept the head of these.
func ProveConsistency(dir string, old uint64) (Consistency, error) {
	root := durable.OS(dir)
	c, err := lastCheckpoint(root, dir)
	if err != nil {
		return Consistency{}, err
	}
	if old == 0 || old > c.head.Size {
		return Consistency{}, fmt.Errorf("audit: %d is not in 1..%d, what is signed of %s", old, c.head.Size, dir)
	}
	hashes, err := consistency(old, c.head, hashReader(root, c.head))
	if err != nil {
		return Consistency{}, fmt.Errorf("audit: prove %d entries of %s: %w", old, dir, err)
	}
	return Consistency{Old: old, Hashes: hashes, Checkpoint: c.text}, nil
}

func consistency(old uint64, h Head, r tlog.HashReader) ([]Hash, error) {
	if old == 0 || old == h.Size {
		return nil, nil
	}
	proof, err := tlog.ProveTree(int64(h.Size), int64(old), r)
	var hashes []Hash
	for _, h := range proof {
		hashes = append(hashes, Hash(h))
	}
	return hashes, err
}

// Check returns the newer head if it continues the older one. One of the keys must have signed it.
func (p *Consistency) Check(old Head, keys ...string) (Head, error) {
	c, err := parseCheckpoint(p.Checkpoint)
	if err != nil {
		return Head{}, fmt.Errorf("audit: proof of %d entries: its checkpoint is %w", old.Size, err)
	}
	if err := signedByOne(&c, keys); err != nil {
		return Head{}, fmt.Errorf("audit: proof of %d entries: %w", old.Size, err)
	}
	return c.head, checkConsistency(old, c.head, p.Hashes)
}

func checkConsistency(old, h Head, hashes []Hash) error {
	var proof tlog.TreeProof
	for _, h := range hashes {
		proof = append(proof, tlog.Hash(h))
	}
	if old.Size == 0 || old.Size > h.Size {
		return fmt.Errorf("audit: proof of %d entries of %d", old.Size, h.Size)
	}
	if old.Size == h.Size {
		if old != h || len(proof) > 0 {
			return fmt.Errorf("audit: two heads of %d entries", h.Size)
		}
		return nil
	}
	err := tlog.CheckTree(proof, int64(h.Size), tlog.Hash(h.Hash), int64(old.Size), tlog.Hash(old.Hash))
	if err != nil {
		return fmt.Errorf("audit: proof of %d entries: %w", old.Size, err)
	}
	return nil
}

func lastCheckpoint(root durable.Dir, path string) (*signedHead, error) {
	s := scanner{root: root, path: path, quick: true}
	if err := s.list(); err != nil {
		return nil, err
	}
	if s.checkpoint == nil {
		return nil, fmt.Errorf("audit: no checkpoint in %s: %w", path, fs.ErrNotExist)
	}
	return s.checkpoint, nil
}

// storedEntry reads one entry from its bundle.
func storedEntry(root durable.Dir, size, seq uint64) ([]byte, error) {
	index := (seq - 1) / tileWidth
	bundle, err := readTile(root, bundleLevel, index, int(min(tileWidth, size-index*tileWidth)))
	if err != nil {
		return nil, err
	}
	for skip := (seq - 1) % tileWidth; ; skip-- {
		text, rest, ok := cutBundled(bundle)
		if !ok {
			return nil, errForm
		}
		if skip == 0 {
			return text, nil
		}
		bundle = rest
	}
}

// readTile reads a part of a tile, or the whole of it, which may have taken its place.
func readTile(root durable.Dir, level int, index uint64, width int) ([]byte, error) {
	content, err := place{level, index, width}.read(root)
	if errors.Is(err, fs.ErrNotExist) && width < tileWidth {
		if whole, werr := (place{level, index, tileWidth}).read(root); werr == nil {
			return whole, nil
		}
	}
	return content, err
}

// hashReader reads hashes of a tree from its tiles, each verified against the head.
func hashReader(root durable.Dir, h Head) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(h.Size), Hash: tlog.Hash(h.Hash)}, &tileReader{root: root})
}

// tileReader implements tlog.TileReader. It needs no cache: a proof takes a handful of tiles.
type tileReader struct{ root durable.Dir }

func (r *tileReader) Height() int                     { return tileHeight }
func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		content, err := readTile(r.root, t.L, uint64(t.N), t.W)
		if err != nil {
			return nil, err
		}
		if size := t.W * len(Hash{}); len(content) > size {
			content = content[:size]
		}
		all = append(all, content)
	}
	return all, nil
}
