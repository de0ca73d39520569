package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

func at0(tr *carbon.Trace, at time.Time) (float64, error) {
	r, err := tr.At(context.Background(), at)
	return float64(r.Intensity), err
}

// job is one start: what a policy is told, and what it has done so far.
type job struct {
	start   int       // slot
	prices  []float64 // from the start to the deadline; a policy sees one after the other
	work    int
	cost    float64 // of a start
	low     float64 // of the 30 days before
	high    float64
	policy  carbon.Policy
	left    int
	running bool
	run     []bool
}

var errGap = errors.New("the trace has gaps there")

// newJob is the job that begins in a slot. Nothing of it depends on the trace after the slot but the prices.
func (q *question) newJob(s *series, start int) (*job, error) {
	j := &job{start: start, work: s.slots(q.work), low: math.Inf(1), high: math.Inf(-1)}
	end := start + s.slots(q.work) + s.slots(q.slack)
	before := s.slots(720 * time.Hour)
	if start < before || end > len(s.value) {
		return nil, fmt.Errorf("the trace of %v from %s has no room for a start at %s: 30 days before it, %v after", time.Duration(len(s.value))*s.step, s.from.Format(time.RFC3339), s.time(start).Format(time.RFC3339), q.work+q.slack)
	}
	j.prices = s.value[start:end]
	if slices.ContainsFunc(j.prices, math.IsNaN) {
		return nil, errGap
	}
	sum, count := 0.0, 0
	for _, v := range s.value[start-before : start] {
		if !math.IsNaN(v) {
			sum += v
			count++
			j.low, j.high = min(j.low, v), max(j.high, v)
		}
	}
	if count == 0 {
		return nil, errGap
	}
	j.cost = float64(q.resume) / float64(s.step) * sum / float64(count)
	j.left = j.work
	return j, nil
}

// step asks the policy about the next slot.
func (j *job) step(at time.Time) {
	i := len(j.run)
	s := carbon.Slot{At: at, Price: j.prices[i], Left: len(j.prices) - i, Work: j.left, Running: j.running}
	j.running = j.left > 0 && (s.Must() || j.policy.Run(s))
	if j.running {
		j.left--
	}
	j.run = append(j.run, j.running)
}

// follow runs a copy of the job to its end under another policy.
func (j job) follow(s *series, p carbon.Policy) []bool {
	j.policy, j.run, j.running, j.left = p, nil, false, j.work
	for i := range j.prices {
		j.step(s.time(j.start + i))
	}
	return j.run
}

func (j *job) total(run []bool) float64 {
	cost, _ := carbon.Cost(j.prices, run, j.cost, false)
	return cost
}

func (j *job) stretch(at int) []bool {
	run := make([]bool, len(j.prices))
	for i := range j.work {
		run[at+i] = true
	}
	return run
}

// perfect plans anew in each slot with the true prices.
type perfect struct {
	planner carbon.Planner
	job     *job
}

func (p *perfect) Run(s carbon.Slot) bool {
	truth := p.job.prices[len(p.job.prices)-s.Left:]
	run, err := p.planner.Next(truth, nil, carbon.Task{Work: s.Work, Start: p.job.cost, Running: s.Running})
	return err != nil || run
}

// atOnce is run-now.
type atOnce struct{}

func (atOnce) Run(carbon.Slot) bool { return true }

// thresholds are the online rules; bounds that they cannot work with leave run-now.
func (j *job) thresholds() (kmin, double carbon.Policy) {
	kmin, double = atOnce{}, atOnce{}
	if k, err := carbon.NewKMin(j.work, j.low, j.high); err == nil {
		kmin = k
	}
	if d, err := carbon.NewDoubleThreshold(j.work, j.low, j.high, j.cost); err == nil {
		double = d
	}
	return kmin, double
}

// outcome is the schedule of each policy for one job.
type outcome struct {
	now, window, limit, perfect, climatology, kmin, threshold []bool
}

func (j *job) outcome(s *series) (o outcome, err error) {
	at, _, err := carbon.BestWindow(j.prices, j.work)
	if err != nil {
		return o, err
	}
	var p carbon.Planner
	o.limit, _, err = p.Plan(nil, j.prices, carbon.Task{Work: j.work, Start: j.cost})
	if err != nil {
		return o, err
	}
	kmin, double := j.thresholds()
	known := *j
	o.now, o.window = j.stretch(0), j.stretch(at)
	o.perfect = known.follow(s, &perfect{job: j})
	o.kmin, o.threshold = j.follow(s, kmin), j.follow(s, double)
	o.climatology = j.run
	return o, nil
}

// clock measures the planning of a policy.
type clock struct {
	policy carbon.Policy
	spent  *time.Duration
	plans  *int
}

func (c clock) Run(s carbon.Slot) bool {
	begin := time.Now()
	run := c.policy.Run(s)
	*c.spent += time.Since(begin)
	*c.plans++
	return run
}

// replay hands the trace to a learner slot by slot and lets the jobs, ordered by start, plan on what it knows by then: the learner
// has not been told anything of the slots to come. It returns the time that one plan took, in microseconds.
func (q *question) replay(s *series, jobs []*job) (perPlan float64, err error) {
	learner, err := carbon.NewLearner(carbon.LearnerConfig{Step: s.step})
	if err != nil {
		return 0, err
	}
	var spent time.Duration
	plans := 0
	var active []*job
	for slot, v := range s.value {
		if len(jobs) == 0 && len(active) == 0 {
			break
		}
		at := s.time(slot)
		if !math.IsNaN(v) {
			err := learner.Observe(carbon.Reading{Intensity: carbon.Intensity(v), Signal: carbon.Average, Basis: carbon.Measured,
				Zone: s.zone, Source: "trace", From: at, To: at.Add(s.step)})
			if err != nil {
				return 0, err
			}
		}
		for len(jobs) > 0 && jobs[0].start == slot {
			j := jobs[0]
			jobs = jobs[1:]
			r, err := carbon.NewReplanner(carbon.ReplannerConfig{Outlooks: learner, Start: j.cost, RegretCap: q.limit})
			if err != nil {
				return 0, err
			}
			j.policy = clock{r, &spent, &plans}
			active = append(active, j)
		}
		for _, j := range active {
			j.step(at)
		}
		active = slices.DeleteFunc(active, func(j *job) bool { return len(j.run) == len(j.prices) })
	}
	if plans > 0 {
		perPlan = float64(spent.Nanoseconds()) / 1e3 / float64(plans)
	}
	return perPlan, nil
}

// answer is what -json prints.
type answer struct {
	Zone   string  `json:"zone"`
	Work   float64 `json:"work"` // hours, like the next two
	Slack  float64 `json:"slack"`
	Resume float64 `json:"resume"`
	Cap    float64 `json:"regret_cap,omitempty"`
	Starts int     `json:"starts"`
	Seed   uint64  `json:"seed"`
	Saved  struct {
		Window      float64 `json:"window"`
		Limit       float64 `json:"limit"`
		Perfect     float64 `json:"perfect"`
		Climatology float64 `json:"climatology"`
		KMin        float64 `json:"kmin"`
		Threshold   float64 `json:"threshold"`
	} `json:"saved_percent"`
	Share       float64 `json:"share_of_limit"`
	WorstRegret float64 `json:"worst_regret_percent"`
	PerPlan     float64 `json:"us_per_plan"`
}

// draw picks the starts, each equally likely among those with enough of the trace around them and no gap.
func (q *question) draw(s *series) ([]*job, error) {
	first := s.slots(history)
	last := len(s.value) - s.slots(q.work) - s.slots(q.slack)
	if last < first {
		return nil, fmt.Errorf("the trace of %v is too short: 31 days come before a start, %v after", time.Duration(len(s.value))*s.step, q.work+q.slack)
	}
	rng := rand.New(rand.NewPCG(q.seed, 0))
	jobs := make([]*job, 0, min(q.starts, 1<<16))
	for misses := 0; len(jobs) < q.starts; {
		j, err := q.newJob(s, first+rng.IntN(last-first+1))
		switch {
		case err == nil:
			jobs = append(jobs, j)
		case !errors.Is(err, errGap):
			return nil, err
		default:
			if misses++; misses > 1000+100*q.starts {
				return nil, errors.New("hardly any start has a window without gaps")
			}
		}
	}
	slices.SortStableFunc(jobs, func(a, b *job) int { return a.start - b.start })
	return jobs, nil
}

func (q *question) evaluate(out io.Writer, s *series) error {
	jobs, err := q.draw(s)
	if err != nil {
		return err
	}
	a := answer{Zone: s.zone, Work: q.work.Hours(), Slack: q.slack.Hours(), Resume: q.resume.Hours(), Cap: q.limit, Starts: q.starts, Seed: q.seed}
	if a.PerPlan, err = q.replay(s, jobs); err != nil {
		return err
	}
	var now float64
	var sums [6]float64
	worst := math.Inf(-1)
	for _, j := range jobs {
		o, err := j.outcome(s)
		if err != nil {
			return err
		}
		at := j.total(o.now)
		now += at
		for i, run := range [][]bool{o.window, o.limit, o.perfect, o.climatology, o.kmin, o.threshold} {
			sums[i] += j.total(run)
		}
		if at > 0 {
			worst = max(worst, 100*(j.total(o.climatology)/at-1))
		}
	}
	if now > 0 {
		for i, p := range []*float64{&a.Saved.Window, &a.Saved.Limit, &a.Saved.Perfect, &a.Saved.Climatology, &a.Saved.KMin, &a.Saved.Threshold} {
			*p = 100 * (1 - sums[i]/now)
		}
		a.WorstRegret = worst
	}
	if a.Saved.Limit > 0 {
		a.Share = a.Saved.Climatology / a.Saved.Limit
	}
	if q.json {
		return json.NewEncoder(out).Encode(a)
	}
	fmt.Fprintf(out, "%s: %v of work, %v of slack, a start costs %v; %d starts, seed %d\n\n", s.zone, q.work, q.slack, q.resume, q.starts, q.seed)
	fmt.Fprintf(out, "saved against run-now, %%\n")
	for _, row := range []struct {
		name  string
		value float64
	}{
		{"limit: the best there was", a.Saved.Limit},
		{"perfect: plans on a perfect forecast", a.Saved.Perfect},
		{"climatology: plans on the zone's own past", a.Saved.Climatology},
		{"window: best contiguous stretch there was", a.Saved.Window},
		{"kmin: online threshold", a.Saved.KMin},
		{"threshold: online double threshold", a.Saved.Threshold},
	} {
		fmt.Fprintf(out, "  %-44s %6.2f\n", row.name, row.value)
	}
	_, err = fmt.Fprintf(out, "\nclimatology: %.1f %% of the limit, worst start %+.1f %% against run-now, %.1f us per plan\n", 100*a.Share, a.WorstRegret, a.PerPlan)
	return err
}
