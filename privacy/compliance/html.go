package compliance

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed report.html
var reportHTML string

// WriteHTML writes the assessment as one HTML page that loads nothing from elsewhere and runs no script.
func (a Assessment) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"lower": func(s State) string { return strings.ToLower(s.String()) },
		"time":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") },
		"short": func(s string) string { return s[:min(16, len(s))] },
	}).Parse(reportHTML)
	if err != nil {
		return fmt.Errorf("compliance: report: %w", err)
	}
	type count struct {
		State State
		N     int
	}
	var counts []count
	for _, s := range []State{Fail, Unknown, Manual, Pass} {
		counts = append(counts, count{s, a.Count(s)})
	}
	if err := t.Execute(w, struct {
		Assessment
		Notice string
		Counts []count
	}{a, notice, counts}); err != nil {
		return fmt.Errorf("compliance: report: %w", err)
	}
	return nil
}
