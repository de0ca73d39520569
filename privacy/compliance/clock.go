package compliance

import (
	"slices"
	"strings"
	"time"
)

// Clock is the time within which something has to be answered. Periods are elapsed time from the second of receipt, a day being 24
// hours, so that neither time zones nor daylight saving time move a deadline. Periods of a law that are counted in days of a calendar
// mostly end later, at the end of the last day.
type Clock struct {
	Period time.Duration
	// Extension is added if a notice of it was given within Period.
	Extension time.Duration
}

// Due returns the last moment of an answer in time. Extended is when notice of an extension was given, zero for none; one after the
// period has ended extends nothing.
func (c Clock) Due(received, extended time.Time) time.Time {
	due := received.Add(c.Period)
	if !extended.IsZero() && !extended.Before(received) && !extended.After(due) {
		due = due.Add(c.Extension)
	}
	return due
}

// Overdue reports whether the answer, zero if there is none at now, came after Due, or has not come by then.
func (c Clock) Overdue(received, extended, answered, now time.Time) bool {
	if answered.IsZero() {
		answered = now
	}
	return answered.After(c.Due(received, extended))
}

// Request is one of a person, under an identifier that names nobody.
type Request struct {
	ID string `json:"id"`
	// Kind is "access", "deletion", "correction", "opt_out", "challenge" or another one that rules name; any other is UNKNOWN.
	Kind     string    `json:"kind"`
	Received time.Time `json:"received,omitzero"`
	Extended time.Time `json:"extended,omitzero"` // when notice of an extension was given
	Answered time.Time `json:"answered,omitzero"`
	// Receipts are those of service providers and others who hold the data, for deletions.
	Receipts []Receipt `json:"receipts,omitempty"`
}

// Receipt says that somebody who was given data has deleted it, too.
type Receipt struct {
	Processor    string    `json:"processor"`
	Acknowledged time.Time `json:"acknowledged,omitzero"`
}

// Incident is a breach of personal data.
type Incident struct {
	ID string `json:"id"`
	// Detected is when the controller became aware of it.
	Detected time.Time `json:"detected,omitzero"`
	Notified time.Time `json:"notified,omitzero"` // to the authority
}

// timely says whether something was, or can still be, answered in time.
func (v *View) timely(c Clock, what, id string, received, extended, answered time.Time) {
	for _, t := range []time.Time{received, extended, answered} {
		if t.After(v.now.Add(maxSkew)) {
			v.Unknownf("%s %s: has a moment in the future", what, quoted(id))
			return
		}
	}
	switch {
	case received.IsZero():
		v.Unknownf("%s %s: not known since when", what, quoted(id))
	case !answered.IsZero() && answered.Before(received):
		v.Unknownf("%s %s: answered before it was received", what, quoted(id))
	case c.Overdue(received, extended, answered, v.now):
		due := c.Due(received, extended).UTC().Format(time.RFC3339)
		if answered.IsZero() {
			v.Failf("%s %s: overdue since %s", what, quoted(id), due)
		} else {
			v.Failf("%s %s: late, it was due by %s", what, quoted(id), due)
		}
	case answered.IsZero():
		v.Notef("%s %s: due by %s", what, quoted(id), c.Due(received, extended).UTC().Format(time.RFC3339))
	}
}

type requestClock struct {
	Kinds         []string `json:"kinds"`
	Others        []string `json:"others"` // kinds of the caller's that are of another check
	Days          int      `json:"days"`
	ExtensionDays int      `json:"extension_days"`
}

func (p *requestClock) check() error {
	if len(p.Kinds) == 0 || p.Days < 1 || p.Days > 3660 || p.ExtensionDays < 0 || p.ExtensionDays > 3660 {
		return invalid("parameters", "requests_in_time", "kinds, days from 1 to 3660, and extension_days from 0 to 3660")
	}
	return nil
}

func requestsInTime(v *View, p requestClock) {
	requests, ok := v.Requests()
	if !ok {
		return
	}
	c := Clock{Period: time.Duration(p.Days) * 24 * time.Hour, Extension: time.Duration(p.ExtensionDays) * 24 * time.Hour}
	n := 0
	for _, r := range requests {
		if slices.Contains(p.Kinds, r.Kind) {
			v.timely(c, r.Kind+" request", r.ID, r.Received, r.Extended, r.Answered)
			n++
		} else {
			v.kindKnown(r, p.Others)
		}
	}
	v.Notef("%d requests of %s", n, names(p.Kinds))
}

// kindKnown says where the kind of a request is none that some check looks at.
func (v *View) kindKnown(r Request, others []string) {
	switch r.Kind {
	case "access", "deletion", "correction", "opt_out", "challenge":
	default:
		if r.Kind == "" || !slices.Contains(others, r.Kind) {
			v.Unknownf("request %s: of kind %s, which is not known", quoted(r.ID), quoted(r.Kind))
		}
	}
}

type requestKinds struct {
	Others []string `json:"others"`
}

func (*requestKinds) check() error { return nil }

type incidentClock struct {
	Hours int `json:"hours"`
}

func (p *incidentClock) check() error {
	if p.Hours < 1 || p.Hours > 8760 {
		return invalid("parameters' hours", p.Hours, "1 to 8760")
	}
	return nil
}

func incidentsNotified(v *View, p incidentClock) {
	incidents, ok := v.Incidents()
	if !ok {
		return
	}
	for _, i := range incidents {
		v.timely(Clock{Period: time.Duration(p.Hours) * time.Hour}, "incident", i.ID, i.Detected, time.Time{}, i.Notified)
	}
	v.Notef("%d incidents", len(incidents))
}

// processorsAcknowledged is CCPA 1798.105(c): a deletion is passed on to those who were given the data.
func processorsAcknowledged(v *View, also requestKinds) {
	requests, ok := v.Requests()
	if !ok {
		return
	}
	n := 0
	for _, r := range requests {
		if r.Kind != "deletion" || r.Answered.IsZero() {
			v.kindKnown(r, also.Others)
			continue
		}
		n++
		if len(r.Receipts) == 0 {
			v.Unknownf("deletion %s: not known who was given the data", quoted(r.ID))
		}
		for _, p := range r.Receipts {
			switch {
			case strings.TrimSpace(p.Processor) == "":
				v.Unknownf("deletion %s: a receipt does not say of whom", quoted(r.ID))
			case p.Acknowledged.IsZero():
				v.Failf("deletion %s: not acknowledged by %s", quoted(r.ID), quoted(p.Processor))
			case p.Acknowledged.Before(r.Received) || p.Acknowledged.After(v.now.Add(maxSkew)):
				v.Unknownf("deletion %s: acknowledged by %s before it was received, or in the future", quoted(r.ID), quoted(p.Processor))
			}
		}
	}
	v.Notef("%d deletions answered", n)
}
