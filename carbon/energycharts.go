package carbon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	chartsURL    = "https://api.energy-charts.info"
	chartsSource = "Energy-Charts (CC BY 4.0)"
	chartsSlot   = 15 * time.Minute
	chartsFresh  = 15 * time.Minute
	chartsCall   = 7 * day
	chartsAhead  = 2 * day
)

// EnergyCharts is a live [Provider], [Forecaster] and [History]: the average intensity of a European country by the
// quarter of an hour, from the public API of Fraunhofer ISE, with a forecast of about a day. It needs no key. One call
// serves two days and is renewed after a quarter of an hour.
type EnergyCharts struct {
	api  *api
	feed feed
}

// EnergyChartsConfig sets up an [EnergyCharts].
type EnergyChartsConfig struct {
	// Country in two letters, such as "de". Required.
	Country string
	// HTTP says how to call the API.
	HTTP HTTPConfig
}

// NewEnergyCharts returns a provider.
func NewEnergyCharts(cfg EnergyChartsConfig) (*EnergyCharts, error) {
	a, err := newAPI(chartsSource, chartsURL, cfg.HTTP, 1, 5, nil)
	if err != nil {
		return nil, err
	}
	return newEnergyCharts(a, cfg.Country)
}

func newEnergyCharts(a *api, country string) (*EnergyCharts, error) {
	zone := strings.ToUpper(country)
	if len(zone) != 2 || strings.Trim(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, fmt.Errorf("carbon: Energy-Charts: Country %q is not two letters", clip(country))
	}
	c := &EnergyCharts{api: a}
	c.feed.source, c.feed.zone, c.feed.signal = chartsSource, zone, Average
	c.feed.fresh, c.feed.fetch = chartsFresh, c.fetch
	return c, nil
}

// Country returns a provider of another country that shares the connections and the limit.
func (c *EnergyCharts) Country(country string) (*EnergyCharts, error) {
	return newEnergyCharts(c.api, country)
}

// At returns the quarter of an hour that t lies in: Measured where the API has an actual value, else its Forecast.
func (c *EnergyCharts) At(ctx context.Context, t time.Time) (Reading, error) {
	return c.feed.at(ctx, t)
}

// History implements [History].
func (c *EnergyCharts) History(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return inPieces(ctx, c.feed.zone, from, to, chartsCall, pastOnly, c.call)
}

// Forecast implements [Forecaster]: about a day ahead.
func (c *EnergyCharts) Forecast(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return inPieces(ctx, c.feed.zone, from, earlier(to, later(from, time.Now()).Add(chartsAhead)), chartsCall, futureOnly, c.call)
}

func (c *EnergyCharts) fetch(ctx context.Context, t time.Time) ([]Reading, window, error) {
	at := t.Truncate(chartsSlot)
	asked := window{at.Add(-day), at.Add(day)}
	readings, err := c.call(ctx, asked.from, asked.to)
	return readings, asked, err
}

func (c *EnergyCharts) call(ctx context.Context, from, to time.Time) ([]Reading, error) {
	const minute = "2006-01-02T15:04Z"
	query := url.Values{
		"country": {strings.ToLower(c.feed.zone)},
		"start":   {from.UTC().Format(minute)},
		"end":     {to.UTC().Format(minute)},
	}
	body, err := c.api.get(ctx, "/co2eq?"+query.Encode(), nil, "")
	if err != nil {
		return nil, err
	}
	return c.api.decoded(parseEnergyCharts(body, c.feed.zone))
}

// parseEnergyCharts reads the parallel arrays. A slot is null in both from the end of the forecast on.
func parseEnergyCharts(body []byte, zone string) ([]Reading, error) {
	var answer struct {
		UnixSeconds []*int64   `json:"unix_seconds"`
		Actual      []*float64 `json:"co2eq"`
		Forecast    []*float64 `json:"co2eq_forecast"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("not the JSON of intensities: %w", err)
	}
	n := len(answer.UnixSeconds)
	switch {
	case answer.UnixSeconds == nil || answer.Actual == nil && answer.Forecast == nil:
		return nil, errors.New("answer without values")
	case answer.Actual != nil && len(answer.Actual) != n, answer.Forecast != nil && len(answer.Forecast) != n:
		return nil, fmt.Errorf("%d times, %d values and %d forecasts do not match", n, len(answer.Actual), len(answer.Forecast))
	}
	times := make([]time.Time, n)
	for i, second := range answer.UnixSeconds {
		if second == nil || *second < 0 || *second > maxUnix {
			return nil, fmt.Errorf("time %d is missing or outside the years 1970 to 2200", i)
		}
		times[i] = time.Unix(*second, 0).UTC()
		if i > 0 && !times[i].After(times[i-1]) {
			return nil, fmt.Errorf("time %d does not come after the one before", i)
		}
	}
	longest := time.Hour
	if n == 1 {
		longest = chartsSlot
	}
	step := stepOf(times, longest)
	var readings []Reading
	for i, from := range times {
		r := Reading{Signal: Average, Zone: zone, Source: chartsSource, From: from, To: from.Add(step)}
		switch {
		case chartsUsable(answer.Actual, i):
			r.Intensity, r.Basis = Intensity(*answer.Actual[i]), Measured
		case chartsUsable(answer.Forecast, i):
			r.Intensity, r.Basis = Intensity(*answer.Forecast[i]), Forecast
		default:
			continue
		}
		readings = append(readings, r)
	}
	return readings, nil
}

// maxUnix is the year 2200.
const maxUnix = 7_258_118_400

func chartsUsable(values []*float64, i int) bool {
	return values != nil && values[i] != nil && Intensity(*values[i]).Valid()
}
