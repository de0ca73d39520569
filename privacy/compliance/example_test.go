package compliance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"time"

	"github.com/surefoot-ml/surefoot/privacy/compliance"
)

func Example() {
	rules := compliance.Default().Only(func(c compliance.Check) bool { return c.Regulation == "PIPEDA" })
	assessor, err := compliance.New(compliance.Config{Rules: rules})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	assessment := assessor.Assess("run-7", compliance.Evidence{
		Run: compliance.Observe(compliance.Run{ID: "run-7", Purpose: "advertising", Owner: "dpo"}, "manifest.json", now),
		Datasets: compliance.Observe([]compliance.Dataset{{
			Name: "notes", Purposes: []string{"triage"}, Consent: "form-3",
		}}, "catalogue", now),
	}, now)
	for _, f := range assessment.Ranked() {
		if f.State == compliance.Fail || f.State == compliance.Pass {
			fmt.Println(f.State, f.Check, f.Reasons)
		}
	}
	fmt.Println(assessment.Count(compliance.Unknown), "UNKNOWN")
	// Output:
	// FAIL pipeda-2-purpose [{FAIL dataset "notes": purpose "advertising" is none of those allowed}]
	// FAIL pipeda-5-purpose [{FAIL dataset "notes": purpose "advertising" is none of those allowed}]
	// PASS pipeda-3-consent []
	// PASS pipeda-1-owner []
	// 15 UNKNOWN
}

// A check of the caller's own, in Go, beside those of this package.
func ExampleNew_ownCheck() {
	carbon := func(parameters json.RawMessage) (compliance.Test, error) {
		var p struct{ Limit float64 }
		if err := json.Unmarshal(parameters, &p); err != nil {
			return nil, err
		}
		return func(v *compliance.View) {
			raw, ok := v.Own("emissions")
			if !ok {
				return // UNKNOWN, with the reason
			}
			var grams float64
			if err := json.Unmarshal(raw, &grams); err != nil {
				v.Unknownf("emissions are no number")
			} else if grams > p.Limit {
				v.Failf("%v g of %v", grams, p.Limit)
			}
		}, nil
	}
	assessor, err := compliance.New(compliance.Config{
		Rules: compliance.Rules{Name: "house", Version: "1", MaxAge: "1d"}.With(compliance.Check{
			ID: "house-carbon", Version: 1, Regulation: "House rules", Article: "4", Title: "Emissions of a run", Severity: 3,
			Predicate: "emissions", Parameters: json.RawMessage(`{"limit": 900}`), Remaining: "the limit",
		}),
		Predicates: map[string]compliance.Predicate{"emissions": carbon},
	})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for _, e := range []compliance.Evidence{{}, {Own: map[string]compliance.Fact[json.RawMessage]{
		"emissions": compliance.Observe(json.RawMessage("1200"), "meter", now),
	}}} {
		f := assessor.Assess("run-7", e, now).Findings[0]
		fmt.Println(f.State, f.Reasons[0].Text)
	}
	// Output:
	// UNKNOWN own.emissions: missing
	// FAIL 1200 g of 900
}

// Who was in which batch is written down as keyed hashes; later, those who were erased are looked for.
func ExampleList_Check() {
	who, err := compliance.NewPseudonymizer([]byte("32 secret bytes, kept elsewhere."))
	if err != nil {
		log.Fatal(err)
	}
	erasure := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

	var file bytes.Buffer // a file with mode 0600
	manifest, err := compliance.NewManifest(&file, who.Key())
	if err != nil {
		log.Fatal(err)
	}
	for n, ids := range [][]compliance.Pseudonym{{who.Of("ada"), who.Of("ben")}, {who.Of("cyn"), who.Of("ada")}} {
		batch := compliance.Batch{Run: "run-7", Number: uint64(n), Time: erasure.Add(time.Duration(n) * time.Hour), IDs: ids}
		if err := manifest.Add(batch); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := manifest.Close(); err != nil {
		log.Fatal(err)
	}

	list, err := compliance.NewList(who.Key(), maps.All(map[compliance.Pseudonym]time.Time{who.Of("cyn"): erasure}))
	if err != nil {
		log.Fatal(err)
	}
	reader, err := compliance.ReadManifest(&file)
	if err != nil {
		log.Fatal(err)
	}
	absence, err := list.Check(reader)
	fmt.Println(absence.Complete, absence.Found, absence.Places, err)
	// Output: true 1 [{run-7 1}] <nil>
}

func ExampleClock() {
	deletion := compliance.Clock{Period: 45 * 24 * time.Hour, Extension: 45 * 24 * time.Hour}
	received := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	fmt.Println(deletion.Due(received, time.Time{}))
	fmt.Println(deletion.Due(received, received.Add(40*24*time.Hour)))
	// Output:
	// 2026-02-15 09:00:00 +0000 UTC
	// 2026-04-01 09:00:00 +0000 UTC
}

func ExampleProcessing_WriteMarkdown() {
	record := compliance.Processing{
		Role: "processor", Name: "Lab, dpo@lab.example", Controller: []string{"Clinic"}, Categories: []string{"training"},
		Transfers: []string{"none"}, Measures: []string{"differential privacy", "encryption"},
	}
	if err := record.WriteMarkdown(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// # Record of processing activities
	//
	// Role: processor
	//
	// | GDPR | field | content |
	// |---|---|---|
	// | 30(2)(a) | name | Lab, dpo&#64;lab&#46;example |
	// | 30(2)(a) | controllers | Clinic |
	// | 30(2)(b) | categories | training |
	// | 30(2)(c) | transfers | none |
	// | 30(2)(d) | measures | differential privacy; encryption |
}
