//go:build race

package leakage

// audits is the number of simulated audits of every method and mechanism. They have no concurrency of their own: a tenth will do here.
const audits = 300
