package carbon

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	_ Provider   = (*NESO)(nil)
	_ Forecaster = (*NESO)(nil)
	_ History    = (*NESO)(nil)
)

const nesoAnswer = `{"data":[
	{"from":"2026-01-20T11:30Z","to":"2026-01-20T12:00Z","intensity":{"forecast":266,"actual":263,"index":"moderate"}},
	{"from":"2026-01-20T12:00Z","to":"2026-01-20T12:30Z","intensity":{"forecast":251,"actual":null,"index":"moderate"}},
	{"from":"2026-01-20T12:30Z","to":"2026-01-20T13:00Z","intensity":{"forecast":null,"actual":0,"index":"low"}}]}`

const nesoRegional = `{"data":{"regionid":3,"shortname":"North West England","data":[
	{"from":"2026-01-20T12:00Z","to":"2026-01-20T12:30Z","intensity":{"forecast":0,"index":"very low"}},
	{"from":"2026-01-20T12:30Z","to":"2026-01-20T13:00Z","intensity":{"forecast":null}}]}}`

var nesoNoon = time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)

// newTestNESO is a provider of a server that answers every call alike.
func newTestNESO(t *testing.T, region int, answer httpAnswer) (*NESO, *httpPlay) {
	t.Helper()
	play := playHTTP(t, answer)
	n, err := NewNESO(NESOConfig{Region: region, HTTP: play.config()})
	require.NoError(t, err)
	return n, play
}

func TestNESO(t *testing.T) {
	t.Parallel()
	n, play := newTestNESO(t, 0, httpAnswer{body: nesoAnswer})
	r, err := n.At(t.Context(), nesoNoon.Add(time.Minute))
	require.NoError(t, err)
	require.NoError(t, r.check(nesoNoon, Average))
	require.Equal(t, Reading{
		Intensity: 251, Signal: Average, Basis: Forecast, Scope: Direct, Zone: "GB", Source: nesoSource,
		From: nesoNoon, To: nesoNoon.Add(30 * time.Minute),
	}, r)
	r, err = n.At(t.Context(), nesoNoon.Add(-time.Minute))
	require.NoError(t, err)
	require.Equal(t, Measured, r.Basis)
	require.Equal(t, Intensity(263), r.Intensity)
	_, err = n.At(t.Context(), nesoNoon.Add(time.Hour))
	require.Equal(t, &NoDataError{Zone: "GB", At: nesoNoon.Add(time.Hour)}, err)
	require.Equal(t, []string{"/intensity/2026-01-20T11:00Z/2026-01-21T12:00Z"}, play.asked(), "one call serves them all")
}

// The zero value is what examples use: it asks the public API, so here it only must not be refused.
func TestNESOZeroValue(t *testing.T) {
	t.Parallel()
	var n NESO
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.At(ctx, nesoNoon)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, nesoURL, n.api.cfg.URL)
	r, err := n.Region(5)
	require.NoError(t, err)
	require.Same(t, n.api, r.api)
	require.Equal(t, "GB region 5", r.feed.zone)
	_, err = n.Region(18)
	require.ErrorContains(t, err, "18")
	_, err = NewNESO(NESOConfig{Region: -1})
	require.Error(t, err)
}

func TestNESOHasNoZero(t *testing.T) {
	t.Parallel()
	readings, err := parseNESO([]byte(nesoAnswer), 0)
	require.NoError(t, err)
	require.Len(t, readings, 2, "null and a bogus zero are no values")
}

func TestNESORegional(t *testing.T) {
	t.Parallel()
	n, play := newTestNESO(t, 3, httpAnswer{body: nesoRegional})
	r, err := n.At(t.Context(), nesoNoon)
	require.NoError(t, err)
	require.Equal(t, Intensity(0), r.Intensity, "a region may be at zero")
	require.Equal(t, "GB region 3", r.Zone)
	require.Equal(t, []string{"/regional/intensity/2026-01-20T11:00Z/2026-01-21T12:00Z/regionid/3"}, play.asked())
	_, err = n.History(t.Context(), nesoNoon, nesoNoon.Add(time.Hour))
	require.ErrorIs(t, err, ErrNoData)

	_, err = parseNESO([]byte(nesoRegional), 4)
	require.ErrorContains(t, err, "region 3")
	readings, err := parseNESO([]byte(strings.Replace(nesoRegional, `"data":{`, `"data":[{`, 1)[:len(nesoRegional)]+`]}`), 3)
	require.NoError(t, err)
	require.Len(t, readings, 1)
}

func TestNESOStretch(t *testing.T) {
	t.Parallel()
	n, play := newTestNESO(t, 0, httpAnswer{body: nesoAnswer})
	past, err := n.History(t.Context(), nesoNoon.Add(-20*day), nesoNoon.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, past, 1)
	require.Equal(t, Measured, past[0].Basis)
	require.Equal(t, []string{
		"/intensity/2025-12-31T12:00Z/2026-01-14T12:00Z",
		"/intensity/2026-01-14T12:00Z/2026-01-20T13:00Z",
	}, play.asked(), "a call is for 14 days at most")
	ahead, err := n.Forecast(t.Context(), nesoNoon, nesoNoon.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, ahead, 1)
	require.Equal(t, Intensity(251), ahead[0].Intensity)
	_, err = n.Forecast(t.Context(), nesoNoon.Add(20*day), nesoNoon.Add(21*day))
	require.ErrorIs(t, err, ErrNoData, "what the answer holds of other times does not count")
	_, err = n.History(t.Context(), nesoNoon, nesoNoon)
	require.ErrorContains(t, err, "empty")
}

func TestNESOFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer httpAnswer
		kind   error
	}{
		"outage":     {httpAnswer{code: 500, body: `{"error":{"code":"500 Internal Server Error","message":"down"}}`}, ErrUnavailable},
		"gone":       {httpAnswer{code: 410}, ErrGone},
		"cut":        {httpAnswer{body: nesoAnswer[:100]}, ErrBody},
		"no data":    {httpAnswer{body: `{}`}, ErrBody},
		"null":       {httpAnswer{body: `{"data":null}`}, ErrBody},
		"HTML":       {httpAnswer{body: `<html>`}, ErrBody},
		"empty":      {httpAnswer{body: `{"data":[]}`}, ErrNoData},
		"other time": {httpAnswer{body: `{"data":[{"from":"yesterday","to":"2026-01-20T12:00Z"}]}`}, ErrBody},
		"too large":  {httpAnswer{body: `{"data":[]` + strings.Repeat(" ", 1<<17) + `}`}, ErrBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, play := newTestNESO(t, 0, tt.answer)
			_, err := n.At(t.Context(), nesoNoon)
			require.ErrorIs(t, err, tt.kind)
			calls := len(play.asked())
			_, again := n.At(t.Context(), nesoNoon)
			require.Equal(t, err, again)
			require.Len(t, play.asked(), calls, "a dead API is not asked again at once")
		})
	}
}

func TestNESOCancelled(t *testing.T) {
	t.Parallel()
	n, play := newTestNESO(t, 0, httpAnswer{body: nesoAnswer})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.At(ctx, nesoNoon)
	require.ErrorIs(t, err, context.Canceled)
	_, err = n.At(t.Context(), nesoNoon)
	require.NoError(t, err, "the caller's cancellation is no failure of the API")
	require.Len(t, play.asked(), 1)
}

// Many callers share one call, and one whose context ends does not wait for it.
func TestNESOOneCallAtATime(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	n, play := newTestNESO(t, 0, httpAnswer{body: nesoAnswer, before: func(*http.Request) {
		once.Do(func() { close(begun) })
		<-goOn
	}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := n.At(t.Context(), nesoNoon); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	_, err := n.At(ctx, nesoNoon)
	require.ErrorIs(t, err, context.Canceled)
	close(goOn)
	wg.Wait()
	require.Len(t, play.asked(), 1)
}

// Asking for a time of which nothing is known does not cost what is known of others.
func TestNESOKeepsWhatItKnows(t *testing.T) {
	t.Parallel()
	n, play := newTestNESO(t, 0, httpAnswer{body: nesoAnswer})
	_, err := n.At(t.Context(), nesoNoon)
	require.NoError(t, err)
	_, err = n.At(t.Context(), nesoNoon.AddDate(-20, 0, 0))
	require.ErrorIs(t, err, ErrNoData)
	_, err = n.At(t.Context(), nesoNoon)
	require.NoError(t, err)
	require.Len(t, play.asked(), 2)
}

func TestNESORecorded(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct {
		first Intensity
		basis Basis
	}{
		"intensity_pt24h_2024-01-12T0601Z_first8.json": {271, Measured},
		"intensity_fw48h_2024-01-12T0601Z_first8.json": {293, Forecast},
	} {
		readings, err := parseNESO(recordedBody(t, "ukcarbonintensity", file), 0)
		require.NoError(t, err)
		require.Len(t, readings, 8)
		require.Equal(t, want.first, readings[0].Intensity)
		for _, r := range readings {
			require.Equal(t, want.basis, r.Basis)
			require.Equal(t, 30*time.Minute, r.To.Sub(r.From))
		}
	}
	n, _ := newTestNESO(t, 0, httpAnswer{code: 500, body: string(recordedBody(t, "ukcarbonintensity", "error_500_issue19.json"))})
	_, err := n.At(t.Context(), nesoNoon)
	require.ErrorIs(t, err, ErrUnavailable)
}

func FuzzParseNESO(f *testing.F) {
	f.Add([]byte(nesoAnswer), 0)
	f.Add([]byte(nesoRegional), 3)
	f.Add([]byte(`{"data":[{"from":"2026-01-20T11:30Z","to":"2026-01-20T12:00Z","intensity":{"actual":1e999}}]}`), 0)
	f.Fuzz(func(t *testing.T, body []byte, region int) {
		readings, err := parseNESO(body, region)
		if err != nil {
			require.Empty(t, readings)
			return
		}
		for _, r := range readings {
			require.NoError(t, r.check(r.From, Average))
			require.Positive(t, r.To.Sub(r.From))
		}
	})
}

// However short Check is, an answer that was just asked for counts.
func TestGateWithTinyCheck(t *testing.T) {
	t.Parallel()
	calls := 0
	g, err := NewGate(GateConfig{
		Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
			calls++
			return Reading{Intensity: 100, Signal: Average, Basis: Measured, From: at, To: at.Add(time.Hour)}, nil
		}),
		Pause: 300, MaxWait: time.Hour, Check: 1,
	})
	require.NoError(t, err)
	require.NoError(t, g.Wait(t.Context()))
	require.LessOrEqual(t, calls, 2)
}
