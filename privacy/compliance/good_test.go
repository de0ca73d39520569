package compliance

import (
	"strings"
	"time"
)

func testNow() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

// good is evidence on which every check passes that is not manual.
func good() Evidence {
	now := testNow()
	day := 24 * time.Hour
	at := now.Add(-time.Hour)
	absence := Absence{Listed: 3, List: "l", Complete: true, Manifest: "m", Runs: []string{"run-6", "run-7"}, Batches: 10, IDs: 100}
	scan := Scan{Dataset: "notes", Detector: "safeharbor 1", Complete: true, Rows: 10, Counts: map[string]int64{}}
	for _, k := range []string{"zip", "date", "age", "phone", "fax", "email", "ssn", "mrn", "plan", "account", "licence", "vehicle", "device", "url", "ip"} {
		scan.Counts[k] = 0
	}
	sum := strings.Repeat("0a", 16)
	return Evidence{
		Run: Observe(Run{ID: "run-7", Purpose: "triage", Owner: "dpo-1", Model: "m-7", ModelChanged: now.Add(-40 * day), NewTechnology: Yes, SaleOrSharing: Yes}, "manifest", at),
		Datasets: Observe([]Dataset{{
			Name: "notes", Purposes: []string{"research", "triage"}, Basis: "consent", Condition: "9(2)(a)", Consent: "form-3", Special: Yes, Subjects: 50000,
			Columns: []Column{{"text", CategoryPersonal, true, true}, {"diagnosis", CategorySpecial, true, true}, {"ward", CategoryNone, true, false}, {"name", CategoryPersonal, false, false}},
			Blocks:  []Block{{"2026-02", now.Add(300 * day), time.Time{}, "notes/2026-02"}, {"2025-01", now.Add(-day), now.Add(-2 * day), "notes/2025-01"}},
		}}, "catalogue", at),
		Artifacts:  Observe([]Artifact{{"c1", "checkpoint", now.Add(-80 * day), time.Time{}}, {"l1", "log", now.Add(-300 * day), time.Time{}}, {"c0", "checkpoint", now.Add(-200 * day), now.Add(-110 * day)}}, "store", at),
		Files:      Observe([]File{{"ledger", 0o600}, {"key", 0o400}}, "stat", at),
		Log:        Observe(Log{Verified: Yes, Entries: 9, Head: "9:ab", HeadKept: Yes, First: at, Last: at}, "audit.log", at),
		Settings:   Observe(Settings{BudgetEnforced: Yes, DifferentialPrivacy: Yes, SecureNoise: Yes, ClipNorm: 1, EncryptedAtRest: Yes, Redaction: Yes, RestoreTested: now.Add(-10 * day), NoReidentification: Yes, FixedSeed: No}, "config", at),
		Accounts:   Observe([]Account{{"notes/2026-02", 1.5, 3, 1e-6, No}, {"notes/2025-01", 2.9, 3, 1e-6, Yes}}, "ledger", at),
		Processing: Observe(Processing{Role: "controller", Name: "Clinic, dpo@clinic.example", Purposes: []string{"triage"}, Subjects: []string{"patients"}, Categories: []string{"health"}, Recipients: []string{"none"}, Transfers: []string{"none"}, Erasure: []string{"10 years"}, Measures: []string{"DP"}}, "ropa", at),
		Impact:     Observe(Impact{"DPIA-3", now.Add(-30 * day)}, "dpia", at),
		Leakage:    Observe(Leakage{Method: "one run", Lower: 0.4, Confidence: 0.95, FPR: 0.001, TPR: 0.002}, "leakaudit", at),
		Models:     Observe([]Model{{"m-7", "run-7", at, []string{"notes"}}}, "registry", at),
		Erasure:    Observe(absence, "manifests", at),
		OptOut:     Observe(absence, "manifests", at),
		Requests: Observe([]Request{
			{ID: "r1", Kind: "deletion", Received: now.Add(-20 * day), Answered: now.Add(-10 * day), Receipts: []Receipt{{"host", now.Add(-9 * day)}}},
			{ID: "r2", Kind: "access", Received: now.Add(-29 * day)},
			{ID: "r3", Kind: "challenge", Received: now.Add(-20 * day), Answered: now.Add(-19 * day)},
		}, "desk", at),
		Incidents: Observe([]Incident{{"i1", now.Add(-50 * time.Hour), time.Time{}}}, "desk", at),
		Places:    Observe([]Place{{"data", "eu-1", "DE"}, {"compute", "eu-2", "fr"}}, "cloud", at),
		Endpoints: Observe([]Endpoint{{"https://api.example.com/v1?key=SECRET", 0x0304}}, "client", at),
		Actors:    Observe([]Actor{{"alice", No, "fido2"}}, "iam", at),
		Digests:   Observe([]Digest{{"notes", sum, sum, strings.ToUpper(sum)}, {"m-7", sum, sum, sum}}, "manifest", at),
		Scans:     Observe([]Scan{scan}, "scan", at),
		Quality:   Observe([]Quality{{"notes", 1000, 10, 5, 2}}, "validate", at),
		Published: Observe([]Publication{{"summary", "https://clinic.example/ai", now.Add(-5 * day)}}, "web", at),
	}
}
