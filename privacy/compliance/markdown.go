package compliance

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

const notice = "Engineering evidence, not legal advice: each state says what a machine saw at the time above, by the rule named, and what remains for a human."

// markdown makes text from outside harmless in a table of Markdown: it stays on its line and in its cell, and nothing in it is a tag,
// a link or a format.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range clip(s) {
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '\\', '`', '*', '_', '{', '}', '[', ']', '(', ')', '#', '!', '|', '~', ':', '@', '.':
			fmt.Fprintf(&b, "&#%d;", r) // an escape with a backslash would not stop autolinks
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// WriteMarkdown writes the assessment as Markdown: the articles in a table, then all findings, the worst first.
func (a Assessment) WriteMarkdown(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "# Privacy evidence: %s\n\n", markdown(a.Subject))
	fmt.Fprintf(w, "- Time: %s\n- Rules: %s, version %s, SHA-256 %s\n- Result: SHA-256 %s\n- Findings: %d FAIL, %d UNKNOWN, %d MANUAL, %d PASS\n\n%s\n\n",
		a.Time.UTC().Format(time.RFC3339), markdown(a.Rules), markdown(a.Version), a.RulesHash, a.Hash, a.Count(Fail), a.Count(Unknown), a.Count(Manual), a.Count(Pass), notice)
	fmt.Fprint(w, "## Articles\n\n| regulation | article | state | remains for a human |\n|---|---|---|---|\n")
	for _, x := range a.Articles() {
		var remaining []string
		for _, f := range x.Findings {
			remaining = append(remaining, markdown(f.Remaining))
		}
		fmt.Fprintf(w, "| %s | %s | %v | %s |\n", markdown(x.Regulation), markdown(x.Article), x.State, strings.Join(remaining, "; "))
	}
	fmt.Fprint(w, "\n## Findings\n\n| state | severity | check | rule | reasons | evidence |\n|---|---|---|---|---|---|\n")
	for _, f := range a.Ranked() {
		var reasons, evidence []string
		for _, r := range f.Reasons {
			reasons = append(reasons, markdown(r.Text))
		}
		for _, u := range f.Evidence {
			evidence = append(evidence, markdown(u.line()))
		}
		fmt.Fprintf(w, "| %v | %d | %s v%d | %s: %s | %s | %s |\n", f.State, f.Severity, markdown(f.Check), f.CheckVersion,
			markdown(f.Regulation+" "+f.Article), markdown(f.Title), strings.Join(reasons, "<br>"), strings.Join(evidence, "<br>"))
	}
	return w.Flush()
}

// line is evidence in one line.
func (u Used) line() string {
	s := u.Name
	if u.At.IsZero() {
		return s + ": missing"
	}
	s += ", " + u.At.UTC().Format(time.RFC3339)
	if u.Source != "" {
		s += ", " + u.Source
	}
	if u.Digest != "" {
		s += ", SHA-256 " + u.Digest[:min(16, len(u.Digest))]
	}
	return s
}
