package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/retry"
)

func TestFaultPlan(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	most := 0
	for _, queue := range newFaultPlan(1, 300).ahead {
		most = max(most, len(queue))
		for _, f := range queue {
			kinds[f.kind]++
		}
	}
	for _, kind := range []string{transient, notFinite, panicking, hanging} {
		if kinds[kind] == 0 {
			t.Errorf("no %s in %v", kind, kinds)
		}
	}
	if most < 4 {
		t.Errorf("no burst: at most %d faults at one step", most)
	}
	if !reflect.DeepEqual(newFaultPlan(1, 300), newFaultPlan(1, 300)) || reflect.DeepEqual(newFaultPlan(1, 300), newFaultPlan(2, 300)) {
		t.Error("the plan is not a function of its seed")
	}
	var none *faultPlan
	none.begin(1)
	if none.strike(t.Context(), atStart) != nil || none.poisons() {
		t.Error("no plan has faults")
	}
}

func TestWays(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		wayExhausted: fmt.Errorf("refused: %w", privacy.ErrExhausted),
		wayRefused:   &surefoot.RefusedError{Err: breaker.ErrOpen},
		wayOverran:   fmt.Errorf("%w: %w", &retry.OverranError{}, context.DeadlineExceeded),
		wayPanicked:  &surefoot.PanicError{Value: &injected{panicking}},
		wayNotFinite: finiteLoss(nan()),
		wayStopped:   fmt.Errorf("stopped: %w", context.Canceled),
		wayFailed:    errors.New("connection reset"),
	} {
		if got := wayOf(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}
