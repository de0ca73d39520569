package lattice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrEncoding is wrapped by every refusal of UnmarshalBinary.
var ErrEncoding = errors.New("lattice: not an encoded composition")

// encodingMagic names the format and its version.
const encodingMagic = "SFPLD\x00\x00\x01"

// MarshalBinary encodes the composition exactly: magic, numbers in little-endian order, CRC-32C. The checksum finds
// accidents, not attackers: whoever can write the bytes can claim any epsilon.
func (c *Composed) MarshalBinary() ([]byte, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: nil composition", ErrParameter)
	}
	b := []byte(encodingMagic)
	b = appendFloats(b, c.slack, c.cap, c.zero)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(c.factors)))
	for i := range c.factors {
		for _, p := range []*PMF{&c.factors[i].lower, &c.factors[i].upper} {
			b = appendFloats(b, p.Step, p.Offset, p.Inf)
			b = binary.LittleEndian.AppendUint64(b, uint64(int64(p.First)))
			b = binary.LittleEndian.AppendUint64(b, uint64(len(p.Mass)))
			b = appendFloats(b, p.Mass...)
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))), nil
}

func appendFloats(b []byte, list ...float64) []byte {
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// UnmarshalBinary decodes what MarshalBinary made and nothing else: any other length, checksum, version, number out of
// range or trailing byte is refused, and c is then left as it was.
func (c *Composed) UnmarshalBinary(data []byte) error {
	body := len(data) - 4
	if c == nil || body < len(encodingMagic) || string(data[:len(encodingMagic)]) != encodingMagic {
		return fmt.Errorf("%w: wrong magic or version in %d bytes", ErrEncoding, len(data))
	}
	if crc32.Checksum(data[:body], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(data[body:]) {
		return fmt.Errorf("%w: wrong checksum", ErrEncoding)
	}
	r := reader{data: data[len(encodingMagic):body]}
	out := Composed{slack: r.float(), cap: r.float(), zero: r.float()}
	n := r.uint()
	if n > 2 || !(out.slack >= 0) || !(out.cap >= 0) || !(out.zero >= 0 && out.zero <= 1) {
		return fmt.Errorf("%w: %d factors, slack %v, greatest loss %v, variation %v", ErrEncoding, n, out.slack, out.cap, out.zero)
	}
	for range n {
		var f factor
		for _, p := range []*PMF{&f.lower, &f.upper} {
			if err := r.pmf(p); err != nil {
				return err
			}
		}
		if f.lower.Inf > f.upper.Inf+1e-9 || f.lower.Inf > 1 || f.lower.Step != f.upper.Step {
			return fmt.Errorf("%w: the two sides of a factor do not belong together", ErrEncoding)
		}
		out.factors = append(out.factors, f)
	}
	if r.short || len(r.data) != 0 {
		return fmt.Errorf("%w: wrong length", ErrEncoding)
	}
	out.tables()
	*c = out
	return nil
}

// reader takes numbers off the front; short says that it ran out.
type reader struct {
	data  []byte
	short bool
}

func (r *reader) uint() uint64 {
	if len(r.data) < 8 {
		r.short, r.data = true, nil
		return 0
	}
	v := binary.LittleEndian.Uint64(r.data)
	r.data = r.data[8:]
	return v
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint()) }

func (r *reader) pmf(p *PMF) error {
	p.Step, p.Offset, p.Inf = r.float(), r.float(), r.float()
	first, n := int64(r.uint()), r.uint()
	if !(p.Step > 0 && p.Step <= 1e6) || !(math.Abs(p.Offset) < 1e12) || !(p.Inf >= 0 && p.Inf <= 2) || first != int64(int(first)) ||
		first > 1<<45 || first < -(1<<45) || n < 1 || n > 2*maxCells || n > uint64(len(r.data))/8 {
		return fmt.Errorf("%w: step %v, offset %v, infinite mass %v, first %d, %d masses", ErrEncoding, p.Step, p.Offset, p.Inf, first, n)
	}
	p.First = int(first)
	p.Mass = make([]float64, n)
	for i := range p.Mass {
		p.Mass[i] = r.float()
		if !(p.Mass[i] >= 0 && p.Mass[i] <= 2.5) {
			return fmt.Errorf("%w: mass %v", ErrEncoding, p.Mass[i])
		}
	}
	return nil
}
