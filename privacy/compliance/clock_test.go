package compliance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClock(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		berlin = time.FixedZone("CET", 3600)
	}
	breach, ccpa, pipeda := Clock{Period: 72 * time.Hour}, Clock{45 * day, 45 * day}, Clock{30 * day, 30 * day}
	// 72 hours over the change to daylight saving time of 2026-03-29, and one received at the turn of the year in another zone.
	for _, start := range []time.Time{time.Date(2026, 3, 27, 23, 59, 59, 0, berlin), time.Date(2025, 12, 31, 23, 0, 0, 0, time.FixedZone("", -11*3600)), time.Date(2028, 2, 28, 0, 0, 0, 0, time.UTC)} {
		for _, tt := range []struct {
			c                         Clock
			extended, answered, after time.Duration // from the start; 0 is none
			late                      bool
		}{
			{breach, 0, 0, 72 * time.Hour, false},
			{breach, 0, 0, 72*time.Hour + time.Second, true},
			{breach, 0, 0, 72*time.Hour + 1, true},
			{breach, 0, 72 * time.Hour, 1000 * time.Hour, false},
			{breach, 0, 72*time.Hour + time.Second, 1000 * time.Hour, true},
			{ccpa, 0, 0, 45 * day, false},
			{ccpa, 0, 0, 45*day + time.Second, true},
			{ccpa, 45 * day, 0, 90 * day, false},
			{ccpa, 45 * day, 0, 90*day + time.Second, true},
			{ccpa, 45*day + time.Second, 0, 45*day + 2*time.Second, true}, // notice came too late
			{ccpa, -time.Second, 0, 45*day + time.Second, true},           // and before the request
			{pipeda, 0, 0, 30 * day, false},
			{pipeda, 0, 0, 30*day + time.Second, true},
			{pipeda, day, 0, 60 * day, false},
			{pipeda, day, 0, 60*day + time.Second, true},
		} {
			at := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return start.Add(d)
			}
			for _, zone := range []*time.Location{time.UTC, berlin, time.FixedZone("", 14*3600)} {
				got := tt.c.Overdue(start.In(zone), at(tt.extended), at(tt.answered), start.Add(tt.after).In(time.Local))
				require.Equal(t, tt.late, got, "%v %+v", start, tt)
			}
		}
	}
}

func TestLogWalk(t *testing.T) {
	t.Parallel()
	now := testNow()
	var w LogWalk
	w.Entry(1, now)
	w.Entry(2, now.Add(time.Second))
	require.Equal(t, Log{Verified: Yes, Entries: 2, Head: "h", HeadKept: Yes, First: now, Last: now.Add(time.Second)}, w.Log("h", Yes, nil))
	w.Entry(4, now)
	l := w.Log("h", No, ErrInvalid)
	require.EqualValues(t, 1, l.Gaps)
	require.Equal(t, time.Second, l.Back)
	require.NotEmpty(t, l.Damage)
	require.Equal(t, No, l.Verified)
	var drift LogWalk
	for i := range 100 {
		drift.Entry(uint64(i)+1, now.Add(-time.Duration(i)*900*time.Millisecond))
	}
	require.Equal(t, 89100*time.Millisecond, drift.Log("", No, nil).Back, "in small steps")
	var cut LogWalk
	cut.Entry(7, now)
	require.EqualValues(t, 1, cut.Log("", No, nil).Gaps, "a log that does not start with its first entry")
}
