//go:build !race

package leakage

// audits is the number of simulated audits of every method and mechanism.
const audits = 3000
