package compliance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultRules(t *testing.T) {
	t.Parallel()
	r := Default()
	_, err := New(Config{Rules: r})
	require.NoError(t, err)
	used := map[string]bool{}
	articles := map[string]bool{}
	for _, c := range r.Checks {
		used[c.Predicate] = true
		articles[c.Regulation+" "+c.Article] = true
	}
	require.Equal(t, len(used), len(Predicates()), "every predicate is used")
	want := []string{
		"GDPR 5(1)(b)", "GDPR 5(1)(c)", "GDPR 5(1)(e)", "GDPR 5(1)(d)", "GDPR 5(1)(f)", "GDPR 32(1)(a)", "GDPR 32(1)(b)", "GDPR 32(1)(c), (d)",
		"GDPR 5(2), 30", "GDPR 6, 9", "GDPR 17", "GDPR 25", "GDPR 33", "GDPR 35", "GDPR 44-49",
		"HIPAA 164.312(a)(1)", "HIPAA 164.312(b)", "HIPAA 164.312(c)(1)", "HIPAA 164.312(d)", "HIPAA 164.312(e)(1)", "HIPAA 164.514(b)(2)(ii)",
		"CCPA/CPRA 1798.100(a)(3)", "CCPA/CPRA 1798.100(c)", "CCPA/CPRA 1798.105", "CCPA/CPRA 1798.120, .121", "CCPA/CPRA 1798.130", "CCPA/CPRA 1798.140(m)",
	}
	for l := 'A'; l <= 'R'; l++ {
		want = append(want, "HIPAA 164.514(b)(2)(i)("+string(l)+")")
	}
	for _, a := range want {
		require.True(t, articles[a], a)
		delete(articles, a)
	}
	for n := 1; n <= 10; n++ {
		i := slices.IndexFunc(r.Checks, func(c Check) bool {
			return c.Regulation == "PIPEDA" && strings.HasPrefix(c.Article, "Principle "+string(rune('0'+n%10))+",") || n == 10 && strings.HasPrefix(c.Article, "Principle 10,")
		})
		require.GreaterOrEqual(t, i, 0, "PIPEDA %d", n)
	}
	for a := range articles {
		require.Contains(t, a, "PIPEDA")
	}
	// The rules read back as they were written.
	data, err := json.Marshal(r)
	require.NoError(t, err)
	back, err := ParseRules(data)
	require.NoError(t, err)
	require.Equal(t, r.hash(), back.hash())
}

const oneRule = `{"name":"n","version":"1","max_age":"1d","checks":[{"id":"a","version":1,"regulation":"R","article":"1","title":"t","severity":5,"predicate":"manual","remaining":"r"}]}`

func TestParseRulesRefuses(t *testing.T) {
	t.Parallel()
	_, err := ParseRules([]byte(oneRule))
	require.NoError(t, err)
	for _, swap := range [][2]string{
		{`"name":"n"`, `"name":"n","name":"m"`},
		{`"name":"n"`, `"Name":"n"`},
		{`"name":"n"`, `"name":null`},
		{`"name":"n"`, `"name":""`},
		{`"name":"n"`, `"name":"n","more":1`},
		{`"version":"1"`, `"version":""`},
		{`"max_age":"1d"`, `"max_age":""`},
		{`"max_age":"1d"`, `"max_age":"0d"`},
		{`"max_age":"1d"`, `"max_age":"-1h"`},
		{`"max_age":"1d"`, `"max_age":"99999999999d"`},
		{`"id":"a"`, `"id":"A"`},
		{`"id":"a"`, `"id":"1"`},
		{`"version":1,`, `"version":0,`},
		{`"severity":5`, `"severity":0`},
		{`"severity":5`, `"severity":11`},
		{`"severity":5`, `"severity":"high"`},
		{`"remaining":"r"`, `"remaining":" "`},
		{`"remaining":"r"`, `"remaining":"a\nb"`},
		{`"remaining":"r"`, `"remaining":"r","max_age":"x"`},
		{`}]}`, `}]}{}`},
		{`}]}`, `}]`},
		{`"checks":[`, `"checks":[],"x":[`},
		{`}]}`, `},{"id":"a","version":1,"regulation":"R","article":"1","title":"t","severity":5,"predicate":"manual","remaining":"r"}]}`},
	} {
		text := strings.Replace(oneRule, swap[0], swap[1], 1)
		require.NotEqual(t, oneRule, text)
		_, err := ParseRules([]byte(text))
		require.ErrorIs(t, err, ErrInvalid, text)
	}
	for _, text := range []string{"", "null", "[]", "1", strings.Repeat("[", 100)} {
		_, err := ParseRules([]byte(text))
		require.ErrorIs(t, err, ErrInvalid, "%q", text)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	base, err := ParseRules([]byte(oneRule))
	require.NoError(t, err)
	for _, tt := range []struct{ predicate, parameters string }{
		{"none", ""},
		{"manual", `{}`},
		{"requests_in_time", ``},
		{"requests_in_time", `{"kinds":["access"],"days":0,"extension_days":0}`},
		{"requests_in_time", `{"kinds":["access"],"days":45,"hours":1}`},
		{"incidents_notified", `{"hours":-1}`},
		{"artifacts_expired", `{"max_age":{"log":"x"}}`},
		{"restore_tested", `{}`},
		{"legal_basis", `{}`},
		{"places_allowed", `{"countries":["Germany"]}`},
		{"places_allowed", `{"countries":[]}`},
		{"impact_assessed", `{"large_scale":1,"max_fpr":1}`},
		{"quality_limits", `{"nulls":0.1}`},
		{"identifiers_absent", `{"kinds":[]}`},
		{"budget_enforced", `{"max_epsilon":0,"max_delta":1e-5}`},
		{"budget_enforced", `{"max_epsilon":1,"max_epsilon":2,"max_delta":1e-5}`},
		{"log_intact", `{"max_backward":"long"}`},
	} {
		c := base.Checks[0]
		c.Predicate, c.Parameters = tt.predicate, json.RawMessage(tt.parameters)
		if tt.parameters == "" {
			c.Parameters = nil
		}
		_, err := New(Config{Rules: base.With(c)})
		require.ErrorIs(t, err, ErrInvalid, "%+v", tt)
	}
	own := func(json.RawMessage) (Test, error) { return func(*View) {}, nil }
	for _, p := range []map[string]Predicate{{"manual": own}, {"": own}, {"x": nil}} {
		_, err := New(Config{Rules: base, Predicates: p})
		require.ErrorIs(t, err, ErrInvalid)
	}
	nothing := base.Checks[0]
	nothing.Predicate = "nothing"
	_, err = New(Config{Rules: base.With(nothing), Predicates: map[string]Predicate{"nothing": func(json.RawMessage) (Test, error) { return nil, nil }}})
	require.ErrorIs(t, err, ErrInvalid)
	var e *InvalidError
	require.ErrorAs(t, err, &e)
	require.True(t, e.Permanent() && e.Neutral())
}

func TestRulesWith(t *testing.T) {
	t.Parallel()
	r := Default()
	n := len(r.Checks)
	c := r.Checks[2]
	c.Version, c.Severity = 2, 1
	other := r.With(c, Check{ID: "own"})
	require.Len(t, other.Checks, n+1)
	require.Equal(t, 2, other.Checks[2].Version)
	require.Equal(t, 1, r.Checks[2].Version)
	hipaa := r.Only(func(c Check) bool { return c.Regulation == "HIPAA" })
	require.NotEmpty(t, hipaa.Checks)
	require.Len(t, r.Checks, n)
}

func TestEvidenceJSON(t *testing.T) {
	t.Parallel()
	e := good()
	e.Own = map[string]Fact[json.RawMessage]{"badge": Observe(json.RawMessage(`"blue"`), "door", testNow())}
	data, err := json.Marshal(e)
	require.NoError(t, err)
	back, err := ParseEvidence(data)
	require.NoError(t, err)
	require.Equal(t, e, back)
	empty, err := ParseEvidence([]byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, Evidence{}, empty)
	for _, text := range []string{`{"run":{"at":"2026-03-10T12:00:00Z","value":{"id":"a","ID":"b"}}}`, `{"settings":{"value":{"redaction":"maybe"}}}`, `{"run":null}`, `{"x":1}`,
		"{\"run\":{\"value\":{\"purpose\":\"a\xff\"}}}", `{"run":{"value":{"purpose":"\ud800"}}}`, `{"run":{"value":{"purpose":"\ud800\u0041"}}}`,
		`{"run":{"value":{"purpose":"\udc00\ud800"}}}`, `{"own":{"x":{"value":{"A":1,"A":2}}}}`, `{"own":{"x":{"VALUE":1}}}`, `{"own":{"x":{"value":{"a":null}}}}`} {
		_, err := ParseEvidence([]byte(text))
		require.ErrorIs(t, err, ErrInvalid, text)
	}
}

// TestFreeNames: what belongs to the caller has the names that the caller gives.
func TestFreeNames(t *testing.T) {
	t.Parallel()
	e, err := ParseEvidence([]byte(`{"own":{"x":{"at":"2026-03-10T12:00:00Z","value":{"maxAge":1,"Größe":[{"Ä":2}]}}},"run":{"value":{"purpose":"\\ud800 \ud83d\ude00"}}}`))
	require.NoError(t, err)
	require.Equal(t, `\ud800 😀`, e.Run.Value.Purpose, "an escaped backslash, and a whole character")
	require.Contains(t, string(e.Own["x"].Value), "maxAge")
	_, err = ParseRules([]byte(strings.Replace(oneRule, `"remaining"`, `"parameters":{"maxAge":3},"remaining"`, 1)))
	require.NoError(t, err)
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(oneRule))
	f.Add(defaultRules)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRules(data)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		out, err := json.Marshal(r)
		require.NoError(t, err)
		back, err := ParseRules(out)
		require.NoError(t, err)
		require.Equal(t, r.hash(), back.hash())
		if a, err := New(Config{Rules: r}); err == nil {
			require.Zero(t, a.Assess("x", Evidence{}, testNow()).Count(Pass))
		}
	})
}

func FuzzParseEvidence(f *testing.F) {
	data, err := json.Marshal(good())
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"run":{"at":"2026-03-10T12:00:00Z","source":"\u202e","value":{"id":"\u0000|<b>"}}}`))
	a, err := New(Config{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEvidence(data)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		got := a.Assess("x", e, testNow())
		require.Equal(t, got.Hash, a.Assess("x", e, testNow()).Hash)
		for _, f := range got.Findings {
			for _, r := range f.Reasons {
				require.LessOrEqual(t, len(r.Text), maxText+3)
				require.NotContains(t, r.Text, "\n")
			}
		}
	})
}
