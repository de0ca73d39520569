package carbon

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

//go:embed figures/zones.csv
var zonesCSV string

//go:embed figures/countries.csv
var countriesCSV string

//go:embed figures/shapes.csv
var shapesCSV string

const (
	shapeYear = 2022

	// The mean of the world in 2021: Ember (CC BY 4.0).
	worldYear = 2021
	worldMean = 442.3

	// Measured over the 57 zones of which the values of 2022 are known with their spread: the mean over the zones of what the
	// figure of the country (the newest), or of the world, is off in the mean over the hours, as a share of the zone's mean. The
	// medians are .38 and .38: most zones are near, and the few with nearly clean power are far off.
	countryError = .68
	worldError   = 2.41

	// How much the mean of a zone changes from one year to the next, as a share: the mean over 123 zones, 2020 to 2021.
	yearlyDrift = .105
)

// Table answers for one zone from built-in figures of earlier years: what is left when nothing at all is known of the zone
// today. Its answers are marked Estimated, name their source and year, and carry the error that such figures were measured to
// have. For most uses it is the end of a fallback chain; alone it serves where no network is wanted.
//
// The figures are in grams of CO2 equivalent over the lifecycle, averages: 123 grid zones (Electricity Maps, ODbL), 212
// countries (Our World in Data and Ember, CC BY 4.0), the world (Ember), and for eight zones the usual day of each month.
//
// A Table is a [Provider], safe for concurrent use. Create one with [NewTable]; nil and the zero Table know nothing.
type Table struct {
	zone    string
	figures []figure // ordered by strategy, then year
	shape   *shape
}

// figure is the mean of one year.
type figure struct {
	strategy Strategy
	year     int
	mean     Intensity
	err      float64 // expected, in the year that follows
	source   string
}

// shape is the day of each month as a factor to the mean of the year.
type shape struct {
	months [12][24]float64
	err    float64
	source string
}

// NewTable collects what is known of a zone by its Electricity Maps key ("DE", "US-CAL-CISO"). A key that is not in the table
// falls to the country that it starts with (alpha-2 or alpha-3), and to the world where there is none: the strategy and the source
// of each answer say so. An empty key is an error, and so is one longer than 64 bytes.
func NewTable(zone string) (*Table, error) {
	if zone == "" || len(zone) > 64 {
		return nil, fmt.Errorf("carbon: table: zone %q has %d bytes, want 1 to 64", clip(zone), len(zone))
	}
	t := &Table{zone: zone}
	key := strings.ToUpper(zone)
	err := errors.Join(t.addZone(key), t.addCountry(key), t.addShape(key))
	if err != nil {
		return nil, fmt.Errorf("carbon: table: %w", err)
	}
	t.figures = append(t.figures, figure{World, worldYear, worldMean, worldError, "table: the world in 2021 (Ember)"})
	return t, nil
}

func (t *Table) addZone(key string) error {
	for row := range rows(zonesCSV) {
		f := strings.Split(row, ",")
		if f[0] != key {
			continue
		}
		share, err := parsePercent(f[4])
		if err != nil {
			return err
		}
		for i, text := range f[1:4] {
			if text == "" {
				continue
			}
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return err
			}
			year := 2020 + i
			t.figures = append(t.figures, figure{Yearly, year, Intensity(v), share,
				fmt.Sprintf("table: zone %s in %d (Electricity Maps)", key, year)})
		}
	}
	return nil
}

func (t *Table) addCountry(key string) error {
	country, _, _ := strings.Cut(key, "-")
	for row := range rows(countriesCSV) {
		f := strings.Split(row, ",")
		if f[0] != country && f[1] != country {
			continue
		}
		if f[2] != "" {
			v, err := strconv.ParseFloat(f[2], 64)
			if err != nil {
				return err
			}
			t.figures = append(t.figures, figure{Country, 2021, Intensity(v), countryError,
				fmt.Sprintf("table: country %s in 2021 (Ember)", f[0])})
		}
		year, err := strconv.Atoi(f[3])
		if err != nil {
			return err
		}
		v, err := strconv.ParseFloat(f[4], 64)
		if err != nil {
			return err
		}
		if f[2] == "" || year > 2021 {
			t.figures = append(t.figures, figure{Country, year, Intensity(v), countryError,
				fmt.Sprintf("table: country %s in %d (Our World in Data)", f[0], year)})
		}
	}
	return nil
}

func (t *Table) addShape(key string) error {
	for row := range rows(shapesCSV) {
		f := strings.Split(row, ",")
		if f[0] != key {
			continue
		}
		if t.shape == nil {
			share, err := parsePercent(f[1])
			if err != nil {
				return err
			}
			t.shape = &shape{err: share, source: fmt.Sprintf("table: usual day of zone %s in %d (Electricity Maps)", key, shapeYear)}
		}
		month, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		for h := range 24 {
			v, err := strconv.Atoi(f[3+h])
			if err != nil {
				return err
			}
			t.shape.months[month-1][h] = float64(v) / 1000
		}
	}
	return nil
}

// At returns the best that is known for t: the usual day of the zone, its mean of a year, that of its country, or the world's.
func (t *Table) At(ctx context.Context, at time.Time) (Reading, error) {
	if err := ctx.Err(); err != nil {
		return Reading{}, err
	}
	for strategy := Typical; strategy <= World; strategy++ {
		if r, ok := t.of(strategy, at.UTC()); ok {
			return r, nil
		}
	}
	return Reading{}, t.none(at)
}

// Of returns what one strategy, [Typical], [Yearly], [Country] or [World], knows for a time, and [ErrNoData] where it knows
// nothing.
//
// It is the newest figure of a year that was over by then, so that a replay of the past is told nothing from its future; for a
// time before all figures it is the oldest, except for the usual day, which is then not known. The expected error grows with
// the years since, as the means of grids do.
func (t *Table) Of(strategy Strategy, at time.Time) (Reading, error) {
	r, ok := t.of(strategy, at.UTC())
	if !ok {
		return Reading{}, t.none(at)
	}
	return r, nil
}

func (t *Table) of(strategy Strategy, at time.Time) (r Reading, ok bool) {
	if t == nil {
		return Reading{}, false
	}
	level := strategy
	if strategy == Typical {
		level = Yearly
		if t.shape == nil || at.Year() <= shapeYear {
			return Reading{}, false
		}
	}
	f := t.figure(level, at.Year())
	if f == nil {
		return Reading{}, false
	}
	r = Reading{
		Intensity: f.mean,
		Signal:    Average,
		Basis:     Estimated,
		Scope:     Lifecycle,
		Strategy:  strategy,
		Zone:      t.zone,
		Source:    f.source,
		From:      time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC),
		To:        time.Date(at.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC),
		Newest:    time.Date(f.year+1, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	share := f.err
	if strategy == Typical {
		r.Intensity *= Intensity(t.shape.months[at.Month()-1][at.Hour()])
		r.Source = t.shape.source
		r.From = at.Truncate(time.Hour)
		r.To = r.From.Add(time.Hour)
		share = t.shape.err
	}
	years := max(0, at.Year()-f.year-1)
	r.ExpectedError = math.Sqrt(share*share + float64(years)*yearlyDrift*yearlyDrift)
	return r, true
}

// figure is the newest of a strategy from before the year, or else the oldest; nil when there is none.
func (t *Table) figure(strategy Strategy, year int) *figure {
	var best *figure
	for i := range t.figures {
		f := &t.figures[i]
		if f.strategy == strategy && (best == nil || f.year < year) {
			best = f
		}
	}
	return best
}

func (t *Table) none(at time.Time) error {
	if t == nil {
		return &NoDataError{At: at}
	}
	return &NoDataError{Zone: t.zone, At: at}
}

// rows are the lines of a built-in table after the comments and the header.
func rows(table string) iter.Seq[string] {
	return func(yield func(string) bool) {
		header := true
		for line := range strings.Lines(table) {
			switch {
			case strings.HasPrefix(line, "#"):
			case header:
				header = false
			case !yield(strings.TrimSuffix(line, "\n")):
				return
			}
		}
	}
}

func parsePercent(text string) (share float64, err error) {
	v, err := strconv.ParseFloat(text, 64)
	return v / 100, err
}
