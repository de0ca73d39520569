//go:build plan9 || js || wasip1

package logging

import "errors"

var errNoSpace = errors.New("no space")

func noSpace() error { return errNoSpace }
