package carbon

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	_ Provider   = (*WattTime)(nil)
	_ Forecaster = (*WattTime)(nil)
	_ History    = (*WattTime)(nil)
)

const wattTimeForbidden = "<html>\n<head><title>403 Forbidden</title></head>\n<center>nginx</center></html>"

// wattTimePlay is a WattTime service: it hands out tokens that live for 30 minutes and knows one region.
type wattTimePlay struct {
	mu       sync.Mutex
	password string
	logins   int
	issued   map[string]time.Time
	asked    []*url.URL
	answer   func(r *http.Request) (code int, body string)
}

func (p *wattTimePlay) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path == "/login" {
		p.logins++
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != p.password {
			return httpResponse(r, 401, `{"error":"wrong"}`), nil
		}
		token := fmt.Sprint("token-", p.logins)
		if p.issued == nil {
			p.issued = map[string]time.Time{}
		}
		p.issued[token] = time.Now()
		return httpResponse(r, 200, fmt.Sprintf(`{"token":%q}`, token)), nil
	}
	p.asked = append(p.asked, r.URL)
	issued, known := p.issued[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !known || time.Since(issued) >= 30*time.Minute {
		return httpResponse(r, 403, wattTimeForbidden, "Content-Type", "text/html"), nil
	}
	code, body := p.answer(r)
	return httpResponse(r, code, body), nil
}

func wattTimeBody(units, points string) string {
	return fmt.Sprintf(`{"data":[%s],"meta":{"data_point_period_seconds":300,"region":"CAISO_NORTH","signal_type":"co2_moer",
		"units":%q,"warnings":[],"model":{"date":"2023-03-01"},"generated_at":"2024-01-01T00:00:00+00:00"}}`, points, units)
}

func wattTimePointAt(at time.Time, value string) string {
	return fmt.Sprintf(`{"point_time":%q,"value":%s,"imputed_data_used":false}`, at.UTC().Format("2006-01-02T15:04:05-07:00"), value)
}

// newTestWattTime is a provider of a service that answers every call with the point of the present.
func newTestWattTime(t *testing.T, signal Signal) (*WattTime, *wattTimePlay) {
	t.Helper()
	play := &wattTimePlay{password: "word", answer: func(*http.Request) (int, string) {
		return 200, wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(time.Now().Truncate(wattTimeSlot), "1000"))
	}}
	ring, err := NewKeyRing("", "word", "")
	require.NoError(t, err)
	w, err := NewWattTime(WattTimeConfig{Region: "CAISO_NORTH", Signal: signal, User: "me", Passwords: ring,
		HTTP: HTTPConfig{Client: &http.Client{Transport: play}, Failures: 1000}})
	require.NoError(t, err)
	return w, play
}

func TestWattTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		now := time.Now().Add(2 * time.Minute)
		r, err := w.At(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, Reading{
			Intensity: PerMWhPounds(1000), Signal: Marginal, Basis: Forecast, Zone: "CAISO_NORTH",
			Source: "WattTime co2_moer, model 2023-03-01",
			From:   now.Truncate(wattTimeSlot).UTC(), To: now.Truncate(wattTimeSlot).UTC().Add(5 * time.Minute),
		}, r)
		require.InDelta(t, 453.59, float64(r.Intensity), .01, "1 lb/MWh is 0.45359 g/kWh")
		require.ErrorIs(t, r.check(now, Average), ErrSignal)
		require.Equal(t, "/v3/forecast", play.asked[0].Path)
		require.Equal(t, url.Values{"region": {"CAISO_NORTH"}, "signal_type": {"co2_moer"}, "horizon_hours": {"24"}}, play.asked[0].Query())
		require.Equal(t, WattTimeMeta{Model: "2023-03-01"}, w.Meta())

		_, err = w.At(t.Context(), now.Add(73*time.Hour))
		require.ErrorIs(t, err, ErrNoData)
		require.Len(t, play.asked, 1)
		old := now.Add(-40 * day)
		play.answer = func(*http.Request) (int, string) {
			return 200, wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(old.Truncate(wattTimeSlot), "0"))
		}
		r, err = w.At(t.Context(), old)
		require.NoError(t, err)
		require.Equal(t, Estimated, r.Basis, "no marginal intensity is metered")
		require.Equal(t, Intensity(0), r.Intensity)
		_, err = w.History(t.Context(), old, now)
		require.NoError(t, err)
		require.Len(t, play.asked, 4, "a call is for 30 days at most")
		for _, u := range play.asked[1:] {
			require.Equal(t, "/v3/historical", u.Path)
			start, err := time.Parse(time.RFC3339, u.Query().Get("start"))
			require.NoError(t, err, "the time zone is mandatory")
			end, err := time.Parse(time.RFC3339, u.Query().Get("end"))
			require.NoError(t, err)
			require.LessOrEqual(t, end.Sub(start), 30*day)
		}
		_, err = w.Forecast(t.Context(), now, now.Add(100*time.Hour))
		require.ErrorIs(t, err, ErrNoData)
		require.Equal(t, "72", play.asked[4].Query().Get("horizon_hours"))
		require.Equal(t, 1, play.logins)
		other := w.Region("PSCO")
		_, err = other.At(t.Context(), now)
		require.ErrorIs(t, err, ErrBody, "an answer for another region is none")
		require.Equal(t, 1, play.logins, "the login is shared")
	})
}

func TestWattTimeAverage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, Average)
		now := time.Now()
		play.answer = func(*http.Request) (int, string) {
			body := wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(now.Truncate(time.Hour), "500"))
			return 200, strings.NewReplacer("co2_moer", "co2_aoer", ":300", ":3600").Replace(body)
		}
		r, err := w.At(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, Average, r.Signal)
		require.Equal(t, Measured, r.Basis)
		require.Equal(t, time.Hour, r.To.Sub(r.From))
		require.Equal(t, "co2_aoer", play.asked[0].Query().Get("signal_type"))
		_, err = w.Forecast(t.Context(), now, now.Add(time.Hour))
		require.ErrorIs(t, err, ErrNoData)
		_, err = w.At(t.Context(), now.Add(day))
		require.ErrorIs(t, err, ErrNoData)
		require.Len(t, play.asked, 1)
	})
}

// A token lives for 30 minutes: over a day none is used after that, whenever the calls come.
func TestWattTimeTokenIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		for range 24 * 60 / 7 {
			_, err := w.At(t.Context(), time.Now())
			require.NoError(t, err)
			<-time.After(7 * time.Minute)
		}
		require.LessOrEqual(t, play.logins, 24*60/25+1)
		require.GreaterOrEqual(t, play.logins, 24*2)
		require.Len(t, play.asked, 24*60/7, "none was refused")
	})
}

// TestWattTimeFormerToken: a slow call may still carry the token that another one has replaced.
func TestWattTimeFormerToken(t *testing.T) {
	t.Parallel()
	s := &wattTimeSession{passwords: &KeyRing{}, token: "new-token", former: "old-token"}
	require.Equal(t, "[key] and [key]", s.redact("new-token and old-token"))
}

func TestWattTimeOneLoginForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		for range 2 {
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() { _, _ = w.Region(fmt.Sprint("R", i)).At(t.Context(), time.Now()) })
			}
			wg.Wait()
			<-time.After(time.Hour)
		}
		require.Equal(t, 2, play.logins)
		require.Len(t, play.asked, 100)
	})
}

// A token that is refused before its time, with a page of HTML, is replaced: once, not again and again.
func TestWattTimeRefusedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		_, err := w.At(t.Context(), time.Now())
		require.NoError(t, err)
		play.issued = map[string]time.Time{} // the service has forgotten them
		<-time.After(6 * time.Minute)
		_, err = w.At(t.Context(), time.Now())
		require.NoError(t, err)
		require.Equal(t, 2, play.logins)

		play.answer = func(*http.Request) (int, string) { return 403, wattTimeForbidden }
		<-time.After(6 * time.Minute)
		r, err := w.At(t.Context(), time.Now())
		require.ErrorIs(t, err, ErrAuth)
		require.Zero(t, r)
		require.Equal(t, 3, play.logins)
		for range 100 {
			_, err = w.At(t.Context(), time.Now())
			require.Error(t, err)
			<-time.After(time.Second)
		}
		require.LessOrEqual(t, play.logins, 5, "it is left alone for a while")
	})
}

func TestWattTimeLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		play.password = "changed"
		_, err := w.At(t.Context(), time.Now())
		require.ErrorIs(t, err, ErrAuth)
		play.mu.Lock()
		play.password = "changed"
		play.mu.Unlock()
		require.NoError(t, w.session.passwords.SetNext("changed"))
		<-time.After(time.Minute)
		_, err = w.At(t.Context(), time.Now())
		require.NoError(t, err)
		require.Equal(t, []string{"changed", "word"}, w.session.passwords.candidates())

		start := time.Now()
		play.password = "again"
		play.logins = 0
		for time.Since(start) < 5*time.Minute { // History has no rest of its own: the limit of /login is kept all the same
			w.session.drop(w.session.token)
			_, err = w.History(t.Context(), start.Add(-time.Hour), start)
			require.ErrorIs(t, err, ErrAuth)
		}
		require.LessOrEqual(t, play.logins, 100)

		none, err := NewWattTime(WattTimeConfig{Region: "R"})
		require.NoError(t, err)
		_, err = none.At(t.Context(), time.Now())
		require.EqualError(t, err, "carbon: WattTime: not authorized: there is no user or password")
	})
	for _, body := range []string{"", "<html>", "{}", `{"token":""}`, `{"token":"two words"}`, `{"token":"line\nbreak"}`, `{"token":7}`} {
		token, err := parseLogin([]byte(body))
		require.Error(t, err)
		require.Empty(t, token)
	}
}

func TestWattTimeFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code int
		body string
		kind error
	}{
		"plan":       {403, `{"error":"Invalid query parameters","message":"Invalid scope."}`, ErrPlan},
		"region":     {404, `{"error":"No coverage available"}`, ErrNoCoverage},
		"percentile": {200, wattTimeBody("percentile", wattTimePointAt(noon, "96")), ErrBody},
		"metric":     {200, wattTimeBody("kg_co2_per_mwh", wattTimePointAt(noon, "96")), ErrBody},
		"damage":     {200, strings.Replace(wattTimeBody("lbs_co2_per_mwh", ""), "co2_moer", "health_damage", 1), ErrBody},
		"period":     {200, strings.Replace(wattTimeBody("lbs_co2_per_mwh", ""), ":300", ":0", 1), ErrBody},
		"null":       {200, wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(noon, "null")), ErrNoData},
		"no data":    {200, `{"data":null,"meta":{}}`, ErrBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, play := newTestWattTime(t, 0)
				play.answer = func(*http.Request) (int, string) { return tt.code, tt.body }
				_, err := w.At(t.Context(), time.Now())
				require.ErrorIs(t, err, tt.kind)
			})
		})
	}
}

func TestWattTimeWarnings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		var log bytes.Buffer
		w.session.api.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		for i, said := range []struct{ warnings, date string }{
			{`[]`, "2023-03-01"}, {`[{"type":"OLD","message":"stale"},"odd"]`, "2023-03-01"}, {`[{"type":"OLD","message":"stale"},"odd"]`, "2024-01-01"},
		} {
			body := strings.Replace(wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(time.Now(), "1")), `"warnings":[]`, `"warnings":`+said.warnings, 1)
			body = strings.Replace(body, "2023-03-01", said.date, 1)
			play.answer = func(*http.Request) (int, string) { return 200, body }
			r, err := w.At(t.Context(), time.Now())
			require.NoError(t, err)
			require.Equal(t, "WattTime co2_moer, model "+said.date, r.Source)
			if i > 0 {
				require.Equal(t, WattTimeMeta{Model: said.date, Warnings: []string{"OLD: stale", `"odd"`}}, w.Meta())
			}
			<-time.After(6 * time.Minute)
		}
		require.Equal(t, 1, strings.Count(log.String(), "WattTime warns"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "another model"), log.String())
	})
}

func TestWattTimeSignalIndex(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		play.answer = func(*http.Request) (int, string) { return 200, wattTimeBody("percentile", wattTimePointAt(noon, "96")) }
		index, err := w.SignalIndex(t.Context())
		require.NoError(t, err)
		require.Equal(t, SignalIndex{Percentile: 96, Zone: "CAISO_NORTH", Source: "WattTime signal index", From: noon, To: noon.Add(5 * time.Minute)}, index)
		for _, bad := range []string{"null", "-1", "100.5"} {
			play.answer = func(*http.Request) (int, string) {
				return 200, wattTimeBody("percentile", wattTimePointAt(noon, bad))
			}
			_, err = w.SignalIndex(t.Context())
			require.ErrorIs(t, err, ErrBody)
		}
		play.answer = func(*http.Request) (int, string) {
			return 200, wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(noon, "96"))
		}
		_, err = w.SignalIndex(t.Context())
		require.ErrorIs(t, err, ErrBody, "an intensity is no percentile either")
	})
}

func TestWattTimeRegionAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, play := newTestWattTime(t, 0)
		play.answer = func(*http.Request) (int, string) {
			return 200, `{"region":"PSCO","region_full_name":"x","signal_type":"co2_moer"}`
		}
		region, err := w.Region("").RegionAt(t.Context(), 39.7, -105)
		require.NoError(t, err)
		require.Equal(t, "PSCO", region)
		require.Equal(t, url.Values{"latitude": {"39.7"}, "longitude": {"-105"}, "signal_type": {"co2_moer"}}, play.asked[0].Query())
		play.answer = func(*http.Request) (int, string) {
			return 404, `{"error":"No coverage available for these coordinates"}`
		}
		_, err = w.RegionAt(t.Context(), 0, 0)
		require.ErrorIs(t, err, ErrNoCoverage)
		play.answer = func(*http.Request) (int, string) { return 200, `{}` }
		_, err = w.RegionAt(t.Context(), 1, 1)
		require.ErrorIs(t, err, ErrBody)
		_, err = w.RegionAt(t.Context(), 91, 0)
		require.Error(t, err)
	})
	_, err := NewWattTime(WattTimeConfig{Signal: 7})
	require.Error(t, err)
	_, err = NewWattTime(WattTimeConfig{HTTP: HTTPConfig{URL: "http://example.com"}})
	require.Error(t, err)
}

func TestWattTimeRecorded(t *testing.T) {
	t.Parallel()
	moer := wattTimeAsked{region: "CAISO_NORTH", signal: Marginal}
	readings, meta, err := parseWattTime(recordedBody(t, "watttime", "v3_historical_emissions_response.json"), moer)
	require.NoError(t, err)
	require.Len(t, readings, 2)
	require.InDelta(t, 394.63, float64(readings[0].Intensity), .01)
	require.Equal(t, WattTimeMeta{Model: "2023-03-01", Warnings: []string{"EXAMPLE_WARNING: This is just an example"}}, meta)
	moer.basis = Forecast
	readings, _, err = parseWattTime(recordedBody(t, "watttime", "v3_forecasted_emissions_response.json"), moer)
	require.NoError(t, err)
	require.Len(t, readings, 3)
	require.Equal(t, Forecast, readings[0].Basis)
	index := recordedBody(t, "watttime", "v3_realtime_emissions_response.json")
	_, _, err = parseWattTime(index, wattTimeAsked{region: "PSCO", signal: Marginal})
	require.ErrorContains(t, err, "percentile", "a percentile is never an intensity")
	rank, err := parseSignalIndex(index, "PSCO")
	require.NoError(t, err)
	require.Equal(t, 96.0, rank.Percentile)
	region, err := parseRegion(recordedBody(t, "watttime", "v3_grid_region_response.json"))
	require.NoError(t, err)
	require.Equal(t, "PSCO", region)
	for file, tt := range map[string]struct {
		code int
		kind error
	}{
		"v3_403_forbidden_response.html":              {403, ErrAuth},
		"v3_coordinates_not_found_response.json":      {404, ErrNoCoverage},
		"v3_invalid_scope_response.json":              {403, ErrPlan},
		"v3_new_user_fail_response.json":              {400, ErrRequest},
		"v3_password_reset_fail_response.json":        {400, ErrRequest},
		"../ukcarbonintensity/error_500_issue19.json": {500, ErrUnavailable},
	} {
		play := playHTTP(t, httpAnswer{code: tt.code, body: string(recordedBody(t, "watttime", file))})
		_, err := newTestAPI(t, play.config()).get(t.Context(), "/x", nil, "")
		require.ErrorIs(t, err, tt.kind, file)
	}
}

// Of several forecasts the one made last counts, in whatever order they come.
func TestWattTimeNewestForecast(t *testing.T) {
	t.Parallel()
	forecast := func(made, value string) string {
		return fmt.Sprintf(`{"generated_at":%q,"forecast":[%s]}`, made, wattTimePointAt(noon, value))
	}
	early, late := forecast("2024-05-01T11:00:00+00:00", "1"), forecast("2024-05-01T11:05:00+00:00", "1000")
	for _, points := range []string{early + "," + late, late + "," + early} {
		readings, _, err := parseWattTime([]byte(wattTimeBody("lbs_co2_per_mwh", points)), wattTimeAsked{"CAISO_NORTH", Marginal, Forecast})
		require.NoError(t, err)
		require.Len(t, readings, 1)
		require.Equal(t, PerMWhPounds(1000), readings[0].Intensity)
	}
}

func FuzzParseWattTime(f *testing.F) {
	f.Add([]byte(wattTimeBody("lbs_co2_per_mwh", wattTimePointAt(noon, "870"))))
	f.Add([]byte(wattTimeBody("percentile", wattTimePointAt(noon, "96"))))
	f.Add([]byte(wattTimeBody("lbs_co2_per_mwh", `{"generated_at":"2024-01-01T00:00:00+00:00","forecast":[`+wattTimePointAt(noon, "1e9")+`]}`)))
	f.Add([]byte(`{"token":"abc","region":"PSCO"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, asked := range []wattTimeAsked{{"CAISO_NORTH", Marginal, Estimated}, {"CAISO_NORTH", Marginal, Forecast}, {"CAISO_NORTH", Average, Estimated}} {
			readings, meta, err := parseWattTime(body, asked)
			if err != nil {
				require.Empty(t, readings)
				require.Zero(t, meta)
				continue
			}
			for _, r := range readings {
				require.NoError(t, r.check(r.From, asked.signal))
				require.LessOrEqual(t, r.To.Sub(r.From), time.Hour)
			}
			_, err = parseSignalIndex(body, "CAISO_NORTH")
			require.Error(t, err, "both an intensity and a percentile")
		}
		if index, err := parseSignalIndex(body, "CAISO_NORTH"); err == nil {
			require.True(t, index.Percentile >= 0 && index.Percentile <= 100)
		}
		if token, err := parseLogin(body); err == nil {
			require.NotContains(t, token, "\n")
		}
		if region, err := parseRegion(body); err == nil {
			require.NotEmpty(t, region)
		}
	})
}
