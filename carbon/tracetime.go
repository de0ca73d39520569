package carbon

import (
	"fmt"
	"strings"
	"time"
)

// parseTime reads the time formats that intensity sources really use: RFC 3339, the same without seconds
// ("2018-01-20T12:00Z"), without minutes ("2023-05-01T11"), with a space for the T, with the zone as Z, "UTC", +00:00,
// +0000 or +00, and with no zone, which means UTC: never the local zone, which differs between machines.
func parseTime(text string) (time.Time, error) {
	s := strings.TrimSpace(text)
	const date = len("2006-01-02")
	bad := func() (time.Time, error) {
		return time.Time{}, fmt.Errorf("%q is not a time like 2006-01-02T15:04:05Z", clip(s))
	}
	if len(s) <= date {
		return bad()
	}
	day, clock := s[:date], s[date+1:]
	if c := s[date]; c != 'T' && c != 't' && c != ' ' {
		return bad()
	}
	zone := ""
	switch {
	case strings.HasSuffix(clock, "Z"), strings.HasSuffix(clock, "z"):
		clock = clock[:len(clock)-1]
	case strings.HasSuffix(clock, "UTC"):
		clock = strings.TrimSuffix(clock, "UTC")
	default:
		if i := strings.LastIndexAny(clock, "+-"); i >= 0 {
			clock, zone = clock[:i], clock[i:]
		}
	}
	clock = strings.TrimSuffix(clock, " ")
	layout := "2006-01-02 "
	switch {
	case len(clock) == len("15"):
		layout += "15"
	case len(clock) == len("15:04"):
		layout += "15:04"
	default:
		layout += "15:04:05" // a fraction of the second is accepted behind it
	}
	switch len(zone) {
	case 0:
	case len("+00"):
		layout += "-07"
	case len("+0000"):
		layout += "-0700"
	default:
		layout += "-07:00"
	}
	t, err := time.Parse(layout, day+" "+clock+zone)
	if err != nil {
		return bad()
	}
	if year := t.UTC().Year(); year < 1970 || year > 2200 {
		return time.Time{}, fmt.Errorf("%q lies outside the years 1970 to 2200", clip(s))
	}
	return t.UTC(), nil
}
