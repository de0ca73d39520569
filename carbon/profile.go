package carbon

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Profile is a [Provider] that answers with a typical value for each hour of the day, for want of anything better. Its
// readings are marked Estimated and valid for one UTC hour. The zero value has no data.
type Profile struct {
	zone, source string
	hours        [24]Intensity
}

// NewProfile makes a profile of one average intensity per UTC hour of the day, starting at midnight. The source of its
// readings is "estimate: " and the given name.
func NewProfile(zone, name string, hours [24]Intensity) (Profile, error) {
	if name == "" {
		return Profile{}, fmt.Errorf("carbon: a profile needs a name to be known as an estimate by")
	}
	for h, v := range hours {
		if !v.Valid() {
			return Profile{}, fmt.Errorf("carbon: profile %q: intensity %v of hour %d is outside [0, %v]", name, float64(v), h, float64(MaxIntensity))
		}
	}
	return Profile{zone: zone, source: "estimate: " + name, hours: hours}, nil
}

// TypicalDay returns an illustrative day of a grid with much solar power: low at midday, highest after sunset, flat at
// night, between about 295 and 420 g/kWh with a mean near 360. It is a shape drawn for this package, not the data of
// any grid: good for picking the likely cleaner hours and for trying things out, never for a report. On a grid that
// hardly varies over the day it is worse than a flat line.
//
// utcOffset is the local offset from UTC (-8 h in California), rounded to the hour: without it the dip would fall into
// the wrong half of the day.
func TypicalDay(utcOffset time.Duration) Profile {
	p := Profile{source: "estimate: typical day (illustrative, no particular grid)"}
	offset := int(utcOffset.Round(time.Hour) / time.Hour)
	for h := range p.hours {
		local := float64(((h+offset)%24+24)%24) + 0.5 // the middle of the hour
		p.hours[h] = Intensity(math.Round(375 - 80*bell(local-12.5, 3.2) + 50*bell(local-19.5, 2.2)))
	}
	return p
}

// bell is a Gaussian bump of height 1 on the circle of 24 hours.
func bell(x, width float64) float64 {
	x = math.Remainder(x, 24) / width
	return math.Exp(-x * x / 2)
}

// At returns the value of the UTC hour that t lies in.
func (p Profile) At(ctx context.Context, t time.Time) (Reading, error) {
	if err := ctx.Err(); err != nil {
		return Reading{}, err
	}
	if p.source == "" {
		return Reading{}, &NoDataError{Zone: p.zone, At: t}
	}
	t = t.UTC()
	from := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, time.UTC)
	return Reading{
		Intensity: p.hours[t.Hour()],
		Signal:    Average,
		Basis:     Estimated,
		Zone:      p.zone,
		Source:    p.source,
		From:      from,
		To:        from.Add(time.Hour),
	}, nil
}
