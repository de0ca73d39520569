package redact

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where an ordinary regular expression sees a secret, so do we: in generated texts, and in the same with bytes changed.
func TestSeesWhatExpressionsSee(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	var list []*regexp.Regexp
	for _, expr := range []string{
		`\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+`,
		`-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----`,
		`\b(?:AKIA|ASIA)[A-Z2-7]{16}\b`,
		`\bAIza[A-Za-z0-9_-]{35}`,
		`\bgh[pousr]_[A-Za-z0-9]{36}`,
		`\bgithub_pat_[A-Za-z0-9_]{40,}`,
		`\bglpat-[A-Za-z0-9_-]{20}`,
		`\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}`,
		`\bhf_[A-Za-z0-9]{34}`,
		`\bnpm_[A-Za-z0-9]{36}`,
		`\b[sr]k_live_[A-Za-z0-9]{16,}`,
		`\b[a-z]{2,12}://[A-Za-z0-9._-]*:[A-Za-z0-9!$~._-]+@[A-Za-z0-9]`,
		`\b[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@[A-Za-z0-9-]+\.(?:com|org|net|io)\b`,
		`(?i)(?:^|[^a-z0-9])(?:password|passwd|api[_-]?key|access[_-]?token|client[_-]?secret)["']?\s?[:=]\s?["']?[A-Za-z0-9]{4,}`,
		`(?i)\bauthorization: (?:bearer|basic) [A-Za-z0-9._~+/-]{4,}`,
	} {
		list = append(list, regexp.MustCompile(expr))
	}
	rng := rand.New(rand.NewPCG(31, 31))
	hits := make([]int, len(list))
	for _, s := range samples(23, 200) {
		changed := []byte(s.text)
		for range rng.IntN(3) {
			changed[rng.IntN(len(changed))] = byte(' ' + rng.IntN(95))
		}
		for _, text := range []string{s.text, string(changed)} {
			for i, re := range list {
				if re.MatchString(text) {
					hits[i]++
					require.True(t, r.Has(text) || strings.Contains(text, "//git@"), "%s in %q", re, text)
				}
			}
		}
	}
	for i, n := range hits {
		t.Logf("%5d %s", n, list[i])
		require.Positive(t, n, list[i].String())
	}
}
