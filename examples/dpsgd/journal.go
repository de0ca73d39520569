package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/retry"
)

// The ways in which an attempt goes wrong, as the report names them.
const (
	wayOverran   = "overran its deadline: cancelled and waited for"
	wayPanicked  = "panicked: recovered as an error"
	wayRefused   = "refused by the open breaker: waited for its next probe"
	wayNotFinite = "loss not finite: result rejected"
	wayExhausted = "refused by the budget: run ended"
	wayStopped   = "stopped from outside"
	wayFailed    = "failed: transient error"
)

// incident counts what happened to attempts that went wrong in one way.
type incident struct {
	Way     string `json:"way"`
	Met     int    `json:"met"`
	Retried int    `json:"retried"` // followed by another attempt, on restored weights
	Saved   int    `json:"saved"`   // in batches that succeeded in the end
}

// journal is the recorder of the run: it counts what happened to every attempt, and hands the records on to the trail.
type journal struct {
	*audit.Recorder
	incidents []incident
	attempts  int
	retries   int
	steps     []int // steps with an attempt that went wrong
	pending   []string
}

// wayOf says how an attempt went wrong.
func wayOf(err error) string {
	var panicked *surefoot.PanicError
	switch {
	case errors.Is(err, privacy.ErrExhausted):
		return wayExhausted
	case errors.Is(err, breaker.ErrOpen):
		return wayRefused
	case errors.Is(err, retry.ErrOverran):
		return wayOverran
	case errors.As(err, &panicked):
		return wayPanicked
	case errors.Is(err, errLoss):
		return wayNotFinite
	case errors.Is(err, context.Canceled):
		return wayStopped
	}
	return wayFailed
}

func (j *journal) incident(way string) *incident {
	for i := range j.incidents {
		if j.incidents[i].Way == way {
			return &j.incidents[i]
		}
	}
	j.incidents = append(j.incidents, incident{Way: way})
	return &j.incidents[len(j.incidents)-1]
}

// RecordAttempt counts an attempt.
func (j *journal) RecordAttempt(ctx context.Context, batch uint64, attempt int, wait, run time.Duration, err error) {
	j.Recorder.RecordAttempt(ctx, batch, attempt, wait, run, err)
	j.attempts++
	if attempt > 1 {
		j.retries++
		j.incident(j.pending[len(j.pending)-1]).Retried++
	}
	if err != nil {
		way := wayOf(err)
		j.incident(way).Met++
		j.pending = append(j.pending, way)
	}
}

// RecordBatch settles the incidents of a batch.
func (j *journal) RecordBatch(ctx context.Context, batch uint64, attempts int, wait, run time.Duration, err error) {
	j.Recorder.RecordBatch(ctx, batch, attempts, wait, run, err)
	if len(j.pending) > 0 {
		j.steps = append(j.steps, int(batch))
	}
	if err == nil {
		for _, way := range j.pending {
			j.incident(way).Saved++
		}
	}
	j.pending = j.pending[:0]
}

// short is the first line of an error, for a note.
func short(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
