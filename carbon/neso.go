package carbon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	nesoURL    = "https://api.carbonintensity.org.uk"
	nesoSource = "NESO Carbon Intensity API (CC BY 4.0)"
	nesoZone   = "GB"
	// nesoWindow is how much is fetched around the asked instant: one call serves a day, forecast included.
	nesoWindow = 24 * time.Hour
	// nesoPause is how long a failed call keeps the next one from being made.
	nesoPause = time.Minute
	// nesoFresh is how long an answer is used: the forecast is renewed every half hour.
	nesoFresh = 30 * time.Minute
	// maxNESOBody bounds an answer. One of a day has 5 kB.
	maxNESOBody = 1 << 20
)

// NESO is a live [Provider]: the average intensity of Great Britain by the half hour, from the public API of its National
// Energy System Operator. It needs no key. One call serves a day and is renewed after half an hour; a failed call is not
// repeated within a minute. The zero value is ready for use; it must not be copied after that.
type NESO struct {
	// Client makes the calls. Default http.DefaultClient; the caller's context bounds each call.
	Client *http.Client
	// URL of the API, without a slash at the end. Default the public one.
	URL string

	mu       sync.Mutex    // guards the rest
	asking   chan struct{} // closed when the call under way has ended; nil when there is none
	readings []Reading
	fetched  time.Time // wall time
	failed   time.Time // wall time of the last failure
	err      error
}

// StatusError is the answer of a provider that was not 200 OK.
type StatusError struct {
	Source string
	Code   int
}

// Error names the source and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("carbon: %s answers %d %s", e.Source, e.Code, http.StatusText(e.Code))
}

// At returns the half hour that t lies in: the value worked out from metered generation where there is one (Measured), the
// official forecast otherwise (Forecast). While the API fails, what it said before is used as long as it covers t.
func (n *NESO) At(ctx context.Context, t time.Time) (Reading, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return Reading{}, fmt.Errorf("carbon: %s: %w", nesoSource, context.Cause(ctx))
		}
		now := time.Now()
		r, ok := n.find(t)
		resting := n.err != nil && now.Sub(n.failed) < nesoPause
		switch {
		case ok && (resting || now.Sub(n.fetched) < nesoFresh):
			return r, nil
		case resting:
			return Reading{}, n.err
		case n.asking != nil:
			n.await(ctx)
		default:
			n.ask(ctx, t)
		}
	}
}

func (n *NESO) find(t time.Time) (Reading, bool) {
	for _, r := range n.readings {
		if r.Covers(t) {
			return r, true
		}
	}
	return Reading{}, false
}

// await gives up the lock until the call under way has ended, or ctx.
func (n *NESO) await(ctx context.Context) {
	asking := n.asking
	n.mu.Unlock()
	defer n.mu.Lock()
	select {
	case <-asking:
	case <-ctx.Done():
	}
}

// ask makes a call with the lock given up. One that the caller gave up says nothing about the API.
func (n *NESO) ask(ctx context.Context, t time.Time) {
	n.asking = make(chan struct{})
	n.mu.Unlock()
	defer func() { // also when the client panics
		close(n.asking)
		n.asking = nil
	}()
	readings, err := func() ([]Reading, error) {
		defer n.mu.Lock()
		return n.fetch(ctx, t)
	}()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		n.failed, n.err = time.Now(), err
	default:
		if !slices.ContainsFunc(readings, func(r Reading) bool { return r.Covers(t) }) {
			n.failed, n.err = time.Now(), &NoDataError{Zone: nesoZone, At: t} // what was known of other times stays
			return
		}
		n.readings, n.fetched, n.err = readings, time.Now(), nil
	}
}

func (n *NESO) fetch(ctx context.Context, t time.Time) ([]Reading, error) {
	base := n.URL
	if base == "" {
		base = nesoURL
	}
	const minute = "2006-01-02T15:04Z" // the API refuses seconds
	t = t.UTC()
	url := fmt.Sprintf("%s/intensity/%s/%s", base, t.Add(-time.Hour).Format(minute), t.Add(nesoWindow).Format(minute))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("carbon: %s: %w", nesoSource, err)
	}
	req.Header.Set("Accept", "application/json")
	client := n.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("carbon: %s: %w", nesoSource, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &StatusError{Source: nesoSource, Code: resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxNESOBody+1))
	if err != nil {
		return nil, fmt.Errorf("carbon: %s: %w", nesoSource, err)
	}
	return parseNESO(body)
}

// parseNESO reads an answer. Slots without a usable value are left out: a missing value is never a number.
func parseNESO(body []byte) ([]Reading, error) {
	if len(body) > maxNESOBody {
		return nil, fmt.Errorf("carbon: %s answers more than %d bytes", nesoSource, maxNESOBody)
	}
	var answer struct {
		Data []struct {
			From, To  string
			Intensity struct{ Forecast, Actual *float64 }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("carbon: %s: not the JSON of intensities: %w", nesoSource, err)
	}
	if answer.Data == nil {
		return nil, errors.New("carbon: " + nesoSource + ": answer without data")
	}
	var readings []Reading
	for i, slot := range answer.Data {
		from, err := parseTime(strings.TrimSpace(slot.From))
		if err != nil {
			return nil, fmt.Errorf("carbon: %s: slot %d: from: %w", nesoSource, i, err)
		}
		to, err := parseTime(strings.TrimSpace(slot.To))
		if err != nil {
			return nil, fmt.Errorf("carbon: %s: slot %d: to: %w", nesoSource, i, err)
		}
		r := Reading{Signal: Average, Zone: nesoZone, Source: nesoSource, From: from, To: to}
		switch v := slot.Intensity; {
		case !to.After(from) || to.Sub(from) > nesoWindow:
			continue
		case usable(v.Actual): // null for the present and the future
			r.Intensity, r.Basis = Intensity(*v.Actual), Measured
		case usable(v.Forecast):
			r.Intensity, r.Basis = Intensity(*v.Forecast), Forecast
		default:
			continue
		}
		readings = append(readings, r)
	}
	return readings, nil
}

// usable leaves out zero too: the whole of Great Britain has never been at zero, but its feed has said so in outages.
func usable(v *float64) bool { return v != nil && *v > 0 && Intensity(*v).Valid() }
