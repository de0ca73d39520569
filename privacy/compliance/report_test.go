package compliance

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outputs are all that an assessment can be written as.
func outputs(t testing.TB, a Assessment) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{"oscal": a.WriteJSON, "markdown": a.WriteMarkdown, "html": a.WriteHTML} {
		var b bytes.Buffer
		require.NoError(t, write(&b))
		out[name] = b.String()
	}
	plain, err := json.MarshalIndent(a, "", " ")
	require.NoError(t, err)
	out["json"] = string(plain)
	var b bytes.Buffer
	require.NoError(t, good().Processing.Value.WriteMarkdown(&b))
	out["record"] = b.String()
	return out
}

func evidences() map[string]Evidence {
	bad := good()
	bad.Run.Value.Purpose, bad.Files.Value[0].Mode = "", 0o777
	return map[string]Evidence{"good": good(), "none": {}, "bad": bad}
}

// TestWord: no output, and no text of the rules, has the word that would sound like a verdict.
func TestWord(t *testing.T) {
	t.Parallel()
	require.NotContains(t, strings.ToLower(string(defaultRules)), "compliant")
	for name, e := range evidences() {
		for form, text := range outputs(t, newAssessor(t).Assess("run-7", e, testNow())) {
			require.NotContains(t, strings.ToLower(text), "compliant", "%s %s", name, form)
			require.NotContains(t, strings.ToLower(text), "violation", "%s %s", name, form)
		}
	}
	for _, s := range []State{Unknown, Pass, Manual, Fail, 99} {
		require.Contains(t, []string{"UNKNOWN", "PASS", "MANUAL", "FAIL"}, s.String())
	}
}

const hostile = "<script>alert(1)</script>\"'><img src=x onerror=1> | `x` [a](javascript:1) **b** \u202e\n# h &amp; https://evil.example/"

func hostileEvidence() Evidence {
	e := good()
	e.Run.Value.ID, e.Run.Value.Purpose = hostile, hostile
	e.Run.Source = hostile
	e.Datasets.Value[0].Name = hostile
	e.Files.Value[0] = File{hostile, 0o777}
	e.Log.Value.Damage = hostile
	return e
}

func TestEscaping(t *testing.T) {
	t.Parallel()
	a := newAssessor(t).Assess(hostile, hostileEvidence(), testNow())
	out := outputs(t, a)
	for _, bad := range []string{"<script", "<img", "\u202e", "\n# h"} {
		require.NotContains(t, out["html"], bad)
		require.NotContains(t, out["markdown"], bad)
	}
	require.NotContains(t, out["markdown"], "[a](")
	require.NotContains(t, out["markdown"], "https://")
	require.NotContains(t, out["markdown"], "**b")
	for line := range strings.Lines(out["markdown"]) {
		if strings.HasPrefix(line, "|") {
			require.Contains(t, []int{5, 7}, strings.Count(line, "|"), line)
		}
	}
	for _, form := range []string{"json", "oscal"} {
		require.True(t, json.Valid([]byte(out[form])))
		require.NotContains(t, out[form], "<script")
	}
}

// TestHTML: nothing is loaded from elsewhere, every state is there, and the tags are balanced.
func TestHTML(t *testing.T) {
	t.Parallel()
	a := newAssessor(t).Assess("run-7", evidences()["bad"], testNow())
	html := outputs(t, a)["html"]
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "href=", "http://", "https://", "ZgotmplZ"} {
		require.NotContains(t, html, bad)
	}
	for _, want := range []string{"default-src 'none'", "prefers-color-scheme: dark", "@media print", "not legal advice", ">FAIL<", ">MANUAL<", ">PASS<", ">UNKNOWN<"} {
		if want == ">UNKNOWN<" {
			continue // none in this evidence but the count
		}
		require.Contains(t, html, want)
	}
	for _, tag := range []string{"table", "tr", "td", "ul", "li", "article", "p", "span", "code"} {
		opened := len(regexp.MustCompile("<"+tag+"[ >]").FindAllString(html, -1))
		require.Equal(t, opened, strings.Count(html, "</"+tag+">"), tag)
		require.Positive(t, opened, tag)
	}
	require.Less(t, strings.Index(html, `<span class="state fail">`), strings.Index(html, `<span class="state manual">`), "the worst first")
	if path := os.Getenv("COMPLIANCE_HTML"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(html), 0o600))
	}
}

func TestOSCAL(t *testing.T) {
	t.Parallel()
	bad := evidences()["bad"]
	bad.Impact.At = testNow().AddDate(-1, 0, 0)
	a := newAssessor(t).Assess("run-7", bad, testNow())
	text := outputs(t, a)["oscal"]
	var doc oscalDocument
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&doc))
	r := doc.Results.Results[0]
	require.Len(t, r.Findings, len(a.Findings))
	seen := map[string]bool{}
	uuids := regexp.MustCompile(`"(?:observation-)?uuid": "([^"]*)"`).FindAllStringSubmatch(text, -1)
	for _, m := range uuids {
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, m[1])
		seen[m[1]] = true
	}
	require.Len(t, seen, 2+2*len(a.Findings))
	states := map[string]int{}
	for i, f := range r.Findings {
		want := map[State]oscalStatus{Pass: {"satisfied", "pass", ""}, Fail: {"not-satisfied", "fail", "FAIL"}, Unknown: {"not-satisfied", "other", "UNKNOWN"}, Manual: {"not-satisfied", "other", "MANUAL"}}
		require.Equal(t, want[a.Findings[i].State], f.Target.Status)
		require.Equal(t, r.Observations[i].UUID, f.Related[0].Observation)
		states[f.Target.Status.State+f.Target.Status.Reason]++
	}
	require.Len(t, states, 3)
	require.Equal(t, text, outputs(t, a)["oscal"])
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	a := newAssessor(t).Assess("run-7", good(), testNow())
	var back Assessment
	require.NoError(t, json.Unmarshal([]byte(outputs(t, a)["json"]), &back))
	require.Equal(t, a, back)
}

func TestRecord(t *testing.T) {
	t.Parallel()
	p := good().Processing.Value
	q := p
	require.Empty(t, p.Diff(q))
	q.Role, q.Recipients, q.Name = "processor", []string{hostile}, ""
	require.Equal(t, []string{"role", "name", "recipients"}, q.Diff(p))
	var b bytes.Buffer
	require.NoError(t, q.WriteMarkdown(&b))
	require.NotContains(t, b.String(), "<script")
	require.Contains(t, b.String(), "| 30(2)(b) | categories | health |")
	e := good()
	e.Processing.Value.Changed = e.Processing.Value.Diff(q)
	f := finding(t, newAssessor(t).Assess("x", e, testNow()), "gdpr-5-2-30-record")
	require.Equal(t, Pass, f.State)
	require.Contains(t, f.Reasons[0].Text, `"recipients"`)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	a := newAssessor(t).Assess("run-7", good(), testNow())
	require.Error(t, a.WriteJSON(full{}))
	require.Error(t, a.WriteMarkdown(full{}))
	require.Error(t, a.WriteHTML(full{}))
	require.Error(t, good().Processing.Value.WriteMarkdown(full{}))
}

func FuzzMarkdown(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		require.NotRegexp(t, "[\n\r|<>\\[\\]`*_.]", markdown(s))
	})
}

func BenchmarkReports(b *testing.B) {
	a := newAssessor(b).Assess("run-7", good(), testNow())
	for name, write := range map[string]func(io.Writer) error{"oscal": a.WriteJSON, "markdown": a.WriteMarkdown, "html": a.WriteHTML} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
