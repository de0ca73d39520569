package compliance

import (
	"slices"
	"strings"
	"time"
)

// purposeAllowed is GDPR 5(1)(b).
func purposeAllowed(v *View) {
	run, ok := v.Run()
	datasets, also := v.Datasets()
	if !ok || !also || !some(v, datasets, "dataset") {
		return
	}
	if strings.TrimSpace(run.Purpose) == "" {
		v.Failf("run %s has no purpose", quoted(run.ID))
		return
	}
	for _, d := range datasets {
		if !slices.Contains(d.Purposes, run.Purpose) {
			v.Failf("dataset %s: purpose %s is none of those allowed", quoted(d.Name), quoted(run.Purpose))
		}
	}
}

// columnsNeeded is GDPR 5(1)(c): what is read was declared as needed, and nothing of a special category is read unannounced.
func columnsNeeded(v *View) {
	datasets, ok := v.Datasets()
	if !ok || !some(v, datasets, "dataset") {
		return
	}
	for _, d := range datasets {
		if len(d.Columns) == 0 {
			v.Unknownf("dataset %s: columns not known", quoted(d.Name))
		}
		var extra, unused, unclassified []string
		special, read := false, false
		for _, c := range d.Columns {
			read = read || c.Read
			switch {
			case c.Read && !c.Declared:
				extra = append(extra, c.Name)
			case !c.Read && c.Declared:
				unused = append(unused, c.Name)
			}
			switch c.Category {
			case CategoryNone, CategoryPersonal:
			case CategorySpecial:
				special = special || c.Read
			default:
				if c.Read {
					unclassified = append(unclassified, c.Name)
				}
			}
		}
		if len(d.Columns) > 0 && !read {
			v.Unknownf("dataset %s: no column is read, or not known which", quoted(d.Name))
		}
		if len(extra) > 0 {
			v.Failf("dataset %s: read but not declared as needed: %s", quoted(d.Name), names(extra))
		}
		if len(unclassified) > 0 {
			v.Unknownf("dataset %s: no category: %s", quoted(d.Name), names(unclassified))
		}
		if special && d.Special != Yes {
			v.Failf("dataset %s: a special category is read without being announced", quoted(d.Name))
		}
		if len(unused) > 0 {
			v.Notef("dataset %s: declared as needed but not read: %s", quoted(d.Name), names(unused))
		}
	}
}

// special reports whether the dataset has special categories, as far as its columns say.
func (d Dataset) special() (yes, known bool) {
	if d.Special == Yes {
		return true, true
	}
	known = len(d.Columns) > 0
	for _, c := range d.Columns {
		switch c.Category {
		case CategorySpecial:
			return true, true
		case CategoryNone, CategoryPersonal:
		default:
			known = false
		}
	}
	return false, known
}

type legalBasis struct {
	Bases []string `json:"bases"`
}

func (p *legalBasis) check() error {
	if len(p.Bases) == 0 {
		return invalid("parameters' bases", 0, "1 or more")
	}
	return nil
}

// legalBasisNamed is GDPR 6 and 9.
func legalBasisNamed(v *View, p legalBasis) {
	datasets, ok := v.Datasets()
	if !ok || !some(v, datasets, "dataset") {
		return
	}
	for _, d := range datasets {
		if !slices.Contains(p.Bases, d.Basis) {
			v.Failf("dataset %s: legal basis %s is none of %s", quoted(d.Name), quoted(d.Basis), names(p.Bases))
		}
		if special, known := d.special(); special && strings.TrimSpace(d.Condition) == "" {
			v.Failf("dataset %s: special categories without a condition of article 9(2)", quoted(d.Name))
		} else if !known {
			v.Unknownf("dataset %s: not known whether it has special categories", quoted(d.Name))
		}
	}
}

// consentRecorded is PIPEDA principle 3.
func consentRecorded(v *View) {
	datasets, ok := v.Datasets()
	if !ok || !some(v, datasets, "dataset") {
		return
	}
	for _, d := range datasets {
		if strings.TrimSpace(d.Consent) == "" {
			v.Failf("dataset %s: no record of consent", quoted(d.Name))
		}
	}
}

// ownerNamed is PIPEDA principle 1.
func ownerNamed(v *View) {
	if run, ok := v.Run(); ok && strings.TrimSpace(run.Owner) == "" {
		v.Failf("run %s has no owner", quoted(run.ID))
	}
}

type placesAllowed struct {
	Countries []string `json:"countries"`
}

func (p *placesAllowed) check() error {
	for _, c := range p.Countries {
		if len(c) != 2 || strings.ToUpper(c) != c {
			return invalid("parameters' countries", quoted(c), "ISO 3166-1 alpha-2 codes")
		}
	}
	if len(p.Countries) == 0 {
		return invalid("parameters' countries", 0, "1 or more")
	}
	return nil
}

// inPlaces is GDPR 44 to 49.
func inPlaces(v *View, p placesAllowed) {
	places, ok := v.Places()
	if !ok {
		return
	}
	for _, use := range []string{"data", "compute"} {
		if !slices.ContainsFunc(places, func(x Place) bool { return x.Use == use }) {
			v.Unknownf("no place of %s named", use)
		}
	}
	for _, x := range places {
		switch country := strings.ToUpper(strings.TrimSpace(x.Country)); {
		case country == "":
			v.Unknownf("%s in %s: country not known", clip(x.Use), quoted(x.Name))
		case !slices.Contains(p.Countries, country):
			v.Failf("%s in %s: country %s is not on the list", clip(x.Use), quoted(x.Name), quoted(country))
		}
	}
}

type impactAssessed struct {
	LargeScale int64   `json:"large_scale"` // persons
	MaxFPR     float64 `json:"max_fpr"`
}

func (p *impactAssessed) check() error {
	if p.LargeScale < 1 || !(p.MaxFPR > 0 && p.MaxFPR < 1) {
		return invalid("parameters", "impact_assessed", "large_scale from 1 on and max_fpr in (0, 1)")
	}
	return nil
}

// impactKnown is GDPR 35: where something triggers an assessment, there is one that is not older than the model, with what an audit
// found at a low false positive rate.
func impactKnown(v *View, p impactAssessed) {
	run, ok := v.Run()
	datasets, also := v.Datasets()
	if !ok || !also || !some(v, datasets, "dataset") {
		return
	}
	triggers, open := triggersOf(run, datasets, p.LargeScale)
	if len(triggers) == 0 {
		for _, what := range open {
			v.Unknownf("not known: %s", what)
		}
		if len(open) == 0 {
			v.Notef("nothing that the rule knows triggers an assessment")
		}
		return
	}
	v.Notef("triggered by %s", strings.Join(triggers, "; "))
	if impact, ok := v.Impact(); ok {
		switch {
		case strings.TrimSpace(impact.Reference) == "" || impact.Date.IsZero():
			v.Failf("no assessment, or one without a date")
		case impact.Date.After(v.now.Add(maxSkew)):
			v.Unknownf("the assessment is dated in the future")
		case run.ModelChanged.IsZero():
			v.Unknownf("not known when the model last changed")
		case impact.Date.Before(run.ModelChanged):
			v.Failf("the assessment of %s is older than the model of %s", day(impact.Date), day(run.ModelChanged))
		}
	}
	if l, ok := v.Leakage(); ok {
		if strings.TrimSpace(l.Method) == "" || !(l.Confidence > 0 && l.Confidence < 1) || l.Lower < 0 || l.TPR < 0 || l.TPR > 1 {
			v.Unknownf("the privacy audit has no method, confidence, bound or rate")
		} else if !(l.FPR > 0 && l.FPR <= p.MaxFPR) {
			v.Unknownf("the privacy audit has no rate at a false positive rate of %v or less", p.MaxFPR)
		} else {
			v.Notef("%s: epsilon >= %.4g with confidence %v; true positive rate %.4g at a false positive rate of %v", clip(l.Method), l.Lower, l.Confidence, l.TPR, l.FPR)
			v.plausible(l)
		}
	}
}

// plausible compares what an audit found with what the ledger says: a lower bound on what was spent above an upper one refutes it.
func (v *View) plausible(l Leakage) {
	accounts, ok := v.Accounts()
	if !ok || !some(v, accounts, "account") {
		return
	}
	most := 0.
	for _, a := range accounts {
		most = max(most, a.Spent)
	}
	if !(l.Lower <= most) {
		v.Failf("the privacy audit found epsilon >= %.4g, no account says that more than %.4g was spent", l.Lower, most)
	}
}

func triggersOf(run Run, datasets []Dataset, large int64) (triggers, open []string) {
	switch run.NewTechnology {
	case Yes:
		triggers = append(triggers, "new technology")
	case Unanswered:
		open = append(open, "whether new technology is used")
	}
	for _, d := range datasets {
		if special, known := d.special(); special {
			triggers = append(triggers, "special categories in "+quoted(d.Name))
		} else if !known {
			open = append(open, "whether "+quoted(d.Name)+" has special categories")
		}
		if d.Subjects >= large {
			triggers = append(triggers, "large scale of "+quoted(d.Name))
		} else if d.Subjects <= 0 {
			open = append(open, "how many persons are in "+quoted(d.Name))
		}
	}
	return triggers, open
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// reportPublished is PIPEDA principle 8.
func reportPublished(v *View) {
	list, ok := v.Published()
	if !ok {
		return
	}
	for _, r := range list {
		if strings.TrimSpace(r.Reference) != "" && !r.Published.IsZero() && !r.Published.After(v.now.Add(maxSkew)) {
			v.Notef("report %s of %s", quoted(r.Name), day(r.Published))
			return
		}
	}
	v.Failf("no report has been published")
}
