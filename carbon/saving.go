package carbon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Saving is a difference to a counterfactual: what the same energy would have emitted otherwise. There is no saving without
// one, and its name belongs wherever the figure goes.
type Saving struct {
	Against       string  // the counterfactual
	KWh           float64 // the energy that is compared
	Grams         Grams   // what it emitted
	Baseline      Grams   // what it would have
	UncomparedKWh float64 // energy left out of both, because one of the two is unknown
}

// Saved is what was emitted less than by the counterfactual; negative if it was more.
func (s Saving) Saved() Grams { return s.Baseline - s.Grams }

// Percent is the saving in percent of the counterfactual; ok is false where that is 0.
func (s Saving) Percent() (percent float64, ok bool) {
	if !(s.Baseline > 0) {
		return 0, false
	}
	return 100 * float64(s.Saved()) / float64(s.Baseline), true
}

// AgainstRunNow compares with the same work done without waiting from [MeterConfig.Start] on: each source's energy moved back
// by the time in which it used none until then. It needs a Start.
func (m *Meter) AgainstRunNow() (Saving, error) {
	if m == nil || m.cfg.Start.IsZero() {
		return Saving{}, errors.New("carbon: meter: run-now needs a MeterConfig.Start")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &m.runNow
	return Saving{
		Against: "run-now from " + stamp(m.cfg.Start), KWh: r.kwh.value(), Grams: Grams(r.grams.value()), Baseline: Grams(r.baseline.value()),
		UncomparedKWh: r.skipped.value(),
	}, nil
}

// AgainstMean compares with the same energy used evenly over [from, to), whatever the intensity: with a job that knows
// nothing of carbon and starts at any time. The intensity of all of that time must be known.
func (m *Meter) AgainstMean(ctx context.Context, from, to time.Time) (Saving, error) {
	if err := m.checkInterval(from, to); err != nil {
		return Saving{}, err
	}
	parts, missing, err := m.split(ctx, nil, from, to, Energy{Joules: joulesPerKWh, Source: "mean"})
	if err = errors.Join(err, missing); err != nil {
		return Saving{}, fmt.Errorf("carbon: meter: mean from %s to %s: %w", stamp(from), stamp(to), err)
	}
	m.mu.Lock()
	scope := m.scope
	m.mu.Unlock()
	var mean sum
	for i := range parts {
		if err := scope.meet(Reading{Scope: parts[i].scope, Source: parts[i].source}); err != nil {
			return Saving{}, err
		}
		mean.add(parts[i].grams)
	}
	t := m.Totals()
	known := t.KWh - t.UnknownKWh
	return Saving{
		Against: fmt.Sprintf("mean from %s to %s", stamp(from), stamp(to)), KWh: known, Grams: t.Grams, Baseline: Grams(known * mean.value()),
		UncomparedKWh: t.UnknownKWh,
	}, nil
}

// Against compares with a counterfactual of the caller's, worked out for the same energy. It is refused unless the totals are
// complete: what is unknown would count as saved.
func (t Totals) Against(name string, baseline Grams) (Saving, error) {
	if name == "" {
		return Saving{}, errors.New("carbon: a saving needs a named counterfactual")
	}
	if !(baseline >= 0 && baseline <= math.MaxFloat64) {
		return Saving{}, fmt.Errorf("carbon: counterfactual %q of %v g is not a mass", clip(name), float64(baseline))
	}
	if err := t.incomplete(); err != nil {
		return Saving{}, err
	}
	return Saving{Against: name, KWh: t.KWh, Grams: t.Grams, Baseline: baseline}, nil
}

// incomplete is an error that says what is unknown; nil where nothing is.
func (t Totals) incomplete() error {
	if t.Complete() {
		return nil
	}
	err := fmt.Errorf("%w: of %g of %g kWh the intensity, and of %v the energy", ErrIncomplete, t.UnknownKWh, t.KWh, t.UnknownTime)
	if t.LastErr != nil {
		err = fmt.Errorf("%w: %w", err, t.LastErr)
	}
	return err
}
