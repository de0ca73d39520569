//go:build plan9 || js || wasip1

package logging

// isDisk reports whether an error says that nothing can be stored for now.
func isDisk(error) bool { return false }
