package compliance

import (
	"encoding/json"
	"strings"
)

// builtin returns the predicates of this package by name.
func builtin() map[string]Predicate {
	return map[string]Predicate{
		"manual":                  plain(func(v *View) { v.Manualf("not mechanical") }),
		"purpose_allowed":         plain(purposeAllowed),
		"columns_needed":          plain(columnsNeeded),
		"legal_basis":             with((*legalBasis).check, legalBasisNamed),
		"consent_recorded":        plain(consentRecorded),
		"owner_named":             plain(ownerNamed),
		"record_complete":         plain(recordComplete),
		"places_allowed":          with((*placesAllowed).check, inPlaces),
		"impact_assessed":         with((*impactAssessed).check, impactKnown),
		"report_published":        plain(reportPublished),
		"retention_kept":          plain(retentionKept),
		"artifacts_expired":       with((*artifactsExpired).check, artifactsKept),
		"accounts_retired":        plain(accountsRetired),
		"erased_absent":           plain(erasedAbsent),
		"opted_out_absent":        plain(optedOutAbsent),
		"lineage_known":           plain(lineageKnown),
		"processors_acknowledged": with((*requestKinds).check, processorsAcknowledged),
		"requests_in_time":        with((*requestClock).check, requestsInTime),
		"incidents_notified":      with((*incidentClock).check, incidentsNotified),
		"quality_limits":          with((*qualityLimits).check, qualityWithin),
		"file_modes":              plain(fileModes),
		"log_intact":              with((*logIntact).check, logVerified),
		"encrypted_at_rest":       plain(encryptedAtRest),
		"transport_encrypted":     plain(transportEncrypted),
		"redaction_on":            plain(redactionOn),
		"restore_tested":          with((*restoreTested).check, restoreRecent),
		"noise_secure":            plain(noiseSecure),
		"actors_named":            plain(actorsNamed),
		"actors_authenticated":    plain(actorsAuthenticated),
		"digests_match":           plain(digestsMatch),
		"identifiers_absent":      with((*identifiersAbsent).check, identifiersFound),
		"budget_enforced":         with((*budgetEnforced).check, budgetWithin),
		"deidentified":            plain(deidentified),
	}
}

// plain is a predicate without parameters.
func plain(test Test) Predicate {
	return func(parameters json.RawMessage) (Test, error) {
		if len(parameters) > 0 {
			return nil, invalid("parameters", quoted(string(parameters)), "none")
		}
		return test, nil
	}
}

// with is a predicate with parameters, which check may complete and refuses if they are not valid.
func with[P any](check func(*P) error, test func(*View, P)) Predicate {
	return func(parameters json.RawMessage) (Test, error) {
		var p P
		if len(parameters) > 0 {
			if err := decode(parameters, &p); err != nil {
				return nil, err
			}
		}
		if err := check(&p); err != nil {
			return nil, err
		}
		return func(v *View) { test(v, p) }, nil
	}
}

// names are some for a reason, which shows the first of them.
type names []string

func (list names) String() string {
	const most = 8
	var b strings.Builder
	for i, s := range list {
		if i == most {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoted(s))
	}
	return b.String()
}

// must turns an answer into a reason where it is not the wanted one.
func (v *View) must(have, want Answer, what string) {
	switch have {
	case want:
	case Unanswered:
		v.Unknownf("not known: %s", what)
	default:
		v.Failf("not so: %s", what)
	}
}

// some says that there is nothing to look at, and returns false, where a list is empty.
func some[T any](v *View, list []T, what string) bool {
	if len(list) == 0 {
		v.Unknownf("no %s named", what)
	}
	return len(list) > 0
}
