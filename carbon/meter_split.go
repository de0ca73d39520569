package carbon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	probeStep = 5 * time.Minute // how far to go on where a provider has no value and does not say until when
	maxParts  = 200_000         // of one Add: a year of 5-minute values is 105,120
	partRoom  = 2               // parts of an Add that need no memory: most have one
)

// part is the energy of one stretch of an Add.
type part struct {
	origin
	kwh, grams float64
	intensity  Intensity
	err        float64 // expected, as a share
	from, to   time.Time
	validFrom  time.Time
	validTo    time.Time
	newest     time.Time
	missing    error
}

// Interval is the provenance of one recorded stretch, made of plain values for a log. In JSON a number that is unknown is absent.
type Interval struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	Energy          string  `json:"energy"` // source of the energy
	EnergyEstimated bool    `json:"energy_estimated,omitempty"`
	EnergyKnown     bool    `json:"energy_known"` // false: a gap; KWh and Grams are unknown, not 0
	KWh             float64 `json:"kwh,omitempty"`

	Known         bool      `json:"known"` // false: the intensity is unknown, and Grams with it, not 0
	GramsPerKWh   float64   `json:"g_per_kwh,omitempty"`
	Grams         float64   `json:"grams,omitempty"`
	Signal        string    `json:"signal,omitempty"` // always "average" where known
	Basis         string    `json:"basis,omitempty"`
	Scope         string    `json:"scope,omitempty"`
	Strategy      string    `json:"strategy,omitempty"`
	Zone          string    `json:"zone,omitempty"`
	Source        string    `json:"source,omitempty"` // of the intensity
	ValidFrom     time.Time `json:"valid_from,omitzero"`
	ValidTo       time.Time `json:"valid_to,omitzero"`
	AgeSeconds    float64   `json:"age_s,omitempty"`          // at From, of what the intensity rests on
	ExpectedError float64   `json:"expected_error,omitempty"` // as a share; 0 where nobody has measured it

	Reason string `json:"reason,omitempty"` // why something is unknown
}

// interval is the part for a log.
func (p *part) interval() Interval {
	i := Interval{From: p.from, To: p.to, Energy: p.energy, EnergyEstimated: p.estimated, EnergyKnown: true, KWh: p.kwh}
	if p.basis == 0 {
		if p.missing != nil {
			i.Reason = printable(p.missing.Error())
		}
		return i
	}
	i.Known, i.GramsPerKWh, i.Grams = true, float64(p.intensity), p.grams
	i.Signal, i.Basis, i.Scope, i.Strategy = Average.String(), p.basis.String(), p.scope.String(), p.strategy.String()
	i.Zone, i.Source, i.ValidFrom, i.ValidTo, i.ExpectedError = printable(p.zone), printable(p.source), p.validFrom, p.validTo, p.err
	i.AgeSeconds = Reading{To: p.validTo, Newest: p.newest}.Age(p.from).Seconds()
	return i
}

// printable is text for one line of a report: valid UTF-8 without control characters, at most 200 bytes.
func printable(s string) string {
	const longest = 200
	plain := len(s) <= longest
	for _, r := range s {
		plain = plain && r != utf8.RuneError && unicode.IsPrint(r)
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= longest-utf8.UTFMax {
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// split cuts the interval at the changes of the intensity and appends the parts. missing is why some of it is unknown, err
// why all is refused.
func (m *Meter) split(ctx context.Context, parts []part, from, to time.Time, e Energy) (_ []part, missing, err error) {
	for t := from; t.Before(to); {
		parts = append(parts, part{})
		p := &parts[len(parts)-1]
		p.energy, p.estimated, p.from, p.to = e.Source, e.Estimated, t, to
		r, failure := m.at(ctx, t)
		switch {
		case errors.Is(failure, ErrSignal):
			return nil, nil, failure
		case failure == nil && len(parts) > maxParts:
			missing = fmt.Errorf("carbon: meter: more than %d changes of the intensity in one interval", maxParts)
		case failure == nil:
			p.to = earlier(r.To, to)
			p.zone, p.source, p.basis, p.strategy, p.scope = r.Zone, r.Source, r.Basis, r.Strategy, r.Scope
			p.intensity, p.err, p.validFrom, p.validTo, p.newest = r.Intensity, r.ExpectedError, r.From, r.To, r.Newest
		default:
			missing = failure
			if errors.Is(failure, ErrNoData) && len(parts) <= maxParts {
				p.to = earlier(resumes(failure, t), to)
			}
		}
		p.kwh = e.KWh() * (float64(p.to.Sub(t)) / float64(to.Sub(from)))
		if p.basis == 0 {
			p.missing = missing
		} else {
			p.grams = p.kwh * float64(r.Intensity)
		}
		t = p.to
	}
	return parts, missing, nil
}

// late is how long a provider may take once the caller's context has ended, as it has at the end of a job: what was used until
// then has to be recorded, and at its price.
const late = 10 * time.Second

func (m *Meter) at(ctx context.Context, t time.Time) (Reading, error) {
	r, err := m.cfg.Provider.At(ctx, t)
	if err != nil && ctx.Err() != nil {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), late)
		defer cancel()
		r, err = m.cfg.Provider.At(own, t)
	}
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
