package recovery

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"time"
)

// A file is a header and a payload. The header, little endian: magic (8 bytes), version (4), zero (4), step (8), Unix time
// in ns (8), length of the payload (8), SHA-256 of the payload followed by the header up to here (32).
const (
	frameMagic   = "sfckpt\r\n" // a transfer in text mode changes the end
	frameVersion = 1
	digestAt     = 40
	headerSize   = digestAt + sha256.Size
	tempSuffix   = ".tmp"
)

// payload counts, hashes and bounds what is written after the header.
type payload struct {
	w    io.Writer
	hash hash.Hash
	n    int64
	max  int64
}

func (p *payload) Write(b []byte) (int, error) {
	if int64(len(b)) > p.max-p.n {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, p.max)
	}
	n, err := p.w.Write(b)
	if n < len(b) && err == nil {
		err = io.ErrShortWrite
	}
	p.n += int64(n)
	p.hash.Write(b[:n])
	return n, err
}

// writeFrame replaces a file so that after a crash at any moment either the old or the new one is there, whole: temporary
// file, fsync, rename, fsync of the directory.
func writeFrame(dir folder, name string, step uint64, limit int64, write func(io.Writer) error) (info Info, err error) {
	tmp := name + tempSuffix
	if err := dir.remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Info{}, err
	}
	f, err := dir.create(tmp)
	if err != nil {
		return Info{}, err
	}
	renamed := false
	defer func() { // also when write panics
		if !renamed {
			_ = f.Close()
			_ = dir.remove(tmp)
		}
	}()
	if _, err := f.Write(make([]byte, headerSize)); err != nil {
		return Info{}, err
	}
	p := payload{w: f, hash: sha256.New(), max: limit}
	buf := bufio.NewWriterSize(&p, 1<<16)
	if err := write(buf); err != nil {
		return Info{}, err
	}
	if err := buf.Flush(); err != nil {
		return Info{}, err
	}
	info = Info{Step: step, Saved: time.Now().Round(0), Bytes: p.n, Name: name}
	header := make([]byte, 0, headerSize)
	header = append(header, frameMagic...)
	header = binary.LittleEndian.AppendUint64(header, frameVersion)
	header = binary.LittleEndian.AppendUint64(header, step)
	header = binary.LittleEndian.AppendUint64(header, uint64(info.Saved.UnixNano()))
	header = binary.LittleEndian.AppendUint64(header, uint64(p.n))
	p.hash.Write(header)
	header = p.hash.Sum(header)
	copy(info.Digest[:], header[digestAt:])
	if _, err := f.WriteAt(header, 0); err != nil {
		return Info{}, err
	}
	if err := f.Sync(); err != nil {
		return Info{}, err
	}
	if err := f.Close(); err != nil {
		return Info{}, err
	}
	if err := dir.rename(tmp, name); err != nil {
		return Info{}, err
	}
	renamed = true
	return info, dir.sync()
}

// readHeader reads the header and holds it against the size of the file. What it returns is unproven without the digest.
func readHeader(r io.ReadSeeker, name string, limit int64) (info Info, header []byte, err error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return Info{}, nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return Info{}, nil, err
	}
	header = make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%d bytes are less than a header", size)
		}
		return Info{}, nil, err
	}
	version := binary.LittleEndian.Uint64(header[8:])
	length := binary.LittleEndian.Uint64(header[32:])
	switch {
	case string(header[:8]) != frameMagic:
		return Info{}, nil, errors.New("not a checkpoint")
	case version != frameVersion:
		return Info{}, nil, fmt.Errorf("version %d, want %d", version, frameVersion)
	case length != uint64(size-headerSize):
		return Info{}, nil, fmt.Errorf("%d bytes of %d", size-headerSize, length)
	case size-headerSize > limit:
		return Info{}, nil, fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, length, limit)
	}
	info = Info{
		Step:  binary.LittleEndian.Uint64(header[16:]),
		Saved: time.Unix(0, int64(binary.LittleEndian.Uint64(header[24:]))),
		Bytes: int64(length), Name: name,
	}
	copy(info.Digest[:], header[digestAt:])
	return info, header, nil
}

// readFrame checks a whole file and only then hands out its payload.
func readFrame(dir folder, name string, limit int64, use func(Info, io.Reader) error) (Info, error) {
	f, err := dir.open(name)
	if err != nil {
		return Info{}, fmt.Errorf("recovery: %s: %w", name, err) // such as too many open files: that is no damage
	}
	defer f.Close()
	info, header, err := readHeader(f, name, limit)
	if err != nil {
		return Info{}, damaged(name, err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Info{}, damaged(name, err)
	}
	sum.Write(header[:digestAt])
	if !bytes.Equal(sum.Sum(nil), header[digestAt:]) {
		return Info{}, damaged(name, errors.New("digest does not match"))
	}
	if _, err := f.Seek(headerSize, io.SeekStart); err != nil {
		return Info{}, damaged(name, err)
	}
	return info, use(info, bufio.NewReaderSize(io.LimitReader(f, info.Bytes), 1<<16))
}

func damaged(name string, err error) error { return &DamageError{Name: name, Err: err} }
