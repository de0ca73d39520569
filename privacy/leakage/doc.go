// Package leakage measures what a trained model gives away about its training data: lower bounds on epsilon, from the scores of
// membership attacks, that hold with a stated confidence, and the attacks' scores, rates and exposures themselves.
//
// For most uses plant canaries and ask for a report: [NewPlan] tosses coins which of them go into the data, [Plan.Scores] collects their
// scores from the trained model, [Plan.Audit] compares the bound with the epsilon of an accountant. Where scores of members and of
// non-members are at hand, use [NewScores] and [AuditScores].
//
// All works on numbers that the caller hands over: no model, gradient or data is touched, and no attack is run. An accountant's epsilon is
// an upper bound by proof, an audit's a lower bound by evidence: where the lower one is larger, something is broken (the noise, the clipping,
// the sampler, the accounting), and where it is not, nothing is proved.
//
// # Valid by construction
//
// To report the best of many thresholds as if it had been the only one fails in a third of all audits instead of one in twenty. Here a
// threshold or a number of guesses is fixed before looking ([Fixed], [Guesses]), chosen on one part and tested on another ([Split]), or
// all that are tried are corrected for ([Ranks], [DefaultGuesses]). The counts of [OneRun] and [TwoRun] are for one rule, fixed in advance. Two
// reports on the same scores, by two methods or seeds, are two chances to be wrong: decide on one before.
//
// The proofs stand beside the functions, and simulations of thousands of audits of mechanisms whose epsilon is known are part of the tests.
// Bounds are rounded to the safe side.
//
// # Which method
//
//   - [MethodOneRun] needs one run with canaries and holds for every mechanism. In simulations with delta 1e-5, 1,000 canaries showed an
//     epsilon of 1.6 of a Gaussian mechanism with 4.4, and 10,000 one of 2.1: what is seen in one run is a part of what there is.
//   - [MethodClopperPearson] needs independent scores, as from many runs, and holds for every mechanism.
//   - [MethodOneRunGaussian] and [MethodGaussian] refute the claim that a mechanism is as private as a Gaussian one of some epsilon, and nothing
//     else: a mechanism of another kind may be within its epsilon all the same. Their verdict is Doubtful at worst.
//   - [MethodJeffreys] and [MethodBayesian] are credible bounds under a prior, tighter and without a confidence.
//
// Higher scores mean "member" throughout. Swapped signs show no leakage, whatever they hide: no method takes the better of two directions.
package leakage
