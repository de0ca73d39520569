//go:build !amd64

package noise

func wideSquares[F float](*[lanes]float64, []F) int { return 0 }

func wideSteps[F float]([]int64, []F, float64) (n int, square float64) { return 0, 0 }
