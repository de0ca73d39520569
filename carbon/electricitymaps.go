package carbon

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	mapsURL    = "https://api.electricitymaps.com"
	mapsSource = "Electricity Maps"
	mapsKey    = "auth-token"
	// mapsRecent is the past that every plan may ask for.
	mapsRecent = day
	// mapsCall is how much one call for the past may ask for.
	mapsCall = 10 * day
	mapsMax  = 72 // hours of forecast
)

// ElectricityMaps is a live [Provider], [Forecaster] and [History]: the average intensity of a grid zone from the API of
// Electricity Maps. The free plan covers one zone and the last 24 hours; the more distant past and the forecast end with
// [ErrPlan] there. A zone that the API does not know is an error, never an answer for where the caller seems to be.
//
// Without a key every call ends with [ErrAuth], at once. A key that is refused is tried again after a minute, and then more
// and more rarely: a fresh one may take a while to work.
type ElectricityMaps struct {
	api    *api
	keys   *KeyRing
	scope  Scope
	step   time.Duration
	prefix string // of the path
	query  url.Values
	feed   feed
}

// ElectricityMapsConfig sets up an [ElectricityMaps].
type ElectricityMapsConfig struct {
	// Zone is a zone key of Electricity Maps, such as "DE" or "US-CAL-CISO". Required.
	Zone string
	// Keys of the account.
	Keys *KeyRing
	// Version of the API: 4 or 3. Default 4.
	Version int
	// Scope of the values. Default Lifecycle.
	Scope Scope
	// Granularity of the values: 5 minutes, 15 minutes or an hour; what is finer than an hour is part of some plans only.
	// Default an hour.
	Granularity time.Duration
	// NoEstimates leaves out what the provider has estimated. The latest hours nearly always are.
	NoEstimates bool
	// HTTP says how to call the API.
	HTTP HTTPConfig
}

// NewElectricityMaps returns a provider.
func NewElectricityMaps(cfg ElectricityMapsConfig) (*ElectricityMaps, error) {
	cfg.Version = pick(cfg.Version, 4)
	cfg.Scope = pick(cfg.Scope, Lifecycle)
	granularity, known := map[time.Duration]string{0: "", 5 * time.Minute: "5_minutes", 15 * time.Minute: "15_minutes", time.Hour: "hourly"}[cfg.Granularity]
	switch {
	case cfg.Version != 3 && cfg.Version != 4:
		return nil, fmt.Errorf("carbon: Electricity Maps: Version %d is not 3 or 4", cfg.Version)
	case cfg.Scope > Direct:
		return nil, fmt.Errorf("carbon: Electricity Maps: Scope %d is not lifecycle or direct", cfg.Scope)
	case !known:
		return nil, fmt.Errorf("carbon: Electricity Maps: Granularity %v is not 5m, 15m or 1h", cfg.Granularity)
	}
	a, err := newAPI(mapsSource, mapsURL, cfg.HTTP, 2, 5, cfg.Keys.redact)
	if err != nil {
		return nil, err
	}
	e := &ElectricityMaps{api: a, keys: cfg.Keys, scope: cfg.Scope, prefix: fmt.Sprintf("/v%d/carbon-intensity/", cfg.Version), query: url.Values{
		"emissionFactorType": {cfg.Scope.String()},
		// Without this an unknown zone is answered for the place of the caller's address.
		"shouldUseFallbackCallerLookup": {"false"},
		"disableCallerLookup":           {"true"},
	}}
	if granularity != "" {
		e.query.Set("temporalGranularity", granularity)
	}
	if cfg.NoEstimates {
		e.query.Set("disableEstimations", "true")
	}
	e.step = pick(cfg.Granularity, time.Hour)
	if err := e.set(cfg.Zone); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *ElectricityMaps) set(zone string) error {
	if zone == "" || len(zone) > 40 || strings.Trim(strings.ToUpper(zone), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return fmt.Errorf("carbon: Electricity Maps: Zone %q is no zone key", clip(zone))
	}
	e.feed.source, e.feed.zone, e.feed.signal = mapsSource, zone, Average
	e.feed.fresh, e.feed.fetch = min(15*time.Minute, e.step), e.fetch
	return nil
}

// Zone returns a provider of another zone of the same account, which shares the keys, the connections and the limit.
func (e *ElectricityMaps) Zone(zone string) (*ElectricityMaps, error) {
	other := &ElectricityMaps{api: e.api, keys: e.keys, scope: e.scope, step: e.step, prefix: e.prefix, query: e.query}
	if err := other.set(zone); err != nil {
		return nil, err
	}
	return other, nil
}

// At returns the value of the interval that t lies in. A value that the provider has estimated is marked so.
func (e *ElectricityMaps) At(ctx context.Context, t time.Time) (Reading, error) {
	return e.feed.at(ctx, t)
}

// History implements [History]. Where the plan has the last 24 hours only, the rest is a gap.
func (e *ElectricityMaps) History(ctx context.Context, from, to time.Time) ([]Reading, error) {
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	now := time.Now()
	if from.Before(now.Add(-mapsRecent)) {
		readings, err := inPieces(ctx, e.feed.zone, from, later(from.Add(time.Minute), earlier(to, now)), mapsCall, pastOnly, e.past)
		if !errors.Is(err, ErrPlan) || to.Before(now.Add(-mapsRecent)) {
			return readings, err
		}
	}
	readings, err := e.recent(ctx)
	if err != nil {
		return nil, err
	}
	return within(readings, e.feed.zone, from, to, pastOnly)
}

// Forecast implements [Forecaster]: up to three days ahead, by the plan.
func (e *ElectricityMaps) Forecast(ctx context.Context, from, to time.Time) ([]Reading, error) {
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	readings, err := e.future(ctx, to)
	if err != nil {
		return nil, err
	}
	return within(readings, e.feed.zone, from, to, futureOnly)
}

func (e *ElectricityMaps) fetch(ctx context.Context, t time.Time) ([]Reading, window, error) {
	now := time.Now()
	switch {
	case t.After(now.Add(mapsMax * time.Hour)):
		return nil, window{t, t.Add(time.Nanosecond)}, nil
	case t.After(now.Add(time.Hour)):
		readings, err := e.future(ctx, t)
		return readings, window{now.Add(time.Hour), t.Add(time.Hour)}, err
	case t.Before(now.Add(-mapsRecent)):
		asked := window{t.Truncate(time.Hour), earlier(t.Truncate(time.Hour).Add(mapsCall), now)}
		readings, err := e.past(ctx, asked.from, asked.to)
		return readings, asked, err
	}
	asked := window{now.Add(-mapsRecent), now.Add(time.Hour)}
	readings, err := e.recent(ctx)
	return readings, asked, err
}

// recent asks for the last 24 hours, and where the plan has only the latest value, for that.
func (e *ElectricityMaps) recent(ctx context.Context) ([]Reading, error) {
	readings, err := e.call(ctx, "history", url.Values{}, false)
	if errors.Is(err, ErrPlan) {
		if latest, again := e.call(ctx, "latest", url.Values{}, false); again == nil {
			return latest, nil
		}
	}
	return readings, err
}

func (e *ElectricityMaps) past(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return e.call(ctx, "past-range", url.Values{"start": {mapsTime(from)}, "end": {mapsTime(to)}}, false)
}

// future asks for the shortest forecast that reaches to the given time, or for the longest.
func (e *ElectricityMaps) future(ctx context.Context, to time.Time) ([]Reading, error) {
	hours := mapsMax
	for _, choice := range []int{48, 24} {
		if !to.After(time.Now().Add(time.Duration(choice) * time.Hour)) {
			hours = choice
		}
	}
	return e.call(ctx, "forecast", url.Values{"horizonHours": {strconv.Itoa(hours)}}, true)
}

// mapsTime is how the API wants a time: in UTC, to the millisecond.
func mapsTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (e *ElectricityMaps) call(ctx context.Context, what string, query url.Values, ahead bool) ([]Reading, error) {
	for k, v := range e.query {
		query[k] = v
	}
	query.Set("zone", e.feed.zone)
	body, err := e.api.get(ctx, e.prefix+what+"?"+query.Encode(), e.keys, mapsKey)
	if err != nil {
		return nil, err
	}
	return e.api.decoded(parseElectricityMaps(body, mapsAsked{zone: e.feed.zone, scope: e.scope, step: e.step, forecast: ahead}))
}
