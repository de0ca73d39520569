package validate

import "math"

// FiniteBF16 is [Finite] for bfloat16 values, given as their bits.
func FiniteBF16[T ~uint16](name string, xs []T) error {
	for done := 0; done < len(xs); done += finiteBlock {
		part := xs[done:min(done+finiteBlock, len(xs))]
		bits := as16(part)
		if n, ok := wideFinite16(bits); ok && noneMax16(bits[n:]) {
			continue
		}
		for i, x := range part {
			if v := fromBF16(uint16(x)); !isFinite(v) {
				return &NotFiniteError{Name: name, Index: done + i, Value: float64(v)}
			}
		}
	}
	return nil
}

// DescribeBF16 is [Describe] for bfloat16 values, given as their bits.
func DescribeBF16[T ~uint16](xs []T) Moments {
	var m Moments
	var wide [finiteBlock]float32
	for len(xs) > 0 {
		part := as16(xs[:min(finiteBlock, len(xs))])
		xs = xs[len(part):]
		for i, x := range part {
			wide[i] = fromBF16(x)
		}
		m.add32(wide[:len(part)])
	}
	return m
}

// fromBF16 is exact: a bfloat16 is the upper half of a float32.
func fromBF16(bits uint16) float32 { return math.Float32frombits(uint32(bits) << 16) }
