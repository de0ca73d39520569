// Package compliance turns evidence about a training run into findings, article by article: PASS, FAIL, UNKNOWN or MANUAL.
//
// It is engineering evidence, not legal advice. A finding says what a machine could see at a moment and by which rule; every one
// also says what remains for a human. No state of this package means that a law is obeyed.
//
// For most uses: fill an [Evidence] with what the caller's ledger, audit log, configuration and manifests say, and give it to the
// Assess of an [Assessor]; write the [Assessment] as JSON, Markdown or HTML. A [Monitor] does so on a schedule and when told, and
// hands out what changed.
//
//	assessor, err := compliance.New(compliance.Config{})
//	...
//	assessment := assessor.Assess("run-7", compliance.Evidence{
//		Run:      compliance.Observe(compliance.Run{ID: "run-7", Purpose: "triage research"}, "manifest", now),
//		Datasets: compliance.Observe(datasets, "catalogue", now),
//	}, now)
//	err = assessment.WriteHTML(file)
//
// # What a state means
//
//   - FAIL: the evidence contradicts the rule.
//   - UNKNOWN: evidence is missing, stale, from the future, incomplete or unusable, or there is none to look at.
//   - MANUAL: only a human can decide.
//   - PASS: the mechanical part of the rule holds on the evidence named in the finding, and on no other.
//
// Of several states the worst counts, in that order. Evidence that was observed to be empty, such as a list of no incidents, is
// evidence; a [Fact] that nobody filled is not.
//
// # Rules
//
// Checks are data: [Default] is a versioned set for articles of GDPR, HIPAA, CCPA/CPRA and PIPEDA, and [ParseRules] reads others.
// A check names a predicate; predicates are Go functions, those of this package (see [Predicates]) or the caller's own. A
// predicate cannot pass without evidence: its [View] hands out what is there and fresh, remembers what was looked at, and turns
// the rest into UNKNOWN.
//
// # Erasure and retention
//
// Identifiers of persons never enter: a [Pseudonymizer] turns them into keyed hashes, a [Manifest] records those of every batch as a
// stream, and [List.Check] finds batches that contain somebody after their erasure, in memory for the list alone. [RetireExpired] closes
// the ledger accounts of data whose retention has ended.
//
// Detectors for the identifiers of HIPAA's Safe Harbor are in the package safeharbor below this one.
package compliance
