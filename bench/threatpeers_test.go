package bench

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/libinjection-go"
	check "github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate/threat"
)

// detector says whether a text is an attack.
type detector struct {
	name  string
	slow  bool // takes milliseconds
	flags func(s string) bool
}

// detectors are ours, and what others have.
func detectors(t testing.TB) []detector {
	own := func(judge func(string) threat.Class) func(string) bool {
		return func(s string) bool { return judge(s) != threat.None }
	}
	blocked, family := coreRules(t)
	return []detector{
		{"SQL", false, own(threat.SQL)},
		{"HTML", false, own(threat.HTML)},
		{"Shell", false, own(threat.Shell)},
		{"Path", false, own(threat.Path)},
		{"Text", false, own(threat.Text)},
		{"libinj SQL", false, func(s string) bool { found, _ := libinjection.IsSQLi(s); return found }},
		{"libinj XSS", false, libinjection.IsXSS},
		{"CRS", true, blocked},
		{"CRS sqli", true, family(942)},
		{"CRS xss", true, family(941)},
		{"CRS rce", true, family(932)},
		{"CRS lfi", true, family(930)},
		{"old A", false, anyOf(oldA)},
		{"old B", false, anyOf(oldB)},
	}
}

// coreRules is OWASP's Core Rule Set at paranoia 1 and its default threshold of 5, shown a text as an argument of a GET: whether the
// request is blocked, by whatever rules, and whether a rule of one family (the thousands of its number) has matched.
func coreRules(t testing.TB) (blocked func(string) bool, family func(int) func(string) bool) {
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(
		"Include @coraza.conf-recommended\nSecRuleEngine On\nSecResponseBodyAccess Off\nInclude @crs-setup.conf.example\nInclude @owasp_crs/*.conf"))
	check.NoError(t, err)
	// The columns ask about the same text in turn.
	var last string
	var refused, asked bool
	var matched map[int]bool
	ask := func(s string) {
		if asked && s == last {
			return
		}
		tx := waf.NewTransaction()
		defer tx.Close()
		tx.ProcessConnection("203.0.113.9", 4000, "198.51.100.1", 443)
		tx.ProcessURI("/search?q="+url.QueryEscape(s), "GET", "HTTP/1.1")
		tx.AddRequestHeader("Host", "www.example.com")
		tx.AddRequestHeader("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
		tx.AddRequestHeader("Accept", "*/*")
		found := tx.ProcessRequestHeaders()
		if found == nil {
			found, err = tx.ProcessRequestBody()
			check.NoError(t, err)
		}
		last, asked, refused, matched = s, true, found != nil, map[int]bool{}
		for _, m := range tx.MatchedRules() {
			if len(m.MatchedDatas()) > 0 && m.Message() != "" {
				matched[m.Rule().ID()/1000] = true
			}
		}
	}
	blocked = func(s string) bool { ask(s); return refused }
	family = func(of int) func(string) bool { return func(s string) bool { ask(s); return matched[of] } }
	return blocked, family
}

func anyOf(of []*regexp.Regexp) func(string) bool {
	return func(s string) bool {
		for _, r := range of {
			if r.MatchString(s) {
				return true
			}
		}
		return false
	}
}

func compile(patterns string) []*regexp.Regexp {
	var of []*regexp.Regexp
	for p := range strings.FieldsSeq(patterns) {
		of = append(of, regexp.MustCompile("(?is)"+p))
	}
	return of
}

// oldA and oldB stand for the pattern lists of two systems that this library replaces: 23 expressions that were to find any malicious
// text, and four groups (SQL, script, commands, paths). They are rebuilt from descriptions, not copied. On most lists of the shared corpora oldB
// flags within 5 points of what the original is known to flag, oldA within 9; oldA finds 18 points less of the paths, and 28 more of the templates.
var (
	oldA = compile(`<script[^>]*>.*?</script> javascript: vbscript: on\w+\s*= <iframe <object|<embed|<svg|<img \b(eval|exec|system|passthru)\s*\(
\bunion\b.*\bselect\b \bselect\b.*\bfrom\b \binsert\s+into\b \bdelete\s+from\b \bdrop\s+(table|database)\b \bupdate\b.*\bset\b '\s*(or|and)\b
(--|#|/\*)\s*$ \b(or|and)\s+\d+\s*=\s*\d+ ;\s*(rm|cat|ls|wget|curl|nc|bash|sh|id|whoami)\b \|\s*(cat|ls|nc|bash|sh|id|whoami)\b ` +
		"`[^`]+`" + ` \$\([^)]*\) \.\./|\.\.\\ %2e%2e|%252e|%c0%af|/(etc|proc|sys|dev)/|\\x5c|%5c|\\(windows|boot) %00|\x00|%0d|%0a|%e5%98|\{\{.*\}\}`)
	oldB = compile(`(union|select|insert|delete|update|drop)\s+ '\s*(or|and)\s (or|and)\s+\d+\s*=\s*\d+ (--|#|/\*)\s*$ '\s*; (exec|execute|sp_|xp_)
<script </script javascript: vbscript: on\w+\s*= <iframe <object <embed expression\s*\(
[;&|` + "`" + `$(){}\\] \b(cat|ls|dir|type|more|find|ps|id|whoami|wget|curl|nc|rm|ping)\b
\.\./ \.\.\\ %2e%2e[/\\%] /etc/(passwd|shadow|hosts) c:\\|/proc/|/var/log`)
)
