package noise

import "golang.org/x/sys/cpu"

// hasAVX2 says whether machine and system have what the kernels use.
var hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func squares32(sums *[lanes]float64, x *float32, n int)

//go:noescape
func squares64(sums *[lanes]float64, x *float64, n int)

//go:noescape
func steps32(sum *int64, x *float32, n int, f float64) (square float64)

//go:noescape
func steps64(sum *int64, x *float64, n int, f float64) (square float64)

// wideSquares is addSquares, with scale 1, of as much of g as the machine has instructions for. It returns how much that is.
func wideSquares[F float](sums *[lanes]float64, g []F) (n int) {
	if n = len(g) &^ (lanes - 1); n == 0 || !hasAVX2 {
		return 0
	}
	switch g := any(g).(type) {
	case []float32:
		squares32(sums, &g[0], n)
	case []float64:
		squares64(sums, &g[0], n)
	}
	return n
}

// wideSteps is addSteps of as much of g as the machine has instructions for. It returns how much that is.
func wideSteps[F float](sum []int64, g []F, f float64) (n int, square float64) {
	if n = len(g) &^ (lanes - 1); n == 0 || !hasAVX2 {
		return 0, 0
	}
	_ = sum[n-1]
	switch g := any(g).(type) {
	case []float32:
		square = steps32(&sum[0], &g[0], n, f)
	case []float64:
		square = steps64(&sum[0], &g[0], n, f)
	}
	return n, square
}
