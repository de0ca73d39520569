//go:build !amd64

package validate

func wideFinite32([]float32) (n int, ok bool) { return 0, true }

func wideFinite64([]float64) (n int, ok bool) { return 0, true }

func wideFinite16([]uint16) (n int, ok bool) { return 0, true }

func (l *lanes32) wide([]float32, float64) (n int) { return 0 }

func (l *lanes64) wide([]float64, float64) (n int) { return 0 }
