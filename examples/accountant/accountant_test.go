package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func answers(t *testing.T, lines ...string) []Answer {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run([]string{"-jsonl"}, strings.NewReader(strings.Join(lines, "\n")), &out))
	var all []Answer
	for s := bufio.NewScanner(&out); s.Scan(); {
		var a Answer
		require.NoError(t, json.Unmarshal(s.Bytes(), &a))
		all = append(all, a)
	}
	require.Len(t, all, len(lines))
	return all
}

func TestLines(t *testing.T) {
	t.Parallel()
	got := answers(t,
		`{"id":"a","family":"poisson_gaussian","relation":"add_remove","q":0.01,"sigma":1,"steps":1000,"delta":1e-5,"orders":[2,3.5],"eps_grid":[1,2],"expect":{"x":1}}`,
		`no case`,
		`{"id":"b","family":"unheard of"}`,
		`{"id":"c","family":"poisson_gaussian","q":-1,"sigma":1,"delta":1e-5}`,
		`{"id":"d","family":"calib_gaussian","target_eps":1,"delta":1e-5,"q":1,"steps":1}`,
		`{"id":"e","family":"rdp_convert","orders":[2,4,8],"rdp":[0.1,0.2,0.4],"delta":1e-5,"eps_grid":[1]}`,
		`{"id":"f","family":"hetero","parts":[],"delta":1e-5}`,
		`{"id":"g","family":"gdp_clt_mu","q":0.01,"sigma":1,"steps":1000}`,
		`{"id":"h","family":"rdp_wor_gaussian","relation":"replace_one","q":0.01,"sigma":2,"expect":{"orders":[2,16]}}`,
	)
	require.Equal(t, "a", got[0].ID)
	require.InEpsilon(t, 1.8282366665, *got[0].EpsUpper, 1e-9)
	require.InEpsilon(t, 1.8282366665, *got[0].EpsLower, 1e-9)
	require.True(t, *got[0].Converged)
	require.Len(t, got[0].RDP, 2)
	require.InEpsilon(t, 2.1013221312, *got[0].RDPEps, 1e-6)
	require.Len(t, got[0].DeltaAt, 2)
	require.Equal(t, 2.0, got[0].DeltaAt[1][0])
	require.Positive(t, got[0].NS)
	for i, part := range map[int]string{1: "not a case", 2: `unknown family "unheard of"`, 3: "Poisson.Rate = -1", 6: "no parts"} {
		require.Contains(t, got[i].Error, part)
		require.Nil(t, got[i].EpsUpper)
	}
	require.InEpsilon(t, 3.73063163481594, *got[4].Sigma, 1e-9)
	require.InEpsilon(t, .4+math.Log1p(-1./8)-(math.Log(1e-5)+math.Log(8))/7, *got[5].RDPEps, 1e-9)
	require.InEpsilon(t, 0.414521631336538, *got[7].Mu, 1e-12)
	require.InEpsilon(t, 0.540794534628016, *got[7].MuUniform, 1e-9)
	for i, v := range got[8].RDPBest {
		require.Less(t, v, got[8].RDP[i])
	}
}

// Every family of the reference cases is answered, and no answer lies on the wrong side.
func TestGoldenCases(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "accounting", "golden.json"))
	if err != nil {
		t.Skip("no reference cases here:", err)
	}
	var golden struct{ Cases []json.RawMessage }
	require.NoError(t, json.Unmarshal(data, &golden))
	type reference struct {
		ID, Family string
		Expect     struct {
			Truth struct {
				Eps     any     `json:"eps"`
				RelTol  float64 `json:"rel_tol"`
				Trusted bool    `json:"trusted"`
			} `json:"truth"`
			Exact struct {
				Eps any `json:"eps"`
			} `json:"exact"`
			RDP []any `json:"rdp"`
		} `json:"expect"`
	}
	seen := map[string]bool{}
	for i, raw := range golden.Cases {
		var want reference
		if json.Unmarshal(raw, &want) != nil {
			continue // expect.rdp is an object there
		}
		if seen[want.Family] && (i%4 != 0 || testing.Short()) {
			continue // the accountants' own tests take them all
		}
		seen[want.Family] = true
		got := answers(t, string(raw))[0]
		require.Empty(t, got.Error, want.ID)
		number := func(v any) (float64, bool) {
			switch v := v.(type) {
			case float64:
				return v, true
			case string:
				f, err := strconv.ParseFloat(v, 64)
				return f, err == nil
			}
			return 0, false
		}
		tol := 1e-9
		truth, ok := number(want.Expect.Exact.Eps)
		if want.Expect.Truth.Trusted {
			truth, ok = number(want.Expect.Truth.Eps)
			tol = max(want.Expect.Truth.RelTol, 1e-5)
		}
		if ok && got.EpsUpper != nil {
			require.GreaterOrEqual(t, *got.EpsUpper, truth*(1-tol), want.ID)
			require.LessOrEqual(t, *got.EpsLower, truth*(1+tol), want.ID)
		}
		for j, v := range want.Expect.RDP {
			if f, ok := number(v); ok && len(got.RDP) > j {
				require.GreaterOrEqual(t, got.RDP[j], f*(1-1e-14), want.ID)
				require.LessOrEqual(t, got.RDP[j], f*(1+1e-11), want.ID)
			}
		}
	}
	require.Greater(t, len(seen), 20)
}

func TestReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, run([]string{
		"-records", "60000", "-batch", "256", "-epochs", "3", "-target", "2",
		"-svg", filepath.Join(dir, "epsilon.svg"), "-tradeoff", filepath.Join(dir, "attack.svg"),
	}, nil, &out))
	text := out.String()
	for _, part := range []string{"noise multiplier", "reaches epsilon 1.99999999", "contour", "rdp order", "moment", "not a plain Gaussian", "belief of 1 %", "704"} {
		require.Contains(t, text, part)
	}
	for _, name := range []string{"epsilon.svg", "attack.svg"} {
		svg, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Contains(t, string(svg), "</svg>")
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	for _, args := range [][]string{{"-batch", "0"}, {"-relation", "mine"}, {"more"}, {"-noise", "NaN"}, {"-nothing"}, {"-target", "-1"}} {
		require.Error(t, run(args, nil, &out), args)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"id":"a","family":"gaussian","sigma":1,"steps":10,"delta":1e-5,"eps_grid":[1]}`))
	f.Add([]byte(`{"family":"tree_aggregation","sigma":1,"step_counts":[3,"x"],"delta":1e-5,"relation":"replace_special"}`))
	f.Add([]byte(`{"family":"repeat_and_select","q":1,"sigma":2,"mean":10,"shape":1,"delta":1e-5}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) > 300 || bytes.Contains(line, []byte("truncated")) || bytes.Contains(line, []byte("N")) {
			return // what takes long
		}
		a := answer(line)
		data, err := json.Marshal(a)
		require.NoError(t, err, "an answer is JSON, whatever the line")
		require.NotEmpty(t, data)
	})
}
