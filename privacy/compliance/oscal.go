package compliance

import (
	"crypto/sha1" //#nosec G505 -- RFC 4122 names it for UUIDs of version 5, which protect nothing
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// The types that follow have the shape of NIST OSCAL's assessment results, version 1.1.2, as far as there is something to say.
type (
	oscalDocument struct {
		Results oscalAssessment `json:"assessment-results"`
	}
	oscalAssessment struct {
		UUID     string        `json:"uuid"`
		Metadata oscalMetadata `json:"metadata"`
		Plan     oscalLink     `json:"import-ap"`
		Results  []oscalResult `json:"results"`
	}
	oscalMetadata struct {
		Title    string    `json:"title"`
		Modified time.Time `json:"last-modified"`
		Version  string    `json:"version"`
		OSCAL    string    `json:"oscal-version"`
		Remarks  string    `json:"remarks"`
	}
	oscalLink struct {
		Href string `json:"href"`
	}
	oscalResult struct {
		UUID         string             `json:"uuid"`
		Title        string             `json:"title"`
		Description  string             `json:"description"`
		Start        time.Time          `json:"start"`
		Props        []oscalProp        `json:"props"`
		Reviewed     oscalReviewed      `json:"reviewed-controls"`
		Observations []oscalObservation `json:"observations,omitempty"`
		Findings     []oscalFinding     `json:"findings,omitempty"`
	}
	oscalReviewed struct {
		Selections []oscalSelection `json:"control-selections"`
	}
	oscalSelection struct {
		All struct{} `json:"include-all"`
	}
	oscalProp struct {
		Name  string `json:"name"`
		NS    string `json:"ns"`
		Value string `json:"value"`
	}
	oscalObservation struct {
		UUID        string          `json:"uuid"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Methods     []string        `json:"methods"`
		Collected   time.Time       `json:"collected"`
		Evidence    []oscalEvidence `json:"relevant-evidence,omitempty"`
	}
	oscalEvidence struct {
		Description string      `json:"description"`
		Props       []oscalProp `json:"props,omitempty"`
	}
	oscalFinding struct {
		UUID        string         `json:"uuid"`
		Title       string         `json:"title"`
		Description string         `json:"description"`
		Props       []oscalProp    `json:"props"`
		Target      oscalTarget    `json:"target"`
		Related     []oscalRelated `json:"related-observations"`
		Remarks     string         `json:"remarks"`
	}
	oscalTarget struct {
		Type   string      `json:"type"`
		ID     string      `json:"target-id"`
		Status oscalStatus `json:"status"`
	}
	oscalStatus struct {
		State   string `json:"state"`
		Reason  string `json:"reason"`
		Remarks string `json:"remarks,omitempty"`
	}
	oscalRelated struct {
		Observation string `json:"observation-uuid"`
	}
)

const oscalNS = "https://github.com/surefoot-ml/surefoot/privacy/compliance"

// WriteJSON writes the assessment in the shape of OSCAL's assessment results. A finding is "satisfied" if it passed; the status of
// others is "not-satisfied", with the reason "fail" or, for UNKNOWN and MANUAL, "other"; its property "state" tells them apart. Equal
// assessments give equal bytes. For the fields as they are, encode the Assessment with encoding/json.
func (a Assessment) WriteJSON(w io.Writer) error {
	title := "Privacy evidence: " + a.Subject
	at := a.Time.UTC()
	result := oscalResult{
		UUID: uuid(a.Hash, at, "result"), Title: title, Description: "Findings by " + a.Rules + " " + a.Version, Start: at,
		Props:    []oscalProp{{"rules-sha256", oscalNS, a.RulesHash}, {"result-sha256", oscalNS, a.Hash}},
		Reviewed: oscalReviewed{[]oscalSelection{{}}},
	}
	for _, f := range a.Findings {
		observation := oscalObservation{
			UUID: uuid(a.Hash, at, "observation", f.Check), Title: f.Check, Description: f.text(), Methods: []string{"TEST"}, Collected: at,
		}
		if f.State == Manual {
			observation.Methods[0] = "EXAMINE"
		}
		for _, u := range f.Evidence {
			e := oscalEvidence{Description: u.line()}
			if u.Digest != "" {
				e.Props = []oscalProp{{"sha256", oscalNS, u.Digest}, {"observed", oscalNS, u.At.UTC().Format(time.RFC3339Nano)}}
			}
			observation.Evidence = append(observation.Evidence, e)
		}
		status := oscalStatus{"not-satisfied", "other", f.State.String()}
		switch f.State {
		case Pass:
			status = oscalStatus{"satisfied", "pass", ""}
		case Fail:
			status.Reason = "fail"
		}
		result.Observations = append(result.Observations, observation)
		result.Findings = append(result.Findings, oscalFinding{
			UUID: uuid(a.Hash, at, "finding", f.Check), Title: f.Title, Description: f.text(),
			Props: []oscalProp{
				{"state", oscalNS, f.State.String()}, {"severity", oscalNS, strconv.Itoa(f.Severity)},
				{"regulation", oscalNS, f.Regulation}, {"article", oscalNS, f.Article},
				{"check-version", oscalNS, strconv.Itoa(f.CheckVersion)}, {"evidence-sha256", oscalNS, f.Hash},
			},
			Target:  oscalTarget{"objective-id", f.Check, status},
			Related: []oscalRelated{{observation.UUID}},
			Remarks: "Remains for a human: " + f.Remaining,
		})
	}
	doc := oscalDocument{oscalAssessment{
		UUID:     uuid(a.Hash, at, "document"),
		Metadata: oscalMetadata{title, at, a.Version, "1.1.2", notice},
		Plan:     oscalLink{"#" + uuid(a.RulesHash, time.Time{}, "plan")},
		Results:  []oscalResult{result},
	}}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("compliance: report: %w", err)
	}
	return nil
}

// text is the reasons in one line.
func (f Finding) text() string {
	s := f.Regulation + " " + f.Article + ": " + f.State.String()
	for _, r := range f.Reasons {
		s += "; " + r.Text
	}
	return s
}

// uuid is a UUID of version 5 (RFC 4122, section 4.3), so that equal assessments have equal ones.
func uuid(hash string, at time.Time, what ...string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %s %s %q", oscalNS, hash, at.Format(time.RFC3339Nano), what)) //#nosec G401
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
