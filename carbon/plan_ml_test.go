package carbon

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTrainingJobs recomputes the training jobs of "Let's Wait Awhile" (2021) with a perfect forecast: 3,387 jobs of 4 to 89.5 hours
// that have to be done by 9:00 of the next workday, or of the next Monday or Thursday. testdata/lwa_jobs.json has them in half hours
// of 2020, [start, length], as numpy's default_rng(0) draws them. Every forecast reaches one slot beyond the deadline, and the
// baseline too looks one slot ahead and may start there. The traces are rounded to .001, which moves the last of five decimals.
func TestTrainingJobs(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	var ref struct {
		LWA struct {
			Reproduced map[string]map[string]any `json:"reproduced"`
		} `json:"lets_wait_awhile_2020"`
	}
	require.NoError(t, json.NewDecoder(sharedFile(t, "reference_results.json")).Decode(&ref))
	text, err := os.ReadFile("testdata/lwa_jobs.json")
	require.NoError(t, err)
	var jobs [][2]int
	require.NoError(t, json.Unmarshal(text, &jobs))
	require.Len(t, jobs, 3387)
	year := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	nextWorkday := func(end time.Time) time.Time {
		nine, clock := end.Truncate(24*time.Hour).Add(9*time.Hour), end.Sub(end.Truncate(24*time.Hour))
		switch day := end.Weekday(); {
		case day == time.Saturday:
			return nine.Add(48 * time.Hour)
		case day == time.Sunday, clock > 17*time.Hour:
			return nine.Add(24 * time.Hour)
		case clock < 9*time.Hour:
			return nine
		}
		return end
	}
	semiWeekly := func(end time.Time) time.Time {
		nine := end.Truncate(24 * time.Hour).Add(9 * time.Hour)
		if nine.Before(end) {
			nine = nine.Add(24 * time.Hour)
		}
		for nine.Weekday() != time.Monday && nine.Weekday() != time.Thursday {
			nine = nine.Add(24 * time.Hour)
		}
		return nine
	}
	for _, zone := range []string{"DE", "FR"} {
		from, v := series(t, "lwa_2020_30min_"+zone+".csv.gz", 1, TraceOptions{Zone: zone, ValueColumn: "gco2_per_kwh"})
		v = v[int(year.Sub(from)/(30*time.Minute)):]
		for name, deadline := range map[string]func(time.Time) time.Time{"next_workday": nextWorkday, "semi_weekly": semiWeekly} {
			var base, window, planned float64
			var p Planner
			var schedule []bool
			for _, job := range jobs {
				start, length := job[0], job[1]
				end := year.Add(time.Duration(start+length) * 30 * time.Minute)
				ahead := v[start:min(len(v), start+length+int(deadline(end).Sub(end)/(30*time.Minute))+1)]
				_, now, err := BestWindow(v[start:start+length+1], length)
				require.NoError(t, err)
				_, best, err := BestWindow(ahead, length)
				require.NoError(t, err)
				var cost float64
				schedule, cost, err = p.Plan(schedule[:0], ahead, Task{Work: length})
				require.NoError(t, err)
				base, window, planned = base+now, window+best, planned+cost
			}
			require.InDelta(t, ref.LWA.Reproduced[zone]["ml_"+name+"_err0"], 100*(1-window/base), 1.5e-5, "%s %s", zone, name)
			require.InDelta(t, ref.LWA.Reproduced[zone]["ml_"+name+"_i_err0"], 100*(1-planned/base), 1.5e-5, "%s %s", zone, name)
		}
	}
}
