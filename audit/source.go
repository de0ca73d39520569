package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// state is the snapshot of a journal: what the entries in front of it come to. It stands for whole bundles only.
type state struct {
	Head   Head     `json:"head"`
	Keys   keyring  `json:"keys"`
	Pruned uint64   `json:"pruned"` // last entry that was deleted
	Edge   [][]byte `json:"edge"`   // of the tree, by level
}

func (t *tree) pack() (edge [][]byte) {
	for _, hashes := range t.edge {
		edge = append(edge, appendHashes(nil, hashes))
	}
	return edge
}

// unpack makes a tree of the edge that pack returned.
func (s *state) unpack() (tree, error) {
	t := tree{size: s.Head.Size}
	for level, packed := range s.Edge {
		n := len(packed) / len(Hash{})
		if len(packed)%len(Hash{}) != 0 || n != int(s.Head.Size>>(tileHeight*level)%tileWidth) {
			return tree{}, errors.New("its snapshot is not a tree")
		}
		hashes := make([]Hash, n, tileWidth)
		for i := range hashes {
			copy(hashes[i][:], packed[i*len(Hash{}):])
		}
		t.edge = append(t.edge, hashes)
	}
	if t.head() != s.Head {
		return tree{}, errors.New("its snapshot is not a tree")
	}
	return t, nil
}

// source is what the journal of a log holds.
type source struct {
	have  bool   // there is a journal
	state state  // at base
	base  uint64 // entries in front of the journal
	end   uint64 // entries in all
	tail  []byte // those of the journal, as in a bundle
	found journal.Recovery
}

func (s *source) replay(e journal.Entry) error {
	bad := func(reason string) error {
		return &DamageError{Path: filepath.Join(journalName, journalName), Seq: e.Seq, Reason: reason}
	}
	if !e.Snapshot {
		if len(e.Payload) > maxEntry {
			return bad(errForm.Error())
		}
		s.tail = appendBundled(s.tail, e.Payload)
		s.end = e.Seq
		return nil
	}
	if err := json.Unmarshal(e.Payload, &s.state); err != nil {
		return bad("its snapshot is no state of a log")
	}
	if s.state.Head.Size != e.Seq || e.Seq%tileWidth != 0 {
		return bad(fmt.Sprintf("its snapshot is of %d entries", s.state.Head.Size))
	}
	s.base, s.end = e.Seq, e.Seq
	return nil
}

// read reads the journal without taking it. One that is not there is empty.
func (s *source) read(root durable.Dir, path string) (err error) {
	path = filepath.Join(path, journalName)
	s.found, err = journal.Read(root.Sub(journalName), path, s.replay)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s.have = true
	return journalError(err)
}

// journalError turns damage of a journal into damage of the log.
func journalError(err error) error {
	var damage *journal.DamageError
	if errors.As(err, &damage) {
		return &DamageError{Path: damage.Path, Seq: damage.Seq, Offset: damage.Offset, Reason: damage.Reason}
	}
	var own *DamageError // of replay
	if errors.As(err, &own) {
		return own
	}
	if err != nil {
		return fileError(journalName, err)
	}
	return nil
}
