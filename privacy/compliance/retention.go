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
	n := 0
	for _, d := range datasets {
		if len(d.Blocks) == 0 {
			v.Unknownf("dataset %s: blocks not known", quoted(d.Name))
		}
		for _, b := range d.Blocks {
			if b.Account == "" || b.over(v.now) == "" {
				continue
			}
			n++
			i := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == b.Account })
			if i < 0 {
				v.Unknownf("account %s: not known", quoted(b.Account))
				continue
			}
			v.must(accounts[i].Retired, Yes, "account "+quoted(b.Account)+" is retired, as its block is over")
		}
	}
	v.Notef("%d accounts of blocks that are over", n)
}

// absent is what erasure and opt-out have in common.
func (v *View) absent(a Absence, run Run, what string) {
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
	case !a.Complete || a.Manifest == "":
		v.Unknownf("the manifests of batches were not read to their end")
	case !slices.Contains(a.Runs, run.ID):
		v.Unknownf("run %s is in no manifest that was read", quoted(run.ID))
	default:
		v.Notef("%d persons, %d batches with %d entries", a.Listed, a.Batches, a.IDs)
	}
}

// erasedAbsent is GDPR 17.
func erasedAbsent(v *View) {
	a, ok := v.Erasure()
	run, also := v.Run()
	if !ok || !also {
		return
	}
	v.absent(a, run, "erased persons")
	if len(a.Earlier) == 0 {
		return
	}
	models, ok := v.Models()
	if !ok {
		return
	}
	var before []string
	for _, m := range models {
		if slices.Contains(a.Earlier, m.Run) {
			before = append(before, m.ID)
		}
	}
	if len(before) > 0 {
		v.Notef("trained on persons who were erased later, to be assessed: %s", names(before))
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
			v.absent(a, run, "persons who opted out")
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
