package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	check "github.com/stretchr/testify/require"
)

// threatLines reads the shared corpora and two lists of this repository, by kind. "own" (heldout.jsonl) and "blind" (blind.jsonl) were
// written before any detector was shown them, blind by another hand, and neither may be changed for the sake of a detector.
func threatLines(t testing.TB) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "data", "validate", "*.jsonl"))
	check.NoError(t, err)
	if len(files) == 0 {
		t.Skip("the shared corpora are not here")
	}
	lines := map[string][]string{}
	read := func(file string, kindOf func(kind string) string) {
		f, err := os.Open(file)
		check.NoError(t, err)
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var line struct{ Kind, S string }
			check.NoError(t, json.Unmarshal(in.Bytes(), &line))
			kind := kindOf(line.Kind)
			lines[kind] = append(lines[kind], line.S)
		}
		check.NoError(t, in.Err())
	}
	for _, file := range files {
		read(file, func(string) string { return strings.TrimSuffix(filepath.Base(file), ".jsonl") })
	}
	read(filepath.Join("testdata", "heldout.jsonl"), func(kind string) string { return "own_" + kind })
	read(filepath.Join("testdata", "blind.jsonl"), func(kind string) string { return "blind_" + kind })
	return lines
}

// TestThreatTable prints what share of each list each detector flags, in percent, and holds the flags to their marks. The Core Rule
// Set, which takes milliseconds a line, sees every 40th line of a list of 200 or more, and with SUREFOOT_CRS=1 all of them.
func TestThreatTable(t *testing.T) {
	every := 40
	if os.Getenv("SUREFOOT_CRS") != "" {
		every = 1
	}
	lines, all := threatLines(t), detectors(t)
	head := fmt.Sprintf("%-22s %5s", "flagged, %", "n")
	for _, d := range all {
		head += fmt.Sprintf(" %10s", d.name)
	}
	t.Log(head)
	share := map[string]map[string]float64{}
	count := func(kind string, of []string) {
		share[kind] = map[string]float64{}
		asked, flagged := make([]int, len(all)), make([]int, len(all))
		for i, s := range of {
			for j, d := range all {
				if d.slow && len(of) >= 200 && i%every != 0 {
					continue
				}
				asked[j]++
				if d.flags(s) {
					flagged[j]++
				}
			}
		}
		row := fmt.Sprintf("%-22s %5d", kind, len(of))
		for j, d := range all {
			share[kind][d.name] = 100 * float64(flagged[j]) / float64(asked[j])
			row += fmt.Sprintf(" %10.2f", share[kind][d.name])
		}
		t.Log(row)
	}
	var benign []string
	for _, kind := range slices.Sorted(maps.Keys(lines)) {
		count(kind, lines[kind])
		if strings.HasPrefix(kind, "benign_") {
			benign = append(benign, lines[kind]...)
		}
	}
	count("all benign", benign)

	for name, most := range map[string]float64{"SQL": .2, "HTML": .2, "Shell": 1.2, "Path": 1.2} {
		check.LessOrEqual(t, share["all benign"][name], most, name)
	}
	check.GreaterOrEqual(t, share["attack_cmd"]["Shell"], 75.)
	check.GreaterOrEqual(t, share["attack_path"]["Path"], 84.)
	for _, list := range []string{"attack_sqli", "own_sql", "blind_sql"} {
		check.GreaterOrEqual(t, share[list]["SQL"], share[list]["libinj SQL"], list)
	}
	for _, list := range []string{"own_html", "blind_html"} { // short enough for the Core Rule Set to see all of
		check.GreaterOrEqual(t, share[list]["HTML"], share[list]["CRS"], list)
	}
	for _, list := range []string{"own", "blind"} {
		check.GreaterOrEqual(t, share[list+"_shell"]["Shell"], 75., list)
		check.GreaterOrEqual(t, share[list+"_path"]["Path"], 84., list)
	}
}

// BenchmarkThreat judges a whole list; the Core Rule Set, 20 lines of it.
func BenchmarkThreat(b *testing.B) {
	lines, all := threatLines(b), detectors(b)
	for _, kind := range []string{"benign_text", "benign_code", "benign_log", "attack_sqli", "attack_xss", "attack_cmd", "attack_path"} {
		for _, d := range all {
			if strings.HasPrefix(d.name, "CRS ") {
				continue // families of what "CRS" measures
			}
			of := lines[kind]
			if d.slow {
				of = of[:20]
			}
			size := 0
			for _, s := range of {
				size += len(s)
			}
			b.Run(kind+"/"+strings.ReplaceAll(d.name, " ", "_"), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					for _, s := range of {
						d.flags(s)
					}
				}
			})
		}
	}
}
