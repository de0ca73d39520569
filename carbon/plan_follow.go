package carbon

import (
	"fmt"
	"math"
	"time"
)

// Outlooker gives outlooks from what it knows at the time. [Learner] is one.
type Outlooker interface {
	// Outlook fills dst with n slots from the one that contains from, or returns an error.
	Outlook(dst *Outlook, from time.Time, n int) error
}

// ReplannerConfig configures a [Replanner]. Outlooks is required.
type ReplannerConfig struct {
	// Outlooks is where forecasts come from; usually a [Learner] that is told each slot's value before the policy is asked.
	Outlooks Outlooker
	// Start is the cost of a start, as in [Task].
	Start float64
	// RegretCap bounds how much worse than running at once the job may come out, as a share of what running at once costs;
	// see [Replanner] for what is promised. 0 is no bound.
	RegretCap float64
	// Margin is how far the intensities may be off for the promise to hold, as a multiple of the forecast's central 90 %
	// interval on either side of its mean. Default 4: forecast errors last, and an interval that one slot leaves in a
	// tenth of the cases a whole job leaves more often. Safety has its price; see the measurements of examples/carbonplan.
	Margin float64
}

// Replanner is the [Policy] that plans anew in each slot, on the outlook of that time, and does what the plan says about the
// slot. Where there is no outlook it runs at once: nothing waits for want of data.
//
// # The regret cap
//
// Run-now is the counterfactual that runs in the first slots without a pause. With a cap, the replanner always holds a
// certificate: a full schedule for the rest whose worst cost, as the intensity of each later slot ranges over its forecast
// interval widened by Margin, is at most (1 + cap) times that of run-now, including what both have cost so far. Before it takes a decision other
// than the certificate's it makes the certificate that goes with the decision; if there is none, it does what the one in hand
// says. Before the first pause, running on is run-now itself and needs none. So:
//
// If from the time of the certificate last taken the intensities stay inside the widened intervals it was made with, the job costs at
// most (1 + cap) times run-now. Proof: the certificate is followed to the end, or replaced by one with the same property.
//
// The worst case is exact, not a sum of worst cases: a slot that both the schedule and run-now use counts
// x - (1+cap) x = -cap x, worst at the lower end; one that only run-now uses -(1+cap) x, also worst there; so to use a slot of
// run-now adds the lower end and to use a later slot the upper end, and the best certificate is a plan at those prices.
// When the intervals are the truth, the cap never binds.
//
// Not safe for concurrent use. Create one with [NewReplanner].
type Replanner struct {
	cfg     ReplannerConfig
	planner Planner
	outlook Outlook
	low     []float64
	high    []float64
	prices  []float64
	trial   []bool
	// The state: what a restart needs.
	followed
}

// followed is the state of a Replanner.
type followed struct {
	Begun       bool      `json:"begun"`
	At          time.Time `json:"at"`           // of the first slot
	Work        int       `json:"work"`         // of the whole job, slots
	Seen        int       `json:"seen"`         // slots asked about
	Spent       float64   `json:"spent"`        // by the job
	RunNow      float64   `json:"run_now"`      // by run-now, up to the slot asked about last
	Deviated    bool      `json:"deviated"`     // the job has paused
	Certificate []bool    `json:"certificate"`  // what to do in the slots from CertifiedAt on
	CertifiedAt int       `json:"certified_at"` // index of a slot
}

// NewReplanner checks the configuration and returns a policy for one job.
func NewReplanner(cfg ReplannerConfig) (*Replanner, error) {
	if cfg.Margin == 0 {
		cfg.Margin = 4
	}
	switch {
	case cfg.Outlooks == nil:
		return nil, fmt.Errorf("carbon: replanner: Outlooks is nil")
	case !(cfg.Start >= 0 && cfg.Start <= math.MaxFloat64):
		return nil, fmt.Errorf("carbon: replanner: Start %v is not a finite number of at least 0", cfg.Start)
	case !(cfg.RegretCap >= 0 && cfg.RegretCap <= math.MaxFloat64):
		return nil, fmt.Errorf("carbon: replanner: RegretCap %v is not a finite number of at least 0", cfg.RegretCap)
	case !(cfg.Margin > 0 && cfg.Margin <= 1000):
		return nil, fmt.Errorf("carbon: replanner: Margin %v is outside (0, 1000]", cfg.Margin)
	}
	return &Replanner{cfg: cfg}, nil
}

// Run plans and reports whether to run in the slot. Between two calls the job is taken to have done what the first one said.
func (r *Replanner) Run(s Slot) bool {
	if s.Work <= 0 || s.Left <= 0 {
		return s.Work > 0
	}
	err := r.cfg.Outlooks.Outlook(&r.outlook, s.At, s.Left)
	known := err == nil && r.outlook.Len() == s.Left
	if known && !math.IsNaN(s.Price) {
		r.outlook.Mean[0] = s.Price
		if len(r.outlook.Spread) > 0 {
			r.outlook.Spread[0] = 0
		}
	}
	price := s.Price
	if math.IsNaN(price) && known {
		price = r.outlook.Mean[0]
	}
	task := Task{Work: s.Work, Start: r.cfg.Start, Running: s.Running}
	run := true
	if known && !s.Must() {
		// An outlook that cannot be planned on is as good as none.
		if decided, err := r.planner.Next(r.outlook.Mean, r.outlook.Spread, task); err == nil {
			run = decided
		} else {
			known = false
		}
	}
	if r.cfg.RegretCap == 0 {
		return run
	}
	return r.capped(s, price, run, known)
}

// missed tells of slots that nobody asked about, in which the job ran on or not. What they cost is not known, and counts
// nothing on either side.
func (r *Replanner) missed(slots int, ran bool) {
	if !r.Begun {
		return
	}
	r.Seen += slots
	r.Deviated = r.Deviated || !ran
	r.Certificate = nil
}

// capped keeps the accounts of the regret and holds the decision against the certificate.
func (r *Replanner) capped(s Slot, price float64, run, known bool) bool {
	if !r.Begun {
		r.followed = followed{Begun: true, At: s.At, Work: s.Work}
		if !s.Running {
			r.RunNow = r.cfg.Start
		}
	}
	if math.IsNaN(price) {
		price = 0 // nothing is known of the slot; both sides count it the same
	}
	i := r.Seen
	r.Seen++
	if i < r.Work {
		r.RunNow += price
	}
	if !s.Must() && (r.Deviated || !run) && !r.certify(s, price, run, known, i) {
		run = true // run-now, until there has been a pause, and without a certificate
		if at := i - r.CertifiedAt; r.Deviated && at < len(r.Certificate) {
			run = r.Certificate[at]
		}
	}
	if run {
		r.Spent += price
		if !s.Running {
			r.Spent += r.cfg.Start
		}
	} else {
		r.Deviated = true
	}
	return run
}

// certify makes the certificate for a decision about slot i; false means that there is none.
func (r *Replanner) certify(s Slot, price float64, run, known bool, i int) bool {
	if !known {
		return false
	}
	spent, task := r.Spent, Task{Work: s.Work, Start: r.cfg.Start, Running: run}
	if run {
		spent += price
		task.Work--
		if !s.Running {
			spent += r.cfg.Start
		}
	}
	worst, least := r.worst(i)
	trial, cost, err := r.planner.Plan(append(r.trial[:0], run), worst, task)
	r.trial = trial
	if err != nil || !(spent+cost <= (1+r.cfg.RegretCap)*(r.RunNow+least)) {
		return false
	}
	r.Certificate, r.trial = trial, r.Certificate
	r.CertifiedAt = i
	return true
}

// worst returns the prices at which the best plan for the slots after i has the least worst case, and what run-now costs there at least.
func (r *Replanner) worst(i int) (prices []float64, least float64) {
	r.low, r.high = r.outlook.Quantile(r.low, .05), r.outlook.Quantile(r.high, .95)
	for j, mean := range r.outlook.Mean {
		r.low[j] = max(0, mean-r.cfg.Margin*max(0, mean-r.low[j]))
		r.high[j] = mean + r.cfg.Margin*max(0, r.high[j]-mean)
	}
	r.prices = append(r.prices[:0], r.high[1:]...)
	for j := range r.prices {
		if i+1+j >= r.Work {
			break
		}
		r.prices[j] = r.low[1+j]
		least += r.low[1+j]
	}
	return r.prices, least
}
