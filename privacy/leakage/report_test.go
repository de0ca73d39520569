package leakage

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	c := TwoRun{50, 500, 5, 500} // about 3.6 by Clopper-Pearson
	for _, tt := range []struct {
		method Method
		claim  float64
		want   Verdict
	}{
		{0, 0, Unclaimed},
		{MethodClopperPearson, 3, Refuted},
		{MethodClopperPearson, 4, Consistent},
		{MethodJeffreys, 3, Doubtful},
		{MethodBayesian, 3, Doubtful},
		{MethodGaussian, 3, Doubtful},
		{MethodGaussian, 30, Consistent},
	} {
		r, err := AuditCounts(c, Config{Method: tt.method, Claim: tt.claim, Delta: 1e-5})
		require.NoError(t, err)
		require.Equal(t, tt.want, r.Verdict, "%v %g: %v", tt.method, tt.claim, r)
		require.Equal(t, tt.want >= Doubtful, r.Excess() > 0)
		if tt.claim > 0 {
			require.Contains(t, r.String(), " is "+tt.want.String())
		} else {
			require.Contains(t, r.String(), "verdict: none")
		}
		require.NotEmpty(t, r.Assumptions)
		require.Equal(t, 0.95, r.Confidence)

		data, err := json.Marshal(r)
		require.NoError(t, err)
		var back struct {
			Method   Method
			Verdict  Verdict
			Severity int
			Epsilon  float64 `json:"epsilon_lower"`
		}
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, tt.want, back.Verdict)
		require.Equal(t, int(tt.want), back.Severity)
		require.Equal(t, r.Method, back.Method)
		require.Equal(t, r.Epsilon, back.Epsilon)
	}
	require.Less(t, Unclaimed, Consistent)
	require.Less(t, Consistent, Doubtful)
	require.Less(t, Doubtful, Refuted)
}

func TestReportOfNoNumbersIsJSON(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	r := Report{Method: MethodOneRun, Epsilon: inf, Mu: nan, Delta: nan, Claim: -inf, Confidence: nan, Verdict: Refuted}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	require.True(t, json.Valid(data))
	require.Contains(t, string(data), `"epsilon_lower":null`)
	require.NotEmpty(t, r.String())
	_, err = json.Marshal(Report{})
	require.Error(t, err, "a report of no method")
	require.Contains(t, Report{}.String(), "none")
}

func TestNamesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for m := MethodOneRun; m <= MethodGaussian; m++ {
		text, err := m.MarshalText()
		require.NoError(t, err)
		var back Method
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, m, back)
	}
	for v := Unclaimed; v <= Refuted; v++ {
		text, err := v.MarshalText()
		require.NoError(t, err)
		var back Verdict
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, v, back)
	}
	var m Method
	var v Verdict
	require.ErrorIs(t, m.UnmarshalText([]byte("none")), ErrInvalid)
	require.ErrorIs(t, v.UnmarshalText([]byte("compliant")), ErrInvalid)
	require.ErrorIs(t, second(Method(99).MarshalText()), ErrInvalid)
	require.ErrorIs(t, second(Verdict(99).MarshalText()), ErrInvalid)
	require.Equal(t, "unknown", Method(99).String())
	require.Equal(t, "unknown", Verdict(99).String())
}

func TestAuditsRefuse(t *testing.T) {
	t.Parallel()
	ok := TwoRun{1, 10, 1, 10}
	for field, err := range map[string]error{
		"Members":               second(AuditCounts(TwoRun{0, 0, 1, 10}, Config{})),
		"NonMembers":            second(AuditCounts(TwoRun{0, 1, 0, maxCount + 1}, Config{})),
		"FalseNegatives":        second(AuditCounts(TwoRun{11, 10, 1, 10}, Config{})),
		"FalsePositives":        second(AuditCounts(TwoRun{1, 10, -1, 10}, Config{})),
		"alpha":                 second(AuditCounts(ok, Config{Alpha: 1})),
		"delta":                 second(AuditCounts(ok, Config{Delta: 1})),
		"Delta":                 second(AuditCounts(ok, Config{Method: MethodGaussian})),
		"Claim":                 second(AuditCounts(ok, Config{Claim: -1})),
		"Method":                second(AuditCounts(ok, Config{Method: MethodOneRun})),
		"number of scores":      second(AuditCanaries(nil, nil, nil, Config{})),
		"number of memberships": second(AuditCanaries([]float64{1}, nil, nil, Config{})),
		"Guesses[0]":            second(AuditCanaries([]float64{1}, []bool{true}, []Guesses{{1, 1}}, Config{})),
		"Guesses[1]":            second(AuditCanaries([]float64{1}, []bool{true}, []Guesses{{1, 0}, {1, 0}}, Config{})),
		"number of Guesses":     second(AuditCanaries([]float64{1}, []bool{true}, []Guesses{}, Config{})),
		"scores":                second(AuditScores(nil, nil, Config{})),
		"number of members":     second(NewScores(nil, []float64{1})),
		"number of nonMembers":  second(NewScores([]float64{1}, nil)),
		"Canaries":              second(OneRun{0, 0, 0}.Epsilon(0, 0.05)),
		"Guesses":               second(OneRun{5, 6, 0}.Epsilon(0, 0.05)),
		"Correct":               second(OneRun{5, 5, 6}.Mu(0.05)),
		"Trials":                second(Proportion{0, 0}.Jeffreys(0.05)),
		"Successes":             second(Proportion{2, 1}.Upper(0.05)),
		"epsilon":               second(OneRun{5, 5, 5}.PValue(math.Inf(1), 0)),
	} {
		require.ErrorIs(t, err, ErrInvalid, field)
		require.True(t, strings.HasPrefix(err.Error(), "leakage: invalid: "+field+" = "), "%s: %v", field, err)
	}
}
