package recovery

import "time"

// Goodput says how much of the time of a run went into its result. It counts from the first start of the run, so the time
// between two processes is in Wall. Lost, Failed, Saving and Restoring are those of this process.
type Goodput struct {
	Since     time.Time     `json:"since"`
	Wall      time.Duration `json:"wall_ns"`
	Useful    time.Duration `json:"useful_ns"` // in the steps that the state consists of
	Lost      time.Duration `json:"lost_ns"`   // in steps that a rollback undid
	Failed    time.Duration `json:"failed_ns"` // in steps that failed
	Saving    time.Duration `json:"saving_ns"`
	Restoring time.Duration `json:"restoring_ns"`
	LostSteps uint64        `json:"lost_steps"`
	Share     float64       `json:"share"` // Useful / Wall, 0 to 1
}

// at returns the goodput at a time.
func (g Goodput) at(now time.Time) Goodput {
	g.Wall = max(now.Sub(g.Since), g.Useful) // the clock of another process may have been ahead
	if g.Wall > 0 {
		g.Share = float64(g.Useful) / float64(g.Wall)
	}
	return g
}
