//go:build !race

package carbon

import "testing"

func slowUnderRace(*testing.T) {}
