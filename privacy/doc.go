// Package privacy accounts for the differential privacy that training steps spend, and refuses the step that would spend too much.
//
// For most uses: describe one step as an [Event], fix a [Budget], build a [Filter] and call [Filter.Spend] before each step
// releases anything. Use [Best] to answer "which epsilon did this run cost" when the schedule was fixed before the run.
//
//	step := privacy.Poisson{Rate: 0.01, Gaussian: privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove}}
//	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 3, Delta: 1e-5}, step)
//	...
//	if err := filter.Spend(step); err != nil { return err } // before the noisy gradient leaves the step
//
//	var run privacy.Best
//	err = run.Add(step, 10000) // or run.Step(step) in the loop
//	cost, err := run.Epsilon(1e-5)
//
// # What the numbers mean
//
// Every epsilon is in nats. An [Interval] encloses the truth: Lower <= truth <= Upper, with rounding, truncation and every other error
// of the computation bounded and added outward. Report Upper. A Lower of 0 means that only the upper bound is known. What cannot be
// bounded is refused with an error; no accountant falls back to another one unasked. An [Estimate] is no bound and says so.
//
// An event carries its own sampling rate, noise, sensitivity and neighbouring relation. Poisson events hold only for batches in
// which each record is drawn independently with at most the stated probability. Batches of a fixed size are [FixedSize], cut ones
// [TruncatedPoisson], one secret random step per record [Allocation]; batches cut from a shuffled list are none of these, and only the
// plain Gaussian of an epoch holds for them. Package privacy/noise has a sampler and a noise generator that return their own events.
//
// # Which accountant
//
//   - [Best] asks all that follow and keeps the smallest upper and the largest lower bound.
//   - [Tight] is exact to about ten digits for Gaussians, plain or on Poisson samples, in a millisecond; it refuses where few steps
//     or rare samples decide everything.
//   - [PLD] is good to about four digits for every event whose loss has a known law, in a fraction of a second. [PLD.Distribution] keeps a
//     composition for many questions.
//   - [RDP] takes every event with a Rényi curve and costs nothing per question; a few percent above the truth in the usual regime, far
//     above it for very small budgets.
//   - [GDP] is exact for plain Gaussians. Its CentralLimit and [Moments] are there to compare with figures of older work.
//
// All of them record the same way: Step, Add, Merge for several workers, State and Restore for checkpoints; the state of one continues in any
// other. [Tradeoff] turns any of them into the best that a membership test can do.
//
// # Accountant or filter
//
// An accountant composes events whose parameters were chosen in advance. When a later step depends on what earlier ones released (stop
// when the loss is good, change the noise, try another learning rate) its epsilon is no bound, however tight; a [Filter] is sound there.
package privacy
