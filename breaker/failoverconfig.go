package breaker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// FailoverConfig configures a [Failover]. Every field but Targets has a default.
type FailoverConfig struct {
	// Targets can stand in for each other.
	Targets []Target
	// Components are what targets depend on but cannot be switched to: a network, a credential, a disk.
	Components []Component
	// FailBelow is the health below which a target or component has failed. The default is .3.
	FailBelow float64
	// FailbackAt, not below FailBelow, is the health that a target of higher priority must keep for all of Hold before it
	// takes over. The default is .7.
	FailbackAt float64
	// Hold is how long that is, by the reports there are: the time from one good report to the next counts as good. The
	// default is 5 minutes.
	Hold time.Duration
	// Stale is the age beyond which a report no longer says anything, so that what is not heard of for longer has failed.
	// It should be a multiple of the time between reports, and every target and component must then be reported on. The
	// default, 0, is no such age.
	Stale time.Duration
	// Attempts is how many targets one call of Report or Check asks at most. The default is 3.
	Attempts int
	// Pause is how long a target that refused is not asked again. The default is 30 seconds.
	Pause time.Duration
	// CheckTimeout bounds each check. The default is 10 seconds.
	CheckTimeout time.Duration
	// CheckPenalty is by how much a check that could not find out lowers the health. The default is .1: one lost reply
	// fails nobody, eight in a row fail what was at 1.
	CheckPenalty float64
	// TrendReports is how many of the last reports make a trend, at least 3. The default is 10.
	TrendReports int
	// History is how many switches are kept. The default is 100.
	History int
	// OnSwitch is told of every switch: in order, one at a time, after it was made, outside any lock, by the goroutine that
	// made it. It may call every method of the Failover. A panic in it is discarded.
	OnSwitch func(Switch)
}

// Target is one of the things that stand in for each other.
type Target struct {
	Name string
	// Priority is lower for what is preferred. Among equals the order of the list counts for a failover, and there is no
	// failback.
	Priority int
	// DependsOn names components and targets without which this one does not work.
	DependsOn []string
	// Ready says with nil that the target can take over now. A nil Ready always can. It runs outside any lock.
	Ready func(ctx context.Context) error
	// Activate makes the target take over from another one, which is still the active one while it runs. If it returns
	// an error it must have undone what it did: the target stays a standby and the next one is asked, or from stays
	// active. A nil Activate has nothing to do. It runs outside any lock, one at a time, after Ready.
	Activate func(ctx context.Context, from string) error
	// Check measures the health, from 0 to 1, for Failover.Check. Without it, health comes from Failover.Report alone.
	Check func(ctx context.Context) (float64, error)
}

// Component is something that targets depend on, with the same meaning of its fields.
type Component struct {
	Name      string
	DependsOn []string
	Check     func(ctx context.Context) (float64, error)
}

func (c FailoverConfig) validate() error {
	if len(c.Targets) == 0 {
		return fmt.Errorf("breaker: Targets is empty")
	}
	seen := make(map[string]bool)
	names := make([]string, 0, len(c.Targets)+len(c.Components))
	for _, t := range c.Targets {
		names = append(names, t.Name)
	}
	for _, m := range c.Components {
		names = append(names, m.Name)
	}
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("breaker: number %d of Targets and Components has no Name", i+1)
		}
		if seen[name] {
			return fmt.Errorf("breaker: two of Targets and Components are named %q", name)
		}
		seen[name] = true
	}
	for _, v := range []struct {
		field string
		value float64
	}{{"FailBelow", c.FailBelow}, {"FailbackAt", c.FailbackAt}, {"CheckPenalty", c.CheckPenalty}} {
		if !(v.value >= 0 && v.value <= 1) { // NaN is neither
			return fmt.Errorf("breaker: %s %v is not between 0 and 1", v.field, v.value)
		}
	}
	if d := c.withDefaults(); d.FailbackAt < d.FailBelow {
		return fmt.Errorf("breaker: FailbackAt %v is below FailBelow %v", d.FailbackAt, d.FailBelow)
	}
	for _, v := range []struct {
		field string
		value time.Duration
	}{{"Hold", c.Hold}, {"Stale", c.Stale}, {"Pause", c.Pause}, {"CheckTimeout", c.CheckTimeout}} {
		if v.value < 0 {
			return fmt.Errorf("breaker: %s %v is negative", v.field, v.value)
		}
	}
	if c.Attempts < 0 {
		return fmt.Errorf("breaker: Attempts %d is negative", c.Attempts)
	}
	if c.TrendReports < 0 || c.TrendReports == 1 || c.TrendReports == 2 {
		return fmt.Errorf("breaker: TrendReports %d is below 3", c.TrendReports)
	}
	if c.History < 0 {
		return fmt.Errorf("breaker: History %d is negative", c.History)
	}
	return nil
}

// withDefaults returns c complete, with its targets in order of priority.
func (c FailoverConfig) withDefaults() FailoverConfig {
	c.FailBelow = cmp.Or(c.FailBelow, .3)
	c.FailbackAt = cmp.Or(c.FailbackAt, .7)
	c.Hold = cmp.Or(c.Hold, 5*time.Minute)
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.Pause = cmp.Or(c.Pause, 30*time.Second)
	c.CheckTimeout = cmp.Or(c.CheckTimeout, 10*time.Second)
	c.CheckPenalty = cmp.Or(c.CheckPenalty, .1)
	c.TrendReports = cmp.Or(c.TrendReports, 10)
	c.History = cmp.Or(c.History, 100)
	c.Targets = slices.Clone(c.Targets)
	slices.SortStableFunc(c.Targets, func(a, b Target) int { return cmp.Compare(a.Priority, b.Priority) })
	c.Components = slices.Clone(c.Components)
	return c
}
