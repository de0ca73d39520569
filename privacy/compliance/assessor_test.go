package compliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newAssessor(t testing.TB) *Assessor {
	t.Helper()
	a, err := New(Config{})
	require.NoError(t, err)
	return a
}

func finding(t testing.TB, a Assessment, check string) Finding {
	t.Helper()
	for _, f := range a.Findings {
		if f.Check == check {
			return f
		}
	}
	require.Fail(t, "no check "+check)
	return Finding{}
}

func TestGoodEvidence(t *testing.T) {
	t.Parallel()
	a := newAssessor(t).Assess("run-7", good(), testNow())
	for _, f := range a.Findings {
		want := Pass
		for _, manual := range []string{"-a", "-b-geography", "-p", "-q", "-r", "-ii-knowledge"} {
			if f.Check == "hipaa-514-b-2-i"+manual || f.Check == "hipaa-514-b-2"+manual {
				want = Manual
			}
		}
		require.Equal(t, want, f.State, "%s: %v", f.Check, f.Reasons)
		require.NotEmpty(t, f.Remaining)
		require.Equal(t, want == Pass, len(f.Evidence) > 0, f.Check)
	}
	require.Equal(t, Manual, a.State)
}

// TestNoEvidence: nothing passes without evidence.
func TestNoEvidence(t *testing.T) {
	t.Parallel()
	a := newAssessor(t).Assess("run-7", Evidence{}, testNow())
	require.Zero(t, a.Count(Pass))
	require.Zero(t, a.Count(Fail))
	require.Equal(t, Unknown, a.State)
	// Evidence that was observed to be empty is none for rules about things that a run always has.
	var e Evidence
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct {
			f.FieldByName("At").Set(reflect.ValueOf(testNow()))
		}
	}
	for _, f := range newAssessor(t).Assess("x", e, testNow()).Findings {
		if f.State == Pass {
			require.Contains(t, []string{"artifacts_expired", "requests_in_time", "incidents_notified", "processors_acknowledged", "transport_encrypted"},
				predicateOf(t, f.Check), "%s passes on nothing", f.Check)
		}
	}
}

func predicateOf(t testing.TB, check string) string {
	for _, c := range Default().Checks {
		if c.ID == check {
			return c.Predicate
		}
	}
	require.Fail(t, check)
	return ""
}

// TestEachFactMissing: without one piece of evidence, or with a stale one, what had looked at it does not pass.
func TestEachFactMissing(t *testing.T) {
	t.Parallel()
	a, now := newAssessor(t), testNow()
	before := a.Assess("x", good(), now)
	for name, spoil := range map[string]func(reflect.Value){
		"missing": func(f reflect.Value) { f.SetZero() },
		"stale":   func(f reflect.Value) { f.FieldByName("At").Set(reflect.ValueOf(now.Add(-24*time.Hour - 1))) },
		"future":  func(f reflect.Value) { f.FieldByName("At").Set(reflect.ValueOf(now.Add(time.Minute + 1))) },
	} {
		for i := range reflect.TypeFor[Evidence]().NumField() {
			field := reflect.TypeFor[Evidence]().Field(i)
			if field.Name == "Own" {
				continue
			}
			e := good()
			spoil(reflect.ValueOf(&e).Elem().Field(i))
			fact := strings.TrimSuffix(field.Tag.Get("json"), ",omitzero")
			touched := 0
			for k, f := range a.Assess("x", e, now).Findings {
				uses := strings.Contains(fmt.Sprint(before.Findings[k].Evidence), "{"+fact+" ")
				if uses {
					touched++
					require.Equal(t, Unknown, f.State, "%s %s: %s", name, fact, f.Check)
					require.NotEqual(t, before.Findings[k].Hash, f.Hash)
				} else {
					require.Equal(t, before.Findings[k].State, f.State, "%s %s: %s", name, fact, f.Check)
				}
			}
			if fact != "models" {
				require.Positive(t, touched, fact)
			}
		}
	}
	e := good()
	e.Run.At = now.Add(-24 * time.Hour)
	require.Equal(t, Pass, finding(t, a.Assess("x", e, now), "pipeda-1-owner").State, "exactly as old as allowed")
}

func TestFindings(t *testing.T) {
	t.Parallel()
	now := testNow()
	day := 24 * time.Hour
	d := func(e *Evidence) *Dataset { return &e.Datasets.Value[0] }
	assessor := newAssessor(t)
	for _, tt := range []struct {
		check  string
		want   State
		change func(*Evidence)
		says   string
	}{
		{"gdpr-5-1-b-purpose", Fail, func(e *Evidence) { e.Run.Value.Purpose = "advertising" }, "none of those allowed"},
		{"gdpr-5-1-b-purpose", Fail, func(e *Evidence) { e.Run.Value.Purpose = " " }, "no purpose"},
		{"gdpr-5-1-b-purpose", Unknown, func(e *Evidence) { e.Datasets.Value = nil }, "no dataset named"},
		{"gdpr-5-1-c-columns", Fail, func(e *Evidence) { d(e).Columns[3].Read = true }, `not declared as needed: "name"`},
		{"gdpr-5-1-c-columns", Fail, func(e *Evidence) { d(e).Special = Unanswered }, "special category"},
		{"gdpr-5-1-c-columns", Unknown, func(e *Evidence) { d(e).Columns[0].Category = "?" }, "no category"},
		{"gdpr-5-1-c-columns", Unknown, func(e *Evidence) { d(e).Columns = nil }, "columns not known"},
		{"gdpr-5-1-c-columns", Pass, func(*Evidence) {}, `declared as needed but not read: "ward"`},
		{"gdpr-5-1-e-blocks", Fail, func(e *Evidence) { d(e).Blocks[0].Retain = now }, "retention ended"},
		{"gdpr-5-1-e-blocks", Pass, func(e *Evidence) { d(e).Blocks[0].Retain = now.Add(1) }, ""},
		{"gdpr-5-1-e-blocks", Unknown, func(e *Evidence) { d(e).Blocks[0].Retain = time.Time{} }, "not known"},
		{"gdpr-5-1-e-blocks", Unknown, func(e *Evidence) { d(e).Blocks[1].Deleted = now.Add(time.Hour) }, "future"},
		{"gdpr-5-1-e-blocks", Unknown, func(e *Evidence) { d(e).Blocks = nil }, "blocks not known"},
		{"gdpr-5-1-e-artifacts", Fail, func(e *Evidence) { e.Artifacts.Value[0].Created = now.Add(-90 * day) }, "older than 90d"},
		{"gdpr-5-1-e-artifacts", Pass, func(e *Evidence) { e.Artifacts.Value[0].Created = now.Add(-90*day + 1) }, ""},
		{"gdpr-5-1-e-artifacts", Unknown, func(e *Evidence) { e.Artifacts.Value[0].Kind = "dump" }, "no period"},
		{"gdpr-5-1-e-artifacts", Unknown, func(e *Evidence) { e.Artifacts.Value[0].Created = time.Time{} }, "since when"},
		{"gdpr-5-1-d-quality", Fail, func(e *Evidence) { e.Quality.Value[0].Nulls = 50 }, "nulls"},
		{"gdpr-5-1-d-quality", Unknown, func(e *Evidence) { e.Quality.Value[0].Nulls = 1001 }, "of 1000 rows"},
		{"gdpr-5-1-d-quality", Unknown, func(e *Evidence) { e.Quality.Value[0].Rows = 0 }, "no rows"},
		{"gdpr-5-1-d-quality", Unknown, func(e *Evidence) { e.Quality.Value[0].Dataset = "other" }, "no quality"},
		{"gdpr-5-1-f-files", Fail, func(e *Evidence) { e.Files.Value[0].Mode = 0o640 }, "mode 0640"},
		{"gdpr-5-1-f-files", Fail, func(e *Evidence) { e.Files.Value[0].Mode = 0o700 }, "mode 0700"},
		{"gdpr-5-1-f-files", Pass, func(e *Evidence) { e.Files.Value[0].Mode = 1<<31 | 0o700 }, ""},
		{"gdpr-5-1-f-log", Fail, func(e *Evidence) { e.Log.Value.Damage = "entry 3" }, "entry 3"},
		{"gdpr-5-1-f-log", Fail, func(e *Evidence) { e.Log.Value.Gaps = 1 }, "do not follow"},
		{"gdpr-5-1-f-log", Fail, func(e *Evidence) { e.Log.Value.Back = time.Second + 1 }, "clock went back"},
		{"gdpr-5-1-f-log", Pass, func(e *Evidence) { e.Log.Value.Back = time.Second }, ""},
		{"hipaa-312-b-log", Fail, func(e *Evidence) { e.Log.Value.HeadKept = No }, "kept elsewhere"},
		{"hipaa-312-b-log", Pass, func(e *Evidence) { e.Log.Value.HeadKept = Unanswered }, "would not show"},
		{"hipaa-312-b-log", Unknown, func(e *Evidence) { e.Log.Value.Entries = 0 }, "no entries"},
		{"gdpr-5-1-f-redaction", Fail, func(e *Evidence) { e.Settings.Value.Redaction = No }, "not so"},
		{"gdpr-5-1-f-redaction", Unknown, func(e *Evidence) { e.Settings.Value.Redaction = Unanswered }, "not known"},
		{"gdpr-32-1-a-at-rest", Fail, func(e *Evidence) { e.Settings.Value.EncryptedAtRest = No }, ""},
		{"gdpr-32-1-a-transport", Fail, func(e *Evidence) { e.Endpoints.Value[0].URL = "http://u:pw@api.example.com/?key=SECRET" }, `"http://api.example.com" is not encrypted`},
		{"gdpr-32-1-a-transport", Fail, func(e *Evidence) { e.Endpoints.Value[0].TLS = 0x0302 }, "before 1.2"},
		{"gdpr-32-1-a-transport", Unknown, func(e *Evidence) { e.Endpoints.Value[0].TLS = 0 }, "not known"},
		{"gdpr-32-1-a-transport", Fail, func(e *Evidence) { e.Endpoints.Value[0].TLS = 0xffff }, "not one of TLS"},
		{"gdpr-32-1-a-transport", Unknown, func(e *Evidence) { e.Endpoints.Value[0].URL = "SECRET" }, "not a URL"},
		{"gdpr-32-1-b-noise", Fail, func(e *Evidence) { e.Settings.Value.FixedSeed = Yes }, "fixed seed"},
		{"gdpr-25-noise", Fail, func(e *Evidence) { e.Settings.Value.SecureNoise = No }, ""},
		{"gdpr-32-1-c-restore", Fail, func(e *Evidence) { e.Settings.Value.RestoreTested = now.Add(-90 * day) }, "not within 90d"},
		{"gdpr-32-1-c-restore", Unknown, func(e *Evidence) { e.Settings.Value.RestoreTested = time.Time{} }, ""},
		{"gdpr-5-2-30-record", Fail, func(e *Evidence) { e.Processing.Value.Recipients = nil }, "30(1)(d), recipients: empty"},
		{"gdpr-5-2-30-record", Fail, func(e *Evidence) { e.Processing.Value.Measures = []string{"x", " "} }, "30(1)(g)"},
		{"gdpr-5-2-30-record", Fail, func(e *Evidence) { e.Processing.Value.Role = "processor" }, "30(2)(a), controllers"},
		{"gdpr-5-2-30-record", Fail, func(e *Evidence) { e.Processing.Value.Role = "" }, "neither"},
		{"gdpr-6-9-basis", Fail, func(e *Evidence) { d(e).Basis = "" }, "legal basis"},
		{"gdpr-6-9-basis", Fail, func(e *Evidence) { d(e).Condition = "" }, "9(2)"},
		{"gdpr-6-9-basis", Unknown, func(e *Evidence) { d(e).Special, d(e).Columns = Unanswered, nil }, "not known whether"},
		{"gdpr-17-erasure", Fail, func(e *Evidence) { e.Erasure.Value.Found, e.Erasure.Value.Places = 2, []BatchRef{{"run-7", 3}} }, `2 times in batches, of runs "run-7"`},
		{"gdpr-17-erasure", Fail, func(e *Evidence) { e.Erasure.Value.Found, e.Erasure.Value.Complete = 1, false }, ""},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Erasure.Value.Complete = false }, "not read"},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Run.Value.ID = "run-8" }, "in no manifest"},
		{"gdpr-17-erasure", Manual, func(e *Evidence) { e.Erasure.Value.Earlier = []string{"run-7"} }, `to be assessed: "m-7"`},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Erasure.Value.Earlier, e.Models.At = []string{"run-7"}, time.Time{} }, "models: missing"},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Erasure.Value.Earlier = []string{"run-3", "run-7"} }, `erased later: "run-3"`},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Erasure.Value.Found = -1 }, "-1 times"},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Erasure.Value.Places = []BatchRef{{"run-7", 3}} }, "found 0 times, in 1 places"},
		{"gdpr-17-erasure", Manual, func(e *Evidence) { e.Erasure.Value.Gaps = 4 }, "4 numbers"},
		{"gdpr-17-erasure", Unknown, func(e *Evidence) { e.Erasure.Value = Absence{List: "l"} }, `deletion request "r1" was answered`},
		{"gdpr-17-erasure", Pass, func(e *Evidence) { e.Erasure.Value, e.Requests.Value = Absence{List: "l"}, nil }, "nobody"},
		{"ccpa-120-121-opt-out", Unknown, func(e *Evidence) {
			e.OptOut.Value, e.Requests.Value[0].Kind = Absence{List: "l"}, "opt_out"
		}, "nobody is listed"},
		{"gdpr-5-1-f-files", Unknown, func(e *Evidence) { e.Files.Value[0].Mode = 0 }, "mode not known"},
		{"gdpr-5-1-f-log", Unknown, func(e *Evidence) { e.Log.Value.Verified = Unanswered }, "verified to its end"},
		{"gdpr-5-1-f-log", Fail, func(e *Evidence) { e.Log.Value.Verified = No }, "verified to its end"},
		{"gdpr-5-1-c-columns", Unknown, func(e *Evidence) { d(e).Columns = []Column{{Name: "text", Category: CategorySpecial}} }, "no column is read"},
		{"gdpr-5-1-e-artifacts", Unknown, func(e *Evidence) { e.Artifacts.Value[2].Deleted = now.Add(-201 * day) }, "before it was created"},
		{"gdpr-17-accounts", Fail, func(e *Evidence) {
			e.Accounts.Value = append(e.Accounts.Value, Account{"notes/2025-01", 1, 3, 1e-6, No})
		}, "is retired"},
		{"gdpr-17-accounts", Unknown, func(e *Evidence) { d(e).Blocks[0].Retain = time.Time{} }, "end of retention not known"},
		{"gdpr-17-accounts", Pass, func(e *Evidence) { d(e).Blocks[1].Account = "notes/2026-02" }, "0 accounts"},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { e.Accounts.Value = e.Accounts.Value[1:] }, `"notes/2026-02" of block`},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { d(e).Blocks[0].Account = "" }, "no account"},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { d(e).Blocks = nil }, "blocks not known"},
		{"gdpr-35-impact", Fail, func(e *Evidence) { e.Leakage.Value.Lower = 2.91 }, "found epsilon >= 2.91"},
		{"gdpr-35-impact", Unknown, func(e *Evidence) { e.Accounts.Value = nil }, "no account"},
		{"hipaa-312-c-1-digests", Unknown, func(e *Evidence) { e.Digests.Value = e.Digests.Value[1:] }, `"notes": no digest`},
		{"hipaa-312-c-1-digests", Unknown, func(e *Evidence) { e.Digests.Value = e.Digests.Value[:1] }, `model "m-7": no digest`},
		{"hipaa-312-c-1-digests", Unknown, func(e *Evidence) { e.Run.Value.Model = "" }, "model not known"},
		{"hipaa-312-c-1-digests", Unknown, func(e *Evidence) { e.Digests.Value[0] = Digest{"notes", "n/a", "n/a", "n/a"} }, "hexadecimal"},
		{"hipaa-312-c-1-digests", Unknown, func(e *Evidence) { e.Digests.Value[0] = Digest{"notes", "ab", "ab", "ab"} }, "32 or more"},
		{"ccpa-105-receipts", Unknown, func(e *Evidence) { e.Requests.Value[0].Receipts[0].Processor = " " }, "of whom"},
		{"ccpa-105-receipts", Unknown, func(e *Evidence) { e.Requests.Value[0].Receipts[0].Acknowledged = now.Add(-21 * day) }, "before it was received"},
		{"ccpa-105-receipts", Unknown, func(e *Evidence) { e.Requests.Value[0].Kind = "erasure" }, `kind "erasure"`},
		{"ccpa-130-45d", Unknown, func(e *Evidence) { e.Requests.Value[0].Kind = "Deletion" }, `kind "Deletion"`},
		{"ccpa-140-m-deidentified", Unknown, func(e *Evidence) { e.Accounts.Value = e.Accounts.Value[1:] }, "not known"},
		{"ccpa-140-m-deidentified", Fail, func(e *Evidence) { e.Settings.Value.FixedSeed = Yes }, "fixed seed"},
		{"ccpa-140-m-deidentified", Fail, func(e *Evidence) { e.Accounts.Value[0].Spent = 3.1 }, "spent 3.1 of 3"},
		{"ccpa-140-m-deidentified", Unknown, func(e *Evidence) { e.Accounts.Value[0].Delta = 1 }, "delta 1"},
		{"gdpr-17-accounts", Fail, func(e *Evidence) { e.Accounts.Value[1].Retired = No }, "is retired"},
		{"gdpr-17-accounts", Unknown, func(e *Evidence) { e.Accounts.Value = e.Accounts.Value[:1] }, "not known"},
		{"gdpr-25-budget", Fail, func(e *Evidence) { e.Settings.Value.BudgetEnforced = No }, ""},
		{"gdpr-25-budget", Fail, func(e *Evidence) { e.Accounts.Value[0].Limit = 8.01 }, "policy"},
		{"gdpr-25-budget", Fail, func(e *Evidence) { e.Accounts.Value[0].Spent = 3.1 }, "spent"},
		{"gdpr-25-budget", Fail, func(e *Evidence) { e.Accounts.Value[1].Spent, e.Accounts.Value[1].Limit = 9, 10 }, "policy"},
		{"gdpr-25-budget", Fail, func(e *Evidence) { e.Accounts.Value[0].Delta = 1e-4 }, "delta"},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { e.Accounts.Value[0].Limit = math.NaN() }, "not representable"},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { e.Accounts.Value[0].Limit = math.Inf(1) }, "not representable"},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { e.Settings.Value.ClipNorm = 0 }, "clip"},
		{"gdpr-25-budget", Unknown, func(e *Evidence) { e.Accounts.Value = nil }, "no account"},
		{"gdpr-33-72h", Fail, func(e *Evidence) { e.Incidents.Value[0].Detected = now.Add(-72*time.Hour - time.Second) }, "overdue"},
		{"gdpr-33-72h", Pass, func(e *Evidence) { e.Incidents.Value[0].Detected = now.Add(-72 * time.Hour) }, ""},
		{"gdpr-33-72h", Pass, func(e *Evidence) { e.Incidents.Value = nil }, "0 incidents"},
		{"gdpr-33-72h", Unknown, func(e *Evidence) { e.Incidents.Value[0].Detected = time.Time{} }, "since when"},
		{"gdpr-35-impact", Fail, func(e *Evidence) { e.Impact.Value.Date = now.Add(-41 * day) }, "older than the model"},
		{"gdpr-35-impact", Fail, func(e *Evidence) { e.Impact.Value = Impact{} }, "no assessment"},
		{"gdpr-35-impact", Unknown, func(e *Evidence) { e.Leakage.Value.FPR = 0.01 }, "false positive rate"},
		{"gdpr-35-impact", Unknown, func(e *Evidence) { e.Run.Value.ModelChanged = time.Time{} }, "last changed"},
		{"gdpr-35-impact", Pass, func(e *Evidence) {
			e.Run.Value.NewTechnology, d(e).Special, d(e).Subjects, d(e).Columns[1].Category = No, No, 10, CategoryPersonal
			e.Impact = Fact[Impact]{}
		}, "nothing that the rule knows"},
		{"gdpr-35-impact", Unknown, func(e *Evidence) {
			e.Run.Value.NewTechnology, d(e).Special, d(e).Subjects, d(e).Columns[1].Category = No, No, 0, CategoryPersonal
		}, "how many persons"},
		{"gdpr-44-49-places", Fail, func(e *Evidence) { e.Places.Value[1].Country = "US" }, `"US" is not on the list`},
		{"gdpr-44-49-places", Unknown, func(e *Evidence) { e.Places.Value = e.Places.Value[:1] }, "no place of compute"},
		{"gdpr-44-49-places", Unknown, func(e *Evidence) { e.Places.Value[1].Country = "" }, "not known"},
		{"hipaa-312-a-1-actors", Fail, func(e *Evidence) { e.Actors.Value[0].Shared = Yes }, "one person"},
		{"hipaa-312-a-1-actors", Fail, func(e *Evidence) { e.Actors.Value[0].ID = "" }, "no id"},
		{"hipaa-312-a-1-actors", Unknown, func(e *Evidence) { e.Actors.Value = nil }, "no actor"},
		{"hipaa-312-d-authentication", Fail, func(e *Evidence) { e.Actors.Value[0].Method = "" }, "method"},
		{"hipaa-312-c-1-digests", Fail, func(e *Evidence) { e.Digests.Value[0].End = "ac" }, "at the end"},
		{"hipaa-312-c-1-digests", Unknown, func(e *Evidence) { e.Digests.Value[0].Start = "" }, "missing"},
		{"hipaa-514-b-2-i-g", Fail, func(e *Evidence) { e.Scans.Value[0].Counts["ssn"] = 2 }, "2 times what reads as ssn"},
		{"hipaa-514-b-2-i-g", Unknown, func(e *Evidence) { delete(e.Scans.Value[0].Counts, "ssn") }, "not scanned for ssn"},
		{"hipaa-514-b-2-i-g", Unknown, func(e *Evidence) { e.Scans.Value[0].Complete = false }, "to its end"},
		{"hipaa-514-b-2-i-g", Unknown, func(e *Evidence) { e.Scans.Value[0].Rows = 0 }, "no rows"},
		{"hipaa-514-b-2-i-c", Fail, func(e *Evidence) { e.Scans.Value[0].Counts["age"] = 1 }, "age"},
		{"hipaa-514-b-2-i-o", Unknown, func(e *Evidence) { e.Datasets.Value = append(e.Datasets.Value, Dataset{Name: "b"}) }, `"b": no scan`},
		{"hipaa-514-b-2-i-p", Manual, func(*Evidence) {}, ""},
		{"ccpa-105-receipts", Fail, func(e *Evidence) { e.Requests.Value[0].Receipts[0].Acknowledged = time.Time{} }, `by "host"`},
		{"ccpa-105-receipts", Unknown, func(e *Evidence) { e.Requests.Value[0].Receipts = nil }, "who was given"},
		{"ccpa-120-121-opt-out", Fail, func(e *Evidence) { e.OptOut.Value.Found = 1 }, "opted out"},
		{"ccpa-120-121-opt-out", Pass, func(e *Evidence) { e.OptOut, e.Run.Value.SaleOrSharing = Fact[Absence]{}, No }, "no sale"},
		{"ccpa-120-121-opt-out", Unknown, func(e *Evidence) { e.Run.Value.SaleOrSharing = Unanswered }, ""},
		{"ccpa-130-45d", Fail, func(e *Evidence) { e.Requests.Value[1].Received = now.Add(-45*day - time.Second) }, "overdue"},
		{"ccpa-130-45d", Pass, func(e *Evidence) { e.Requests.Value[1].Received = now.Add(-45 * day) }, ""},
		{"ccpa-130-45d", Fail, func(e *Evidence) { e.Requests.Value[0].Received = now.Add(-100 * day) }, "late"},
		{"ccpa-130-45d", Unknown, func(e *Evidence) { e.Requests.Value[0].Answered = now.Add(day) }, "future"},
		{"ccpa-130-45d", Unknown, func(e *Evidence) { e.Requests.Value[0].Kind = "" }, `of kind ""`},
		{"ccpa-140-m-deidentified", Fail, func(e *Evidence) { e.Settings.Value.NoReidentification = No }, ""},
		{"ccpa-140-m-deidentified", Unknown, func(e *Evidence) { e.Accounts.Value[0].Limit = 0 }, "no bound"},
		{"pipeda-1-owner", Fail, func(e *Evidence) { e.Run.Value.Owner = "" }, "no owner"},
		{"pipeda-3-consent", Fail, func(e *Evidence) { d(e).Consent = "" }, "consent"},
		{"pipeda-8-report", Fail, func(e *Evidence) { e.Published.Value = nil }, "no report"},
		{"pipeda-9-30d", Fail, func(e *Evidence) { e.Requests.Value[1].Received = now.Add(-30*day - time.Second) }, "overdue"},
		{"pipeda-9-lineage", Fail, func(e *Evidence) { e.Models.Value[0].Run = "" }, "without its run"},
		{"pipeda-10-30d", Fail, func(e *Evidence) {
			e.Requests.Value[2].Answered = now.Add(-day)
			e.Requests.Value[2].Received = now.Add(-32 * day)
		}, "late"},
	} {
		e := good()
		tt.change(&e)
		f := finding(t, assessor.Assess("x", e, now), tt.check)
		require.Equal(t, tt.want, f.State, "%s, want to read %q: %v", tt.check, tt.says, f.Reasons)
		require.Contains(t, fmt.Sprint(f.Reasons), tt.says, tt.check)
		require.NotContains(t, fmt.Sprint(f), "SECRET")
	}
}

// TestHashes: every change of evidence changes the hashes of what looked at it, and of the whole, and of nothing else.
func TestHashes(t *testing.T) {
	t.Parallel()
	a, now := newAssessor(t), testNow()
	before := a.Assess("x", good(), now)
	require.Equal(t, before, a.Assess("x", good(), now))
	e := good()
	e.Files.Value[0].Name = "other"
	after := a.Assess("x", e, now)
	require.NotEqual(t, before.Hash, after.Hash)
	for i, f := range after.Findings {
		require.Equal(t, strings.Contains(f.Check, "-files"), f.Hash != before.Findings[i].Hash, f.Check)
	}
	e = good()
	e.Files.At = e.Files.At.Add(-time.Second)
	require.NotEqual(t, before.Hash, a.Assess("x", e, now).Hash)
	e = good()
	e.Files.Source = "elsewhere"
	require.NotEqual(t, before.Hash, a.Assess("x", e, now).Hash)
	require.NotEqual(t, before.Hash, a.Assess("y", good(), now).Hash)
	require.Equal(t, before.Hash, a.Assess("x", good(), now.Add(time.Second)).Hash)
	strict := Default().Checks[3]
	strict.Parameters = json.RawMessage(`{"max_age": {"checkpoint": "89d", "log": "365d"}}`)
	other, err := New(Config{Rules: Default().With(strict)})
	require.NoError(t, err)
	require.NotEqual(t, finding(t, before, strict.ID).Hash, finding(t, other.Assess("x", good(), now), strict.ID).Hash)
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		states []State
		want   State
	}{
		{nil, Unknown},
		{[]State{Pass}, Pass},
		{[]State{Pass, Manual}, Manual},
		{[]State{Manual, Unknown, Pass}, Unknown},
		{[]State{Unknown, Fail, Pass, Manual}, Fail}, // by text, UNKNOWN would come last
		{[]State{77}, 77},
	} {
		require.Equal(t, tt.want, Worst(tt.states...))
	}
	require.Equal(t, "UNKNOWN", State(77).String())
	a := newAssessor(t).Assess("x", Evidence{Run: Observe(Run{ID: "r"}, "m", testNow())}, testNow())
	require.Equal(t, Fail, a.State)
	ranked := a.Ranked()
	require.Equal(t, "pipeda-1-owner", ranked[0].Check)
	require.Equal(t, 10, ranked[1].Severity, "of equal states the most severe first")
	for _, x := range a.Articles() {
		require.Equal(t, Worst(statesOf(x.Findings)...), x.State)
	}
}

func statesOf(fs []Finding) (out []State) {
	for _, f := range fs {
		out = append(out, f.State)
	}
	return out
}

func TestOwnPredicates(t *testing.T) {
	t.Parallel()
	check := func(id, predicate string) Check {
		return Check{ID: id, Version: 1, Regulation: "House", Article: "1", Title: "t", Severity: 1, Predicate: predicate, Remaining: "nothing"}
	}
	test := func(f func(*View)) Predicate { return func(json.RawMessage) (Test, error) { return f, nil } }
	a, err := New(Config{
		Rules: Rules{Name: "house", Version: "1", MaxAge: "1h"}.With(check("own", "own"), check("silent", "silent"), check("panics", "panics"), check("many", "many"), check("worst", "worst")),
		Predicates: map[string]Predicate{
			"own": test(func(v *View) {
				if x, ok := v.Own("badge"); ok && string(x) != `"blue"` {
					v.Failf("badge %s", x)
				}
			}),
			"silent": test(func(*View) {}),
			"panics": test(func(*View) { panic(errors.New("secret of the record")) }),
			"many": test(func(v *View) {
				for i := range 50 {
					v.Failf("%d %s", i, strings.Repeat("long\n", 200))
				}
			}),
			"worst": test(func(v *View) { v.Failf("a"); v.Unknownf("b"); v.Manualf("c"); v.Notef("d") }),
		},
	})
	require.NoError(t, err)
	now := testNow()
	badge := func(s string) Evidence {
		return Evidence{Own: map[string]Fact[json.RawMessage]{"badge": Observe(json.RawMessage(s), "door", now)}}
	}
	got := a.Assess("x", badge(`"blue"`), now)
	require.Equal(t, Pass, finding(t, got, "own").State)
	require.Equal(t, Fail, finding(t, a.Assess("x", badge(`"red"`), now), "own").State)
	require.Equal(t, Unknown, finding(t, a.Assess("x", badge(`not JSON`), now), "own").State)
	require.Equal(t, Unknown, finding(t, a.Assess("x", Evidence{}, now), "own").State)
	require.Equal(t, Unknown, finding(t, got, "silent").State, "a check that looked at nothing")
	require.Equal(t, Unknown, finding(t, got, "panics").State)
	require.NotContains(t, fmt.Sprint(finding(t, got, "panics")), "secret of")
	many := finding(t, got, "many")
	require.Len(t, many.Reasons, 21)
	require.Equal(t, "and 30 more", many.Reasons[20].Text)
	require.NotContains(t, many.Reasons[0].Text, "\n")
	require.Less(t, len(many.Reasons[0].Text), 250)
	require.Equal(t, Fail, finding(t, got, "worst").State)
}

func BenchmarkAssess(b *testing.B) {
	a, e, now := newAssessor(b), good(), testNow()
	b.ReportAllocs()
	for b.Loop() {
		a.Assess("run-7", e, now)
	}
}
