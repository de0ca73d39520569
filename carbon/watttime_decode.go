package carbon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// wattTimeAsked is what an answer must be about.
type wattTimeAsked struct {
	region string
	signal Signal
	basis  Basis // Forecast, or anything else for the past
}

func (a wattTimeAsked) signalType() string {
	if a.signal == Average {
		return "co2_aoer"
	}
	return "co2_moer"
}

func (a wattTimeAsked) query(query url.Values) url.Values {
	query.Set("signal_type", a.signalType())
	if a.region != "" {
		query.Set("region", a.region)
	}
	return query
}

// wattTimeAnswer is a body as the API writes it.
type wattTimeAnswer struct {
	Data []wattTimePoint
	Meta struct {
		Period     float64 `json:"data_point_period_seconds"`
		Region     string
		SignalType string `json:"signal_type"`
		Units      string
		Warnings   json.RawMessage
		Model      struct{ Date string }
	}
}

// wattTimePoint is a value, or in data of old forecasts a whole forecast.
type wattTimePoint struct {
	PointTime   string `json:"point_time"`
	Value       *float64
	Imputed     *bool  `json:"imputed_data_used"`
	GeneratedAt string `json:"generated_at"`
	Forecast    []wattTimePoint
}

// decode reads a body and refuses one that is not about what was asked for, or has values of another unit.
func (a wattTimeAsked) decode(body []byte, units string) (answer wattTimeAnswer, period time.Duration, err error) {
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, 0, fmt.Errorf("not the JSON of values: %w", err)
	}
	switch meta := answer.Meta; {
	case answer.Data == nil:
		return answer, 0, errors.New("answer without a list of data")
	case meta.Units != units:
		return answer, 0, fmt.Errorf("units %q where %q are needed", clip(meta.Units), units)
	case meta.Region != a.region:
		return answer, 0, fmt.Errorf("answer for region %q, asked for %q", clip(meta.Region), clip(a.region))
	case meta.SignalType != a.signalType():
		return answer, 0, fmt.Errorf("answer of signal %q, asked for %q", clip(meta.SignalType), a.signalType())
	case !(meta.Period >= 1 && meta.Period <= 3600):
		return answer, 0, fmt.Errorf("data_point_period_seconds %v is outside [1, 3600]", meta.Period)
	}
	return answer, time.Duration(answer.Meta.Period) * time.Second, nil
}

// parseWattTime reads the values of the past or a forecast. Points without a usable value are left out: a missing value is
// never a number.
func parseWattTime(body []byte, asked wattTimeAsked) ([]Reading, WattTimeMeta, error) {
	answer, period, err := asked.decode(body, "lbs_co2_per_mwh")
	if err != nil {
		return nil, WattTimeMeta{}, err
	}
	meta := WattTimeMeta{Model: answer.modelDate(), Warnings: answer.warnings()}
	source := wattTimeSource + " " + asked.signalType()
	if meta.Model != "" {
		source += ", model " + meta.Model
	}
	points := answer.Data
	if len(points) > 0 && points[0].Forecast != nil {
		points = newestForecast(points)
	}
	var readings []Reading
	for i, p := range points {
		from, err := parseTime(p.PointTime)
		if err != nil {
			return nil, WattTimeMeta{}, fmt.Errorf("point %d: %w", i, err)
		}
		if p.Value == nil || !PerMWhPounds(*p.Value).Valid() {
			continue
		}
		r := Reading{
			Intensity: PerMWhPounds(*p.Value), Signal: asked.signal, Basis: Estimated,
			Zone: asked.region, Source: source, From: from, To: from.Add(period),
		}
		switch {
		case asked.basis == Forecast:
			r.Basis = Forecast
		case asked.signal == Average && p.Imputed != nil && !*p.Imputed:
			r.Basis = Measured
		}
		readings = append(readings, r)
	}
	return readings, meta, nil
}

// newestForecast is the points of the forecast made last. Their times are RFC 3339 in UTC, so that their texts compare.
func newestForecast(all []wattTimePoint) []wattTimePoint {
	newest := all[0]
	for _, f := range all[1:] {
		if f.GeneratedAt > newest.GeneratedAt {
			newest = f
		}
	}
	return newest.Forecast
}

// modelDate is the date of the model where it is one.
func (a *wattTimeAnswer) modelDate() string {
	if _, err := time.Parse(time.DateOnly, a.Meta.Model.Date); err != nil {
		return ""
	}
	return a.Meta.Model.Date
}

// warnings are those that came with the answer, in whatever shape: one that cannot be read is shown as it is.
func (a *wattTimeAnswer) warnings() []string {
	const most = 10
	var list []json.RawMessage
	if json.Unmarshal(a.Meta.Warnings, &list) != nil {
		list = []json.RawMessage{a.Meta.Warnings}
	}
	var out []string
	for _, raw := range list[:min(len(list), most)] {
		var w struct{ Type, Message string }
		switch text := string(raw); {
		case text == "" || text == "null":
		case json.Unmarshal(raw, &w) == nil && w.Type+w.Message != "":
			out = append(out, strings.TrimPrefix(w.Type+": "+w.Message, ": "))
		default:
			out = append(out, text)
		}
	}
	return out
}

// parseSignalIndex reads the index of the present.
func parseSignalIndex(body []byte, region string) (SignalIndex, error) {
	answer, period, err := wattTimeAsked{region: region, signal: Marginal}.decode(body, "percentile")
	if err != nil {
		return SignalIndex{}, err
	}
	if len(answer.Data) != 1 {
		return SignalIndex{}, fmt.Errorf("%d values where one was asked for", len(answer.Data))
	}
	p := answer.Data[0]
	from, err := parseTime(p.PointTime)
	if err != nil {
		return SignalIndex{}, err
	}
	if p.Value == nil || !(*p.Value >= 0 && *p.Value <= 100) {
		return SignalIndex{}, errors.New("no percentile between 0 and 100")
	}
	source := wattTimeSource + " signal index"
	return SignalIndex{Percentile: *p.Value, Zone: region, Source: source, From: from, To: from.Add(period)}, nil
}

// parseRegion reads the region of a place.
func parseRegion(body []byte) (string, error) {
	var answer struct{ Region string }
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("not the JSON of a region: %w", err)
	}
	if answer.Region == "" {
		return "", errors.New("answer without a region")
	}
	return answer.Region, nil
}
