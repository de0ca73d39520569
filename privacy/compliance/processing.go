package compliance

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Processing is the record of processing activities of GDPR article 30: paragraph 1 for a controller, 2 for a processor. Where there is
// nothing to list, say "none": an empty list is a field that nobody filled.
type Processing struct {
	Role       string   `json:"role"`                  // "controller" or "processor"
	Name       string   `json:"name"`                  // and contact details, of whoever the role says
	Controller []string `json:"controllers,omitempty"` // on whose behalf a processor acts
	Purposes   []string `json:"purposes,omitempty"`
	Subjects   []string `json:"subjects,omitempty"`   // categories of persons
	Categories []string `json:"categories,omitempty"` // of personal data, or for a processor of processing
	Recipients []string `json:"recipients,omitempty"`
	Transfers  []string `json:"transfers,omitempty"` // to third countries, with their safeguards
	Erasure    []string `json:"erasure,omitempty"`   // time limits by category
	Measures   []string `json:"measures,omitempty"`  // technical and organisational
	// Changed are the fields that differ from the record of the last run, see Diff.
	Changed []string `json:"changed,omitempty"`
}

// field is one of a record, with the place in article 30(1) and 30(2) that asks for it; "" where none does.
type field struct {
	name                  string
	controller, processor string
	values                []string
}

func (p Processing) fields() []field {
	name := []string{p.Name}
	if strings.TrimSpace(p.Name) == "" {
		name = nil
	}
	return []field{
		{"name", "30(1)(a)", "30(2)(a)", name},
		{"controllers", "", "30(2)(a)", p.Controller},
		{"purposes", "30(1)(b)", "", p.Purposes},
		{"subjects", "30(1)(c)", "", p.Subjects},
		{"categories", "30(1)(c)", "30(2)(b)", p.Categories},
		{"recipients", "30(1)(d)", "", p.Recipients},
		{"transfers", "30(1)(e)", "30(2)(c)", p.Transfers},
		{"erasure", "30(1)(f)", "", p.Erasure},
		{"measures", "30(1)(g)", "30(2)(d)", p.Measures},
	}
}

// Diff returns the names of the fields that differ from those of an earlier record, for Changed.
func (p Processing) Diff(before Processing) []string {
	var out []string
	if p.Role != before.Role {
		out = append(out, "role")
	}
	old := before.fields()
	for i, f := range p.fields() {
		if !slices.Equal(f.values, old[i].values) {
			out = append(out, f.name)
		}
	}
	return out
}

// WriteMarkdown writes the record as a table.
func (p Processing) WriteMarkdown(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "# Record of processing activities\n\nRole: %s\n\n| GDPR | field | content |\n|---|---|---|\n", markdown(p.Role))
	for _, f := range p.fields() {
		article := f.controller
		if p.Role == "processor" {
			article = f.processor
		}
		if article == "" && len(f.values) == 0 {
			continue
		}
		cells := make([]string, 0, len(f.values))
		for _, v := range f.values {
			cells = append(cells, markdown(v))
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", article, f.name, strings.Join(cells, "; "))
	}
	return w.Flush()
}

// recordComplete is GDPR 5(2) and 30.
func recordComplete(v *View) {
	p, ok := v.Processing()
	if !ok {
		return
	}
	if p.Role != "controller" && p.Role != "processor" {
		v.Failf("role %s is neither controller nor processor", quoted(p.Role))
		return
	}
	for _, f := range p.fields() {
		article := f.controller
		if p.Role == "processor" {
			article = f.processor
		}
		if article == "" {
			continue
		}
		if len(f.values) == 0 || slices.ContainsFunc(f.values, func(s string) bool { return strings.TrimSpace(s) == "" }) {
			v.Failf("%s, %s: empty", article, f.name)
		}
	}
	if len(p.Changed) > 0 {
		v.Notef("changed since the last run: %s", names(p.Changed))
	}
}
