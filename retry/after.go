package retry

import (
	"math"
	"strings"
	"time"
)

// dates are the formats of an HTTP date (RFC 9110, section 5.6.7), the preferred one first. The zone is always GMT.
var dates = [...]string{
	"Mon, 02 Jan 2006 15:04:05 GMT",
	"Monday, 02-Jan-06 15:04:05 GMT",
	"Mon Jan _2 15:04:05 2006",
}

// After reads the value of an HTTP Retry-After header (RFC 9110, section 10.2.3): a number of seconds, or a date, which is
// compared with now. It is false for anything else. A time in the past is zero, one beyond 292 years as far as a
// time.Duration reaches.
func After(header string, now time.Time) (time.Duration, bool) {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0, false
	}
	if strings.Trim(header, "0123456789") != "" {
		for _, layout := range dates {
			if at, err := time.Parse(layout, header); err == nil {
				return max(0, at.Sub(now)), true
			}
		}
		return 0, false
	}
	const most = math.MaxInt64 / int64(time.Second)
	seconds := int64(0)
	for _, digit := range []byte(header) {
		if seconds = 10*seconds + int64(digit-'0'); seconds > most {
			return math.MaxInt64, true
		}
	}
	return time.Duration(seconds) * time.Second, true
}
