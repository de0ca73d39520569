package carbon

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	wattTimeURL    = "https://api.watttime.org"
	wattTimeSource = "WattTime"
	wattTimeSlot   = 5 * time.Minute
	wattTimeCall   = 30 * day
	wattTimeAhead  = 72 // hours of forecast
)

// WattTime is a live [Provider], [Forecaster] and [History]: the marginal intensity of a grid region by 5 minutes from the
// API of WattTime, version 3, or with Signal Average the average one, which it has for the past only. A free account has
// CAISO_NORTH, and of every region the [SignalIndex].
//
// No marginal intensity is metered: past values are marked Estimated. Average ones are Measured where the
// provider says that it has not filled them in. The name of the source holds the date of the model, which changes now and then.
type WattTime struct {
	session *wattTimeSession
	region  string
	signal  Signal
	feed    feed

	mu   sync.Mutex // guards meta
	meta WattTimeMeta
}

// WattTimeConfig sets up a [WattTime].
type WattTimeConfig struct {
	// Region of the grid, such as "CAISO_NORTH". May be empty to ask [WattTime.RegionAt] first.
	Region string
	// Signal of the values. Default Marginal.
	Signal Signal
	// User and Passwords of the account.
	User      string
	Passwords *KeyRing
	// HTTP says how to call the API.
	HTTP HTTPConfig
}

// NewWattTime returns a provider. It logs in with the first call.
func NewWattTime(cfg WattTimeConfig) (*WattTime, error) {
	cfg.Signal = pick(cfg.Signal, Marginal)
	if cfg.Signal > Marginal {
		return nil, fmt.Errorf("carbon: WattTime: Signal %d is not average or marginal", cfg.Signal)
	}
	s, err := newWattTimeSession(cfg.User, cfg.Passwords, cfg.HTTP)
	if err != nil {
		return nil, err
	}
	return newWattTime(s, cfg.Region, cfg.Signal), nil
}

func newWattTime(s *wattTimeSession, region string, signal Signal) *WattTime {
	w := &WattTime{session: s, region: region, signal: signal}
	w.feed.source, w.feed.zone, w.feed.signal = wattTimeSource, region, signal
	w.feed.fresh, w.feed.fetch = wattTimeSlot, w.fetch
	return w
}

// Region returns a provider of another region that shares the account: its login, connections and limit.
func (w *WattTime) Region(region string) *WattTime {
	return newWattTime(w.session, region, w.signal)
}

// At returns the value of the 5 minutes, or for averages the hour, that t lies in. That of the present is a forecast.
func (w *WattTime) At(ctx context.Context, t time.Time) (Reading, error) {
	return w.feed.at(ctx, t)
}

// History implements [History].
func (w *WattTime) History(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return inPieces(ctx, w.region, from, to, wattTimeCall, pastOnly, w.past)
}

// Forecast implements [Forecaster]: up to three days ahead. There is none of averages.
func (w *WattTime) Forecast(ctx context.Context, from, to time.Time) ([]Reading, error) {
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	if w.signal != Marginal {
		return nil, &NoDataError{Zone: w.region, At: from}
	}
	readings, err := w.future(ctx, time.Until(to))
	if err != nil {
		return nil, err
	}
	return within(readings, w.region, from, to, futureOnly)
}

func (w *WattTime) fetch(ctx context.Context, t time.Time) ([]Reading, window, error) {
	now := time.Now().Truncate(wattTimeSlot)
	switch nothing := (window{t, t.Add(time.Nanosecond)}); {
	case w.signal != Marginal && t.After(now), t.After(now.Add(wattTimeAhead * time.Hour)):
		return nil, nothing, nil
	case w.signal != Marginal || t.Before(now):
		from := t.Truncate(time.Hour).Add(-time.Hour)
		asked := window{from, earlier(from.Add(day), now.Add(wattTimeSlot))}
		readings, err := w.past(ctx, asked.from, asked.to)
		return readings, asked, err
	default:
		ahead := max(t.Sub(now), day)
		readings, err := w.future(ctx, ahead)
		return readings, window{now, now.Add(ahead)}, err
	}
}

func (w *WattTime) past(ctx context.Context, from, to time.Time) ([]Reading, error) {
	return w.call(ctx, "/v3/historical", url.Values{"start": {from.UTC().Format(time.RFC3339)}, "end": {to.UTC().Format(time.RFC3339)}}, Estimated)
}

func (w *WattTime) future(ctx context.Context, ahead time.Duration) ([]Reading, error) {
	hours := min(max(1, math.Ceil(ahead.Hours())), wattTimeAhead)
	return w.call(ctx, "/v3/forecast", url.Values{"horizon_hours": {strconv.Itoa(int(hours))}}, Forecast)
}

func (w *WattTime) call(ctx context.Context, path string, query url.Values, basis Basis) ([]Reading, error) {
	asked := wattTimeAsked{region: w.region, signal: w.signal, basis: basis}
	body, err := w.session.get(ctx, path, asked.query(query))
	if err != nil {
		return nil, err
	}
	readings, meta, err := parseWattTime(body, asked)
	if err == nil {
		w.note(meta)
	}
	return w.session.api.decoded(readings, err)
}

// WattTimeMeta is what WattTime last said about its values.
type WattTimeMeta struct {
	Model    string // date of the model; empty where it says none
	Warnings []string
}

// Meta is what came with the last answer.
func (w *WattTime) Meta() WattTimeMeta {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WattTimeMeta{Model: w.meta.Model, Warnings: slices.Clone(w.meta.Warnings)}
}

// note keeps what came with an answer, and logs it where it is new.
func (w *WattTime) note(meta WattTimeMeta) {
	for i, text := range meta.Warnings {
		meta.Warnings[i] = w.session.api.excerpt([]byte(text))
	}
	w.mu.Lock()
	before := w.meta
	w.meta = meta
	w.mu.Unlock()
	log := w.session.api.cfg.Logger
	if log == nil {
		return
	}
	if before.Model != "" && before.Model != meta.Model {
		log.Info("carbon: WattTime has another model", "region", w.region, "before", before.Model, "now", meta.Model)
	}
	if len(meta.Warnings) > 0 && !slices.Equal(before.Warnings, meta.Warnings) {
		log.Warn("carbon: WattTime warns", "region", w.region, "warnings", meta.Warnings)
	}
}

// SignalIndex says how the marginal intensity of a region compares with that of its last month. It is a rank, not an
// intensity: it has no unit, cannot be averaged with one, and two regions cannot be compared by it.
type SignalIndex struct {
	// Percentile is the share in percent of the last month's 5 minutes that were cleaner: 0 is the cleanest.
	Percentile   float64
	Zone, Source string
	From, To     time.Time
}

// SignalIndex asks for the index of the present. Every account may, for every region.
func (w *WattTime) SignalIndex(ctx context.Context) (SignalIndex, error) {
	body, err := w.session.get(ctx, "/v3/signal-index", wattTimeAsked{region: w.region, signal: Marginal}.query(url.Values{}))
	if err != nil {
		return SignalIndex{}, err
	}
	index, err := parseSignalIndex(body, w.region)
	_, err = w.session.api.decoded(nil, err)
	return index, err
}

// RegionAt returns the region of a place in degrees north and east; [ErrNoCoverage] where there is none.
func (w *WattTime) RegionAt(ctx context.Context, latitude, longitude float64) (string, error) {
	if !(math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180) {
		return "", fmt.Errorf("carbon: WattTime: %v, %v is no place on Earth", latitude, longitude)
	}
	body, err := w.session.get(ctx, "/v3/region-from-loc", wattTimeAsked{signal: w.signal}.query(url.Values{
		"latitude":  {strconv.FormatFloat(latitude, 'f', -1, 64)},
		"longitude": {strconv.FormatFloat(longitude, 'f', -1, 64)},
	}))
	if err != nil {
		return "", err
	}
	region, err := parseRegion(body)
	_, err = w.session.api.decoded(nil, err)
	return region, err
}
