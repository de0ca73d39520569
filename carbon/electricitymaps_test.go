package carbon

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	_ Provider   = (*ElectricityMaps)(nil)
	_ Forecaster = (*ElectricityMaps)(nil)
	_ History    = (*ElectricityMaps)(nil)
)

// testNow is the start of the present hour: providers with an endpoint for the present look at the clock.
func testNow() time.Time { return time.Now().UTC().Truncate(time.Hour) }

func mapsBody(zone, list string, points ...string) string {
	return fmt.Sprintf(`{"zone":%q,%q:[%s],"temporalGranularity":"hourly"}`, zone, list, strings.Join(points, ","))
}

func mapsAt(at time.Time, value string, estimated bool) string {
	return fmt.Sprintf(`{"carbonIntensity":%s,"datetime":%q,"emissionFactorType":"lifecycle","isEstimated":%t,"estimationMethod":"SOMETHING_NEW"}`,
		value, at.Format("2006-01-02T15:04:05.000Z"), estimated)
}

func newTestMaps(t *testing.T, cfg ElectricityMapsConfig, answers ...httpAnswer) (*ElectricityMaps, *httpPlay) {
	t.Helper()
	play := playHTTP(t, answers...)
	ring, err := NewKeyRing("", "a-key", "")
	require.NoError(t, err)
	cfg.Zone, cfg.Keys, cfg.HTTP = pick(cfg.Zone, "DE"), ring, play.config()
	m, err := NewElectricityMaps(cfg)
	require.NoError(t, err)
	return m, play
}

func TestElectricityMaps(t *testing.T) {
	t.Parallel()
	now := testNow()
	m, play := newTestMaps(t, ElectricityMapsConfig{}, httpAnswer{body: mapsBody("DE", "history",
		mapsAt(now.Add(-2*time.Hour), "420", false), mapsAt(now.Add(-time.Hour), "null", false), mapsAt(now, "399.5", true))})
	r, err := m.At(t.Context(), now.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, Reading{
		Intensity: 399.5, Signal: Average, Basis: Estimated, Scope: Lifecycle, Zone: "DE", Source: "Electricity Maps",
		From: now, To: now.Add(time.Hour),
	}, r)
	r, err = m.At(t.Context(), now.Add(-61*time.Minute))
	require.NoError(t, err)
	require.Equal(t, Measured, r.Basis)
	_, err = m.At(t.Context(), now.Add(-time.Minute))
	require.ErrorIs(t, err, ErrNoData, "null is no value")
	var none *NoDataError
	require.ErrorAs(t, err, &none)
	require.Equal(t, now, none.Until)
	require.Len(t, play.asked(), 1)
	require.Equal(t, []string{"a-key"}, play.headers("auth-token"))
	u, err := url.Parse(play.asked()[0])
	require.NoError(t, err)
	require.Equal(t, "/v4/carbon-intensity/history", u.Path)
	require.Equal(t, url.Values{
		"zone": {"DE"}, "emissionFactorType": {"lifecycle"},
		"shouldUseFallbackCallerLookup": {"false"}, "disableCallerLookup": {"true"},
	}, u.Query())

	recent, err := m.History(t.Context(), now.Add(-3*time.Hour), now.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, recent, 2)
	require.Len(t, play.asked(), 2)
}

func TestElectricityMapsPast(t *testing.T) {
	t.Parallel()
	old := testNow().Add(-30 * day)
	m, play := newTestMaps(t, ElectricityMapsConfig{Version: 3, Scope: Direct, NoEstimates: true, Granularity: 15 * time.Minute},
		httpAnswer{body: `{"zone":"DE","data":[{"zone":"DE","carbonIntensity":100,"datetime":"` + old.Format(time.RFC3339) + `","isEstimated":false}]}`})
	r, err := m.At(t.Context(), old.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, Direct, r.Scope)
	require.Equal(t, 15*time.Minute, r.To.Sub(r.From))
	_, err = m.History(t.Context(), old, old.Add(15*day))
	require.NoError(t, err)
	require.Len(t, play.asked(), 3, "a call is for 10 days at most")
	for _, asked := range play.asked() {
		u, err := url.Parse(asked)
		require.NoError(t, err)
		require.Equal(t, "/v3/carbon-intensity/past-range", u.Path)
		require.Equal(t, "direct", u.Query().Get("emissionFactorType"))
		require.Equal(t, "true", u.Query().Get("disableEstimations"))
		require.Equal(t, "15_minutes", u.Query().Get("temporalGranularity"))
		start, err := time.Parse(time.RFC3339, u.Query().Get("start"))
		require.NoError(t, err)
		end, err := time.Parse(time.RFC3339, u.Query().Get("end"))
		require.NoError(t, err)
		require.LessOrEqual(t, end.Sub(start), 10*day)
	}
}

func TestElectricityMapsForecast(t *testing.T) {
	t.Parallel()
	now := testNow()
	body := `{"zone":"DE","forecast":[{"carbonIntensity":90,"datetime":"` + now.Add(29*time.Hour).Format(time.RFC3339) + `"},
		{"carbonIntensity":80,"datetime":"` + now.Add(30*time.Hour).Format(time.RFC3339) + `"}],"updatedAt":"` + now.Format(time.RFC3339) + `"}`
	m, play := newTestMaps(t, ElectricityMapsConfig{}, httpAnswer{body: body})
	r, err := m.At(t.Context(), now.Add(30*time.Hour))
	require.NoError(t, err)
	require.Equal(t, Intensity(80), r.Intensity)
	require.Equal(t, Forecast, r.Basis)
	require.Contains(t, play.asked()[0], "/v4/carbon-intensity/forecast?")
	require.Contains(t, play.asked()[0], "horizonHours=48")
	all, err := m.Forecast(t.Context(), now, now.Add(60*time.Hour))
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Contains(t, play.asked()[1], "horizonHours=72")
	_, err = m.At(t.Context(), now.Add(90*time.Hour))
	require.ErrorIs(t, err, ErrNoData, "nobody forecasts that far")
	require.Len(t, play.asked(), 2)
}

// What the plan does not include is refused for itself: the present goes on.
func TestElectricityMapsFreePlan(t *testing.T) {
	t.Parallel()
	now := testNow()
	refused := httpAnswer{code: 401, body: `{"error":"Endpoint not available"}`}
	m, play := newTestMaps(t, ElectricityMapsConfig{}, refused, httpAnswer{body: mapsBody("DE", "history", mapsAt(now, "300", true))})
	_, err := m.At(t.Context(), now.Add(5*time.Hour))
	require.ErrorIs(t, err, ErrPlan)
	r, err := m.At(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, Intensity(300), r.Intensity)
	require.Len(t, play.asked(), 2)

	m, play = newTestMaps(t, ElectricityMapsConfig{}, refused, httpAnswer{body: mapsBody("DE", "history", mapsAt(now, "300", true))})
	past, err := m.History(t.Context(), now.Add(-14*day), now.Add(time.Hour))
	require.NoError(t, err, "the last day is part of every plan")
	require.Len(t, past, 1)
	require.Len(t, play.asked(), 2)

	// The latest value alone, where that is all there is.
	m, play = newTestMaps(t, ElectricityMapsConfig{}, refused, httpAnswer{body: `{"zone":"DE",` + mapsAt(now, "310", true)[1:]})
	r, err = m.At(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, Intensity(310), r.Intensity)
	require.Contains(t, play.asked()[1], "/latest?")
}

func TestElectricityMapsZones(t *testing.T) {
	t.Parallel()
	now := testNow()
	m, play := newTestMaps(t, ElectricityMapsConfig{}, httpAnswer{body: mapsBody("FR", "history", mapsAt(now, "50", true))})
	_, err := m.At(t.Context(), now)
	require.ErrorIs(t, err, ErrBody, "an answer for another zone is none")
	require.ErrorContains(t, err, `"FR"`)
	fr, err := m.Zone("FR")
	require.NoError(t, err)
	r, err := fr.At(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, "FR", r.Zone)
	require.Contains(t, play.asked()[1], "zone=FR")
	for _, bad := range []string{"", "D E", "DE&zone=FR", "../zones", strings.Repeat("A", 41)} {
		_, err = m.Zone(bad)
		require.Error(t, err, bad)
	}
}

func TestElectricityMapsWithoutKey(t *testing.T) {
	t.Parallel()
	m, err := NewElectricityMaps(ElectricityMapsConfig{Zone: "DE"})
	require.NoError(t, err)
	_, err = m.At(t.Context(), time.Now())
	require.ErrorIs(t, err, ErrAuth)
	require.EqualError(t, err, "carbon: Electricity Maps: not authorized: there is no key")
}

func TestElectricityMapsConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []ElectricityMapsConfig{
		{}, {Zone: "DE", Version: 2}, {Zone: "DE", Scope: 9}, {Zone: "DE", Granularity: time.Minute}, {Zone: "DE", Granularity: day},
		{Zone: "DE", HTTP: HTTPConfig{URL: "http://example.com"}},
	} {
		m, err := NewElectricityMaps(cfg)
		require.Error(t, err)
		require.Nil(t, m)
	}
}

func TestElectricityMapsRefusedBodies(t *testing.T) {
	t.Parallel()
	asked := mapsAsked{zone: "DE", scope: Lifecycle, step: time.Hour}
	for name, body := range map[string]string{
		"HTML": "<html>", "empty": "", "null": "null", "other": `{}`, "list": `[]`,
		"no time":   `{"zone":"DE","history":[{"carbonIntensity":1}]}`,
		"bad time":  `{"zone":"DE","history":[{"carbonIntensity":1,"datetime":"now"}]}`,
		"no zone":   `{"history":[{"carbonIntensity":1,"datetime":"2024-03-06T19:00:00.000Z"}]}`,
		"scope":     `{"zone":"DE","history":[{"carbonIntensity":1,"datetime":"2024-03-06T19:00:00.000Z","emissionFactorType":"direct"}]}`,
		"days":      `{"zone":"DE","temporalGranularity":"daily","history":[{"carbonIntensity":1,"datetime":"2024-03-06T00:00:00.000Z"}]}`,
		"text":      `{"zone":"DE","history":[{"carbonIntensity":"1","datetime":"2024-03-06T19:00:00.000Z"}]}`,
		"data":      `{"zone":"DE","data":{}}`,
		"null data": `{"zone":"DE","data":null}`,
	} {
		readings, err := parseElectricityMaps([]byte(body), asked)
		require.Error(t, err, name)
		require.Empty(t, readings, name)
	}
	for _, value := range []string{"null", "-1", "5001", "1e300"} {
		readings, err := parseElectricityMaps([]byte(mapsBody("DE", "history", mapsAt(testNow(), value, false))), asked)
		require.NoError(t, err)
		require.Empty(t, readings, "%s is no intensity", value)
	}
}

func TestElectricityMapsRecorded(t *testing.T) {
	t.Parallel()
	read := func(zone, file string) ([]Reading, error) {
		return parseElectricityMaps(recordedBody(t, "electricitymaps", file), mapsAsked{zone: zone, scope: Lifecycle, step: time.Hour})
	}
	readings, err := read("DE", "v3_carbon_intensity_history.json")
	require.NoError(t, err)
	require.Len(t, readings, 24)
	require.Equal(t, Intensity(599), readings[0].Intensity)
	require.Equal(t, Measured, readings[0].Basis)
	require.Equal(t, Estimated, readings[23].Basis)
	for i, r := range readings[1:] {
		require.Equal(t, readings[i].To, r.From)
	}
	readings, err = read("US-CAR-DUK", "v3_latest_carbon_intensity.json")
	require.NoError(t, err)
	require.Len(t, readings, 1)
	require.Equal(t, Intensity(216), readings[0].Intensity)
	require.Equal(t, Estimated, readings[0].Basis)
	_, err = read("DE", "v3_latest_carbon_intensity.json")
	require.Error(t, err)
	readings, err = read("JP-KN", "v3_history_JP-KN_excerpt_issue571.json")
	require.NoError(t, err)
	require.Len(t, readings, 4)
	_, err = read("DE", "home_assistant_no_data.json")
	require.ErrorIs(t, err, ErrNoData, "a no-data answer comes with 200 and is not 0")
	for _, file := range []string{"home_assistant_ok.json", "v3_zones.json", "v3_latest_power_breakdown.json"} {
		readings, _ = read("DE", file)
		require.Empty(t, readings, file)
	}
}

func FuzzParseElectricityMaps(f *testing.F) {
	f.Add([]byte(mapsBody("DE", "history", mapsAt(noon, "420", false), mapsAt(noon.Add(time.Hour), "null", true))), false)
	f.Add([]byte(mapsBody("DE", "forecast", `{"carbonIntensity":1,"datetime":"2024-03-06T19:00Z"}`)), true)
	f.Add([]byte(`{"status":"no-data","data":{}}`), false)
	f.Add([]byte(`{"zone":"DE","carbonIntensity":216,"datetime":"2024-03-06T19:00:00.000Z"}`), false)
	f.Fuzz(func(t *testing.T, body []byte, forecast bool) {
		readings, err := parseElectricityMaps(body, mapsAsked{zone: "DE", scope: Lifecycle, step: time.Hour, forecast: forecast})
		if err != nil {
			require.Empty(t, readings)
			return
		}
		for _, r := range readings {
			require.NoError(t, r.check(r.From, Average))
			require.Equal(t, "DE", r.Zone)
			require.Equal(t, forecast, r.Basis == Forecast)
			require.LessOrEqual(t, r.To.Sub(r.From), time.Hour)
		}
	})
}

func TestElectricityMapsGivesUpNobody(t *testing.T) {
	t.Parallel()
	m, _ := newTestMaps(t, ElectricityMapsConfig{}, httpAnswer{body: `{"status":"no-data","data":{}}`})
	_, err := m.At(t.Context(), testNow())
	var none *NoDataError
	require.True(t, errors.As(err, &none))
	require.Equal(t, "DE", none.Zone)
}
