//go:build race

package privacy

// slow leaves out what takes minutes under the race detector and has no concurrency of its own.
const slow = true
