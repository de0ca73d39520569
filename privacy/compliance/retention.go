package compliance

import (
	"slices"
	"strings"
	"time"
)

// retentionKept is GDPR 5(1)(e) for data: before the end of its retention, or deleted.
func retentionKept(v *View) {
	datasets, ok := v.Datasets()
	if !ok || !some(v, datasets, "dataset") {
		return
	}
	for _, d := range datasets {
		if len(d.Blocks) == 0 {
			v.Unknownf("dataset %s: blocks not known", quoted(d.Name))
		}
		for _, b := range d.Blocks {
			switch {
			case b.Deleted.After(v.now.Add(maxSkew)):
				v.Unknownf("dataset %s, block %s: deleted in the future", quoted(d.Name), quoted(b.Name))
			case !b.Deleted.IsZero():
			case b.Retain.IsZero():
				v.Unknownf("dataset %s, block %s: end of retention not known", quoted(d.Name), quoted(b.Name))
			case !v.now.Before(b.Retain):
				v.Failf("dataset %s, block %s: retention ended at %s", quoted(d.Name), quoted(b.Name), b.Retain.UTC().Format(time.RFC3339))
			}
		}
	}
}

type artifactsExpired struct {
	MaxAge map[string]string `json:"max_age"` // by kind

	ages map[string]time.Duration
}

func (p *artifactsExpired) check() error {
	if len(p.MaxAge) == 0 {
		return invalid("parameters' max_age", 0, "a period by kind of artifact")
	}
	p.ages = make(map[string]time.Duration)
	for kind, age := range p.MaxAge {
		d, err := parseAge(age)
		if err != nil {
			return err
		}
		p.ages[kind] = d
	}
	return nil
}

// artifactsKept is GDPR 5(1)(e) for what a run leaves behind.
func artifactsKept(v *View, p artifactsExpired) {
	artifacts, ok := v.Artifacts()
	if !ok {
		return
	}
	for _, a := range artifacts {
		age, known := p.ages[a.Kind]
		switch {
		case a.Deleted.After(v.now.Add(maxSkew)) || a.Created.After(v.now.Add(maxSkew)):
			v.Unknownf("%s %s: has a moment in the future", clip(a.Kind), quoted(a.Name))
		case !a.Deleted.IsZero() && a.Deleted.Before(a.Created):
			v.Unknownf("%s %s: deleted before it was created", clip(a.Kind), quoted(a.Name))
		case !a.Deleted.IsZero():
		case !known:
			v.Unknownf("artifact %s: no period for kind %s", quoted(a.Name), quoted(a.Kind))
		case a.Created.IsZero():
			v.Unknownf("%s %s: not known since when", a.Kind, quoted(a.Name))
		case !v.now.Before(a.Created.Add(age)):
			v.Failf("%s %s: older than %s", a.Kind, quoted(a.Name), p.MaxAge[a.Kind])
		}
	}
	v.Notef("%d artifacts", len(artifacts))
}

// accountsRetired: nothing more can be charged to blocks that are over. What they spent stays spent.
func accountsRetired(v *View) {
	datasets, ok := v.Datasets()
	accounts, also := v.Accounts()
	if !ok || !also || !some(v, datasets, "dataset") {
		return
	}
	var over []string
	open := make(map[string]bool) // has a block that is not over, as RetireExpired counts them
	for _, d := range datasets {
		if len(d.Blocks) == 0 {
			v.Unknownf("dataset %s: blocks not known", quoted(d.Name))
		}
		for _, b := range d.Blocks {
			switch {
			case b.Account == "":
			case b.over(v.now) != "":
				over = append(over, b.Account)
			default:
				open[b.Account] = true
				if b.Retain.IsZero() {
					v.Unknownf("dataset %s, block %s: end of retention not known", quoted(d.Name), quoted(b.Name))
				}
			}
		}
	}
	slices.Sort(over)
	over = slices.DeleteFunc(slices.Compact(over), func(name string) bool { return open[name] })
	for _, name := range over {
		known := false
		for _, a := range accounts {
			if a.Name == name {
				known = true
				v.must(a.Retired, Yes, "account "+quoted(name)+" is retired, as its block is over")
			}
		}
		if !known {
			v.Unknownf("account %s: not known", quoted(name))
		}
	}
	v.Notef("%d accounts of blocks that are over", len(over))
}

// absent is what erasure and opt-out have in common. Kind is that of the requests that put somebody on the list.
func (v *View) absent(a Absence, run Run, what, kind string) {
	if a.Found < 0 || a.Found == 0 && len(a.Places) > 0 {
		v.Unknownf("%s found %d times, in %d places", what, a.Found, len(a.Places))
	}
	if a.Found > 0 {
		var where []string
		for _, p := range a.Places {
			where = append(where, p.Run)
		}
		v.Failf("%s found %d times in batches, of runs %s", what, a.Found, names(slices.Compact(where)))
	}
	switch {
	case a.List == "":
		v.Unknownf("no list was checked")
	case a.Listed == 0:
		v.Notef("nobody is listed")
		requests, _ := v.Requests()
		for _, r := range requests {
			if r.Kind == kind && !r.Answered.IsZero() {
				v.Unknownf("%s request %s was answered, and nobody is listed", kind, quoted(r.ID))
			}
		}
	case !a.Complete || a.Manifest == "":
		v.Unknownf("the manifests of batches were not read to their end")
	case !slices.Contains(a.Runs, run.ID):
		v.Unknownf("run %s is in no manifest that was read", quoted(run.ID))
	default:
		v.Notef("%d persons, %d batches with %d entries", a.Listed, a.Batches, a.IDs)
		if a.Gaps != 0 {
			v.Manualf("%d numbers of batches are not in the manifests", a.Gaps)
		}
	}
}

// erasedAbsent is GDPR 17.
func erasedAbsent(v *View) {
	a, ok := v.Erasure()
	run, also := v.Run()
	if !ok || !also {
		return
	}
	v.absent(a, run, "erased persons", "deletion")
	if len(a.Earlier) == 0 {
		return
	}
	models, ok := v.Models()
	if !ok {
		return
	}
	var before, without []string
	for _, m := range models {
		if slices.Contains(a.Earlier, m.Run) {
			before = append(before, m.ID)
		}
	}
	for _, name := range a.Earlier {
		if !slices.ContainsFunc(models, func(m Model) bool { return m.Run == name }) {
			without = append(without, name)
		}
	}
	if len(without) > 0 {
		v.Unknownf("not known which models come from runs that read persons who were erased later: %s", names(without))
	}
	if len(before) > 0 {
		v.Manualf("trained on persons who were erased later, to be assessed: %s", names(before))
	}
}

// optedOutAbsent is CCPA 1798.120 and .121.
func optedOutAbsent(v *View) {
	run, ok := v.Run()
	if !ok {
		return
	}
	switch run.SaleOrSharing {
	case No:
		v.Notef("no sale or sharing")
	case Unanswered:
		v.Unknownf("not known whether information is sold or shared")
	default:
		if a, ok := v.OptOut(); ok {
			v.absent(a, run, "persons who opted out", "opt_out")
		}
	}
}

// lineageKnown is PIPEDA principle 9: it is known which run made which model from what.
func lineageKnown(v *View) {
	models, ok := v.Models()
	if !ok || !some(v, models, "model") {
		return
	}
	for _, m := range models {
		if strings.TrimSpace(m.Run) == "" || len(m.Datasets) == 0 || m.Trained.IsZero() {
			v.Failf("model %s: without its run, its datasets or its date", quoted(m.ID))
		}
	}
}
