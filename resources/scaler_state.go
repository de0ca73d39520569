package resources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

const scalerStateVersion = 1

// scalerState is the state of a Scaler in a file.
type scalerState struct {
	Version int        `json:"version"`
	Size    int        `json:"size"`
	Proven  int        `json:"proven"`
	Failed  failedSize `json:"failed"`
	Limit   *uint64    `json:"limit"`
	Use     []sizeUse  `json:"use"`
}

// ScalerReport is what a [Scaler] knows.
type ScalerReport struct {
	Size    int `json:"size"`    // in force
	Want    int `json:"want"`    // from the next Next on, if it is agreed to
	Proven  int `json:"proven"`  // the largest that was good
	Failed  int `json:"failed"`  // the smallest that ran out of memory, unless forgotten; 0 for none
	Refused int `json:"refused"` // changes that OnChange has refused
	// Fixed, PerExample and Spread, in bytes: a batch of n takes Fixed + n*PerExample, and was never seen to take
	// Spread more. Absent until a batch was measured; with one size alone, all of it counts as PerExample.
	Fixed      Value[float64] `json:"fixed"`
	PerExample Value[float64] `json:"per_example"`
	Spread     Value[float64] `json:"spread"`
	// Limit is the latest, in bytes.
	Limit Value[uint64] `json:"limit"`
}

// Report returns what the scaler knows now.
func (s *Scaler) Report() ScalerReport {
	if s == nil {
		return ScalerReport{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := ScalerReport{Size: s.size, Want: s.want, Proven: s.proven, Failed: s.failed.Size, Refused: s.refused, Limit: s.limit}
	if fit, ok := s.model.fit(); ok {
		r.Fixed, r.PerExample, r.Spread = Of(fit.fixed), Of(fit.per), Of(fit.spread)
	}
	return r
}

// State returns what the scaler knows as JSON, to be kept with the job's checkpoint and given back as
// [ScalerConfig.State]. A size that is wanted because the old one failed counts as the size; other changes not yet
// made are left out.
func (s *Scaler) State() ([]byte, error) {
	if s == nil || s.cfg.Max == 0 {
		return nil, errors.New("resources: scaler: not made by NewScaler")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := scalerState{Version: scalerStateVersion, Size: s.size, Proven: s.proven, Failed: s.failed, Use: s.model.sizes}
	if s.want < s.size || s.why == BatchResumed {
		state.Size = s.want
	}
	if s.limit.OK {
		state.Limit = &s.limit.V
	}
	return json.Marshal(state)
}

func (s *Scaler) restore(data []byte) error {
	var state scalerState
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&state); err != nil {
		return fmt.Errorf("resources: scaler: state: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("resources: scaler: state: more than one JSON value")
	}
	if err := state.validate(); err != nil {
		return err
	}
	s.proven, s.failed = state.Proven, state.Failed
	if state.Limit != nil {
		s.limit = Of(*state.Limit)
	}
	for i := range state.Use {
		s.model.serial++
		state.Use[i].seen = s.model.serial
	}
	s.model.sizes = state.Use
	if size := min(s.cfg.Max, s.down(state.Size)); size != s.size {
		s.want, s.why = size, BatchResumed
	}
	return nil
}

func (t *scalerState) validate() error {
	count := func(n int) bool { return n >= 0 && n <= maxBatch }
	switch f := t.Failed; {
	case t.Version != scalerStateVersion:
		return fmt.Errorf("resources: scaler: state: version %d, know %d", t.Version, scalerStateVersion)
	case t.Size < 1 || !count(t.Size) || !count(t.Proven):
		return fmt.Errorf("resources: scaler: state: size %d or proven %d is not from 1 or 0 to %d", t.Size, t.Proven, maxBatch)
	case !count(f.Size) || !count(f.Times) || !count(f.Since) || f.Size > 0 && f.Times == 0:
		return fmt.Errorf("resources: scaler: state: failed %+v is impossible", f)
	case len(t.Use) > modelSizes:
		return fmt.Errorf("resources: scaler: state: %d sizes, want at most %d", len(t.Use), modelSizes)
	}
	bytes := func(v float64) bool { return v >= 0 && v <= math.MaxUint64 }
	for i, u := range t.Use {
		if !count(u.Size) || i > 0 && u.Size <= t.Use[i-1].Size || len(u.Peaks) < 1 || len(u.Peaks) > modelPeaks || !bytes(u.Top) {
			return fmt.Errorf("resources: scaler: state: use %d: size %d, %d peaks, top %v", i, u.Size, len(u.Peaks), u.Top)
		}
		for _, p := range u.Peaks {
			if !bytes(p) {
				return fmt.Errorf("resources: scaler: state: use %d: peak %v", i, p)
			}
		}
	}
	return nil
}
