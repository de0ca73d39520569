package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a hash of the tree, by SHA-256 as RFC 6962 has it.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head names the first Size entries of a log and nothing else: kept away from the log, it proves later that the log still
// begins with just these. The zero Head is that of no entries.
type Head struct {
	Size uint64
	Hash Hash
}

// String returns the head in the form that [ParseHead] reads, such as "17:9f86d0...".
func (h Head) String() string { return strconv.FormatUint(h.Size, 10) + ":" + h.Hash.String() }

// ParseHead reads what [Head.String] returned.
func ParseHead(s string) (Head, error) {
	size, sum, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(size, 10, 64)
	if err != nil || len(sum) != 2*sha256.Size {
		return Head{}, fmt.Errorf("audit: head %s is not a number, a colon and %d hexadecimal digits", quote(s), 2*sha256.Size)
	}
	h := Head{Size: n}
	if _, err := hex.Decode(h.Hash[:], []byte(sum)); err != nil {
		return Head{}, fmt.Errorf("audit: head %s: %w", quote(s), err)
	}
	return h, nil
}

// MarshalText implements encoding.TextMarshaler, so that a head can be part of JSON.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Head) UnmarshalText(text []byte) error {
	v, err := ParseHead(string(text))
	if err != nil {
		return err
	}
	*h = v
	return nil
}

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight // hashes in a full tile, and entries in a full bundle
)

// leafHash is the hash of a stored entry. buf is for the bytes that are hashed.
func leafHash(buf, text []byte) (Hash, []byte) {
	buf = append(append(buf[:0], 0), text...)
	return sha256.Sum256(buf), buf
}

// tree is the right edge of a Merkle tree: of each level of tiles the one that is not full. Level 0 holds the hashes of
// entries, level 1 those of its full tiles, and so on.
type tree struct {
	size  uint64
	edge  [][]Hash
	tiled func(level int, index uint64, hashes []Hash) // is told of each tile that is full; hashes are its own
}

// add appends a leaf.
func (t *tree) add(h Hash) {
	t.size++
	for level := 0; ; level++ {
		if level == len(t.edge) {
			t.edge = append(t.edge, make([]Hash, 0, tileWidth))
		}
		if t.edge[level] = append(t.edge[level], h); len(t.edge[level]) < tileWidth {
			return
		}
		full := t.edge[level]
		h = treeHash(full)
		if t.tiled != nil {
			t.tiled(level, t.size>>(tileHeight*(level+1))-1, full)
			t.edge[level] = make([]Hash, 0, tileWidth)
		} else {
			t.edge[level] = full[:0]
		}
	}
}

// head returns the head of the whole tree.
func (t *tree) head() Head {
	if t.size == 0 {
		return Head{}
	}
	var root Hash
	have := false // a subtree that is not whole, to the right of those of the next level
	for _, hashes := range t.edge {
		if have {
			hashes = append(hashes[:len(hashes):len(hashes)], root)
		}
		if len(hashes) > 0 {
			root, have = treeHash(hashes), true
		}
	}
	return Head{t.size, root}
}

// treeHash is the root over subtrees of one size, of which the last may be smaller: RFC 6962 splits a tree at the largest
// power of two, which is always between two of them.
func treeHash(hashes []Hash) Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1
	for 2*k < len(hashes) {
		k *= 2
	}
	return Hash(tlog.NodeHash(tlog.Hash(treeHash(hashes[:k])), tlog.Hash(treeHash(hashes[k:]))))
}

// appendHashes is the content of a tile.
func appendHashes(dst []byte, hashes []Hash) []byte {
	for i := range hashes {
		dst = append(dst, hashes[i][:]...)
	}
	return dst
}
