package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		rule func(c *Check)
		want string // empty if the rule passes
		code string
	}{
		{"range", func(c *Check) { c.Range("x", 0.5, 0, 1) }, "", ""},
		{"range, low end", func(c *Check) { c.Range("x", 0, 0, 1) }, "", ""},
		{"range, high end", func(c *Check) { c.Range("x", 1, 0, 1) }, "", ""},
		{"range, negative zero", func(c *Check) { c.Range("x", math.Copysign(0, -1), 0, 1) }, "", ""},
		{"range, below", func(c *Check) { c.Range("x", -1e-300, 0, 1) }, "x is -1e-300, must be in [0, 1]", CodeRange},
		{"range, above", func(c *Check) { c.Range("x", math.Nextafter(1, 2), 0, 1) },
			"x is 1.0000000000000002, must be in [0, 1]", CodeRange},
		{"range, NaN", func(c *Check) { c.Range("x", nan, 0, 1) }, "x is NaN, must be in [0, 1]", CodeNotFinite},
		{"range up to infinity, +Inf", func(c *Check) { c.Range("x", inf, 0, inf) }, "x is +Inf, must be in [0, +Inf]", CodeNotFinite},
		{"range, NaN limits", func(c *Check) { c.Range("x", 0, nan, nan) }, "x is 0, must be in [NaN, NaN]", CodeRange},
		{"finite", func(c *Check) { c.Finite("x", -math.MaxFloat64) }, "", ""},
		{"finite, -Inf", func(c *Check) { c.Finite("x", -inf) }, "x is -Inf, must be finite", CodeNotFinite},
		{"positive", func(c *Check) { c.Positive("x", 5e-324) }, "", ""},
		{"positive, 0", func(c *Check) { c.Positive("x", 0) }, "x is 0, must be above 0", CodeRange},
		{"positive, NaN", func(c *Check) { c.Positive("x", nan) }, "x is NaN, must be above 0", CodeNotFinite},
		{"positive, +Inf", func(c *Check) { c.Positive("x", inf) }, "x is +Inf, must be above 0", CodeNotFinite},
		{"fraction", func(c *Check) { c.Fraction("x", 1) }, "", ""},
		{"fraction, 0", func(c *Check) { c.Fraction("x", 0) }, "x is 0, must be in (0, 1]", CodeRange},
		{"fraction, NaN", func(c *Check) { c.Fraction("x", nan) }, "x is NaN, must be in (0, 1]", CodeNotFinite},
		{"below", func(c *Check) { c.Below("x", 1, "y", 2) }, "", ""},
		{"below, equal", func(c *Check) { c.Below("x", 2, "y", 2) }, "x is 2, must be below y (2)", CodeOrder},
		{"below, NaN limit", func(c *Check) { c.Below("x", 2, "y", nan) }, "x is 2, must be below y (NaN)", CodeOrder},
		{"below, +Inf limit", func(c *Check) { c.Below("x", 2, "y", inf) }, "x is 2, must be below y (+Inf)", CodeOrder},
		{"at most", func(c *Check) { c.AtMost("x", 2, "y", 2) }, "", ""},
		{"at most, above", func(c *Check) { c.AtMost("x", 3, "y", 2) }, "x is 3, must be at most y (2)", CodeOrder},
		{"at most, -Inf", func(c *Check) { c.AtMost("x", -inf, "y", 2) }, "x is -Inf, must be at most y (2)", CodeOrder},
		{"int", func(c *Check) { c.RangeInt("x", math.MaxInt, 0, math.MaxInt) }, "", ""},
		{"int, below", func(c *Check) { c.RangeInt("x", -1, 0, 9) }, "x is -1, must be in [0, 9]", CodeRange},
		{"int, beyond float64", func(c *Check) { c.RangeInt("x", math.MaxInt, 0, math.MaxInt-1) },
			fmt.Sprintf("x is %d, must be in [0, %d]", math.MaxInt, math.MaxInt-1), CodeRange},
		{"duration", func(c *Check) { c.RangeDuration("x", time.Hour, 0, time.Hour) }, "", ""},
		{"duration, above", func(c *Check) { c.RangeDuration("x", 2*time.Hour, 0, time.Hour) },
			"x is 2h0m0s, must be in [0s, 1h0m0s]", CodeRange},
		{"one of", func(c *Check) { c.OneOf("x", "b", "a", "b") }, "", ""},
		{"one of, other case", func(c *Check) { c.OneOf("x", "A", "a", "b") }, `x is "A", must be one of "a", "b"`, CodeChoice},
		{"not empty", func(c *Check) { c.NotEmpty("x", "0") }, "", ""},
		{"not empty, spaces", func(c *Check) { c.NotEmpty("x", " \t") }, `x is " \t", must be set`, CodeEmpty},
	} {
		var c Check
		tt.rule(&c)
		if tt.want == "" {
			require.NoError(t, c.ErrStrict(), tt.name)
			continue
		}
		require.EqualError(t, c.Err(), "validate: "+tt.want, tt.name)
		var ps Problems
		require.ErrorAs(t, c.Err(), &ps)
		require.Len(t, ps, 1)
		require.Equal(t, tt.code, ps[0].Code, tt.name)

		c = Check{}
		tt.rule(c.Warn())
		require.NoError(t, c.Err(), tt.name)
		require.EqualError(t, c.ErrStrict(), "validate: "+strings.Replace(tt.want, "must", "should", 1), tt.name)
		require.Len(t, c.Warnings(), 1)
	}
}

func TestPathsAndOrder(t *testing.T) {
	t.Parallel()
	var c Check
	require.NoError(t, c.Err())
	require.NoError(t, c.ErrStrict())
	require.Empty(t, c.Warnings())
	layer := c.At("model").Index("layers", 2)
	layer.Positive("rate", -1)
	layer.Warn().At("init").Positive("scale", 0)
	c.Range("z", 2, 0, 1)
	c.At("list").Index("", 3).Positive("", 0)
	c.Warn().Range("z", 2, 0, 0.5) // has an error already
	c.Range("a", 2, 0, 1)
	c.Warn().Range("m", 2, 0, 1)
	c.Range("m", 2, 0, 1.5) // found too late to take the place of the warning
	require.EqualError(t, c.Err(), "validate: a is 2, must be in [0, 1]; list.[3] is 0, must be above 0; "+
		"m is 2, must be in [0, 1.5]; model.layers[2].rate is -1, must be above 0; z is 2, must be in [0, 1]")
	require.Equal(t, c.Err(), layer.Err(), "the parts of a Check share what they find")
	require.Equal(t, Problems{
		{Path: "m", Code: CodeRange, Value: "2", Limit: "in [0, 1]", Severity: Warning},
		{Path: "model.layers[2].init.scale", Code: CodeRange, Value: "0", Limit: "above 0", Severity: Warning},
	}, c.Warnings())
	var all Problems
	require.ErrorAs(t, c.ErrStrict(), &all)
	require.Len(t, all, 7)
	wrapped := fmt.Errorf("load: %w", c.Err())
	var permanent interface{ Permanent() bool }
	require.ErrorAs(t, wrapped, &permanent)
	require.True(t, permanent.Permanent())
	require.NotErrorIs(t, c.Err(), errors.ErrUnsupported)
}

func TestProblemsAsJSON(t *testing.T) {
	t.Parallel()
	var c Check
	c.Finite("loss", nan) // a number that JSON does not have
	c.Warn().NotEmpty("name", "")
	text, err := json.Marshal(c.ErrStrict())
	require.NoError(t, err)
	require.JSONEq(t, `[{"path":"loss","code":"not_finite","value":"NaN","limit":"finite","severity":"error"},
		{"path":"name","code":"empty","value":"\"\"","limit":"set","severity":"warning"}]`, string(text))
	require.Greater(t, Error, Warning)
	require.Equal(t, "error", Error.String())
}

func TestManyProblems(t *testing.T) {
	t.Parallel()
	var c Check
	for i := range 1000 {
		c.Index("rows", i).Positive("x", 0)
	}
	var ps Problems
	require.ErrorAs(t, c.Err(), &ps)
	require.Len(t, ps, 1000)
	require.True(t, strings.HasSuffix(ps.Error(), "; and 968 more"))
	require.Less(t, len(ps.Error()), 2000)
}

func TestAdd(t *testing.T) {
	t.Parallel()
	var c Check
	c.At("a").Add(Problem{Path: "b", Code: "mine", Limit: "even", Value: "3"})
	c.Add(Problem{Path: "c", Limit: "odd", Severity: Warning})
	c.Add(Problem{Path: "d", Limit: "odd", Severity: 99})
	require.EqualError(t, c.ErrStrict(), "validate: a.b is 3, must be even; c should be odd; d must be odd")
}

func TestHostileStrings(t *testing.T) {
	t.Parallel()
	hostile := "x\n\x1b[2J\u202e\u200b\xff" + strings.Repeat("€", 1<<18)
	var c Check
	c.At(hostile).OneOf(hostile, hostile, hostile, "b")
	c.NotEmpty(hostile, "")
	c.Zone("z", hostile)
	c.Add(Problem{Path: hostile, Code: hostile, Value: hostile, Limit: hostile})
	requirePlain(t, c.Err().Error(), 8000)
	require.Contains(t, c.Err().Error(), `z is "x\n\x1b[2J\u202e\u200b\xff`)
	require.Contains(t, c.Err().Error(), "bytes more)")
	requirePlain(t, FiniteValue(hostile, nan).Error(), 2000)
}

func requirePlain(t testing.TB, s string, limit int) {
	t.Helper()
	if len(s) > limit {
		t.Fatalf("%d bytes: %.200s", len(s), s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			t.Fatalf("%U in %q", r, s)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	var c Check
	for _, good := range []string{"hunter2", "sk-a8f3", "tokenizer-7f", "s3cr3t$${}", "p@ss<word", "日本語のかぎ", "author"} {
		c.Secret("key", good)
	}
	require.NoError(t, c.ErrStrict())
	for _, tt := range []struct{ secret, code string }{
		{"", CodeEmpty},
		{"hunter2\n", CodeForm}, // as read from a file
		{" hunter2", CodeForm},
		{"hunter2\x00", CodeForm},
		{"hunter2\ufeff", CodeForm},
		{"Change-Me", CodeStandIn},
		{"<your-api-key>", CodeStandIn},
		{"YOUR_API_KEY_HERE", CodeStandIn},
		{"${API_TOKEN_X1}", CodeStandIn},
		{"{{ .Values.Key }}", CodeForm},
		{"{{.Values.Key}}", CodeStandIn},
		{"xxxxxxxx", CodeStandIn},
		{"****", CodeStandIn},
		{"[REDACTED]", CodeStandIn},
	} {
		var c Check
		c.At("api").Secret("key", tt.secret)
		var ps Problems
		require.ErrorAs(t, c.Err(), &ps, tt.secret)
		require.Equal(t, "api.key", ps[0].Path)
		require.Equal(t, tt.code, ps[0].Code, tt.secret)
		if tt.secret != "" {
			require.Equal(t, "[redacted]", ps[0].Value)
			require.NotContains(t, strings.ReplaceAll(ps.Error(), "[redacted]", ""), tt.secret)
			require.NotContains(t, ps.Error(), "hunter")
			require.NotContains(t, ps.Error(), strconv.Itoa(len(tt.secret)))
		}
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	var c Check
	for _, zone := range []string{"DE", "US-CAL-CISO", "CAISO_NORTH", "MISO_INDIANAPOLIS", "IN-NO", "SE-SE3", "europe-west1",
		"10YDE-VE-------2", "13", "BPAT", "GB-NIR", strings.Repeat("a", 64)} {
		c.Zone("zone", zone)
	}
	require.NoError(t, c.Err())
	for _, zone := range []string{"", "-DE", "..", "a..b", "DE/../x", "DE ", " DE", "D\nE", "DE?x=1", "%44E", "Dé", "ＤＥ",
		strings.Repeat("a", 65)} {
		var c Check
		c.Zone("zone", zone)
		require.Error(t, c.Err(), "%q", zone)
	}
}

func TestZonesOfProviders(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "shared", "data", "carbon")
	var zones []string
	if text, err := os.ReadFile(filepath.Join(dir, "fixtures", "electricitymaps", "v3_zones.json")); err == nil {
		var byName map[string]any
		require.NoError(t, json.Unmarshal(text, &byName))
		for zone := range byName {
			zones = append(zones, zone)
		}
	}
	for _, table := range []string{"zone_yearly_2020_2021.csv", "gcp_region_carbon_2024.csv"} {
		text, err := os.ReadFile(filepath.Join(dir, "tables", table))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
			zone, _, _ := strings.Cut(line, ",")
			zones = append(zones, zone)
		}
	}
	if len(zones) == 0 {
		t.Skip("no reference data")
	}
	var c Check
	for _, zone := range zones {
		c.Zone("zone", zone)
	}
	require.NoError(t, c.Err())
	t.Logf("%d names", len(zones))
}

func FuzzCheck(f *testing.F) {
	f.Add("a", "b", 1.0)
	f.Add("\u202e\n", strings.Repeat("\xff", 300), nan)
	f.Add("privacy", "hunter2 ", -inf)
	f.Fuzz(func(t *testing.T, path, s string, v float64) {
		var c Check
		part := c.At(path)
		part.Range(path, v, -1, 1)
		part.Warn().Below(s, v, path, 0)
		part.OneOf(path, s, path)
		part.NotEmpty(s, s)
		part.Zone("zone", s)
		part.Add(Problem{Path: s, Code: s, Value: s, Limit: s})
		if (v >= -1 && v <= 1) != !strings.Contains(fmt.Sprint(c.Err()), "must be in [-1, 1]") && !strings.Contains(path+s, "in [-1, 1]") {
			t.Fatalf("%v: %v", v, c.Err())
		}
		requirePlain(t, c.ErrStrict().Error(), 16000)
		if _, err := json.Marshal(c.ErrStrict()); err != nil {
			t.Fatal(err)
		}

		c = Check{}
		c.Secret("key", s)
		const own = "validate: key is [redacted], must be without spaces, line ends and other characters that do not print a real one and not an example set"
		if err := c.Err(); err != nil && len(s) > 0 && !strings.Contains(own, s) && strings.Contains(err.Error(), s) {
			t.Fatalf("%q is in %q", s, err)
		}
	})
}
