package carbon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	probeStep  = 5 * time.Minute // how far to go on where a provider has no value and does not say until when
	maxParts   = 200_000         // of one Add: a year of 5-minute values is 105,120
	maxOrigins = 64              // kept apart in the totals; a source that changes its name all the time is not
	othersName = "(others)"
)

// Meter adds up the emissions of energy used: the sum over time of each interval's energy times the intensity valid in
// it, never the final energy times the last intensity. Energy for which no intensity is known is kept apart: it is
// unknown, not 0 g.
//
// What waiting has saved is the difference to a counterfactual that must be named. The plain one is run-now, the same
// work without the pauses: give a second meter the same energy with both times moved back by the time paused until
// then, and compare the grams of the two.
//
// Safe for concurrent use. Create one with [NewMeter]; nil and the zero Meter refuse every Add.
type Meter struct {
	provider Provider

	// Guarded by mu.
	mu      sync.Mutex
	origins map[origin]Share
	lastErr error
}

// origin is what energy and emissions are grouped by.
type origin struct {
	zone, source string
	basis        Basis // unset where the intensity is unknown
	energy       string
	estimated    bool
}

// Share is the part of the totals with one provenance.
type Share struct {
	Zone, Source    string // of the intensity; empty where it is unknown
	Basis           Basis  // of the intensity; 0 where it is unknown
	Energy          string // source of the energy
	EnergyEstimated bool
	KWh             float64
	Grams           float64 // gCO2e; 0 and meaningless where Basis is 0
	From, To        time.Time
}

// Totals is what a [Meter] has added up.
type Totals struct {
	KWh        float64 // all energy, UnknownKWh included
	Grams      float64 // gCO2e of the energy whose intensity is known; a lower bound of the whole if UnknownKWh > 0
	UnknownKWh float64 // energy whose intensity is not known

	EstimatedEnergyKWh    float64 // part of KWh that is itself an estimate
	EstimatedIntensityKWh float64 // part of KWh weighed with an estimated or forecast intensity

	// Shares are the parts by provenance, ordered by zone, source, basis and energy source. Beyond 64 different ones the
	// rest goes under "(others)".
	Shares []Share
	// LastErr is why the latest energy of unknown intensity is so; nil when there is none.
	LastErr error
}

// MeanIntensity is the energy-weighted intensity of the energy whose intensity is known; ok is false when there is none.
func (t Totals) MeanIntensity() (mean Intensity, ok bool) {
	known := t.KWh - t.UnknownKWh
	if !(known > 0) {
		return 0, false
	}
	return Intensity(t.Grams / known), true
}

// NewMeter returns a meter that asks the given provider.
func NewMeter(p Provider) (*Meter, error) {
	if p == nil {
		return nil, errors.New("carbon: meter: Provider is nil")
	}
	return &Meter{provider: p}, nil
}

// part is the energy of one stretch of an Add.
type part struct {
	origin   origin
	kwh      float64
	grams    float64
	from, to time.Time
}

// Add records energy used evenly over [from, to). It is split where the intensity changes, the first and last part
// counting by their time.
//
// An error means that nothing was recorded: the arguments are invalid, or the provider gives marginal values
// ([ErrSignal]). Missing intensity is no error: that energy is recorded as unknown and [Totals.LastErr] says why. After a
// failure other than [ErrNoData] the provider is not asked again for the rest of the interval.
func (m *Meter) Add(ctx context.Context, from, to time.Time, e Energy) error {
	if m == nil || m.provider == nil {
		return errors.New("carbon: meter: not made by NewMeter")
	}
	if err := e.check(); err != nil {
		return err
	}
	if !to.After(from) {
		return fmt.Errorf("carbon: meter: the interval from %s to %s is empty", stamp(from), stamp(to))
	}
	if to.Sub(from) == math.MaxInt64 {
		return fmt.Errorf("carbon: meter: the interval from %s to %s is longer than 292 years", stamp(from), stamp(to))
	}
	parts, missing, err := m.split(ctx, from, to, e)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range parts {
		m.record(p)
	}
	if missing != nil {
		m.lastErr = missing
	}
	return nil
}

// split cuts the interval at the changes of the intensity. missing is why some of it is unknown, err why all is refused.
func (m *Meter) split(ctx context.Context, from, to time.Time, e Energy) (parts []part, missing, err error) {
	for t := from; t.Before(to); {
		p := part{origin: origin{energy: e.Source, estimated: e.Estimated}, from: t, to: to}
		r, failure := m.at(ctx, t)
		switch {
		case errors.Is(failure, ErrSignal):
			return nil, nil, failure
		case failure == nil && len(parts) == maxParts:
			missing = fmt.Errorf("carbon: meter: more than %d changes of the intensity in one interval", maxParts)
		case failure == nil:
			p.to = earlier(r.To, to)
			p.origin.zone, p.origin.source, p.origin.basis = r.Zone, r.Source, r.Basis
		default:
			missing = failure
			if errors.Is(failure, ErrNoData) && len(parts) < maxParts {
				p.to = earlier(resumes(failure, t), to)
			}
		}
		p.kwh = e.KWh() * (float64(p.to.Sub(t)) / float64(to.Sub(from)))
		if p.origin.basis != 0 {
			p.grams = p.kwh * float64(r.Intensity)
		}
		parts = append(parts, p)
		t = p.to
	}
	return parts, missing, nil
}

func (m *Meter) at(ctx context.Context, t time.Time) (Reading, error) {
	r, err := m.provider.At(ctx, t)
	if err == nil {
		err = r.check(t, Average)
	}
	return r, err
}

// resumes is when to ask again after a provider had no value for t.
func resumes(err error, t time.Time) time.Time {
	var none *NoDataError
	if errors.As(err, &none) && none.Until.After(t) {
		return none.Until
	}
	return t.Add(probeStep)
}

// record adds a part to the totals. The caller holds mu.
func (m *Meter) record(p part) {
	if m.origins == nil {
		m.origins = make(map[origin]Share)
	}
	key := p.origin
	s, seen := m.origins[key]
	if !seen && len(m.origins) >= maxOrigins {
		if key.basis != 0 {
			key.zone, key.source = othersName, othersName
		}
		key.energy = othersName
		s, seen = m.origins[key]
	}
	if !seen {
		s = Share{Zone: key.zone, Source: key.source, Basis: key.basis, Energy: key.energy, EnergyEstimated: key.estimated, From: p.from, To: p.to}
	}
	s.KWh += p.kwh
	s.Grams += p.grams
	s.From = earlier(s.From, p.from)
	if p.to.After(s.To) {
		s.To = p.to
	}
	m.origins[key] = s
}

// Totals returns what was recorded so far. Safe on a nil Meter.
func (m *Meter) Totals() Totals {
	if m == nil {
		return Totals{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := Totals{LastErr: m.lastErr, Shares: make([]Share, 0, len(m.origins))}
	for _, s := range m.origins {
		out.Shares = append(out.Shares, s)
	}
	// In a fixed order, so that the sums below are the same for the same records.
	slices.SortFunc(out.Shares, func(a, b Share) int {
		return cmp.Or(
			cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Basis, b.Basis),
			cmp.Compare(a.Energy, b.Energy), compareBool(a.EnergyEstimated, b.EnergyEstimated))
	})
	for _, s := range out.Shares {
		out.KWh += s.KWh
		out.Grams += s.Grams
		if s.Basis == 0 {
			out.UnknownKWh += s.KWh
		}
		if s.EnergyEstimated {
			out.EstimatedEnergyKWh += s.KWh
		}
		if s.Basis == Estimated || s.Basis == Forecast {
			out.EstimatedIntensityKWh += s.KWh
		}
	}
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
