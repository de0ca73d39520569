package validate

import (
	"math"
	"unsafe"
)

// finiteBlock is how many values are read before a look at the result: enough to hide the cost of looking, few enough to
// stop early and to be in the nearest cache for a second reading.
const finiteBlock = 4096

// as32 and as64 show a slice of the caller's own type as what it is made of.
func as32[T ~float32 | ~float64](xs []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(xs))), len(xs))
}

func as64[T ~float32 | ~float64](xs []T) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(xs))), len(xs))
}

func as16[T ~uint16](xs []T) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(xs))), len(xs))
}

// isSingle says whether T is a float32.
func isSingle[T ~float32 | ~float64]() bool {
	var x T
	return unsafe.Sizeof(x) == 4
}

func allFinite[T ~float32 | ~float64](xs []T) bool {
	if isSingle[T]() {
		xs := as32(xs)
		n, ok := wideFinite32(xs)
		return ok && noneMax32(xs[n:])
	}
	wide := as64(xs)
	n, ok := wideFinite64(wide)
	return ok && noneMax64(wide[n:])
}

// noneMax32 looks for the largest exponent, that of NaN and infinities. Integers, because a subnormal factor costs a
// hundred times the others on some machines. It has no branches, and two results so that none waits for the one before.
func noneMax32(xs []float32) bool {
	const one = 1 << 23 // what takes the largest exponent into the sign
	var a, b uint32
	for ; len(xs) >= 4; xs = xs[4:] {
		x := xs[:4]
		a |= math.Float32bits(x[0])&0x7fffffff + one
		b |= math.Float32bits(x[1])&0x7fffffff + one
		a |= math.Float32bits(x[2])&0x7fffffff + one
		b |= math.Float32bits(x[3])&0x7fffffff + one
	}
	for _, x := range xs {
		a |= math.Float32bits(x)&0x7fffffff + one
	}
	return (a|b)>>31 == 0
}

func noneMax64(xs []float64) bool {
	const one = 1 << 52
	var a, b uint64
	for ; len(xs) >= 4; xs = xs[4:] {
		x := xs[:4]
		a |= math.Float64bits(x[0])&(1<<63-1) + one
		b |= math.Float64bits(x[1])&(1<<63-1) + one
		a |= math.Float64bits(x[2])&(1<<63-1) + one
		b |= math.Float64bits(x[3])&(1<<63-1) + one
	}
	for _, x := range xs {
		a |= math.Float64bits(x)&(1<<63-1) + one
	}
	return (a|b)>>63 == 0
}

func noneMax16(xs []uint16) bool {
	var a uint16
	for _, x := range xs {
		a |= x&0x7fff + 1<<7 // the largest exponent goes into the sign
	}
	return a>>15 == 0
}

// lanes32 is what a block of finite float32 adds up to: value i goes to lane i mod 8, so that the result does not depend
// on what the machine is able to do at a time. Its layout is known to the assembly.
type lanes32 struct {
	sum, square [8]float64 // of the deviations from a pivot
	lo, hi      [8]float32
	zero, tiny  [8]int32 // zeros; zeros and subnormals
}

// lanes64 is lanes32 for float64. Lanes that are 4 apart share smallest, largest and counts, which have no order.
type lanes64 struct {
	sum, square [8]float64
	lo, hi      [4]float64
	zero, tiny  [4]int64
}

// block is the description of a block of finite values.
type block struct {
	sum, square float64
	lo, hi      float64
	zero, tiny  int
}

func pairwise(x *[8]float64) float64 {
	return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]))
}

func describeBlock32(xs []float32, pivot float64) block {
	var l lanes32
	for i := range l.lo {
		l.lo[i], l.hi[i] = math.MaxFloat32, -math.MaxFloat32
	}
	l.rest(xs[l.wide(xs, pivot):], pivot)
	b := block{sum: pairwise(&l.sum), square: pairwise(&l.square), lo: float64(l.lo[0]), hi: float64(l.hi[0])}
	for i := range l.lo {
		b.lo, b.hi = min(b.lo, float64(l.lo[i])), max(b.hi, float64(l.hi[i]))
		b.zero += int(l.zero[i])
		b.tiny += int(l.tiny[i])
	}
	return b
}

// rest is wide without special instructions. Conversions keep the compiler from fusing products and sums.
func (l *lanes32) rest(xs []float32, pivot float64) {
	for i, x := range xs {
		j := i & 7
		d := float64(x) - pivot
		l.sum[j] += d
		l.square[j] += float64(d * d)
		if x < l.lo[j] {
			l.lo[j] = x
		}
		if x > l.hi[j] {
			l.hi[j] = x
		}
		if abs := math.Float32bits(x) & 0x7fffffff; abs < 1<<23 {
			l.tiny[j]++
			if abs == 0 {
				l.zero[j]++
			}
		}
	}
}

func describeBlock64(xs []float64, pivot float64) block {
	var l lanes64
	for i := range l.lo {
		l.lo[i], l.hi[i] = math.MaxFloat64, -math.MaxFloat64
	}
	l.rest(xs[l.wide(xs, pivot):], pivot)
	b := block{sum: pairwise(&l.sum), square: pairwise(&l.square), lo: l.lo[0], hi: l.hi[0]}
	for i := range l.lo {
		b.lo, b.hi = min(b.lo, l.lo[i]), max(b.hi, l.hi[i])
		b.zero += int(l.zero[i])
		b.tiny += int(l.tiny[i])
	}
	return b
}

func (l *lanes64) rest(xs []float64, pivot float64) {
	for i, x := range xs {
		j, k := i&7, i&3
		d := x - pivot
		l.sum[j] += d
		l.square[j] += float64(d * d)
		if x < l.lo[k] {
			l.lo[k] = x
		}
		if x > l.hi[k] {
			l.hi[k] = x
		}
		if abs := math.Float64bits(x) & (1<<63 - 1); abs < 1<<52 {
			l.tiny[k]++
			if abs == 0 {
				l.zero[k]++
			}
		}
	}
}
