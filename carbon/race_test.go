//go:build race

package carbon

import "testing"

// slowUnderRace skips a long computation of one goroutine, in which the race detector finds nothing.
func slowUnderRace(t *testing.T) {
	t.Skip("one goroutine, ten times slower: tested without the race detector")
}
