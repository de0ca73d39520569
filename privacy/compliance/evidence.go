package compliance

import (
	"encoding/json"
	"time"
)

// Fact is a piece of evidence: a value, the moment at which it was observed, and where. The zero Fact is missing evidence; one with
// an empty Value is not, it says that there is nothing, such as no incident.
type Fact[T any] struct {
	// At is when the value was read from its source, not when it became true.
	At time.Time `json:"at"`
	// Source names a file, the head of a log, a system or a person. It is shown in results: no secrets.
	Source string `json:"source"`
	Value  T      `json:"value"`
}

// Observe returns a Fact.
func Observe[T any](value T, source string, at time.Time) Fact[T] {
	return Fact[T]{At: at, Source: source, Value: value}
}

// Evidence is what is known about one training run and what surrounds it. The caller fills what it has; what it leaves out is
// UNKNOWN where a rule needs it. It must not change while it is assessed. Results show names, sources, times, counts and digests of
// evidence, never URLs in full and never data of persons, which have no place in it.
type Evidence struct {
	Run        Fact[Run]           `json:"run,omitzero"`
	Datasets   Fact[[]Dataset]     `json:"datasets,omitzero"`
	Artifacts  Fact[[]Artifact]    `json:"artifacts,omitzero"`
	Files      Fact[[]File]        `json:"files,omitzero"`
	Log        Fact[Log]           `json:"log,omitzero"`
	Settings   Fact[Settings]      `json:"settings,omitzero"`
	Accounts   Fact[[]Account]     `json:"accounts,omitzero"`
	Processing Fact[Processing]    `json:"processing,omitzero"`
	Impact     Fact[Impact]        `json:"impact,omitzero"`
	Leakage    Fact[Leakage]       `json:"leakage,omitzero"`
	Models     Fact[[]Model]       `json:"models,omitzero"`
	Erasure    Fact[Absence]       `json:"erasure,omitzero"`
	OptOut     Fact[Absence]       `json:"opt_out,omitzero"`
	Requests   Fact[[]Request]     `json:"requests,omitzero"`
	Incidents  Fact[[]Incident]    `json:"incidents,omitzero"`
	Places     Fact[[]Place]       `json:"places,omitzero"`
	Endpoints  Fact[[]Endpoint]    `json:"endpoints,omitzero"`
	Actors     Fact[[]Actor]       `json:"actors,omitzero"`
	Digests    Fact[[]Digest]      `json:"digests,omitzero"`
	Scans      Fact[[]Scan]        `json:"scans,omitzero"`
	Quality    Fact[[]Quality]     `json:"quality,omitzero"`
	Published  Fact[[]Publication] `json:"published,omitzero"`
	// Own is evidence for the caller's own predicates, by a name in lower-case letters, digits and "_.-". Fields within a value have
	// any name, each given once.
	Own map[string]Fact[json.RawMessage] `json:"own,omitempty"`
}

// ParseEvidence reads Evidence from JSON in UTF-8, with known fields only, each given once and none of them null.
func ParseEvidence(data []byte) (Evidence, error) {
	var e Evidence
	if err := decode(data, &e); err != nil {
		return Evidence{}, err
	}
	return e, nil
}

// Run is the training run that is assessed.
type Run struct {
	ID      string `json:"id"`
	Purpose string `json:"purpose"`
	// Owner is who is accountable.
	Owner string `json:"owner"`
	Model string `json:"model"`
	// ModelChanged is when the design of the model, or what it is trained on, last changed.
	ModelChanged time.Time `json:"model_changed,omitzero"`
	// NewTechnology says that the run uses technology whose risks are not known yet.
	NewTechnology Answer `json:"new_technology,omitzero"`
	// SaleOrSharing says that the purpose is the sale or the sharing of personal information.
	SaleOrSharing Answer `json:"sale_or_sharing,omitzero"`
}

// Categories of a column.
const (
	CategoryNone     = "none"     // not about persons
	CategoryPersonal = "personal" // about persons
	CategorySpecial  = "special"  // as in GDPR article 9, or sensitive personal information
)

// Dataset is one that the run reads.
type Dataset struct {
	Name string `json:"name"`
	// Purposes are those for which it may be used.
	Purposes []string `json:"purposes,omitempty"`
	// Basis is the legal basis, such as "consent" or "contract".
	Basis string `json:"basis,omitempty"`
	// Condition is the condition under which special categories may be processed, such as "9(2)(a)".
	Condition string `json:"condition,omitempty"`
	// Consent refers to the record of the consent.
	Consent string `json:"consent,omitempty"`
	// Special says that reading special categories is intended.
	Special Answer `json:"special,omitzero"`
	// Subjects is the number of persons, 0 where it is not known.
	Subjects int64    `json:"subjects,omitempty"`
	Columns  []Column `json:"columns,omitempty"`
	Blocks   []Block  `json:"blocks,omitempty"`
}

// Column is one of a dataset.
type Column struct {
	Name string `json:"name"`
	// Category is one of the constants; a column without one has not been classified.
	Category string `json:"category,omitempty"`
	Declared bool   `json:"declared,omitempty"` // as needed for the purpose
	Read     bool   `json:"read,omitempty"`     // by the run
}

// Block is a part of a dataset that is kept and deleted together, such as the records of a month.
type Block struct {
	Name string `json:"name"`
	// Retain is when its retention ends.
	Retain time.Time `json:"retain,omitzero"`
	// Deleted is when it was deleted, zero while it exists.
	Deleted time.Time `json:"deleted,omitzero"`
	// Account is its account in the privacy ledger, empty if it has none.
	Account string `json:"account,omitempty"`
}

// Artifact is something that a run leaves behind.
type Artifact struct {
	Name string `json:"name"`
	// Kind is "checkpoint", "log" or another one that the parameters of the rule give a period to.
	Kind    string    `json:"kind"`
	Created time.Time `json:"created,omitzero"`
	Deleted time.Time `json:"deleted,omitzero"`
}

// File is a file with data of persons, a key, a log or a checkpoint.
type File struct {
	Name string `json:"name"`
	// Mode has the permission bits, as in fs.FileMode; 0 is not known.
	Mode uint32 `json:"mode"`
}

// Settings are those of the run.
type Settings struct {
	BudgetEnforced      Answer    `json:"budget_enforced,omitzero"`      // a step that no longer fits the budget is refused
	DifferentialPrivacy Answer    `json:"differential_privacy,omitzero"` // on
	SecureNoise         Answer    `json:"secure_noise,omitzero"`         // drawn from a cryptographic source, on a grid
	ClipNorm            float64   `json:"clip_norm,omitempty"`           // largest contribution of a record
	EncryptedAtRest     Answer    `json:"encrypted_at_rest,omitzero"`
	Redaction           Answer    `json:"redaction,omitzero"`           // of secrets and personal data in logs
	RestoreTested       time.Time `json:"restore_tested,omitzero"`      // last test of a restore after a crash that succeeded
	NoReidentification  Answer    `json:"no_reidentification,omitzero"` // the pledge not to re-identify has been made
	FixedSeed           Answer    `json:"fixed_seed,omitzero"`          // the noise can be drawn again, and so protects nothing
}

// Account is one of the privacy ledger.
type Account struct {
	Name string `json:"name"`
	// Spent and Limit bound the epsilon, in nats, with what is reserved counted as spent.
	Spent float64 `json:"spent"`
	Limit float64 `json:"limit"`
	Delta float64 `json:"delta"`
	// Retired says that nothing more can be charged.
	Retired Answer `json:"retired,omitzero"`
}

// Impact refers to a data protection impact assessment.
type Impact struct {
	Reference string    `json:"reference"`
	Date      time.Time `json:"date,omitzero"`
}

// Leakage is the result of an empirical privacy audit.
type Leakage struct {
	Method     string  `json:"method"`
	Lower      float64 `json:"lower"`      // bound on epsilon, in nats
	Confidence float64 `json:"confidence"` // of Lower, in (0, 1)
	FPR        float64 `json:"fpr"`        // at which TPR was measured
	TPR        float64 `json:"tpr"`
}

// Model is a trained model, with what it was trained on.
type Model struct {
	ID       string    `json:"id"`
	Run      string    `json:"run"`
	Trained  time.Time `json:"trained,omitzero"`
	Datasets []string  `json:"datasets,omitempty"`
}

// Place is where data lies or is computed on.
type Place struct {
	Use     string `json:"use"`     // "data" or "compute"
	Name    string `json:"name"`    // such as the region of a provider
	Country string `json:"country"` // ISO 3166-1 alpha-2
}

// Endpoint is a remote service that was called.
type Endpoint struct {
	URL string `json:"url"`
	// TLS is the version that was negotiated, as in crypto/tls (0x0303 is 1.2), 0 where it is not known.
	TLS uint16 `json:"tls,omitempty"`
}

// Actor is somebody, or something, that started or changed a run.
type Actor struct {
	ID     string `json:"id"`
	Shared Answer `json:"shared,omitzero"` // by several persons
	Method string `json:"method"`          // of authentication
}

// Digest is that of data or a model, in the manifest and as read, in 32 or more hexadecimal digits. Name is that of a dataset or a model.
type Digest struct {
	Name     string `json:"name"`
	Manifest string `json:"manifest"`
	Start    string `json:"start"` // of the run
	End      string `json:"end"`
}

// Scan is the result of the detectors of identifiers on one dataset.
type Scan struct {
	Dataset  string `json:"dataset"`
	Detector string `json:"detector"` // with its version
	Complete bool   `json:"complete"` // all rows and columns were read
	Rows     int64  `json:"rows"`
	// Counts has every kind that was looked for, with the number found.
	Counts map[string]int64 `json:"counts"`
}

// Quality counts bad records of a dataset.
type Quality struct {
	Dataset     string `json:"dataset"`
	Rows        int64  `json:"rows"`
	Nulls       int64  `json:"nulls"`        // rows with a value missing
	Duplicates  int64  `json:"duplicates"`   // rows that repeat another
	LabelErrors int64  `json:"label_errors"` // rows with a label that is wrong or contradicted
}

// Publication is a report that others can read.
type Publication struct {
	Name      string    `json:"name"`
	Reference string    `json:"reference"`
	Published time.Time `json:"published,omitzero"`
}
