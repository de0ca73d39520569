// Package privacy accounts for the differential privacy that training steps spend, and refuses the step that would spend too much.
//
// For most uses: describe one step as an [Event], fix a [Budget], build a [Filter] and call [Filter.Spend] before each step
// releases anything. Use [RDP] to answer "which epsilon did this run cost" when the schedule was fixed before the run.
//
//	step := privacy.Poisson{Rate: 0.01, Gaussian: privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove}}
//	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 3, Delta: 1e-5}, step)
//	...
//	if err := filter.Spend(step); err != nil { return err } // before the noisy gradient leaves the step
//
// # What the numbers mean
//
// Every epsilon is in nats and an upper bound on the truth: curves are computed with a derived error margin that is added, sums
// and conversions are rounded up, capacities are rounded down. What cannot be bounded is refused with an error.
// A Lower of 0 in an [Interval] means that only the upper bound is known.
//
// An event carries its own sampling rate, noise, sensitivity and neighbouring relation. Poisson events hold only for batches in
// which each record is drawn independently with at most the stated probability; shuffled or fixed-size batches are something
// else and have no event here yet. Package privacy/noise has a sampler and a noise generator that return their own events.
//
// # Accountant or filter
//
// [RDP] composes events whose parameters were chosen in advance. When a later step depends on what earlier ones released (stop
// when the loss is good, change the noise, try another learning rate) its epsilon is no bound; a [Filter] is sound there.
package privacy
