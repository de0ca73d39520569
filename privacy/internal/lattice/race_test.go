//go:build race

package lattice

const underRace = true
