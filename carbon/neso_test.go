package carbon

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const nesoAnswer = `{"data":[
	{"from":"2026-01-20T11:30Z","to":"2026-01-20T12:00Z","intensity":{"forecast":266,"actual":263,"index":"moderate"}},
	{"from":"2026-01-20T12:00Z","to":"2026-01-20T12:30Z","intensity":{"forecast":251,"actual":null,"index":"moderate"}},
	{"from":"2026-01-20T12:30Z","to":"2026-01-20T13:00Z","intensity":{"forecast":null,"actual":0,"index":"low"}}]}`

var nesoNoon = time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)

// serve answers every call and counts them.
func serve(t *testing.T, code int, body string) (*NESO, *atomic.Int64) {
	t.Helper()
	calls := new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.URL.Path != "/intensity/2026-01-20T11:00Z/2026-01-21T12:00Z" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return &NESO{Client: s.Client(), URL: s.URL}, calls
}

func TestNESO(t *testing.T) {
	t.Parallel()
	n, calls := serve(t, http.StatusOK, nesoAnswer)
	r, err := n.At(t.Context(), nesoNoon)
	require.NoError(t, err)
	require.NoError(t, r.check(nesoNoon, Average))
	require.Equal(t, Reading{
		Intensity: 251, Signal: Average, Basis: Forecast, Zone: "GB", Source: nesoSource,
		From: nesoNoon, To: nesoNoon.Add(30 * time.Minute),
	}, r)
	r, err = n.At(t.Context(), nesoNoon.Add(-time.Minute))
	require.NoError(t, err)
	require.Equal(t, Measured, r.Basis)
	require.Equal(t, Intensity(263), r.Intensity)
	require.EqualValues(t, 1, calls.Load(), "one call serves them all")
}

func TestNESOHasNoZero(t *testing.T) {
	t.Parallel()
	readings, err := parseNESO([]byte(nesoAnswer))
	require.NoError(t, err)
	require.Len(t, readings, 2, "null and a bogus zero are no values")
}

func TestNESOFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code int
		body string
		want error
	}{
		"outage":     {http.StatusInternalServerError, `{"error":{"code":"500"}}`, &StatusError{nesoSource, 500}},
		"gone":       {http.StatusGone, "", &StatusError{nesoSource, 410}},
		"cut":        {http.StatusOK, nesoAnswer[:100], nil},
		"no data":    {http.StatusOK, `{}`, nil},
		"HTML":       {http.StatusOK, `<html>`, nil},
		"empty":      {http.StatusOK, `{"data":[]}`, &NoDataError{Zone: "GB", At: nesoNoon}},
		"other time": {http.StatusOK, `{"data":[{"from":"yesterday","to":"2026-01-20T12:00Z"}]}`, nil},
		"too large":  {http.StatusOK, `{"data":[]` + strings.Repeat(" ", maxNESOBody) + `}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, calls := serve(t, tt.code, tt.body)
			_, err := n.At(t.Context(), nesoNoon)
			require.Error(t, err)
			if tt.want != nil {
				require.Equal(t, tt.want, err)
			}
			_, again := n.At(t.Context(), nesoNoon)
			require.Equal(t, err, again)
			require.EqualValues(t, 1, calls.Load(), "a dead API is not asked again at once")
		})
	}
}

func TestNESOCancelled(t *testing.T) {
	t.Parallel()
	n, calls := serve(t, http.StatusOK, nesoAnswer)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.At(ctx, nesoNoon)
	require.ErrorIs(t, err, context.Canceled)
	_, err = n.At(t.Context(), nesoNoon)
	require.NoError(t, err, "the caller's cancellation is no failure of the API")
	require.EqualValues(t, 1, calls.Load())
}

// While the API is down, a forecast that it gave before is better than nothing.
func TestNESOOutage(t *testing.T) {
	t.Parallel()
	n, calls := serve(t, http.StatusInternalServerError, "")
	n.readings = []Reading{{Intensity: 200, Signal: Average, Basis: Forecast, From: nesoNoon, To: nesoNoon.Add(time.Hour)}}
	n.fetched = time.Now().Add(-2 * nesoFresh)
	for range 3 {
		r, err := n.At(t.Context(), nesoNoon)
		require.NoError(t, err)
		require.Equal(t, Intensity(200), r.Intensity)
	}
	require.EqualValues(t, 1, calls.Load())
}

// Many callers share one call, and one whose context ends does not wait for it.
func TestNESOOneCallAtATime(t *testing.T) {
	t.Parallel()
	begun, answer := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		close(begun)
		<-answer
		_, _ = w.Write([]byte(nesoAnswer))
	}))
	t.Cleanup(s.Close)
	n := &NESO{Client: s.Client(), URL: s.URL}
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
	close(answer)
	wg.Wait()
	require.EqualValues(t, 1, calls.Load())
}

func TestNESORecorded(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "carbon", "fixtures", "ukcarbonintensity", "intensity_pt24h_2024-01-12T0601Z_first8.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("recorded responses are not here")
	}
	require.NoError(t, err)
	readings, err := parseNESO(body)
	require.NoError(t, err)
	require.Len(t, readings, 8)
	require.Equal(t, Intensity(271), readings[0].Intensity)
	require.Equal(t, Measured, readings[0].Basis)
}

func FuzzParseNESO(f *testing.F) {
	f.Add([]byte(nesoAnswer))
	f.Add([]byte(`{"data":[{"from":"2026-01-20T11:30Z","to":"2026-01-20T12:00Z","intensity":{"actual":1e999}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		readings, err := parseNESO(body)
		if err != nil {
			require.Empty(t, readings)
			return
		}
		for _, r := range readings {
			require.NoError(t, r.check(r.From, Average))
		}
	})
}

// Asking for a time of which nothing is known does not cost what is known of others.
func TestNESOKeepsWhatItKnows(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(nesoAnswer)) }))
	t.Cleanup(s.Close)
	n := &NESO{Client: s.Client(), URL: s.URL}
	_, err := n.At(t.Context(), nesoNoon)
	require.NoError(t, err)
	_, err = n.At(t.Context(), nesoNoon.AddDate(-20, 0, 0))
	require.ErrorIs(t, err, ErrNoData)
	_, err = n.At(t.Context(), nesoNoon)
	require.NoError(t, err)
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
