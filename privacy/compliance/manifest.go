package compliance

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"
)

const (
	manifestMagic = "surefoot batch manifest 1\n"
	maxPiece      = 4096 // pseudonyms of one piece
	maxRunName    = 128  // bytes
	pieceMark     = 'B'
	endMark       = 'E'
)

// Batch is who was in a batch, or a piece of a larger one, which is followed by others with the same run and number.
type Batch struct {
	Run    string
	Number uint64
	Time   time.Time
	// IDs are valid until the next batch is asked for.
	IDs []Pseudonym
}

// Manifest writes down who was in every batch of a run, as a stream: 16 bytes per record of a batch. Errors of the writer stick. It is
// not safe for concurrent use. Make one with NewManifest.
type Manifest struct {
	w           *bufio.Writer
	sum         hash.Hash
	pieces, ids uint64
	buf         []byte
	err         error
}

// NewManifest starts a manifest of pseudonyms of one key. Files for it should have mode 0600.
func NewManifest(w io.Writer, key KeyID) (*Manifest, error) {
	m := &Manifest{w: bufio.NewWriterSize(w, 1<<16), sum: sha256.New()}
	m.put(append([]byte(manifestMagic), key[:]...))
	return m, m.err
}

func (m *Manifest) put(data []byte) {
	if m.err == nil {
		m.sum.Write(data)
		if _, err := m.w.Write(data); err != nil {
			m.err = fmt.Errorf("compliance: manifest: %w", err)
		}
	}
}

// Add appends a batch. Run has 1 to 128 bytes; Time is a year from 1970 to 2261.
func (m *Manifest) Add(b Batch) error {
	at, ok := nanoseconds(b.Time)
	if !ok {
		return invalid("batch's time", b.Time, "a year from 1970 to 2261")
	}
	if len(b.Run) == 0 || len(b.Run) > maxRunName {
		return invalid("batch's run", quoted(b.Run), fmt.Sprintf("1 to %d bytes", maxRunName))
	}
	for first := true; first || len(b.IDs) > 0; first = false { // an empty batch is one, too
		n := min(len(b.IDs), maxPiece)
		m.buf = append(m.buf[:0], pieceMark, byte(len(b.Run)))
		m.buf = append(m.buf, b.Run...)
		m.buf = binary.BigEndian.AppendUint64(m.buf, b.Number)
		m.buf = binary.BigEndian.AppendUint64(m.buf, uint64(at))
		m.buf = binary.BigEndian.AppendUint16(m.buf, uint16(n))
		for i := range b.IDs[:n] {
			m.buf = append(m.buf, b.IDs[i][:]...)
		}
		m.put(m.buf)
		m.pieces++
		m.ids += uint64(n)
		b.IDs = b.IDs[n:]
	}
	return m.err
}

// Close ends the manifest and returns the SHA-256 of it, in hexadecimal. It does not close the writer. A manifest that was not closed
// reads as incomplete.
func (m *Manifest) Close() (digest string, err error) {
	end := append(m.buf[:0], endMark)
	end = binary.BigEndian.AppendUint64(end, m.pieces)
	m.put(binary.BigEndian.AppendUint64(end, m.ids))
	if m.err != nil {
		return "", m.err
	}
	sum := m.sum.Sum(nil)
	m.w.Write(sum)
	if m.err = m.w.Flush(); m.err != nil {
		m.err = fmt.Errorf("compliance: manifest: %w", m.err)
		return "", m.err
	}
	m.err = errors.New("compliance: manifest is closed")
	return hex.EncodeToString(sum), nil
}

// ManifestReader reads a manifest once, in memory for one piece.
type ManifestReader struct {
	r      *bufio.Reader
	sum    hash.Hash
	key    KeyID
	digest string
	read   bool
}

// ReadManifest reads the head of a manifest.
func ReadManifest(from io.Reader) (*ManifestReader, error) {
	m := &ManifestReader{r: bufio.NewReaderSize(from, 1<<16), sum: sha256.New()}
	head := make([]byte, len(manifestMagic)+len(m.key))
	if err := m.get(head); err != nil {
		return nil, damaged("manifest", err)
	}
	if string(head[:len(manifestMagic)]) != manifestMagic {
		return nil, invalid("manifest's head", quoted(string(head[:len(manifestMagic)])), quoted(manifestMagic))
	}
	m.key = KeyID(head[len(manifestMagic):])
	return m, nil
}

func (m *ManifestReader) get(into []byte) error {
	if _, err := io.ReadFull(m.r, into); err != nil {
		return err
	}
	m.sum.Write(into)
	return nil
}

// Key returns the key of the pseudonyms.
func (m *ManifestReader) Key() KeyID { return m.key }

// Digest returns the SHA-256 of the manifest, in hexadecimal, once all batches were read without an error, else "".
func (m *ManifestReader) Digest() string { return m.digest }

// Batches yields the batches in their order. The last pair has an error if the manifest is damaged, or was not closed; batches
// before it may be damaged as well, since the checksum stands at the end. It can be used once.
func (m *ManifestReader) Batches() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if m.read {
			yield(Batch{}, errors.New("compliance: manifest was read before"))
			return
		}
		m.read = true
		if err := m.each(yield); err != nil {
			yield(Batch{}, err)
		}
	}
}

func (m *ManifestReader) each(yield func(Batch, error) bool) error {
	var b Batch
	var pieces, ids uint64
	room := make([]byte, 16*maxPiece)
	for {
		var head [1 + 16]byte
		if err := m.get(head[:1]); err != nil {
			return damaged("manifest", err)
		}
		if head[0] == endMark {
			if err := m.get(head[1:]); err != nil {
				return damaged("manifest", err)
			}
			if n, k := binary.BigEndian.Uint64(head[1:]), binary.BigEndian.Uint64(head[9:]); n != pieces || k != ids {
				return invalid("manifest's end", fmt.Sprintf("%d pieces, %d pseudonyms", n, k), fmt.Sprintf("%d and %d", pieces, ids))
			}
			return m.end()
		}
		if head[0] != pieceMark {
			return invalid("manifest's piece", quoted(string(head[:1])), `"B" or "E"`)
		}
		if err := m.get(head[:1]); err != nil {
			return damaged("manifest", err)
		}
		n := int(head[0])
		if n == 0 || n > maxRunName {
			return invalid("manifest's run", n, fmt.Sprintf("1 to %d bytes", maxRunName))
		}
		fixed := room[:n+18]
		if err := m.get(fixed); err != nil {
			return damaged("manifest", err)
		}
		number, at, count := binary.BigEndian.Uint64(fixed[n:]), int64(binary.BigEndian.Uint64(fixed[n+8:])), int(binary.BigEndian.Uint16(fixed[n+16:]))
		if count > maxPiece || at < 0 {
			return invalid("manifest's piece", count, fmt.Sprintf("at most %d, from 1970 on", maxPiece))
		}
		pieces++
		if b.Run != string(fixed[:n]) {
			b.Run = string(fixed[:n])
		}
		b.Number, b.Time = number, time.Unix(0, at).UTC()
		if _, ok := nanoseconds(b.Time); !ok {
			return invalid("batch's time", b.Time, "a year from 1970 to 2261")
		}
		if err := m.get(room[:16*count]); err != nil {
			return damaged("manifest", err)
		}
		b.IDs = b.IDs[:0]
		for i := range count {
			b.IDs = append(b.IDs, Pseudonym(room[16*i:]))
		}
		ids += uint64(count)
		if !yield(b, nil) {
			return nil
		}
	}
}

func (m *ManifestReader) end() error {
	have := m.sum.Sum(nil)
	var want [sha256.Size]byte
	if _, err := io.ReadFull(m.r, want[:]); err != nil {
		return damaged("manifest", err)
	}
	if want != [sha256.Size]byte(have) {
		return invalid("manifest's checksum", hex.EncodeToString(want[:4]), hex.EncodeToString(have[:4]))
	}
	if _, err := m.r.ReadByte(); err == nil {
		return invalid("manifest", "data after the end", "nothing")
	}
	m.digest = hex.EncodeToString(have)
	return nil
}
