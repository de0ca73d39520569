package resources

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// What the reference scores were measured by. An alarm stands from the third sample in a row that foresees exhaustion within
// 30 samples. A series that is exhausted is detected by an alarm between 5 and 60 samples before. An alarm that begins more
// than 60 samples before is false. A predictor may speak after 40 samples.
const (
	foreHorizon    = 30
	foreStanding   = 3
	foreMinHistory = 40
	foreNeverCap   = 10
)

// foreScore is what a predictor did on one or more series.
type foreScore struct {
	exhausted, detected int
	samples, episodes   int
	err30, err60        []float64
	told, within        int // predictions at 30 and 60 samples, and those whose bounds were true
}

func (s *foreScore) add(o foreScore) {
	s.exhausted += o.exhausted
	s.detected += o.detected
	s.samples += o.samples
	s.episodes += o.episodes
	s.told += o.told
	s.within += o.within
	s.err30, s.err60 = append(s.err30, o.err30...), append(s.err60, o.err60...)
}

func (s foreScore) found() float64 {
	if s.exhausted == 0 {
		return math.NaN()
	}
	return float64(s.detected) / float64(s.exhausted)
}
func (s foreScore) falsePer1000() float64 { return 1000 * float64(s.episodes) / float64(s.samples) }

func foreMedian(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// foreJudge runs a predictor over a series foreUntil the limit is first reached.
func foreJudge(p Predictor, s foreTrace) (out foreScore) {
	end := len(s.at)
	for i, v := range s.value {
		if v >= s.limit[i] {
			end = i
			out.exhausted = 1
			break
		}
	}
	start := time.Unix(1_700_000_000, 0)
	run, detected := 0, false
	for i := range end {
		p.Observe(start.Add(time.Duration(s.at[i]*float64(time.Second))), s.value[i])
		if i < foreMinHistory {
			continue
		}
		forecast := p.Forecast(s.limit[i])
		left := forecast.Left.Seconds() / s.pace()
		out.samples++
		truth := math.Inf(1)
		if out.exhausted == 1 {
			truth = (s.at[end] - s.at[i]) / s.pace()
		}
		if left <= foreHorizon {
			run++
		} else {
			run = 0
		}
		if run == foreStanding && !(truth <= 2*foreHorizon) {
			out.episodes++
		}
		if run >= foreStanding && truth >= 5 && truth <= 2*foreHorizon {
			detected = true
		}
		if out.exhausted == 1 && (end-i == 30 || end-i == 60) && forecast.Left < Never {
			out.told++
			if t := time.Duration(truth * s.pace() * 1e9); forecast.Earliest <= t && t <= forecast.Latest {
				out.within++
			}
		}
		if out.exhausted == 1 && end-i == 30 {
			out.err30 = append(out.err30, min(foreNeverCap, math.Abs(left-truth)/truth))
		}
		if out.exhausted == 1 && end-i == 60 {
			out.err60 = append(out.err60, min(foreNeverCap, math.Abs(left-truth)/truth))
		}
	}
	if detected {
		out.detected = 1
	}
	return out
}

type foreRow struct {
	name string
	foreScore
}

// foreJudgeKinds scores a predictor per foreKind, and over all of them in the last row.
func foreJudgeKinds(kinds []foreKind, from, seeds uint64, make func() Predictor) []foreRow {
	total := foreRow{name: "all"}
	var rows []foreRow
	for _, k := range kinds {
		r := foreRow{name: k.name}
		for seed := from; seed < from+seeds; seed++ {
			r.add(foreJudge(make(), k.build(newForeDraw(seed))))
		}
		rows = append(rows, r)
		total.add(r.foreScore)
	}
	return append(rows, total)
}

// foreLinear is predict_linear of PromQL, and foreHolt Holt's method: the references.
type foreLinear struct {
	window int
	at, v  []float64
}

func (p *foreLinear) Observe(at time.Time, v float64) {
	p.at, p.v = append(p.at, float64(at.UnixNano())/1e9-1_700_000_000), append(p.v, v)
	if len(p.at) > p.window {
		p.at, p.v = p.at[1:], p.v[1:]
	}
}

func (p *foreLinear) Forecast(limit float64) Forecast {
	var sx, sy, sxx, sxy float64
	n := float64(len(p.at))
	now := p.at[len(p.at)-1]
	for i := range p.at {
		x, y := p.at[i]-now, p.v[i]
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return Forecast{Left: foreUntil((sy-slope*sx)/n, slope, limit)}
}

type foreHolt struct {
	alpha, beta float64
	n           int
	level, b    float64
}

func (p *foreHolt) Observe(_ time.Time, v float64) {
	if p.n++; p.n == 1 {
		p.level = v
		return
	}
	before := p.level
	p.level = p.alpha*v + (1-p.alpha)*(p.level+p.b)
	p.b = p.beta*(p.level-before) + (1-p.beta)*p.b
}

func (p *foreHolt) Forecast(limit float64) Forecast {
	return Forecast{Left: foreUntil(p.level, p.b, limit)}
}

func foreUntil(level, slope, limit float64) time.Duration {
	switch {
	case level >= limit:
		return 0
	case !(slope > 0) || (limit-level)/slope > 1e9:
		return Never
	}
	return time.Duration((limit - level) / slope * float64(time.Second))
}

func forePrint(t *testing.T, title string, rows ...[]foreRow) {
	t.Helper()
	text := fmt.Sprintf("%s: detected / false per 1000 / err@60 / err@30, of this library, predict_linear over 60, Holt .2/.02\n", title)
	for i := range rows[0] {
		text += fmt.Sprintf("%-18s", rows[0][i].name)
		for _, r := range rows {
			text += fmt.Sprintf("  |%5.2f %5.2f %5.2f %5.2f", r[i].found(), r[i].falsePer1000(), foreMedian(r[i].err60), foreMedian(r[i].err30))
		}
		text += "\n"
	}
	t.Log(text)
}
