//go:build !race

package lattice

const underRace = false
