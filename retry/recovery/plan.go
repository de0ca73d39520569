package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/surefoot-ml/surefoot/retry"
)

// Action is what is done about a step.
type Action uint8

// The actions.
const (
	Continue Action = iota // the step is applied; on to the next batch
	Retry                  // the same batch again
	Rollback               // back to a checkpoint, and perhaps past some batches
	Skip                   // on without some batches
	Shrink                 // the same batch again, in smaller pieces
	Degrade                // the same batch again, after Strategy.Do has changed something
	Stop                   // end with a checkpoint, if the state is good
	FailFast               // end at once
	actions
)

var actionNames = [...]string{"continue", "retry", "rollback", "skip", "shrink", "degrade", "stop", "fail fast"}

// String names the action.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// MarshalText is String.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Failure is what is known when a strategy is chosen.
type Failure struct {
	Class Class
	Err   error
	Step  uint64 // steps applied before
	Batch uint64 // the batch that failed
}

// Strategy is one way to recover.
type Strategy struct {
	Action Action
	// Times is how often it is used before the next strategy has its turn. It counts anew when training has got past the
	// step that failed. Default 1.
	Times int
	// Delays are waited for before training goes on, at least as long as the error asks for (its RetryAfter method).
	// Default: none.
	Delays retry.Delays
	// Back is how many steps a Rollback goes back at least, if checkpoints reach as far; zero is to the last checkpoint.
	Back uint64
	// Skip is how many batches are left out from then on: for a Rollback beginning with the batch applied Back steps ago,
	// for a Skip with the one that failed. Default for Skip 1, for Rollback none.
	Skip uint64
	// Do is called when the state is put back and before training goes on: to lower a learning rate, or to switch off
	// what failed. If it fails the next strategy has its turn. A Degrade needs it.
	Do func(ctx context.Context, f Failure) error
}

// Plan lists for each class the strategies in the order in which they are tried. Classes that are not in it are treated as
// in [DefaultPlan]. After the last strategy training stops.
type Plan map[Class][]Strategy

// DefaultPlan is the plan for what is not said otherwise.
//
//   - Transient: three retries with growing delays, for the cause is mostly outside; then twice from the last checkpoint,
//     in case the state is the cause; then without the batch, in case that is.
//   - OutOfMemory: smaller pieces, up to eight halvings. Trying the same again would fail again.
//   - BadData: without the batch, up to five in a row; more means that the data as a whole is bad.
//   - Diverged: back 100 steps and without 200 batches, as PaLM did (Chowdhery et al. 2022, section 5.1: about 100 steps,
//     200 to 500 batches; the same batches do no harm from another state). Never in place: the state is bad, not the luck.
//     After the third time it is the configuration.
//   - StateUnknown: from the last checkpoint.
//   - Cancelled, Refused: stop with a checkpoint. Nothing is broken.
//   - Permanent: fail fast.
func DefaultPlan() Plan {
	return Plan{
		Transient: {
			{Action: Retry, Times: 3, Delays: retry.Exponential{}},
			{Action: Rollback, Times: 2},
			{Action: Skip},
			{Action: Stop},
		},
		OutOfMemory:  {{Action: Shrink, Times: 8}, {Action: Stop}},
		BadData:      {{Action: Skip, Times: 5}, {Action: Stop}},
		Diverged:     {{Action: Rollback, Times: 3, Back: 100, Skip: 200}, {Action: FailFast}},
		StateUnknown: {{Action: Rollback, Times: 3}, {Action: Stop}},
		Cancelled:    {{Action: Stop}},
		Refused:      {{Action: Stop}},
		Permanent:    {{Action: FailFast}},
	}
}

// maxLeap bounds how far one strategy goes, so that numbers of batches do not overflow.
const maxLeap = 1 << 40

// complete returns a copy with defaults, or says what is wrong.
func (p Plan) complete() (Plan, error) {
	full := DefaultPlan()
	maps.Copy(full, p)
	for class, list := range full {
		if class >= classes {
			return nil, fmt.Errorf("recovery: plan: no %v", class)
		}
		own := make([]Strategy, len(list))
		for i, s := range list {
			s.Times = or(s.Times, 1)
			if s.Action == Skip {
				s.Skip = or(s.Skip, 1)
			}
			if err := s.check(class); err != nil {
				return nil, fmt.Errorf("recovery: plan: %v strategy %d, %v: %w", class, i, s.Action, err)
			}
			own[i] = s
		}
		full[class] = own
	}
	return full, nil
}

func (s *Strategy) check(class Class) error {
	inPlace := s.Action == Retry || s.Action == Skip || s.Action == Shrink || s.Action == Degrade
	switch {
	case s.Action == Continue || s.Action >= actions:
		return errors.New("it is no way to recover")
	case s.Times < 0:
		return fmt.Errorf("want Times of at least 1, have %d", s.Times)
	case s.Back > maxLeap || s.Skip > maxLeap:
		return fmt.Errorf("want Back and Skip of at most %d, have %d and %d", uint64(maxLeap), s.Back, s.Skip)
	case s.Back > 0 && s.Action != Rollback:
		return errors.New("only Rollback goes back")
	case s.Skip > 0 && s.Action != Rollback && s.Action != Skip:
		return errors.New("only Rollback and Skip leave out batches")
	case s.Action == Degrade && s.Do == nil:
		return errors.New("without Do it would change nothing")
	case s.Do != nil && (s.Action == Stop || s.Action == FailFast):
		return errors.New("only strategies after which training goes on have a Do")
	case (class == Diverged || class == StateUnknown) && inPlace:
		return errors.New("the state is bad, only a Rollback replaces it")
	case class == Diverged && s.Action == Rollback && s.Skip <= s.Back:
		return fmt.Errorf("want Skip above Back (%d), have %d: the batch that diverged would come again", s.Back, s.Skip)
	case class == Cancelled && s.Action != Stop && s.Action != FailFast:
		return errors.New("who wants to end must not be held")
	}
	return nil
}
