package carbon

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// admitter is the interface the runner of a training step expects.
type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}

var (
	_ admitter = (*Gate)(nil)
	_ Provider = (*Trace)(nil)
	_ Provider = Profile{}
	_ Provider = ProviderFunc(nil)
)

// noon is the reference time of the tests.
var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// hourly is a provider of hourly values from noon on, NaN standing for a gap.
func hourly(values ...float64) Provider {
	return ProviderFunc(func(ctx context.Context, t time.Time) (Reading, error) {
		if err := ctx.Err(); err != nil {
			return Reading{}, err
		}
		i := int(math.Floor(t.Sub(noon).Hours()))
		if i < 0 || i >= len(values) || math.IsNaN(values[i]) {
			return Reading{}, &NoDataError{Zone: "XX", At: t}
		}
		from := noon.Add(time.Duration(i) * time.Hour)
		return reading(values[i], from, from.Add(time.Hour)), nil
	})
}

func reading(v float64, from, to time.Time) Reading {
	return Reading{Intensity: Intensity(v), Signal: Average, Basis: Measured, Zone: "XX", Source: "test", From: from, To: to}
}

func TestIntensityValid(t *testing.T) {
	t.Parallel()
	for v, want := range map[Intensity]bool{
		0: true, 412.5: true, MaxIntensity: true,
		-0.1: false, MaxIntensity + 1: false, Intensity(math.Inf(1)): false, Intensity(math.Inf(-1)): false,
	} {
		require.Equal(t, want, v.Valid(), "%v", v)
	}
	require.False(t, Intensity(math.NaN()).Valid())
}

func TestPoundsPerMWhAreNotGramsPerKWh(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 453.59237, float64(PerMWhPounds(1000)), 1e-9)
	require.False(t, PerMWhPounds(math.NaN()).Valid())
	require.False(t, PerMWhPounds(-1).Valid())
	require.Equal(t, "453.59237 gCO2e/kWh", PerMWhPounds(1000).String())
}

func TestReadingCheck(t *testing.T) {
	t.Parallel()
	good := reading(300, noon, noon.Add(time.Hour))
	for name, tc := range map[string]struct {
		change func(*Reading)
		want   error
	}{
		"good":            {func(*Reading) {}, nil},
		"zero is legal":   {func(r *Reading) { r.Intensity = 0 }, nil},
		"NaN":             {func(r *Reading) { r.Intensity = Intensity(math.NaN()) }, ErrReading},
		"negative":        {func(r *Reading) { r.Intensity = -1 }, ErrReading},
		"absurd":          {func(r *Reading) { r.Intensity = 1e6 }, ErrReading},
		"signal unset":    {func(r *Reading) { r.Signal = 0 }, ErrReading},
		"signal unknown":  {func(r *Reading) { r.Signal = 3 }, ErrReading},
		"basis unset":     {func(r *Reading) { r.Basis = 0 }, ErrReading},
		"basis unknown":   {func(r *Reading) { r.Basis = 4 }, ErrReading},
		"no interval":     {func(r *Reading) { r.From, r.To = time.Time{}, time.Time{} }, ErrReading},
		"stale":           {func(r *Reading) { r.From, r.To = r.From.Add(-time.Hour), noon }, ErrReading},
		"not yet":         {func(r *Reading) { r.From = noon.Add(time.Nanosecond) }, ErrReading},
		"marginal value":  {func(r *Reading) { r.Signal = Marginal }, ErrSignal},
		"the zero value":  {func(r *Reading) { *r = Reading{} }, ErrReading},
		"inverted bounds": {func(r *Reading) { r.From, r.To = r.To, r.From }, ErrReading},
	} {
		r := good
		tc.change(&r)
		err := r.check(noon, Average)
		if tc.want == nil {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, tc.want, name)
		require.Contains(t, err.Error(), "carbon: ", name)
	}
}

func TestReadingAge(t *testing.T) {
	t.Parallel()
	r := reading(300, noon, noon.Add(time.Hour))
	for _, tc := range []struct{ after, want time.Duration }{
		{-time.Hour, 0}, {0, 0}, {time.Hour, 0}, {time.Hour + time.Second, time.Second}, {25 * time.Hour, 24 * time.Hour},
	} {
		require.Equal(t, tc.want, r.Age(noon.Add(tc.after)), "%v", tc.after)
	}
}

func TestNoDataErrorNamesZoneAndTime(t *testing.T) {
	t.Parallel()
	err := error(&NoDataError{Zone: "DE", At: noon})
	require.ErrorIs(t, err, ErrNoData)
	require.NotErrorIs(t, err, ErrReading)
	require.Equal(t, `carbon: no intensity known for zone "DE" at 2024-05-01T12:00:00Z`, err.Error())
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"unset", "average", "marginal", "unset"}, []string{Signal(0).String(), Average.String(), Marginal.String(), Signal(9).String()})
	require.Equal(t, []string{"unset", "measured", "estimated", "forecast", "unset"},
		[]string{Basis(0).String(), Measured.String(), Estimated.String(), Forecast.String(), Basis(9).String()})
}

func TestProviderFunc(t *testing.T) {
	t.Parallel()
	failure := errors.New("down")
	_, err := ProviderFunc(func(context.Context, time.Time) (Reading, error) { return Reading{}, failure }).At(t.Context(), noon)
	require.ErrorIs(t, err, failure)
}
