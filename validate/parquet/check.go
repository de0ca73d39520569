package parquet

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// checkEnds looks at the first and the last bytes of a file, before anything is believed.
func checkEnds(r io.ReaderAt, size int64, limits Limits) error {
	var head [4]byte
	var tail [8]byte
	if size < int64(len(head)+len(tail)) {
		return fmt.Errorf("%w: %d bytes are no Parquet file", ErrDamaged, size)
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	if _, err := r.ReadAt(tail[:], size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("parquet: %w", err)
	}
	if string(head[:]) != "PAR1" || string(tail[4:]) != "PAR1" {
		return fmt.Errorf("%w: it does not begin and end as a Parquet file does that is not encrypted", ErrDamaged)
	}
	footer := int64(binary.LittleEndian.Uint32(tail[:]))
	if footer > int64(limits.Footer) {
		return fmt.Errorf("%w: a description of %d bytes, limit %d", ErrTooLarge, footer, limits.Footer)
	}
	if footer > size-int64(len(head)+len(tail)) {
		return fmt.Errorf("%w: a description of %d bytes in a file of %d", ErrDamaged, footer, size)
	}
	return nil
}

// checkPages walks over the pages of a row group and holds what they say of themselves, and what they decompress to, against the limits.
// The library would make room for all of it.
func checkPages(r io.ReaderAt, size int64, group format.RowGroup, limits Limits) error {
	for i := range group.Columns {
		chunk := &group.Columns[i]
		if chunk.FilePath != "" {
			return fmt.Errorf("%w: column %d is in another file", ErrDamaged, i)
		}
		m := &chunk.MetaData
		start := m.DataPageOffset
		if d := m.DictionaryPageOffset; d > 0 && d < start {
			start = d
		}
		if start < 4 || m.TotalCompressedSize < 0 || start > size || m.TotalCompressedSize > size-start {
			return fmt.Errorf("%w: column %d lies outside of the file", ErrDamaged, i)
		}
		if err := checkChunk(io.NewSectionReader(r, start, m.TotalCompressedSize), m, limits); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func checkChunk(chunk *io.SectionReader, m *format.ColumnMetaData, limits Limits) error {
	at := int64(0)
	for at < chunk.Size() {
		if _, err := chunk.Seek(at, io.SeekStart); err != nil {
			return err
		}
		counted := &counter{r: bufio.NewReaderSize(chunk, 512)}
		var header format.PageHeader
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(counted)).Decode(&header); err != nil {
			return fmt.Errorf("%w: the head of a page: %w", ErrDamaged, err)
		}
		at += counted.n
		stored, plain := int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
		if stored < 0 || plain < 0 || stored > chunk.Size()-at {
			return fmt.Errorf("%w: a page of %d bytes where %d are left", ErrDamaged, stored, chunk.Size()-at)
		}
		if plain > int64(limits.Page) || stored > int64(limits.Page) {
			return fmt.Errorf("%w: a page of %d bytes, limit %d", ErrTooLarge, max(plain, stored), limits.Page)
		}
		if n := valuesOf(&header); n < 0 || n > int64(limits.Values) {
			return fmt.Errorf("%w: a page of %d values, limit %d", ErrTooLarge, n, limits.Values)
		}
		if err := checkGrowth(io.NewSectionReader(chunk, at, stored), m.Codec, plain, levelBytes(&header), limits); err != nil {
			return err
		}
		at += stored
	}
	return nil
}

// valuesOf is how many values a page says it has.
func valuesOf(h *format.PageHeader) int64 {
	n := int64(0)
	if h.DataPageHeader.Valid {
		n = max(n, int64(h.DataPageHeader.V.NumValues))
	}
	if h.DataPageHeaderV2.Valid {
		n = max(n, int64(h.DataPageHeaderV2.V.NumValues), int64(h.DataPageHeaderV2.V.NumRows))
	}
	if h.DictionaryPageHeader.Valid {
		n = max(n, int64(h.DictionaryPageHeader.V.NumValues))
	}
	return n
}

// levelBytes is how much of a page of the second version stands before what is compressed.
func levelBytes(h *format.PageHeader) int64 {
	if !h.DataPageHeaderV2.Valid {
		return 0
	}
	v := h.DataPageHeaderV2.V
	return int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
}

// checkGrowth decompresses a page to nowhere, and stops at the limit: what it says of its size need not be so.
func checkGrowth(page *io.SectionReader, codec format.CompressionCodec, plainSize, skip int64, limits Limits) error {
	if skip < 0 || skip > page.Size() {
		return fmt.Errorf("%w: the levels of a page are longer than it", ErrDamaged)
	}
	in := io.NewSectionReader(page, skip, page.Size()-skip)
	if in.Size() == 0 {
		return nil
	}
	var plain io.Reader
	switch codec {
	case format.Uncompressed:
		return nil
	case format.Snappy: // says first how long it gets
		n, err := binary.ReadUvarint(bufio.NewReaderSize(in, 16))
		if err != nil || n > uint64(limits.Page) {
			return fmt.Errorf("%w: a page of %d bytes, limit %d", ErrTooLarge, n, limits.Page)
		}
		return nil
	case format.Lz4Raw: // the library doubles its room until all fits
		stored, room := make([]byte, in.Size()), make([]byte, plainSize)
		if _, err := io.ReadFull(in, stored); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if _, err := lz4.UncompressBlock(stored, room); err != nil {
			return fmt.Errorf("%w: an LZ4 page that is not of %d bytes: %w", ErrDamaged, plainSize, err)
		}
		return nil
	case format.Gzip:
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		plain = z
	case format.Zstd:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(max(limits.Page, 1<<20))), zstd.WithDecoderMaxWindow(uint64(max(limits.Page, 1<<20))))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		defer z.Close()
		plain = z
	case format.Brotli:
		plain = brotli.NewReader(in)
	default:
		return fmt.Errorf("%w: compressed by %v, which is not read", ErrDamaged, codec)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(plain, int64(limits.Page)+1))
	switch {
	case n > int64(limits.Page):
		return fmt.Errorf("%w: a page of more than %d bytes after decompression", ErrTooLarge, limits.Page)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// counter counts what the decoder of thrift takes.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}
