package validate

import "golang.org/x/sys/cpu"

// hasAVX2 says whether machine and system have what the kernels use.
var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func finite32(x *float32, n int) bool

//go:noescape
func finite64(x *float64, n int) bool

//go:noescape
func finite16(x *uint16, n int) bool

//go:noescape
func describe32(l *lanes32, x *float32, n int, pivot float64)

//go:noescape
func describe64(l *lanes64, x *float64, n int, pivot float64)

// wideFinite32 tests as much of xs as the machine has instructions for. It returns how much that is.
func wideFinite32(xs []float32) (n int, ok bool) {
	if n = len(xs) &^ 31; n == 0 || !hasAVX2 {
		return 0, true
	}
	return n, finite32(&xs[0], n)
}

func wideFinite64(xs []float64) (n int, ok bool) {
	if n = len(xs) &^ 15; n == 0 || !hasAVX2 {
		return 0, true
	}
	return n, finite64(&xs[0], n)
}

func wideFinite16(xs []uint16) (n int, ok bool) {
	if n = len(xs) &^ 63; n == 0 || !hasAVX2 {
		return 0, true
	}
	return n, finite16(&xs[0], n)
}

// wide adds as much of xs to l as the machine has instructions for. It returns how much that is.
func (l *lanes32) wide(xs []float32, pivot float64) (n int) {
	if n = len(xs) &^ 7; n == 0 || !hasAVX2 {
		return 0
	}
	describe32(l, &xs[0], n, pivot)
	return n
}

func (l *lanes64) wide(xs []float64, pivot float64) (n int) {
	if n = len(xs) &^ 7; n == 0 || !hasAVX2 {
		return 0
	}
	describe64(l, &xs[0], n, pivot)
	return n
}
