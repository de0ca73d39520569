package carbon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const planStateVersion = 1

// planState is the state of a PlanGate in a file.
type planState struct {
	Version  int           `json:"version"`
	Work     time.Duration `json:"work_ns"`
	Deadline time.Time     `json:"deadline"`
	Done     time.Duration `json:"done_ns"`
	Start    *float64      `json:"start_cost,omitempty"`
	Plan     *followed     `json:"plan,omitempty"`
	Decided  time.Time     `json:"decided,omitzero"` // beginning of the slot that was decided on last
	Run      bool          `json:"run,omitempty"`    // what was decided
}

// State returns the progress as JSON, to be kept with the job's checkpoint and given back as [PlanGateConfig.State]. Work in
// flight is not in it: after a restart it is done again. What the learner knows is not either: feed it the zone's past.
func (g *PlanGate) State() ([]byte, error) {
	if g == nil || g.cfg.Provider == nil {
		return nil, errors.New("carbon: plan gate: not made by NewPlanGate")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := planState{Version: planStateVersion, Work: g.cfg.Work, Deadline: g.cfg.Deadline, Done: g.done}
	if g.decided >= 0 {
		s.Decided, s.Run = g.cfg.Learner.time(g.decided), g.run
	}
	if g.planned != nil && g.priced {
		s.Start, s.Plan = &g.planned.cfg.Start, &g.planned.followed
	}
	return json.Marshal(s)
}

func (g *PlanGate) restore(data []byte) error {
	var s planState
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return fmt.Errorf("carbon: plan gate: state: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("carbon: plan gate: state: more than one JSON value")
	}
	switch {
	case s.Version != planStateVersion:
		return fmt.Errorf("carbon: plan gate: state: version %d, know %d", s.Version, planStateVersion)
	case s.Work != g.cfg.Work || !s.Deadline.Equal(g.cfg.Deadline):
		return fmt.Errorf("carbon: plan gate: state: of a job of %v due %s, this one is of %v due %s", s.Work, stamp(s.Deadline), g.cfg.Work, stamp(g.cfg.Deadline))
	case s.Done < 0:
		return fmt.Errorf("carbon: plan gate: state: done %v is negative", s.Done)
	}
	if s.Plan != nil {
		p := s.Plan
		finite := math.Abs(p.Spent) <= math.MaxFloat64 && math.Abs(p.RunNow) <= math.MaxFloat64
		if !finite || s.Start == nil || !(*s.Start >= 0 && *s.Start <= math.MaxFloat64) || p.Work < 0 || p.Seen < 0 || p.CertifiedAt < 0 || p.CertifiedAt > p.Seen {
			return errors.New("carbon: plan gate: state: the plan is not one")
		}
	}
	g.done = s.Done
	if !s.Decided.IsZero() {
		g.decided, g.run = g.cfg.Learner.slot(s.Decided), s.Run
	}
	if g.planned != nil && s.Plan != nil {
		g.planned.followed, g.planned.cfg.Start, g.priced = *s.Plan, *s.Start, true
	}
	return nil
}
