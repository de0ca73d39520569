//go:build !race

package privacy

const slow = false
