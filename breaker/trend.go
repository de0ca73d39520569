package breaker

import (
	"math"
	"time"
)

// Trend is the straight line through the last reports, by ordinary least squares over the times when they came.
type Trend struct {
	// Slope is the change of health per second.
	Slope float64
	// Until is the time from now until the line crosses FailoverConfig.FailBelow: 0 if it has, or the last report is below.
	Until time.Duration
	// Reports is how many reports the line goes through.
	Reports int
}

// trend fits a line to the points and follows it from now to where it falls below a limit.
func trend(points []point, now time.Time, limit float64) (Trend, bool) {
	t := Trend{Reports: len(points)}
	if len(points) < 3 {
		return t, false
	}
	var meanX, meanY float64 // seconds before now, so that the line is at the intercept now
	for _, p := range points {
		meanX += p.at.Sub(now).Seconds() / float64(len(points))
		meanY += p.score / float64(len(points))
	}
	var xx, xy float64
	for _, p := range points {
		x := p.at.Sub(now).Seconds() - meanX
		xx += x * x
		xy += x * (p.score - meanY)
	}
	if xx == 0 {
		return t, false
	}
	t.Slope = xy / xx
	if t.Slope >= 0 {
		return t, false
	}
	present := meanY - t.Slope*meanX
	if points[len(points)-1].score < limit || present <= limit {
		return t, true
	}
	// Rounding makes a slope out of equal reports, but not one that crosses anything within the years a Duration holds.
	seconds := (limit - present) / t.Slope
	if seconds >= math.MaxInt64/1e9 {
		return t, false
	}
	t.Until = time.Duration(seconds * 1e9)
	return t, true
}
