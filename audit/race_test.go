//go:build race

package audit

// raceEnabled tells that a sync.Pool loses things on purpose.
const raceEnabled = true
