package breaker

import (
	"context"
	"errors"
	"fmt"
)

// Outcome is what the end of a step says about the health of what is guarded. The zero Outcome, and any value without a
// name here, is a Failure: a classifier that forgets a case makes the breaker careful, not blind.
type Outcome uint8

const (
	Failure Outcome = iota
	Success
	// Neutral counts neither way: it does not open, close or delay anything, and frees the place of a probe.
	Neutral
)

func (o Outcome) String() string {
	switch o {
	case Failure:
		return "failure"
	case Success:
		return "success"
	case Neutral:
		return "neutral"
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Classify is the classification used unless Config.Classify gives another. A nil error is a Success. An error with a
// method Neutral() bool in its tree is what that method says, which lets a refusal further in pass uncounted, and a
// watchdog insist that the cancellation it caused is a failure. Otherwise context.Canceled is Neutral, because the caller
// lost interest, and everything else, context.DeadlineExceeded included, a Failure.
func Classify(err error) Outcome {
	if err == nil {
		return Success
	}
	var n interface{ Neutral() bool }
	if errors.As(err, &n) {
		if n.Neutral() {
			return Neutral
		}
		return Failure
	}
	if errors.Is(err, context.Canceled) {
		return Neutral
	}
	return Failure
}
