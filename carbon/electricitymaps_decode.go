package carbon

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// mapsAsked is what an answer must be about.
type mapsAsked struct {
	zone     string
	scope    Scope
	step     time.Duration // the longest interval
	forecast bool
}

// mapsPoint is one value as the API writes it.
type mapsPoint struct {
	Zone               string
	CarbonIntensity    *float64
	Datetime           *string
	EmissionFactorType string
	IsEstimated        *bool
}

// parseElectricityMaps reads the answers of all versions and endpoints: one point, or a list of them under history, data
// or forecast. Points without a usable value are left out: a missing value is never a number.
func parseElectricityMaps(body []byte, asked mapsAsked) ([]Reading, error) {
	var answer struct {
		mapsPoint
		Status              string
		History, Forecast   []mapsPoint
		Data                json.RawMessage
		TemporalGranularity string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("not the JSON of intensities: %w", err)
	}
	if answer.Status == "no-data" {
		return nil, &NoDataError{Zone: asked.zone, At: time.Now()}
	}
	var points []mapsPoint
	switch {
	case asked.forecast:
		points = answer.Forecast
	case answer.History != nil:
		points = answer.History
	case len(answer.Data) > 0:
		if err := json.Unmarshal(answer.Data, &points); err != nil {
			return nil, errors.New("data is no list of points")
		}
	case answer.Datetime != nil:
		points = []mapsPoint{answer.mapsPoint}
	}
	if points == nil {
		return nil, errors.New("answer without points")
	}
	longest, err := mapsLongest(answer.TemporalGranularity)
	if err != nil {
		return nil, err
	}
	var readings []Reading
	var times []time.Time // also of the points without a value
	for i, p := range points {
		if p.Datetime == nil {
			return nil, fmt.Errorf("point %d has no datetime", i)
		}
		from, err := parseTime(*p.Datetime)
		if err != nil {
			return nil, fmt.Errorf("point %d: %w", i, err)
		}
		for _, about := range []mapsPoint{answer.mapsPoint, p} {
			if err := asked.check(about); err != nil {
				return nil, fmt.Errorf("point %d: %w", i, err)
			}
		}
		if answer.Zone == "" && p.Zone == "" {
			return nil, fmt.Errorf("point %d is of no zone", i)
		}
		times = append(times, from)
		if p.CarbonIntensity == nil || !Intensity(*p.CarbonIntensity).Valid() {
			continue
		}
		r := Reading{Intensity: Intensity(*p.CarbonIntensity), Signal: Average, Scope: asked.scope, Basis: Estimated, Zone: asked.zone, Source: mapsSource, From: from}
		switch {
		case asked.forecast:
			r.Basis = Forecast
		case p.IsEstimated != nil && !*p.IsEstimated:
			r.Basis = Measured
		}
		readings = append(readings, r)
	}
	slices.SortFunc(times, time.Time.Compare)
	step := stepOf(times, min(longest, asked.step))
	for i := range readings {
		readings[i].To = readings[i].From.Add(step)
	}
	return readings, nil
}

// check refuses an answer about another zone, which is what the API gives where it guesses, or of the other scope.
func (a mapsAsked) check(p mapsPoint) error {
	if p.Zone != "" && p.Zone != a.zone {
		return fmt.Errorf("answer for zone %q, asked for %q", clip(p.Zone), a.zone)
	}
	if p.EmissionFactorType != "" && p.EmissionFactorType != a.scope.String() {
		return fmt.Errorf("answer with %q emissions, asked for %s", clip(p.EmissionFactorType), a.scope)
	}
	return nil
}

// mapsLongest is the longest interval of a granularity. Values of days and more are not for this package: they would hide
// the hours.
func mapsLongest(granularity string) (time.Duration, error) {
	switch granularity {
	case "", "hourly":
		return time.Hour, nil
	case "15_minutes":
		return 15 * time.Minute, nil
	case "5_minutes":
		return 5 * time.Minute, nil
	default:
		return 0, fmt.Errorf("temporalGranularity %q is not an hour or less", clip(granularity))
	}
}
