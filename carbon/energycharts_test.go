package carbon

import (
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	_ Provider   = (*EnergyCharts)(nil)
	_ Forecaster = (*EnergyCharts)(nil)
	_ History    = (*EnergyCharts)(nil)
)

// chartsAnswer begins at nesoNoon: an actual value, a gap, a forecast, and nothing to the end of the window.
const chartsAnswer = `{"unix_seconds":[1768910400,1768911300,1768912200,1768913100],
	"co2eq":[310.5,null,null,null],"co2eq_forecast":[300,null,280,null],"deprecated":false}`

func newTestCharts(t *testing.T, answer httpAnswer) (*EnergyCharts, *httpPlay) {
	t.Helper()
	play := playHTTP(t, answer)
	c, err := NewEnergyCharts(EnergyChartsConfig{Country: "fr", HTTP: play.config()})
	require.NoError(t, err)
	return c, play
}

func TestEnergyCharts(t *testing.T) {
	t.Parallel()
	c, play := newTestCharts(t, httpAnswer{body: chartsAnswer})
	r, err := c.At(t.Context(), nesoNoon.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, Reading{
		Intensity: 310.5, Signal: Average, Basis: Measured, Zone: "FR", Source: chartsSource,
		From: nesoNoon, To: nesoNoon.Add(15 * time.Minute),
	}, r)
	_, err = c.At(t.Context(), nesoNoon.Add(20*time.Minute))
	var none *NoDataError
	require.ErrorAs(t, err, &none, "null is a gap and not 0")
	require.Equal(t, nesoNoon.Add(30*time.Minute), none.Until)
	r, err = c.At(t.Context(), nesoNoon.Add(40*time.Minute))
	require.NoError(t, err)
	require.Equal(t, Forecast, r.Basis)
	_, err = c.At(t.Context(), nesoNoon.Add(50*time.Minute))
	require.ErrorIs(t, err, ErrNoData)
	require.Len(t, play.asked(), 1)
	u, err := url.Parse(play.asked()[0])
	require.NoError(t, err)
	require.Equal(t, url.Values{"country": {"fr"}, "start": {"2026-01-19T12:00Z"}, "end": {"2026-01-21T12:00Z"}}, u.Query())

	past, err := c.History(t.Context(), nesoNoon.Add(-10*day), nesoNoon.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, past, 1)
	require.Len(t, play.asked(), 3, "in pieces of a week, without counting double")
	ahead, err := c.Forecast(t.Context(), nesoNoon, nesoNoon.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, ahead, 1)
	de, err := c.Country("de")
	require.NoError(t, err)
	require.Equal(t, "DE", de.feed.zone)
	for _, bad := range []string{"", "d", "deu", "d&", "é"} {
		_, err = c.Country(bad)
		require.Error(t, err, bad)
		_, err = NewEnergyCharts(EnergyChartsConfig{Country: bad})
		require.Error(t, err, bad)
	}
}

func TestEnergyChartsRefusedBodies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"HTML": "<html>", "empty": "", "null": "null", "other": `{}`, "no values": `{"unix_seconds":[1,2]}`,
		"too few":      `{"unix_seconds":[1,2],"co2eq":[1]}`,
		"too many":     `{"unix_seconds":[1],"co2eq":[1],"co2eq_forecast":[1,2]}`,
		"null time":    `{"unix_seconds":[1,null],"co2eq":[1,2]}`,
		"backwards":    `{"unix_seconds":[900,0],"co2eq":[1,2]}`,
		"twice":        `{"unix_seconds":[900,900],"co2eq":[1,2]}`,
		"milliseconds": `{"unix_seconds":[1768910400000],"co2eq":[1]}`,
		"text":         `{"unix_seconds":[1],"co2eq":["1"]}`,
	} {
		readings, err := parseEnergyCharts([]byte(body), "FR")
		require.Error(t, err, name)
		require.Empty(t, readings, name)
	}
	readings, err := parseEnergyCharts([]byte(`{"unix_seconds":[1,2,3],"co2eq":[-1,5001,null]}`), "FR")
	require.NoError(t, err)
	require.Empty(t, readings)
}

func TestEnergyChartsRecorded(t *testing.T) {
	t.Parallel()
	readings, err := parseEnergyCharts(recordedBody(t, "energycharts", "co2eq_fr.json"), "FR")
	require.NoError(t, err)
	count := map[Basis]int{}
	for _, r := range readings {
		count[r.Basis]++
		require.Equal(t, 15*time.Minute, r.To.Sub(r.From))
		require.Greater(t, r.Intensity, Intensity(0))
	}
	require.Equal(t, map[Basis]int{Measured: 24, Forecast: 75}, count, "93 of the 192 slots are null")
}

func FuzzParseEnergyCharts(f *testing.F) {
	f.Add([]byte(chartsAnswer))
	f.Add([]byte(`{"unix_seconds":[0,7258118400],"co2eq":[0,null],"co2eq_forecast":[1e999,2]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		readings, err := parseEnergyCharts(body, "FR")
		if err != nil {
			require.Empty(t, readings)
			return
		}
		before := time.Unix(math.MinInt32, 0)
		for _, r := range readings {
			require.NoError(t, r.check(r.From, Average))
			require.False(t, r.From.Before(before), "no overlap")
			before = r.To
		}
	})
}
