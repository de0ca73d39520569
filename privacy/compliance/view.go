package compliance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
)

const (
	maxReasons = 20          // of a finding; the rest is counted
	maxSkew    = time.Minute // that the clock of a source may be ahead
)

// Reason is something that a check saw.
type Reason struct {
	// State is what it makes of the finding; Pass for a note that changes nothing.
	State State  `json:"state"`
	Text  string `json:"text"`
}

// Used is evidence that a check looked at.
type Used struct {
	Name   string    `json:"name"`
	Source string    `json:"source,omitempty"`
	At     time.Time `json:"at,omitzero"`
	// Digest is the SHA-256 of the source and the value, in hexadecimal; empty if the evidence was missing or not representable.
	Digest string `json:"digest,omitempty"`
}

// View is what a predicate sees: the moment and the evidence. It hands out what is there and fresh; asking for anything else makes
// the finding UNKNOWN, with the reason, unless the predicate finds a failure in the rest. A predicate that says nothing passes, if
// it has looked at evidence. What it says is shown: names and counts, never data of persons, and nothing that changes with the clock
// alone, such as an age, or a Monitor will report it as a change.
type View struct {
	evidence *Evidence
	digests  map[string]string // shared by the checks of one assessment; empty for evidence that has none
	now      time.Time
	maxAge   time.Duration

	state   State
	said    bool // anything but notes
	asked   map[string]bool
	used    []Used
	reasons []Reason
	dropped int
	worst   State     // of the dropped
	all     hash.Hash // of what was said, notes aside; nil for nothing
}

// Now is the moment of the assessment.
func (v *View) Now() time.Time { return v.now }

// Failf says that the evidence contradicts the rule.
func (v *View) Failf(format string, args ...any) { v.say(Fail, format, args...) }

// Unknownf says that something that the rule needs is not known.
func (v *View) Unknownf(format string, args ...any) { v.say(Unknown, format, args...) }

// Manualf says that a human has to decide.
func (v *View) Manualf(format string, args ...any) { v.say(Manual, format, args...) }

// Notef says something that does not change the state.
func (v *View) Notef(format string, args ...any) { v.reason(Pass, format, args...) }

func (v *View) say(s State, format string, args ...any) {
	if !v.said || s.Worse(v.state) {
		v.state = s
	}
	v.said = true
	if v.all == nil {
		v.all = sha256.New()
	}
	full := slices.Clone(args)
	for i, a := range args {
		if list, ok := a.(names); ok { // which shows the first alone
			full[i] = fmt.Sprintf("%q", []string(list))
		}
	}
	fmt.Fprintf(v.all, "%v %q\n", s, fmt.Sprintf(format, full...))
	v.reason(s, format, args...)
}

func (v *View) reason(s State, format string, args ...any) {
	r := Reason{s, clip(fmt.Sprintf(format, args...))}
	if len(v.reasons) < maxReasons {
		v.reasons = append(v.reasons, r)
		return
	}
	least := maxReasons - 1 // the last of the least bad
	for i := least; i >= 0; i-- {
		if v.reasons[least].State.Worse(v.reasons[i].State) {
			least = i
		}
	}
	gone := s
	if s.Worse(v.reasons[least].State) {
		gone = v.reasons[least].State
		v.reasons = append(slices.Delete(v.reasons, least, least+1), r)
	}
	if v.dropped == 0 || gone.Worse(v.worst) {
		v.worst = gone
	}
	v.dropped++
}

// result is the state of the finding and its reasons.
func (v *View) result() (State, []Reason) {
	if !v.said {
		if len(v.used) == 0 {
			v.say(Unknown, "the check looked at no evidence")
		} else {
			v.state = Pass
		}
	}
	if v.dropped > 0 {
		v.reasons = append(v.reasons, Reason{v.worst, fmt.Sprintf("and %d more", v.dropped)})
	}
	return v.state, v.reasons
}

// use returns the value of a fact that is there, fresh and has a digest; else it says what is wrong.
func use[T any](v *View, name string, f Fact[T]) (value T, ok bool) {
	if f.At.IsZero() {
		v.once(Used{Name: name}, "%s: missing", name)
		return value, false
	}
	sum, known := v.digests[name]
	if !known {
		if representable(reflect.ValueOf(f.Source)) && representable(reflect.ValueOf(f.Value)) {
			sum = digest(f.Source, f.Value)
		}
		v.digests[name] = sum
	}
	u := Used{Name: name, Source: clip(f.Source), At: f.At.Round(0).UTC(), Digest: sum}
	if u.At.Year() > 9999 {
		u.At = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) // as JSON has no later one
	}
	switch age := v.now.Sub(f.At); {
	case age < -maxSkew:
		v.once(u, "%s: observed in the future", name)
		return value, false
	case age > v.maxAge:
		v.once(u, "%s: observed more than %v ago", name, v.maxAge)
		return value, false
	case sum == "":
		v.once(u, "%s: not representable, such as NaN, text that is not UTF-8 or a year above 9999", name)
		return value, false
	}
	v.once(u, "")
	return f.Value, true
}

// representable reports whether JSON tells a value from all others: it has one replacement for all text that is not UTF-8, and no
// seconds in the offset of a zone.
func representable(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return utf8.Valid(v.Bytes())
		}
		for i := range v.Len() {
			if !representable(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if !representable(it.Key()) || !representable(it.Value()) {
				return false
			}
		}
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			_, offset := t.Zone()
			return offset%60 == 0
		}
		for i := range v.NumField() {
			if !representable(v.Field(i)) {
				return false
			}
		}
	}
	return true
}

// once notes that evidence was asked for, and says what is wrong with it the first time.
func (v *View) once(u Used, format string, args ...any) {
	if v.asked[u.Name] {
		return
	}
	if v.asked == nil {
		v.asked = make(map[string]bool)
	}
	v.asked[u.Name] = true
	v.used = append(v.used, u)
	if format != "" {
		v.Unknownf(format, args...)
	}
}

// digest is the SHA-256 of a source and a value as JSON, or empty if the value has none.
func digest(source string, value any) string {
	data, err := json.Marshal(struct {
		Source string `json:"source"`
		Value  any    `json:"value"`
	}{source, value})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Run returns that evidence, as the methods that follow do: ok is false, and the finding UNKNOWN, where it is missing or stale.
func (v *View) Run() (value Run, ok bool)            { return use(v, "run", v.evidence.Run) }
func (v *View) Datasets() (value []Dataset, ok bool) { return use(v, "datasets", v.evidence.Datasets) }
func (v *View) Artifacts() (value []Artifact, ok bool) {
	return use(v, "artifacts", v.evidence.Artifacts)
}
func (v *View) Files() (value []File, ok bool)       { return use(v, "files", v.evidence.Files) }
func (v *View) Log() (value Log, ok bool)            { return use(v, "log", v.evidence.Log) }
func (v *View) Settings() (value Settings, ok bool)  { return use(v, "settings", v.evidence.Settings) }
func (v *View) Accounts() (value []Account, ok bool) { return use(v, "accounts", v.evidence.Accounts) }
func (v *View) Processing() (value Processing, ok bool) {
	return use(v, "processing", v.evidence.Processing)
}
func (v *View) Impact() (value Impact, ok bool)      { return use(v, "impact", v.evidence.Impact) }
func (v *View) Leakage() (value Leakage, ok bool)    { return use(v, "leakage", v.evidence.Leakage) }
func (v *View) Models() (value []Model, ok bool)     { return use(v, "models", v.evidence.Models) }
func (v *View) Erasure() (value Absence, ok bool)    { return use(v, "erasure", v.evidence.Erasure) }
func (v *View) OptOut() (value Absence, ok bool)     { return use(v, "opt_out", v.evidence.OptOut) }
func (v *View) Requests() (value []Request, ok bool) { return use(v, "requests", v.evidence.Requests) }
func (v *View) Incidents() (value []Incident, ok bool) {
	return use(v, "incidents", v.evidence.Incidents)
}
func (v *View) Places() (value []Place, ok bool) { return use(v, "places", v.evidence.Places) }
func (v *View) Endpoints() (value []Endpoint, ok bool) {
	return use(v, "endpoints", v.evidence.Endpoints)
}
func (v *View) Actors() (value []Actor, ok bool)    { return use(v, "actors", v.evidence.Actors) }
func (v *View) Digests() (value []Digest, ok bool)  { return use(v, "digests", v.evidence.Digests) }
func (v *View) Scans() (value []Scan, ok bool)      { return use(v, "scans", v.evidence.Scans) }
func (v *View) Quality() (value []Quality, ok bool) { return use(v, "quality", v.evidence.Quality) }
func (v *View) Published() (value []Publication, ok bool) {
	return use(v, "published", v.evidence.Published)
}

// Own returns evidence of the caller's, by its name.
func (v *View) Own(name string) (value json.RawMessage, ok bool) {
	return use(v, "own."+clip(name), v.evidence.Own[name])
}
