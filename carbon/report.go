package carbon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	reportVersion  = 1
	maxReportBytes = 4 << 20
	maxReportRows  = 4096
)

// Report is what a [Meter] has added up, for people and for other programs: every figure with its provenance, what is unknown,
// and savings with their counterfactual. It is written as JSON or as CSV, and read back; what is read is checked.
type Report struct {
	Made   time.Time // when it was made
	Totals Totals    // LastErr becomes its text
	// Savings are the comparisons to show; add them with what [Meter.AgainstRunNow] and the like return.
	Savings []Saving
	SCI     *SCI // nil where no score was worked out
}

// Report returns a report of what was recorded so far.
func (m *Meter) Report(now time.Time) Report { return Report{Made: now, Totals: m.Totals()} }

// reportJSON is the form of a Report in JSON.
type reportJSON struct {
	Version int          `json:"version"`
	Made    time.Time    `json:"made"`
	Totals  totalsJSON   `json:"totals"`
	Shares  []shareJSON  `json:"shares"`
	Savings []savingJSON `json:"savings,omitempty"`
	SCI     *sciJSON     `json:"sci,omitempty"`
}

type totalsJSON struct {
	KWh          float64 `json:"kwh"`
	Grams        float64 `json:"grams"`
	ErrorGrams   float64 `json:"error_grams"`
	Complete     bool    `json:"complete"`
	UnknownKWh   float64 `json:"unknown_kwh"`
	UnknownTime  int64   `json:"unknown_time_ns"`
	Gaps         int64   `json:"gaps"`
	EnergyKWh    float64 `json:"estimated_energy_kwh"`
	IntensityKWh float64 `json:"estimated_intensity_kwh"`
	UnratedKWh   float64 `json:"unrated_kwh"`
	Reason       string  `json:"reason,omitempty"`
}

type shareJSON struct {
	Zone            string    `json:"zone,omitempty"`
	Source          string    `json:"source,omitempty"`
	Basis           string    `json:"basis"`
	Strategy        string    `json:"strategy"`
	Scope           string    `json:"scope"`
	Energy          string    `json:"energy"`
	EnergyEstimated bool      `json:"energy_estimated"`
	KWh             float64   `json:"kwh"`
	Grams           *float64  `json:"grams"` // null where unknown, never 0
	ErrorGrams      float64   `json:"error_grams"`
	UnratedKWh      float64   `json:"unrated_kwh"`
	From            time.Time `json:"from"`
	To              time.Time `json:"to"`
}

type savingJSON struct {
	Against       string  `json:"against"`
	KWh           float64 `json:"kwh"`
	Grams         float64 `json:"grams"`
	Baseline      float64 `json:"baseline_grams"`
	Saved         float64 `json:"saved_grams"`
	UncomparedKWh float64 `json:"uncompared_kwh"`
}

type sciJSON struct {
	Score       float64 `json:"grams_per_unit"`
	Unit        string  `json:"unit"`
	Units       float64 `json:"units"`
	Operational float64 `json:"operational_grams"`
	Embodied    float64 `json:"embodied_grams"`
	Energy      float64 `json:"estimated_energy"`
	Intensity   float64 `json:"estimated_intensity"`
}

// WriteJSON writes the report as one JSON object. A report that could not be read back is refused.
func (r Report) WriteJSON(w io.Writer) error {
	if err := r.check(); err != nil {
		return err
	}
	t := r.Totals
	out := reportJSON{Version: reportVersion, Made: r.Made.UTC(), Shares: make([]shareJSON, 0, len(t.Shares)), Totals: totalsJSON{
		KWh: t.KWh, Grams: float64(t.Grams), ErrorGrams: float64(t.ErrorGrams), Complete: t.Complete(), UnknownKWh: t.UnknownKWh,
		UnknownTime: int64(t.UnknownTime), Gaps: t.Gaps, EnergyKWh: t.EstimatedEnergyKWh, IntensityKWh: t.EstimatedIntensityKWh,
		UnratedKWh: t.UnratedKWh, Reason: t.reason(),
	}}
	for _, s := range t.Shares {
		row := shareJSON{
			s.Zone, s.Source, basisText(s.Basis), s.Strategy.String(), s.Scope.String(), s.Energy, s.EnergyEstimated,
			s.KWh, nil, float64(s.ErrorGrams), s.UnratedKWh, s.From.UTC(), s.To.UTC(),
		}
		if s.Basis != 0 {
			g := float64(s.Grams)
			row.Grams = &g
		}
		out.Shares = append(out.Shares, row)
	}
	for _, s := range r.Savings {
		out.Savings = append(out.Savings, savingJSON{s.Against, s.KWh, float64(s.Grams), float64(s.Baseline), float64(s.Saved()), s.UncomparedKWh})
	}
	if s := r.SCI; s != nil {
		out.SCI = &sciJSON{float64(s.Score()), s.Unit, s.Units, float64(s.Operational), float64(s.Embodied), s.EstimatedEnergy, s.EstimatedIntensity}
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("carbon: report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadReport reads what [Report.WriteJSON] wrote. Totals that are not the sum of the shares are an error, and so is a body over
// 4 MiB.
func ReadReport(r io.Reader) (Report, error) {
	text, err := readReport(r)
	if err != nil {
		return Report{}, err
	}
	var in reportJSON
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return Report{}, fmt.Errorf("carbon: report: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Report{}, errors.New("carbon: report: more than one JSON value")
	}
	if in.Version != reportVersion {
		return Report{}, fmt.Errorf("carbon: report: version %d, know %d", in.Version, reportVersion)
	}
	if len(in.Shares) > maxReportRows || len(in.Savings) > maxReportRows {
		return Report{}, fmt.Errorf("carbon: report: more than %d rows", maxReportRows)
	}
	shares := make([]Share, 0, len(in.Shares))
	for i, row := range in.Shares {
		s := Share{
			Zone: row.Zone, Source: row.Source, Energy: row.Energy, EnergyEstimated: row.EnergyEstimated,
			KWh: row.KWh, ErrorGrams: Grams(row.ErrorGrams), UnratedKWh: row.UnratedKWh, From: row.From.UTC(), To: row.To.UTC(),
		}
		if err := s.parse(row.Basis, row.Strategy, row.Scope); err != nil {
			return Report{}, fmt.Errorf("carbon: report: share %d: %w", i, err)
		}
		if (row.Grams == nil) != (s.Basis == 0) {
			return Report{}, fmt.Errorf("carbon: report: share %d: grams do not go with basis %q", i, clip(row.Basis))
		}
		if row.Grams != nil {
			s.Grams = Grams(*row.Grams)
		}
		shares = append(shares, s)
	}
	out := Report{Made: in.Made.UTC(), Totals: totalsOf(shares)}
	if err := out.setGap(in.Totals.UnknownTime, in.Totals.Gaps, in.Totals.Reason); err != nil {
		return Report{}, err
	}
	for _, s := range in.Savings {
		out.Savings = append(out.Savings, Saving{s.Against, s.KWh, Grams(s.Grams), Grams(s.Baseline), s.UncomparedKWh})
	}
	if s := in.SCI; s != nil {
		out.SCI = &SCI{Grams(s.Operational), Grams(s.Embodied), s.Units, s.Unit, s.Energy, s.Intensity}
	}
	if err := out.check(); err != nil {
		return Report{}, err
	}
	t := out.Totals
	for _, c := range []struct {
		name       string
		sum, total float64
	}{
		{"kwh", t.KWh, in.Totals.KWh}, {"grams", float64(t.Grams), in.Totals.Grams}, {"error_grams", float64(t.ErrorGrams), in.Totals.ErrorGrams},
		{"unknown_kwh", t.UnknownKWh, in.Totals.UnknownKWh}, {"unrated_kwh", t.UnratedKWh, in.Totals.UnratedKWh},
		{"estimated_energy_kwh", t.EstimatedEnergyKWh, in.Totals.EnergyKWh}, {"estimated_intensity_kwh", t.EstimatedIntensityKWh, in.Totals.IntensityKWh},
	} {
		if c.sum != c.total {
			return Report{}, fmt.Errorf("carbon: report: the shares add up to %v %s, the totals say %v", c.sum, c.name, c.total)
		}
	}
	return out, nil
}

func readReport(r io.Reader) ([]byte, error) {
	if r == nil {
		return nil, errors.New("carbon: report: the reader is nil")
	}
	text, err := io.ReadAll(io.LimitReader(r, maxReportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("carbon: report: %w", err)
	}
	if len(text) > maxReportBytes {
		return nil, fmt.Errorf("carbon: report: larger than the limit of %d bytes", maxReportBytes)
	}
	return text, nil
}

func (t Totals) reason() string {
	if t.LastErr == nil {
		return ""
	}
	return printable(t.LastErr.Error())
}

// setGap takes over what a report says of times without energy.
func (r *Report) setGap(unknown, gaps int64, reason string) error {
	if unknown < 0 || gaps < 0 || (gaps == 0) != (unknown == 0) {
		return fmt.Errorf("carbon: report: %d ns unknown in %d gaps", unknown, gaps)
	}
	r.Totals.UnknownTime, r.Totals.Gaps = time.Duration(unknown), gaps
	if reason != "" {
		r.Totals.LastErr = errors.New(printable(reason))
	}
	return nil
}

func basisText(b Basis) string {
	if b == 0 {
		return "unknown"
	}
	return b.String()
}

// parse reads the words of a share.
func (s *Share) parse(basis, strategy, scope string) error {
	for s.Basis = 0; basisText(s.Basis) != basis; s.Basis++ {
		if s.Basis == Forecast {
			return fmt.Errorf("%q is no basis", clip(basis))
		}
	}
	for s.Strategy = 0; s.Strategy.String() != strategy; s.Strategy++ {
		if s.Strategy == World {
			return fmt.Errorf("%q is no strategy", clip(strategy))
		}
	}
	for s.Scope = 0; s.Scope.String() != scope; s.Scope++ {
		if s.Scope == Direct {
			return fmt.Errorf("%q is no scope", clip(scope))
		}
	}
	return nil
}

// check refuses what is not a report: numbers that are none, times that cannot be written, text of more than a line.
func (r Report) check() error {
	if len(r.Totals.Shares) > maxReportRows || len(r.Savings) > maxReportRows {
		return fmt.Errorf("carbon: report: more than %d rows", maxReportRows)
	}
	ok := func(numbers ...float64) bool {
		for _, x := range numbers {
			if !(x >= 0 && x <= 1e200) {
				return false
			}
		}
		return true
	}
	line := func(texts ...string) bool {
		for _, s := range texts {
			if s != printable(s) {
				return false
			}
		}
		return true
	}
	if s := r.Made.Unix(); s < firstSecond || s > lastSecond {
		return errors.New("carbon: report: Made lies outside the years 1 to 9999")
	}
	for i, s := range r.Totals.Shares {
		known := s.Basis != 0 || s.Grams == 0 && s.ErrorGrams == 0 && s.UnratedKWh == 0 && s.Zone+s.Source == ""
		if !ok(s.KWh, float64(s.Grams), float64(s.ErrorGrams), s.UnratedKWh) || s.UnratedKWh > s.KWh || !known || s.Energy == "" ||
			!line(s.Zone, s.Source, s.Energy) || !s.From.Before(s.To) || s.From.Unix() < firstSecond || s.To.Unix() > lastSecond {
			return fmt.Errorf("carbon: report: share %d is none", i)
		}
	}
	for i, s := range r.Savings {
		if s.Against == "" || !line(s.Against) || !ok(s.KWh, float64(s.Grams), float64(s.Baseline), s.UncomparedKWh) {
			return fmt.Errorf("carbon: report: saving %d is none, or has no named counterfactual", i)
		}
	}
	if s := r.SCI; s != nil {
		if s.Unit == "" || !line(s.Unit) || !(s.Units > 0) || !ok(s.Units, float64(s.Operational), float64(s.Embodied), s.EstimatedEnergy, s.EstimatedIntensity, float64(s.Score())) {
			return errors.New("carbon: report: SCI is none")
		}
	}
	return nil
}
