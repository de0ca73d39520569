package carbon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	nesoURL    = "https://api.carbonintensity.org.uk"
	nesoSource = "NESO Carbon Intensity API (CC BY 4.0)"
	nesoZone   = "GB"
	nesoSlot   = 30 * time.Minute
	// nesoFresh is how long an answer is used: the forecast is renewed every half hour.
	nesoFresh = 30 * time.Minute
	// nesoCall is how much one call may ask for.
	nesoCall    = 14 * day
	nesoAhead   = 2 * day
	nesoRegions = 17
)

// NESO is a live [Provider], [Forecaster] and [History]: the average direct intensity of Great Britain, or of one of its
// regions, by the half hour, from the public API of its National Energy System Operator. It needs no key. One call serves
// a day and is renewed after half an hour; after a failure the API is left alone for a minute, and then longer and longer.
// The zero value is all of Great Britain; it must not be copied.
type NESO struct {
	once   sync.Once // for the zero value
	region int
	api    *api
	feed   feed
}

// NESOConfig sets up a [NESO].
type NESOConfig struct {
	// Region is 1 to 17 for one of the regions that the API numbers, 0 for all of Great Britain. A region has a forecast only.
	Region int
	// HTTP says how to call the API.
	HTTP HTTPConfig
}

// NewNESO returns a provider.
func NewNESO(cfg NESOConfig) (*NESO, error) {
	a, err := newAPI(nesoSource, nesoURL, cfg.HTTP, 1, 10, nil)
	if err != nil {
		return nil, err
	}
	return newNESO(a, cfg.Region)
}

func newNESO(a *api, region int) (*NESO, error) {
	if region < 0 || region > nesoRegions {
		return nil, fmt.Errorf("carbon: NESO: Region %d is outside [0, %d]", region, nesoRegions)
	}
	n := &NESO{}
	n.once.Do(func() { n.set(a, region) })
	return n, nil
}

func (n *NESO) set(a *api, region int) {
	n.api, n.region = a, region
	n.feed.source, n.feed.zone, n.feed.signal = nesoSource, nesoZoneOf(region), Average
	n.feed.fresh, n.feed.fetch = nesoFresh, n.fetch
}

// start makes the zero value what its documentation says.
func (n *NESO) start() {
	n.once.Do(func() {
		a, _ := newAPI(nesoSource, nesoURL, HTTPConfig{}, 1, 10, nil) // of the defaults: never fails
		n.set(a, 0)
	})
}

// Region returns a provider of another region, 0 for all of Great Britain, that shares the connections and the limit.
func (n *NESO) Region(region int) (*NESO, error) {
	n.start()
	return newNESO(n.api, region)
}

func nesoZoneOf(region int) string {
	if region == 0 {
		return nesoZone
	}
	return fmt.Sprintf("%s region %d", nesoZone, region)
}

// At returns the half hour that t lies in: the value worked out from metered generation where there is one (Measured), the
// official forecast otherwise (Forecast). While the API fails, what it said before is used as long as it covers t.
func (n *NESO) At(ctx context.Context, t time.Time) (Reading, error) {
	n.start()
	return n.feed.at(ctx, t)
}

// History implements [History]: values worked out from metered generation. A region has none.
func (n *NESO) History(ctx context.Context, from, to time.Time) ([]Reading, error) {
	n.start()
	if n.region != 0 {
		return nil, &NoDataError{Zone: n.feed.zone, At: from}
	}
	return inPieces(ctx, n.feed.zone, from, to, nesoCall, pastOnly, n.call)
}

// Forecast implements [Forecaster]: two days ahead.
func (n *NESO) Forecast(ctx context.Context, from, to time.Time) ([]Reading, error) {
	n.start()
	return inPieces(ctx, n.feed.zone, from, earlier(to, later(from, time.Now()).Add(nesoAhead+nesoSlot)), nesoCall, futureOnly, n.call)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// fetch asks for the day around t. It begins on the half hour, so that several callers ask the same.
func (n *NESO) fetch(ctx context.Context, t time.Time) ([]Reading, window, error) {
	at := t.Truncate(nesoSlot)
	asked := window{at.Add(-time.Hour), at.Add(day)}
	readings, err := n.call(ctx, asked.from, asked.to)
	return readings, asked, err
}

func (n *NESO) call(ctx context.Context, from, to time.Time) ([]Reading, error) {
	const minute = "2006-01-02T15:04Z" // the API refuses seconds
	path := fmt.Sprintf("/intensity/%s/%s", from.UTC().Format(minute), to.UTC().Format(minute))
	if n.region != 0 {
		path = fmt.Sprintf("/regional%s/regionid/%d", path, n.region)
	}
	body, err := n.api.get(ctx, path, nil, "")
	if err != nil {
		return nil, err
	}
	return n.api.decoded(parseNESO(body, n.region))
}

// nesoPoint is one half hour as the API writes it.
type nesoPoint struct {
	From, To  string
	Intensity struct{ Forecast, Actual *float64 }
}

// parseNESO reads an answer. Points without a usable value are left out: a missing value is never a number.
func parseNESO(body []byte, region int) ([]Reading, error) {
	points, err := nesoPoints(body, region)
	if err != nil {
		return nil, err
	}
	var readings []Reading
	for i, p := range points {
		from, err := parseTime(strings.TrimSpace(p.From))
		if err != nil {
			return nil, fmt.Errorf("point %d: from: %w", i, err)
		}
		to, err := parseTime(strings.TrimSpace(p.To))
		if err != nil {
			return nil, fmt.Errorf("point %d: to: %w", i, err)
		}
		r := Reading{Signal: Average, Scope: Direct, Zone: nesoZoneOf(region), Source: nesoSource, From: from, To: to}
		switch v := p.Intensity; {
		case !to.After(from) || to.Sub(from) > day:
			continue
		case nesoUsable(v.Actual, region): // null for the present and the future
			r.Intensity, r.Basis = Intensity(*v.Actual), Measured
		case nesoUsable(v.Forecast, region):
			r.Intensity, r.Basis = Intensity(*v.Forecast), Forecast
		default:
			continue
		}
		readings = append(readings, r)
	}
	return readings, nil
}

// nesoPoints finds the points: under data, or for a region one level further down.
func nesoPoints(body []byte, region int) ([]nesoPoint, error) {
	var answer struct{ Data json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("not the JSON of intensities: %w", err)
	}
	if region == 0 {
		var points []nesoPoint
		if err := json.Unmarshal(answer.Data, &points); err != nil || points == nil {
			return nil, errors.New("answer without a list of data")
		}
		return points, nil
	}
	type regional struct {
		RegionID int
		Data     []nesoPoint
	}
	var one regional
	if err := json.Unmarshal(answer.Data, &one); err != nil { // a list of one region where the present was asked for
		var list []regional
		if err := json.Unmarshal(answer.Data, &list); err != nil || len(list) != 1 {
			return nil, errors.New("answer without the data of one region")
		}
		one = list[0]
	}
	switch {
	case one.Data == nil:
		return nil, errors.New("answer without a list of data")
	case one.RegionID != region:
		return nil, fmt.Errorf("answer for region %d, asked for %d", one.RegionID, region)
	}
	return one.Data, nil
}

// nesoUsable leaves out zero for the whole of Great Britain, which has never been there, while its feed has said so in
// outages. A region may really be at zero.
func nesoUsable(v *float64, region int) bool {
	return v != nil && Intensity(*v).Valid() && (*v > 0 || region != 0)
}
