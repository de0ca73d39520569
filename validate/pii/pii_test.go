package pii

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func sure(text string) (found []string) {
	Find(text, func(m Match) bool {
		if m.Sure {
			found = append(found, string(m.Kind)+" "+text[m.Start:m.End])
		}
		return true
	})
	return found
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"write to jane.doe+x@mail.example.co.uk, please", []string{"email jane.doe+x@mail.example.co.uk"}},
		{"<a@b.de>", []string{"email a@b.de"}},
		{"'x@y.org'", []string{"email x@y.org"}},
		{"a@b", nil}, {"@user", nil}, {"a@@b.com", nil}, {"x@1.2.3", nil}, {"a@b.c", nil}, {"git@host:path", nil}, {"@dataclass", nil},
		{"foo..bar@x.com", nil},
		{"ends a@b.com. Then", []string{"email a@b.com"}},
		{"card 4111 1111 1111 1111.", []string{"card 4111 1111 1111 1111"}},
		{"4111-1111-1111-1111", []string{"card 4111-1111-1111-1111"}},
		{"visa: 4111111111111111", []string{"card 4111111111111111"}},
		{"3782 822463 10005", []string{"card 3782 822463 10005"}},
		{"4111 1111 1111 1112", nil}, {"id 4111111111111111", nil}, {"x4111111111111111", nil}, {"card 1234567812345670", nil},
		{"card 41111111111111111111111111", nil},
		{"DE89 3704 0044 0532 0130 00 is mine", []string{"iban DE89 3704 0044 0532 0130 00"}},
		{"GB82WEST12345698765432", []string{"iban GB82WEST12345698765432"}},
		{"GB83WEST12345698765432", nil}, {"AB12", nil}, {"SHA256 HASH", nil},
		{"SSN 536-22-8145", []string{"ssn 536-22-8145"}},
		{"his social security number is 536228145", []string{"ssn 536228145"}},
		{"536228145", nil}, {"666-22-8145", nil}, {"900-22-8145", nil}, {"536-00-8145", nil}, {"536-22-0000", nil}, {"078-05-1120", nil},
		{"53-622-8145", nil},
		{"+49 30 901820", []string{"phone +49 30 901820"}},
		{"+1 (212) 555-0123", []string{"phone +1 (212) 555-0123"}},
		{"call 212 555 0123 now", []string{"phone 212 555 0123"}},
		{"2125550123", nil}, {"a+1234567890", nil}, {"1 + 234567890", nil}, {"+0123456789", nil},
		{"from 8.8.8.8:443", []string{"ip 8.8.8.8"}},
		{"[2606:4700:4700::1111]", []string{"ip 2606:4700:4700::1111"}},
		{"10.0.0.1 192.168.1.1 127.0.0.1 203.0.113.7 0.0.0.0 256.1.1.1 1.2.3.4.5", nil}, {"version 1.2.3.4", nil}, {"v1.2.3.4", nil},
		{"12:34:56", nil}, {"std::vector<a::b::c>", nil}, {"fe80::1", nil}, {"2001:db8::1", nil}, {"aa:bb:cc:dd:ee:ff", nil},
		{"2026-11-23 02:44:10, 3.14159265358979, 1e10, 0x4111111111111111", nil},
		{"a@b.com 8.8.8.8 +4930901820", []string{"email a@b.com", "ip 8.8.8.8", "phone +4930901820"}},
		{"+49 30 901820@x.com", []string{"phone +49 30 901820"}},
		{"visited from 93.184.216.34", []string{"ip 93.184.216.34"}}, {"tell 20251123", nil}, {"telemetry 1700000000", nil}, {"cells: 1234567", nil},
		{"\u201cjoe@example.org\u201d", []string{"email joe@example.org"}}, {"joe@example.org\u2014yes", []string{"email joe@example.org"}}, {"\u201c536-22-8145\u201d", []string{"ssn 536-22-8145"}},
		{"\u00a0+4930901820\u00a0", []string{"phone +4930901820"}}, {"visa\uff1a4111111111111111", []string{"card 4111111111111111"}},
		{"4111 1111 1111 1111 12/26 123", []string{"card 4111 1111 1111 1111"}}, {"visa 4111111111111111 100.00", []string{"card 4111111111111111"}}, {"536-22-8145 1990", []string{"ssn 536-22-8145"}},
		{"+1 415 555 2671 2024-01-01", []string{"phone +1 415 555 2671"}},
		{"", nil}, {"@", nil}, {"+", nil}, {":", nil}, {"::", nil}, {"1", nil}, {"A", nil},
	} {
		require.Equal(t, tt.want, sure(tt.text), "%q", tt.text)
	}
	require.Equal(t, map[Kind]int{Email: 2}, Count("a@b.com, c@d.com"))
	require.Nil(t, Count("nothing"))
	var tags []string
	Tag("a@b.com, c@d.com, 8.8.8.8", func(tag string) { tags = append(tags, tag) })
	require.Equal(t, []string{"pii_email", "pii_ip"}, tags)
	n := 0
	Find("a@b.com c@d.com", func(Match) bool { n++; return false })
	require.Equal(t, 1, n)
}

// Prose, code and logs are nearly free of alarms.
func TestBenign(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "validate", "benign_*.jsonl"))
	if len(files) == 0 {
		t.Skip("no reference corpora")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		flagged, all := map[string]int{}, 0
		for line := range strings.Lines(string(text)) {
			var row struct{ S string }
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			all++
			for _, f := range sure(row.S) {
				kind, _, _ := strings.Cut(f, " ")
				flagged[kind]++
				if kind != string(IP) && kind != string(Email) {
					t.Logf("%s: %q", filepath.Base(name), f)
				}
			}
		}
		t.Logf("%-32s %4d lines: %v", filepath.Base(name), all, flagged)
		rest := 0
		for kind, n := range flagged {
			if kind != string(IP) && kind != string(Email) {
				rest += n
			}
		}
		require.LessOrEqual(t, rest, all/200, name)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"a@b.com", "4111 1111 1111 1111", "DE89370400440532013000", "+49 30 901820", "8.8.8.8", "2606:4700::1111", "536-22-8145", "card 4111-1111"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		Find(text, func(m Match) bool {
			if m.Start >= m.End || m.End > len(text) || m.Start < last {
				t.Fatalf("%q: %+v after %d", text, m, last)
			}
			last = m.End
			return true
		})
	})
}

func TestLinear(t *testing.T) {
	for _, part := range []string{"a", "1", "1 ", "@", "a@", ".", "1.", ":", "a:", "A1", "AB12", "+1", "(", "call 1", "a.b@"} {
		text := strings.Repeat(part, 1<<20/len(part))
		require.Zero(t, testing.AllocsPerRun(4, func() { Find(text, func(Match) bool { return true }) }), part)
	}
}

func ExampleFind() {
	text := "Ask jane@example.com about card 4111 1111 1111 1111."
	Find(text, func(m Match) bool {
		fmt.Println(m.Kind, text[m.Start:m.End])
		return true
	})
	// Output:
	// email jane@example.com
	// card 4111 1111 1111 1111
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The quick brown fox (born 2019) jumps over 13 lazy dogs; see Section 4.2 for details. ", 40)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Find(text, func(Match) bool { return true })
	}
}
