package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// A file is a header and frames, all integers little-endian:
//
//	header  magic[8] salt[4] crc[4]                                             crc of magic and salt: the seed of all others
//	frame   size[4] count[4] seq[8] prev[4] head[4] sum[4] body[size]
//
// head is the CRC-32C of the 20 bytes before it, sum continues it over the body, and prev is the sum of the frame before.
// The first frame holds the snapshot: seq is the last entry that it stands for, count is 1, or 0 if there is none. In each
// other frame seq is the number of its first entry, and the body is count times (length as a uvarint, payload). An empty
// frame is written by Close: it shows that what precedes it was on stable storage.
//
// A frame is one group commit. It is written only after the frame before it was synced, hence of all frames the last alone
// can be incomplete after a crash, and a legible head behind an illegible frame proves damage. The salt keeps payloads
// that quote frames of another journal from being taken for such proof. A CRC finds accidents, not forgery.
const (
	magic      = "sfjrnl\x00\x01" // the last byte is the version of the format
	headerSize = 16
	frameSize  = 28
	maxBody    = 1 << 30 // bytes; an int on every platform
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHeader appends the header of a file and returns its seed too.
func appendHeader(dst []byte, salt [4]byte) ([]byte, uint32) {
	at := len(dst)
	dst = append(append(dst, magic...), salt[:]...)
	seed := crc32.Checksum(dst[at:], castagnoli)
	return binary.LittleEndian.AppendUint32(dst, seed), seed
}

// parseHeader returns the seed. It is false for a header that is not whole.
func parseHeader(h []byte) (seed uint32, ok bool) {
	seed = crc32.Checksum(h[:headerSize-4], castagnoli)
	return seed, seed == binary.LittleEndian.Uint32(h[headerSize-4:headerSize])
}

// head is what stands before the body of a frame.
type head struct {
	size, count uint32
	seq         uint64
	prev        uint32
	head, sum   uint32
}

// finishFrame fills in the head of buf, whose body is complete, and returns the sum.
func finishFrame(buf []byte, seed, prev uint32, seq uint64, count uint32) uint32 {
	le := binary.LittleEndian
	le.PutUint32(buf[0:], uint32(len(buf)-frameSize))
	le.PutUint32(buf[4:], count)
	le.PutUint64(buf[8:], seq)
	le.PutUint32(buf[16:], prev)
	h := crc32.Update(seed, castagnoli, buf[:20])
	sum := crc32.Update(h, castagnoli, buf[frameSize:])
	le.PutUint32(buf[20:], h)
	le.PutUint32(buf[24:], sum)
	return sum
}

// parseHead reads a head. It is false for one that is not whole.
func parseHead(b []byte, seed uint32) (head, bool) {
	le := binary.LittleEndian
	h := head{le.Uint32(b[0:]), le.Uint32(b[4:]), le.Uint64(b[8:]), le.Uint32(b[16:]), le.Uint32(b[20:]), le.Uint32(b[24:])}
	return h, h.head == crc32.Update(seed, castagnoli, b[:20])
}

func (h head) holds(body []byte) bool { return h.sum == crc32.Update(h.head, castagnoli, body) }

func appendEntry(dst, payload []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(payload))), payload...)
}

// cutEntry returns the first entry of a body and the rest.
func cutEntry(body []byte) (payload, rest []byte, ok bool) {
	n, k := binary.Uvarint(body)
	if k <= 0 || n > uint64(len(body)-k) {
		return nil, nil, false
	}
	end := k + int(n)
	return body[k:end:end], body[end:], true
}
