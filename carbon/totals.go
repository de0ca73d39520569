package carbon

import (
	"cmp"
	"slices"
	"time"
)

// Share is the part of the totals with one provenance.
type Share struct {
	Zone, Source    string // of the intensity; empty where it is unknown
	Basis           Basis  // of the intensity; 0 where it is unknown
	Strategy        Strategy
	Scope           Scope
	Energy          string // source of the energy
	EnergyEstimated bool
	KWh             float64
	Grams           Grams // 0 and meaningless where Basis is 0
	// ErrorGrams is how far Grams is expected to be off by what the intensities are: at most the sum of each one's share.
	// UnratedKWh is the energy weighed with an intensity whose error nobody has measured.
	ErrorGrams Grams
	UnratedKWh float64
	From, To   time.Time
}

// Totals is what a [Meter] has added up.
type Totals struct {
	KWh        float64 // all energy, UnknownKWh included
	Grams      Grams   // of the energy whose intensity is known; a lower bound of the whole if anything is unknown
	ErrorGrams Grams   // how far Grams is expected to be off by the errors of the intensities, as far as measured
	UnknownKWh float64 // energy whose intensity is not known

	UnknownTime time.Duration // time of which the energy is not known, summed over the sources
	Gaps        int64         // how many such times

	EstimatedEnergyKWh    float64 // part of KWh that is itself an estimate
	EstimatedIntensityKWh float64 // part of KWh weighed with an estimated or forecast intensity
	UnratedKWh            float64 // part of KWh weighed with an intensity whose error nobody has measured

	// Shares are the parts by provenance, ordered by zone, source, basis and energy source. Beyond 64 different ones the
	// rest goes under "(others)".
	Shares []Share
	// LastErr is why the latest unknown is so; nil when there is none.
	LastErr error
}

// Complete reports whether nothing of the totals is unknown.
func (t Totals) Complete() bool { return t.UnknownKWh == 0 && t.Gaps == 0 }

// MeanIntensity is the energy-weighted intensity of the energy whose intensity is known; ok is false when there is none.
func (t Totals) MeanIntensity() (mean Intensity, ok bool) {
	known := t.KWh - t.UnknownKWh
	if !(known > 0) {
		return 0, false
	}
	return Intensity(float64(t.Grams) / known), true
}

// Totals returns what was recorded so far. Safe on a nil Meter.
func (m *Meter) Totals() Totals {
	if m == nil {
		return Totals{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shares := make([]Share, 0, len(m.origins))
	for _, o := range sortedOrigins(m.origins) {
		a := m.origins[o]
		shares = append(shares, Share{
			Zone: o.zone, Source: o.source, Basis: o.basis, Strategy: o.strategy, Scope: o.scope, Energy: o.energy, EnergyEstimated: o.estimated,
			KWh: a.kwh.value(), Grams: Grams(a.grams.value()), ErrorGrams: Grams(a.off.value()), UnratedKWh: a.unrated.value(), From: a.from, To: a.to,
		})
	}
	out := totalsOf(shares)
	out.LastErr, out.UnknownTime, out.Gaps = m.lastErr, m.gap, m.gaps
	return out
}

// totalsOf adds up shares in their order.
func totalsOf(shares []Share) Totals {
	var kwh, grams, off, unknown, estimated, modelled, unrated sum
	for _, s := range shares {
		kwh.add(s.KWh)
		grams.add(float64(s.Grams))
		off.add(float64(s.ErrorGrams))
		unrated.add(s.UnratedKWh)
		if s.Basis == 0 {
			unknown.add(s.KWh)
		}
		if s.EnergyEstimated {
			estimated.add(s.KWh)
		}
		if s.Basis == Estimated || s.Basis == Forecast {
			modelled.add(s.KWh)
		}
	}
	return Totals{
		KWh: kwh.value(), Grams: Grams(grams.value()), ErrorGrams: Grams(off.value()), UnknownKWh: unknown.value(),
		EstimatedEnergyKWh: estimated.value(), EstimatedIntensityKWh: modelled.value(), UnratedKWh: unrated.value(), Shares: shares,
	}
}

// sortedOrigins is a fixed order, so that sums over it are the same for the same records.
func sortedOrigins(origins map[origin]*account) []origin {
	keys := make([]origin, 0, len(origins))
	for o := range origins {
		keys = append(keys, o)
	}
	slices.SortFunc(keys, func(a, b origin) int {
		return cmp.Or(
			cmp.Compare(a.zone, b.zone), cmp.Compare(a.source, b.source), cmp.Compare(a.basis, b.basis), cmp.Compare(a.energy, b.energy),
			compareBool(a.estimated, b.estimated), cmp.Compare(a.strategy, b.strategy), cmp.Compare(a.scope, b.scope))
	})
	return keys
}
