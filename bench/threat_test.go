package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/libinjection-go"
	check "github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate/threat"
)

// detector says whether a line is an attack.
type detector struct {
	name  string
	every int // of which lines it is asked: each takes milliseconds
	flags func(s string) bool
}

// detectors are ours, and what others have.
func detectors(t testing.TB, crsEvery int) []detector {
	own := func(judge func(string) threat.Class) func(string) bool {
		return func(s string) bool { return judge(s) != threat.None }
	}
	// The families of expressions of the systems that this library replaces, as far as they are known.
	old := regexp.MustCompile("(?i)(union|select|insert|delete|update|drop)\\s+|<script|javascript:|on\\w+\\s*=|[;&|`$(){}\\\\]|\\.\\./")
	return []detector{
		{"SQL", 1, own(threat.SQL)}, {"HTML", 1, own(threat.HTML)}, {"Shell", 1, own(threat.Shell)}, {"Path", 1, own(threat.Path)}, {"Text", 1, own(threat.Text)},
		{"libinj SQL", 1, func(s string) bool { found, _ := libinjection.IsSQLi(s); return found }},
		{"libinj XSS", 1, libinjection.IsXSS},
		{"CRS PL1", crsEvery, coreRules(t)},
		{"old regex", 1, old.MatchString},
	}
}

// coreRules is OWASP's Core Rule Set at paranoia 1 and its default threshold, shown a text as the argument of a GET.
func coreRules(t testing.TB) func(string) bool {
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(
		"Include @coraza.conf-recommended\nSecRuleEngine On\nSecResponseBodyAccess Off\nInclude @crs-setup.conf.example\nInclude @owasp_crs/*.conf"))
	check.NoError(t, err)
	return func(s string) bool {
		tx := waf.NewTransaction()
		defer tx.Close()
		tx.ProcessConnection("203.0.113.9", 4000, "198.51.100.1", 443)
		tx.ProcessURI("/search?q="+url.QueryEscape(s), "GET", "HTTP/1.1")
		for name, value := range map[string]string{"Host": "www.example.com", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept": "*/*"} {
			tx.AddRequestHeader(name, value)
		}
		found := tx.ProcessRequestHeaders()
		if found == nil {
			var interrupted *types.Interruption
			interrupted, err := tx.ProcessRequestBody()
			check.NoError(t, err)
			found = interrupted
		}
		return found != nil
	}
}

// threatLines reads the shared corpora and the own lists, by kind. The own lists were written before any detector was shown them, and
// none may be changed for their sake.
func threatLines(t testing.TB) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "data", "validate", "*.jsonl"))
	check.NoError(t, err)
	if len(files) == 0 {
		t.Skip("the shared corpora are not here")
	}
	lines := map[string][]string{}
	for _, file := range append(files, filepath.Join("testdata", "heldout.jsonl")) {
		f, err := os.Open(file)
		check.NoError(t, err)
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var line struct{ Kind, S string }
			check.NoError(t, json.Unmarshal(in.Bytes(), &line))
			kind := strings.TrimSuffix(filepath.Base(file), ".jsonl")
			if line.Kind != "" {
				kind = map[bool]string{true: "benign_own", false: "own_" + line.Kind}[line.Kind == "benign"]
			}
			lines[kind] = append(lines[kind], line.S)
		}
		check.NoError(t, in.Err())
		check.NoError(t, f.Close())
	}
	return lines
}

// TestThreatTable prints what share of each list each detector flags, in percent, and holds the flags to their marks. With
// SUREFOOT_CRS=1 the Core Rule Set, which takes milliseconds a line, sees all lines instead of every 40th.
func TestThreatTable(t *testing.T) {
	every := 40
	if os.Getenv("SUREFOOT_CRS") != "" {
		every = 1
	}
	lines, all := threatLines(t), detectors(t, every)
	share := map[string]map[string]float64{}
	count := func(kind string, of []string) {
		share[kind] = map[string]float64{}
		row := fmt.Sprintf("%-24s %5d", kind, len(of))
		for _, d := range all {
			step := d.every
			if len(of) < 200 {
				step = 1
			}
			n, flagged := 0, 0
			for i := 0; i < len(of); i += step {
				n++
				if d.flags(of[i]) {
					flagged++
				}
			}
			share[kind][d.name] = 100 * float64(flagged) / float64(n)
			row += fmt.Sprintf(" %10.2f", share[kind][d.name])
		}
		t.Log(row)
	}
	head := fmt.Sprintf("%-24s %5s", "flagged, %", "n")
	for _, d := range all {
		head += fmt.Sprintf(" %10s", d.name)
	}
	t.Log(head)
	var benign []string
	for _, kind := range slices.Sorted(maps.Keys(lines)) {
		count(kind, lines[kind])
		if strings.HasPrefix(kind, "benign_") && kind != "benign_own" {
			benign = append(benign, lines[kind]...)
		}
	}
	count("all benign", benign)

	for name, most := range map[string]float64{"SQL": .2, "HTML": .2, "Shell": 1.2, "Path": 1.2} {
		check.LessOrEqual(t, share["all benign"][name], most, name)
	}
	check.GreaterOrEqual(t, share["attack_sqli"]["SQL"], 99.5)
	check.GreaterOrEqual(t, share["own_sql"]["SQL"], share["own_sql"]["libinj SQL"])
	check.GreaterOrEqual(t, share["own_html"]["HTML"], share["own_html"]["libinj XSS"])
	check.GreaterOrEqual(t, share["attack_cmd"]["Shell"], 75.)
	check.GreaterOrEqual(t, share["attack_path"]["Path"], 84.)
}

func BenchmarkThreat(b *testing.B) {
	lines := threatLines(b)
	for _, kind := range []string{"benign_text", "benign_code", "attack_sqli", "attack_xss"} {
		size := 0
		for _, s := range lines[kind] {
			size += len(s)
		}
		for _, d := range detectors(b, 1) {
			if d.name == "CRS PL1" {
				continue
			}
			b.Run(kind+"/"+strings.ReplaceAll(d.name, " ", "_"), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					for _, s := range lines[kind] {
						d.flags(s)
					}
				}
			})
		}
	}
}
