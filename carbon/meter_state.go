package carbon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

const meterStateVersion = 1

// meterState is the state of a Meter in a file.
type meterState struct {
	Version int           `json:"version"`
	Start   time.Time     `json:"start,omitzero"`
	Scope   Scope         `json:"scope"`
	Gap     time.Duration `json:"gap_ns"`
	Gaps    int64         `json:"gaps"`
	LastErr string        `json:"last_error,omitempty"`
	RunNow  *runNowState  `json:"run_now,omitempty"`
	Shares  []shareState  `json:"shares"`
	Sources []sourceState `json:"sources"`
}

type runNowState struct {
	KWh      sum `json:"kwh"`
	Grams    sum `json:"grams"`
	Baseline sum `json:"baseline_grams"`
	Skipped  sum `json:"uncompared_kwh"`
}

type shareState struct {
	Zone      string    `json:"zone,omitempty"`
	Source    string    `json:"source,omitempty"`
	Basis     Basis     `json:"basis"`
	Strategy  Strategy  `json:"strategy"`
	Scope     Scope     `json:"scope"`
	Energy    string    `json:"energy"`
	Estimated bool      `json:"energy_estimated,omitempty"`
	KWh       sum       `json:"kwh"`
	Grams     sum       `json:"grams"`
	Error     sum       `json:"error_grams"`
	Unrated   sum       `json:"unrated_kwh"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
}

type sourceState struct {
	Name  string        `json:"name"`
	Until time.Time     `json:"until"`
	Wait  time.Duration `json:"wait_ns"`
}

// State returns what was recorded as JSON, to be kept in a file and given back as [MeterConfig.State] after a restart. Energy
// that lies before the end of a source's energy in it is then refused as counted. An Add that has not returned is either in it
// wholly or not at all.
//
// What a counter counted between the last State and the end of the process is in no state: save often, and record a [Meter.Gap]
// for the time if it matters.
func (m *Meter) State() ([]byte, error) {
	if m == nil || m.cfg.Provider == nil {
		return nil, errors.New("carbon: meter: not made by NewMeter")
	}
	m.mu.Lock()
	s := meterState{Version: meterStateVersion, Start: m.cfg.Start, Scope: m.scope, Gap: m.gap, Gaps: m.gaps}
	if m.lastErr != nil {
		s.LastErr = printable(m.lastErr.Error())
	}
	if !m.cfg.Start.IsZero() {
		s.RunNow = &runNowState{m.runNow.kwh, m.runNow.grams, m.runNow.baseline, m.runNow.skipped}
	}
	for _, o := range sortedOrigins(m.origins) {
		a := m.origins[o]
		s.Shares = append(s.Shares, shareState{
			o.zone, o.source, o.basis, o.strategy, o.scope, o.energy, o.estimated, a.kwh, a.grams, a.off, a.unrated, a.from.UTC(), a.to.UTC(),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(m.tracks)) {
		if t := m.tracks[name]; !t.done.IsZero() {
			s.Sources = append(s.Sources, sourceState{name, t.done.UTC(), t.doneWait})
		}
	}
	m.mu.Unlock()
	return json.Marshal(s)
}

// restore takes a state over, or nothing of it.
func (m *Meter) restore(data []byte) error {
	var s meterState
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return fmt.Errorf("carbon: meter: state: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("carbon: meter: state: more than one JSON value")
	}
	switch {
	case s.Version != meterStateVersion:
		return fmt.Errorf("carbon: meter: state: version %d, know %d", s.Version, meterStateVersion)
	case !s.Start.Equal(m.cfg.Start):
		return fmt.Errorf("carbon: meter: state: of a job that could start at %s, this one at %s", stamp(s.Start), stamp(m.cfg.Start))
	case s.Scope > Direct || s.Gap < 0 || s.Gaps < 0 || s.RunNow != nil && m.cfg.Start.IsZero():
		return errors.New("carbon: meter: state: not one of a meter")
	case len(s.Shares) > maxOrigins+othersKinds || len(s.Sources) > maxTracks:
		return fmt.Errorf("carbon: meter: state: %d shares of %d sources", len(s.Shares), len(s.Sources))
	}
	origins, tracks := make(map[origin]*account, len(s.Shares)), make(map[string]*track, len(s.Sources))
	for i, h := range s.Shares {
		o := origin{h.Zone, h.Source, h.Basis, h.Strategy, h.Scope, h.Energy, h.Estimated}
		numbers := h.KWh.valid() && h.Grams.valid() && h.Error.valid() && h.Unrated.valid()
		known := h.Basis != 0 || h.Grams.value() == 0 && h.Zone+h.Source == "" && h.Strategy == 0 && h.Scope == 0
		if !numbers || !known || h.Basis > Forecast || h.Strategy > World || h.Scope > Direct || h.Energy == "" || !h.From.Before(h.To) || origins[o] != nil {
			return fmt.Errorf("carbon: meter: state: share %d is none", i)
		}
		origins[o] = &account{h.KWh, h.Grams, h.Error, h.Unrated, h.From, h.To}
	}
	for i, h := range s.Sources {
		if h.Name == "" || h.Until.IsZero() || h.Wait < 0 || tracks[h.Name] != nil {
			return fmt.Errorf("carbon: meter: state: source %d is none", i)
		}
		tracks[h.Name] = &track{until: h.Until, used: true, saved: h.Until, wait: h.Wait, done: h.Until, doneWait: h.Wait}
	}
	if r := s.RunNow; r != nil {
		if !r.KWh.valid() || !r.Grams.valid() || !r.Baseline.valid() || !r.Skipped.valid() {
			return errors.New("carbon: meter: state: the comparison with run-now is none")
		}
		m.runNow = comparison{r.KWh, r.Grams, r.Baseline, r.Skipped}
	}
	m.origins, m.tracks, m.scope, m.gap, m.gaps = origins, tracks, s.Scope, s.Gap, s.Gaps
	if s.LastErr != "" {
		m.lastErr = errors.New(s.LastErr)
	}
	return nil
}
