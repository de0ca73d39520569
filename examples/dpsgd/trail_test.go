package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/privacy"
)

// The verdict on a trail comes from the trail: each of these is one that must not pass.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	charge := chargeData{Rate: 0.1, StdDev: 1, Clip: 1, Relation: privacy.AddRemove}
	ran := func(step int) recordData { return recordData{Batch: step, Attempt: 1, Run: 5} }
	type entry struct {
		kind audit.Kind
		data any
	}
	set := settings{Batch: 10, Noise: 1, Clip: 1}
	begin := func(step int) entry {
		return entry{audit.KindConfig, startData{Settings: set, Examples: 100, Step: step}}
	}
	start := begin(0)
	paid := func(step int) []entry {
		return []entry{{audit.KindCharge, charge}, {audit.KindStep, ran(step)}, {audit.KindBatch, ran(step)}}
	}
	join := func(parts ...[]entry) (out []entry) {
		out = append(out, start)
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	failed := recordData{Batch: 2, Run: 5, Error: "failed"}
	for name, tt := range map[string]struct {
		entries []entry
		limit   float64
		broken  string
	}{
		"good":                   {join(paid(1), paid(2)), 10, ""},
		"retried":                {join(paid(1), []entry{{audit.KindCharge, charge}, {audit.KindStep, failed}}, paid(2)), 10, ""},
		"refused":                {join(paid(1), []entry{{audit.KindStep, recordData{Batch: 2, Error: "refused"}}}, paid(2)), 10, ""},
		"crashed after a charge": {join(paid(1), []entry{{audit.KindCharge, charge}, begin(1)}, paid(2)), 10, ""},
		"resumed behind":         {join(paid(1), paid(2), []entry{begin(1)}, paid(2)), 10, ""},

		"unpaid attempt":         {join(paid(1), []entry{{audit.KindStep, ran(2)}, {audit.KindBatch, ran(2)}}), 10, "charged before"},
		"one charge for two":     {join([]entry{{audit.KindCharge, charge}, {audit.KindStep, failed}, {audit.KindStep, ran(1)}}), 10, "charged before"},
		"paid by a dead process": {join([]entry{{audit.KindCharge, charge}, start, {audit.KindStep, ran(1)}}), 10, "charged before"},
		"applied twice":          {join(paid(1), paid(1)), 10, "applied twice"},
		"missing step":           {join(paid(1), paid(3)), 10, "missing"},
		"resumed ahead":          {join(paid(1), []entry{begin(5)}), 10, "missing"},
		"nothing ran":            {join([]entry{{audit.KindBatch, ran(1)}, {audit.KindBatch, ran(2)}}), 10, "an attempt that succeeded"},
		"charge for nothing":     {join([]entry{{audit.KindCharge, chargeData{StdDev: 1, Clip: 1, Relation: privacy.AddRemove}}}), 10, "settings"},
		"charge for less noise":  {join([]entry{{audit.KindCharge, chargeData{Rate: 0.1, StdDev: 2, Clip: 1, Relation: privacy.AddRemove}}}), 10, "settings"},
		"an old charge":          {join([]entry{{audit.KindCharge, charge}, {audit.KindCharge, charge}, {audit.KindStep, ran(1)}, {audit.KindStep, ran(1)}}), 10, "charged before"},
		"empty":                  {nil, 10, "settings"},
		"overspent":              {join(paid(1), paid(2), paid(3)), 0.5, "within the budget"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), trailName)
			log, err := audit.Open(path, audit.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range tt.entries {
				if _, err := log.Append(context.Background(), audit.Event{Kind: e.kind, Data: e.data}); err != nil {
					t.Fatal(err)
				}
			}
			head := log.Head()
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := auditTrail(path, head, privacy.Budget{Epsilon: tt.limit, Delta: 1e-5})
			if err != nil {
				t.Fatal(err)
			}
			broken := strings.Join(got.Broken, "; ")
			if tt.broken == "" && broken != "" || !strings.Contains(broken, tt.broken) || (got.err() != nil) != (tt.broken != "") {
				t.Errorf("broken %q, want %q", broken, tt.broken)
			}
			if _, err := auditTrail(path, audit.Head{Size: head.Size + 1}, privacy.Budget{Epsilon: 1, Delta: 1e-5}); err == nil {
				t.Error("a trail that was cut passes")
			}
		})
	}
}

// The trail's charges are enough to account for them again.
func TestChargeRoundTrip(t *testing.T) {
	t.Parallel()
	want := chargeData{Rate: 0.1, StdDev: 3, Clip: 1.5, Relation: privacy.AddRemove, Epsilon: 1}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got chargeData
	if err := json.Unmarshal(text, &got); err != nil || got != want || got.event().Validate() != nil {
		t.Fatalf("%+v, %v", got, err)
	}
}
