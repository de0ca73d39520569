package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// writer writes a row as JSON. The values of a row are cut up by their levels as in the paper that the format follows (Melnik et al., "Dremel",
// 2010): each function is given, for each leaf below its node, the values that are its part of the row.
type writer struct {
	out   []byte
	limit int
}

func (w *writer) full() error {
	if len(w.out) > w.limit {
		return fmt.Errorf("%w: a row of more than %d bytes", ErrTooLarge, w.limit)
	}
	return nil
}

// object writes the fields of a group.
func (w *writer) object(n *node, leaves [][]parquet.Value) error {
	w.out = append(w.out, '{')
	at := 0
	for i, child := range n.children {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, child.key...)
		if err := w.field(child, leaves[at:at+child.leaves]); err != nil {
			return err
		}
		at += child.leaves
	}
	w.out = append(w.out, '}')
	return w.full()
}

// field writes a field: a list of its values, if it is repeated, null, or its value.
func (w *writer) field(n *node, leaves [][]parquet.Value) error {
	for _, l := range leaves {
		if len(l) == 0 {
			return damaged(fmt.Errorf("a value of %q is missing", n.name))
		}
	}
	present := leaves[0][0].DefinitionLevel() >= n.def
	switch {
	case n.repeated:
		return w.elements(n, leaves, present)
	case !present:
		w.out = append(w.out, "null"...)
		return nil
	case n.list:
		return w.elements(n.children[0], leaves, leaves[0][0].DefinitionLevel() >= n.children[0].def)
	}
	return w.value(n, leaves)
}

// elements writes the list of a repeated field.
func (w *writer) elements(n *node, leaves [][]parquet.Value, present bool) error {
	w.out = append(w.out, '[')
	part := make([][]parquet.Value, len(leaves))
	rest := append([][]parquet.Value(nil), leaves...)
	for first := true; present && len(rest[0]) > 0; first = false {
		if !first {
			w.out = append(w.out, ',')
		}
		for i, l := range rest { // up to the value with which another element begins
			end := 1
			for end < len(l) && l[end].RepetitionLevel() > n.rep {
				end++
			}
			if len(l) == 0 {
				return damaged(fmt.Errorf("the lists in %q are of different lengths", n.name))
			}
			part[i], rest[i] = l[:end], l[end:]
		}
		if err := w.element(n, part); err != nil {
			return err
		}
	}
	for i := range rest {
		if present && len(rest[i]) > 0 {
			return damaged(fmt.Errorf("the lists in %q are of different lengths", n.name))
		}
	}
	w.out = append(w.out, ']')
	return w.full()
}

// element writes one element of a repeated field. In a list of three levels the group that repeats holds the element, and nothing else.
func (w *writer) element(n *node, leaves [][]parquet.Value) error {
	if n.wraps {
		return w.field(n.children[0], leaves)
	}
	return w.value(n, leaves)
}

func (w *writer) value(n *node, leaves [][]parquet.Value) error {
	if n.children != nil {
		return w.object(n, leaves)
	}
	if len(leaves[0]) != 1 {
		return damaged(fmt.Errorf("%q has %d values where one belongs", n.name, len(leaves[0])))
	}
	w.leaf(n, leaves[0][0])
	return w.full()
}

func (w *writer) leaf(n *node, v parquet.Value) {
	switch n.kind {
	case parquet.Boolean:
		w.out = strconv.AppendBool(w.out, v.Boolean())
	case parquet.Int32:
		w.whole(n, int64(v.Int32()), uint64(uint32(v.Int32())))
	case parquet.Int64:
		w.whole(n, v.Int64(), uint64(v.Int64()))
	case parquet.Int96: // nanoseconds of a day, and the day as astronomers count
		x := v.Int96()
		ns, day := int64(uint64(x[1])<<32|uint64(x[0])), int64(x[2])-2440588
		w.time(time.Unix(day*86400, 0).Add(time.Duration(ns)), time.RFC3339Nano)
	case parquet.Float:
		w.float(float64(v.Float()), 32)
	case parquet.Double:
		w.float(v.Double(), 64)
	default:
		w.bytes(n, v.ByteArray())
	}
}

// whole writes a whole number, or what it stands for.
func (w *writer) whole(n *node, x int64, unsigned uint64) {
	switch t := n.logical.(type) {
	case *format.IntType:
		if !t.IsSigned {
			w.out = strconv.AppendUint(w.out, unsigned, 10)
			return
		}
	case *format.DecimalType:
		w.decimal(big.NewInt(x), n.scale)
		return
	case *format.DateType:
		w.time(time.Unix(x*86400, 0), time.DateOnly)
		return
	case *format.TimeType:
		w.time(instant(x, t.Unit), "15:04:05.999999999")
		return
	case *format.TimestampType:
		layout := time.RFC3339Nano
		if !t.IsAdjustedToUTC {
			layout = "2006-01-02T15:04:05.999999999"
		}
		w.time(instant(x, t.Unit), layout)
		return
	}
	w.out = strconv.AppendInt(w.out, x, 10)
}

// instant is x units after 1970.
func instant(x int64, unit format.TimeUnit) time.Time {
	switch unit.Value.(type) {
	case *format.MilliSeconds:
		return time.UnixMilli(x)
	case *format.MicroSeconds:
		return time.UnixMicro(x)
	default:
		return time.Unix(x/1e9, x%1e9)
	}
}

func (w *writer) time(t time.Time, layout string) {
	w.out = append(w.out, '"')
	w.out = t.UTC().AppendFormat(w.out, layout)
	w.out = append(w.out, '"')
}

// float writes a number in the shortest form, and what is none as one beyond all.
func (w *writer) float(x float64, bits int) {
	switch {
	case math.IsNaN(x), math.IsInf(x, 1):
		w.out = append(w.out, "1e999"...)
	case math.IsInf(x, -1):
		w.out = append(w.out, "-1e999"...)
	default:
		from := len(w.out)
		w.out = strconv.AppendFloat(w.out, x, 'g', -1, bits)
		for _, c := range w.out[from:] {
			if c == '.' || c == 'e' {
				return
			}
		}
		w.out = append(w.out, ".0"...) // a float, though it is whole
	}
}

// decimal writes x / 10^scale.
func (w *writer) decimal(x *big.Int, scale int) {
	digits := x.Text(10)
	if x.Sign() < 0 {
		w.out = append(w.out, '-')
		digits = digits[1:]
	}
	for len(digits) <= scale {
		digits = "0" + digits
	}
	w.out = append(w.out, digits[:len(digits)-scale]...)
	if scale > 0 {
		w.out = append(append(w.out, '.'), digits[len(digits)-scale:]...)
	}
}

func (w *writer) bytes(n *node, b []byte) {
	switch n.logical.(type) {
	case *format.DecimalType: // two's complement, the highest byte first
		x := new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		w.decimal(x, n.scale)
	case *format.UUIDType:
		if len(b) == 16 {
			w.out = fmt.Appendf(w.out, `"%x-%x-%x-%x-%x"`, b[:4], b[4:6], b[6:8], b[8:10], b[10:])
			return
		}
		w.out = appendString(w.out, b)
	case *format.Float16Type:
		if len(b) == 2 {
			w.float(half(binary.LittleEndian.Uint16(b)), 32)
			return
		}
		w.out = appendString(w.out, b)
	default:
		w.out = appendString(w.out, b)
	}
}

// half is the value of an IEEE 754 binary16.
func half(h uint16) float64 {
	sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10&0x1f), float64(h&0x3ff)
	switch exponent {
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	case 0:
		return sign * math.Ldexp(fraction, -24)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// appendString writes a string of JSON. Bytes that are no UTF-8 stay as they are, for the reader to notice.
func appendString(out, b []byte) []byte {
	out = append(out, '"')
	from := 0
	for i, c := range b {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, b[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return append(append(out, b[from:]...), '"')
}
