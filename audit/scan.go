package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// scanner reads a log from its beginning and verifies all of it.
type scanner struct {
	root  durable.Dir
	path  string
	quick bool // begin with the journal

	src        source
	checkpoint *signedHead
	heads      []Head // that the log must have, by size
	tiles      listing

	reader reader
	hashed []byte
	tree   tree
	start  tree    // at src.base
	keys   keyring // empty while not known
	pruned uint64  // entries that were deleted, as the log says
	before uint64  // those of them that the entries in front of the journal say, if these are not read
	prunes []prune // what entries say of it
	gone   uint64  // entries that are missing
	err    error   // of a tile, or of the end

	ahead  readAhead
	file   string  // that is being read
	parsed *bundle // of it, unless it is the journal
	bundle []byte  // content of it, nil if it was deleted
	rest   []byte  // of bundle
	ends   []int   // of the entries in bundle
	first  uint64  // entries in front of bundle
}

// close waits for what reads ahead.
func (s *scanner) close() { s.ahead.close() }

// openScanner reads what is not entries. The tiles are listed first, then the checkpoint is read and then the journal:
// in a log that is in use each has what the one before it speaks of.
func openScanner(root durable.Dir, path string, heads []Head) (*scanner, error) {
	s := &scanner{root: root, path: path, heads: slices.Clone(heads)}
	if err := s.list(); err != nil {
		return nil, err
	}
	if err := s.src.read(root, path); err != nil {
		return nil, err
	}
	if !s.src.have {
		if s.checkpoint == nil {
			return nil, fmt.Errorf("audit: no log in %s: %w", path, fs.ErrNotExist)
		}
		s.src.base, s.src.end = s.checkpoint.head.Size, s.checkpoint.head.Size // a mirror
	}
	return s, s.begin()
}

func (s *scanner) list() (err error) {
	if !s.quick {
		if s.tiles, err = listTiles(s.root); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	text, err := s.root.Read(checkpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fileError(filepath.Join(s.path, checkpointName), err)
	}
	c, err := parseCheckpoint(text)
	if err != nil || c.head.Size == 0 {
		return s.damaged(checkpointName, 0, 0, errNote.Error())
	}
	s.checkpoint = &c
	return nil
}

// begin compares what was read so far.
func (s *scanner) begin() error {
	switch c := s.checkpoint; {
	case c == nil && s.src.end > 1:
		return s.damaged(checkpointName, 0, 0, "it is missing")
	case c == nil:
	case c.head.Size < s.src.base:
		return s.damaged(checkpointName, 0, 0, "it is older than the journal")
	default:
		s.heads = append(s.heads, c.head)
	}
	slices.SortFunc(s.heads, func(a, b Head) int { return cmp.Compare(a.Size, b.Size) })
	for len(s.heads) > 0 && s.heads[0] == (Head{}) {
		s.heads = s.heads[1:]
	}
	s.ahead = readAhead{root: s.root, end: s.src.base}
	start, err := s.src.state.unpack()
	if err != nil {
		return s.damaged(journalName, s.src.base, 0, err.Error())
	}
	if s.start = start; s.quick {
		s.tree, s.keys, s.pruned = start.copy(), s.src.state.Keys, s.src.state.Pruned
		s.before = s.pruned
		for len(s.heads) > 0 && s.heads[0].Size < start.size {
			s.heads = s.heads[1:] // not to be told without the tiles
		}
	} else {
		s.tree.tiled = s.tiled
	}
	return s.headHere()
}

func (s *scanner) damaged(name string, seq uint64, offset int64, reason string) error {
	return &DamageError{Path: filepath.Join(s.path, name), Seq: seq, Offset: offset, Reason: reason}
}

// next returns the next entry, whose Data is valid until the call after, or io.EOF once the log has passed.
func (s *scanner) next() (Entry, error) {
	for len(s.rest) == 0 && (s.parsed == nil || len(s.ends) == s.parsed.place.width) {
		if s.tree.size == s.src.end {
			if s.err == nil {
				s.err = s.finish()
			}
			return Entry{}, s.err
		}
		if err := s.load(); err != nil {
			return Entry{}, err
		}
	}
	e, h, end, err := s.entry()
	if err != nil {
		return Entry{}, err
	}
	if reserved(e.Kind) {
		if err := s.own(&e); err != nil {
			return Entry{}, s.damaged(s.file, e.Seq, int64(len(s.bundle)-len(s.rest)), err.Error())
		}
	}
	s.rest = s.bundle[end:]
	s.ends = append(s.ends, end)
	return e, s.grow(h)
}

// entry returns the next entry of the bundle, its hash, and where it ends.
func (s *scanner) entry() (e Entry, h Hash, end int, err error) {
	seq, offset := s.tree.size+1, int64(len(s.bundle)-len(s.rest))
	if b := s.parsed; b != nil {
		i := len(s.ends)
		if i == len(b.entries) || i == b.place.width-1 && b.reason != "" {
			return e, h, 0, s.damaged(s.file, seq, offset, b.reason)
		}
		return b.entries[i], b.hashes[i], b.ends[i], nil
	}
	text, rest, ok := cutBundled(s.rest)
	if !ok {
		return e, h, 0, s.damaged(s.file, seq, offset, "it ends too early")
	}
	if e, err = s.reader.parse(text); err == nil && e.Seq != seq {
		err = fmt.Errorf("entry %d stands in its place", e.Seq)
	}
	if err != nil {
		return e, h, 0, s.damaged(s.file, seq, offset, err.Error())
	}
	h, s.hashed = leafHash(s.hashed, text)
	return e, h, len(s.bundle) - len(rest), nil
}

// grow adds a leaf, and compares what is complete with it.
func (s *scanner) grow(h Hash) error {
	s.tree.add(h)
	if s.err != nil {
		return s.err
	}
	if s.tree.size%tileWidth == 0 {
		if err := s.bundleDone(); err != nil {
			return err
		}
	}
	if s.tree.size == s.src.base && !s.quick {
		s.start = s.tree.copy()
		if s.src.have && s.tree.head() != s.src.state.Head {
			return s.damaged(journalName, s.src.base, 0, "it goes on from another head than the tiles have")
		}
	}
	return s.headHere()
}

func (t *tree) copy() tree {
	c := tree{size: t.size}
	for _, hashes := range t.edge {
		c.edge = append(c.edge, append(make([]Hash, 0, tileWidth), hashes...))
	}
	return c
}

// headHere compares the heads of just as many entries.
func (s *scanner) headHere() error {
	for len(s.heads) > 0 && s.heads[0].Size == s.tree.size {
		if have := s.tree.head(); s.heads[0] != have {
			return &HeadError{Path: s.path, Want: s.heads[0], Have: have}
		}
		s.heads = s.heads[1:]
	}
	return nil
}

// load gets the next bundle: from its file, or what the journal has.
func (s *scanner) load() error {
	n := s.tree.size
	if s.parsed != nil {
		s.ahead.free = append(s.ahead.free, s.parsed)
	}
	s.first, s.ends, s.parsed = n, s.ends[:0], nil
	if n >= s.src.base {
		s.file, s.bundle = filepath.Join(journalName, journalName), s.src.tail
		s.rest = s.bundle
		if n == s.src.base && len(s.bundle) > 0 {
			return nil
		}
		return s.damaged(s.file, n+1, 0, "it ends too early")
	}
	b := s.ahead.take()
	s.file = b.place.String()
	switch {
	case errors.Is(b.err, fs.ErrNotExist) && b.place.width == tileWidth:
		return s.skip(b.place.index)
	case errors.Is(b.err, fs.ErrNotExist):
		return s.damaged(s.file, n+1, 0, "it is missing")
	case b.err != nil:
		return fileError(filepath.Join(s.path, s.file), b.err)
	case len(b.content) == 0:
		return s.damaged(s.file, n+1, 0, "it is empty")
	}
	s.parsed, s.bundle, s.rest = b, b.content, b.content
	return nil
}

// skip takes the hashes of a bundle that was deleted. What it said of keys is not known then.
func (s *scanner) skip(index uint64) error {
	p := place{0, index, tileWidth}
	content, err := p.read(s.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(filepath.Join(s.path, p.String()), err)
	}
	if len(content) != tileWidth*len(Hash{}) {
		return s.damaged(s.file, s.tree.size+1, 0, "it is missing, and so are its hashes")
	}
	s.bundle, s.rest, s.keys = nil, nil, nil
	s.gone = (index + 1) * tileWidth
	s.listed(bundleLevel, index)
	for i := range tileWidth {
		if err := s.grow(Hash(content[i*len(Hash{}):])); err != nil {
			return err
		}
	}
	return nil
}

// own heeds an entry of the log itself.
func (s *scanner) own(e *Entry) error {
	switch e.Kind {
	case KindCreated, KindKey:
		var h handover
		if err := json.Unmarshal(e.Data, &h); err != nil {
			return err
		}
		if h.Seq = e.Seq; (e.Kind == KindCreated) != (e.Seq == 1) {
			return errors.New("a log is created by its first entry")
		}
		if len(s.keys) > 0 || e.Seq == 1 {
			return s.keys.add(h)
		}
	case KindPruned:
		var p prunedData
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return err
		}
		if p.Through%tileWidth != 0 || p.Through >= e.Seq {
			return fmt.Errorf("it deletes up to entry %d", p.Through)
		}
		if e.Seq <= s.signed() { // it is signed before anything is deleted
			s.prunes = append(s.prunes, prune{e.Seq, p.Through})
			s.pruned = max(s.pruned, p.Through)
		}
		var chain keyring
		for _, h := range p.Keys {
			if err := chain.add(h); err != nil {
				return err
			}
		}
		if len(s.keys) > 0 && !slices.Equal(s.keys, chain) {
			return errors.New("it names other keys")
		}
		s.keys = chain
	case KindRecovered:
		var r recoveredData
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return err
		}
		s.adopt(e.Seq - min(e.Seq, r.Adopted))
	}
	return nil
}

// prune is a record that entries were deleted.
type prune struct{ seq, through uint64 }

// adopt makes void what entries from a number on say of deletions: they were not signed by the process that wrote them,
// which deletes nothing before, so that anybody who can write to the directory may have put them there.
func (s *scanner) adopt(from uint64) {
	n := len(s.prunes)
	for n > 0 && s.prunes[n-1].seq >= from {
		n--
	}
	if n == len(s.prunes) {
		return
	}
	s.prunes, s.pruned = s.prunes[:n], s.before
	for _, p := range s.prunes {
		s.pruned = max(s.pruned, p.through)
	}
}

// finish judges a log that was read to its end.
func (s *scanner) finish() error {
	if len(s.heads) > 0 {
		return &HeadError{Path: s.path, Want: s.heads[0], Have: s.tree.head()}
	}
	if err := s.edges(); err != nil {
		return err
	}
	if s.gone > s.pruned {
		return s.damaged(place{bundleLevel, s.gone/tileWidth - 1, tileWidth}.String(), s.gone-tileWidth+1, 0,
			"it is missing, and the log does not say that it was deleted")
	}
	if s.checkpoint != nil {
		if _, err := s.checkpoint.verify(s.keys.at(s.checkpoint.head.Size), nil); err != nil {
			return s.damaged(checkpointName, 0, 0, err.Error())
		}
	}
	return io.EOF
}

// signed is how many entries are under the checkpoint.
func (s *scanner) signed() uint64 {
	if s.checkpoint == nil {
		return 0
	}
	return s.checkpoint.head.Size
}

// listed takes a tile off the list of those that are whole.
func (s *scanner) listed(level int, index uint64) bool {
	l := s.tiles[level]
	if l == nil || len(l.whole) == 0 || l.whole[0] != index {
		return false
	}
	l.whole = l.whole[1:]
	return true
}

// tiled compares the file of a tile with the hashes it should have.
func (s *scanner) tiled(level int, index uint64, hashes []Hash) {
	if s.err == nil {
		s.err = s.compare(level, index, appendHashes(nil, hashes), hashesSize)
	}
}

// bundleDone compares the file of a bundle whose entries came from the journal, and parts of any.
func (s *scanner) bundleDone() error {
	index := (s.tree.size - 1) / tileWidth
	switch {
	case s.quick:
		return nil
	case s.bundle == nil:
		delete(s.parts(bundleLevel), index) // they go with it
		return nil
	case s.tree.size <= s.src.base && len(s.rest) > 0:
		return s.damaged(s.file, s.tree.size, int64(len(s.bundle)-len(s.rest)), "something follows its last entry")
	}
	content, size := s.window(index)
	if s.tree.size <= s.src.base { // it was just read
		s.listed(bundleLevel, index)
		return s.compareParts(bundleLevel, index, content, size, true)
	}
	return s.compare(bundleLevel, index, content, size)
}

// window is the content of a bundle as far as it was read, and the size of its first entries.
func (s *scanner) window(index uint64) (content []byte, size func(width int) int) {
	ends, from := s.ends, 0
	if before := index*tileWidth - s.first; before > 0 { // of many in the journal
		from, ends = ends[before-1], ends[before:]
	}
	return s.bundle[from : len(s.bundle)-len(s.rest)], func(w int) int { return ends[w-1] - from }
}

func (s *scanner) parts(level int) map[uint64][]int {
	if l := s.tiles[level]; l != nil {
		return l.parts
	}
	return nil
}

// compare compares a tile that is complete, and its parts, with the files that there are.
func (s *scanner) compare(level int, index uint64, want []byte, size func(width int) int) error {
	needed := (index+1)<<(tileHeight*(max(level, 0)+1)) <= s.signed()
	listed := s.listed(level, index)
	if listed || needed {
		if err := s.same(place{level, index, tileWidth}, want, needed); err != nil {
			return err
		}
	}
	return s.compareParts(level, index, want, size, listed || needed)
}

// compareParts compares parts of a tile. If there is no more of it, the part that the checkpoint needs has to be there.
func (s *scanner) compareParts(level int, index uint64, want []byte, size func(width int) int, whole bool) error {
	depth, signed := max(level, 0), 0
	if c := s.signed(); !whole && c>>(tileHeight*(depth+1)) == index {
		signed = int(c >> (tileHeight * depth) % tileWidth)
	}
	widths := s.parts(level)[index]
	if signed > 0 && !slices.Contains(widths, signed) {
		widths = append(widths, signed)
	}
	for _, w := range widths {
		if have := s.tree.size>>(tileHeight*depth) - index*tileWidth; uint64(w) > have {
			return s.damaged(place{level, index, w}.String(), s.tree.size+1, 0, "the log does not have its entries")
		}
		if err := s.same(place{level, index, w}, want[:size(w)], w == signed); err != nil {
			return err
		}
	}
	delete(s.parts(level), index)
	return nil
}

// same compares a file with what it should have.
func (s *scanner) same(p place, want []byte, needed bool) error {
	content, err := p.read(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		if !needed {
			return nil // removed meanwhile
		}
		return s.damaged(p.String(), s.tree.size, 0, "it is missing")
	}
	if err != nil {
		return fileError(filepath.Join(s.path, p.String()), err)
	}
	if bytes.Equal(content, want) {
		return nil
	}
	at := 0
	for at < min(len(content), len(want)) && content[at] == want[at] {
		at++
	}
	seq := p.index<<(tileHeight*(max(p.level, 0)+1)) + 1
	if p.level >= 0 {
		seq += uint64(at/len(Hash{})) << (tileHeight * p.level)
	}
	return s.damaged(p.String(), seq, int64(at), "it does not agree with the entries")
}

func hashesSize(width int) int { return width * len(Hash{}) }

// edges compares what is not complete, and finds tiles of entries that the log does not have.
func (s *scanner) edges() error {
	if s.quick {
		return nil
	}
	if index := s.tree.size / tileWidth; s.tree.size%tileWidth > 0 {
		content, size := s.window(index)
		if err := s.compareParts(bundleLevel, index, content, size, false); err != nil {
			return err
		}
	}
	for level, hashes := range s.tree.edge {
		index := s.tree.size >> (tileHeight * (level + 1))
		if err := s.compareParts(level, index, appendHashes(nil, hashes), hashesSize, false); err != nil {
			return err
		}
	}
	for level, l := range s.tiles {
		for _, index := range l.whole {
			return s.damaged(place{level, index, tileWidth}.String(), s.tree.size+1, 0, "the log does not have its entries")
		}
		for index, widths := range l.parts {
			return s.damaged(place{level, index, widths[0]}.String(), s.tree.size+1, 0, "the log does not have its entries")
		}
	}
	return nil
}
