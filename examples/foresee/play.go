package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

// line is one line of output. What does not apply is left out.
type line struct {
	Event      string   `json:"event"`
	T          any      `json:"t"`
	Value      float64  `json:"value"`
	Limit      float64  `json:"limit"`
	Left       *float64 `json:"left_s,omitempty"`
	Earliest   *float64 `json:"earliest_s,omitempty"`
	Latest     *float64 `json:"latest_s,omitempty"`
	Confidence float64  `json:"confidence,omitempty"`
	Growth     string   `json:"growth,omitempty"`
	By         float64  `json:"by,omitempty"`
	Summary    *summary `json:"summary,omitempty"`
}

// summary is what the last line adds.
type summary struct {
	Rows      int     `json:"rows"`
	Gaps      int     `json:"gaps"`
	Alarms    int     `json:"alarms"`
	Exhausted int     `json:"exhausted"` // alarms, or jumps without one, in which the limit was reached
	Horizon   float64 `json:"horizon_s"`
}

// told is what was said, for the chart.
type told struct {
	left  []float64 // seconds at each sample, NaN for never
	marks []mark
}

type mark struct {
	name string
	at   time.Time
}

// play shows the trace to an alarm, row by row, and prints what it says.
func (q *question) play(t *trace, to io.Writer) (*told, error) {
	predictor := &resources.Foresight{MinConfidence: q.confidence}
	alarm, err := resources.NewAlarm(resources.AlarmConfig{Horizon: q.horizon, Predictor: predictor})
	if err != nil {
		return nil, err
	}
	buffer := bufio.NewWriter(to)
	out := json.NewEncoder(buffer)
	sum := summary{Rows: len(t.samples) + t.gaps, Gaps: t.gaps, Horizon: q.horizon.Seconds()}
	say := &told{left: make([]float64, len(t.samples))}
	var was, over bool
	var last resources.Shift
	for i, s := range t.samples {
		f, standing := alarm.Observe(s.at, s.value, s.limit)
		say.left[i] = math.NaN()
		if f.Left < resources.Never {
			say.left[i] = f.Left.Seconds()
		}
		shift, shifted := predictor.LastShift()
		shifted = shifted && shift != last
		last = shift
		full := s.value >= s.limit
		events := []struct {
			name string
			on   bool
		}{
			{"shift", shifted}, {"alarm", standing && !was}, {"exhausted", full && !over}, {"clear", !standing && was},
			{"forecast", q.every > 0 && (i+1)%q.every == 0}, {"end", i == len(t.samples)-1},
		}
		for _, e := range events {
			if !e.on {
				continue
			}
			l := describe(e.name, t, s, f)
			at := s.at
			switch e.name {
			case "shift":
				l.By, at = shift.By, shift.At
			case "alarm":
				sum.Alarms++
			case "exhausted":
				sum.Exhausted++
			case "end":
				l.Summary = &sum
			}
			if e.name != "forecast" && e.name != "end" {
				say.marks = append(say.marks, mark{e.name, at})
			}
			if err := out.Encode(l); err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
		}
		was, over = standing, full || over && standing // a value that hovers around the limit is told once
	}
	return say, buffer.Flush()
}

func describe(event string, t *trace, s sample, f resources.Forecast) line {
	l := line{Event: event, T: s.text, Value: s.value, Limit: s.limit, Confidence: math.Round(f.Confidence*1000) / 1000}
	if t.numeric {
		l.T = float64(s.at.Unix()) + float64(s.at.Nanosecond())/1e9
	}
	if f.Left < resources.Never {
		l.Left, l.Earliest, l.Latest, l.Growth = inSeconds(f.Left), inSeconds(f.Earliest), inSeconds(f.Latest), f.Growth.String()
	}
	return l
}

func inSeconds(d time.Duration) *float64 {
	s := math.Round(d.Seconds()*1000) / 1000
	return &s
}
