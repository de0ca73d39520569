package leakage

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanAudit(t *testing.T) {
	t.Parallel()
	plan, err := NewPlan(500)
	require.NoError(t, err)
	require.Equal(t, 500, plan.Len())
	require.Equal(t, DefaultGuesses(500), plan.Guesses())
	members := plan.Members()
	require.InDelta(t, 250, len(members), 90, "fair coins: 8 standard deviations")
	for _, i := range members {
		require.True(t, plan.In(i))
	}

	asked := 0
	scores, err := plan.Scores(func(i int) (float64, error) {
		require.Equal(t, asked, i)
		asked++
		if plan.In(i) {
			return 1 + float64(i), nil
		}
		return -float64(i), nil
	})
	require.NoError(t, err)
	report, err := plan.Audit(scores, Config{Claim: 2, Delta: 1e-5})
	require.NoError(t, err)
	require.Equal(t, Refuted, report.Verdict)
	require.Greater(t, report.Epsilon, 3.0)
	require.Equal(t, len(members), report.Members)
	require.NotContains(t, report.String(), "seed")

	_, err = plan.Audit(scores[1:], Config{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = (&Plan{}).Audit(nil, Config{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = plan.Scores(func(i int) (float64, error) { return 0, io.ErrUnexpectedEOF })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "canary 0")
	_, err = plan.Scores(func(i int) (float64, error) { return math.Log(float64(3 - i)), nil })
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "canary 4")
}

func TestPlansDifferAndSeededOnesDoNot(t *testing.T) {
	t.Parallel()
	a, err := NewPlan(8)
	require.NoError(t, err)
	b, err := NewPlan(8)
	require.NoError(t, err)
	require.NotEqual(t, a.Digest(), b.Digest(), "salted")
	c, err := NewSeededPlan(1, 64, Guesses{5, 5}, Guesses{10, 0})
	require.NoError(t, err)
	d, err := NewSeededPlan(1, 64, Guesses{5, 5}, Guesses{10, 0})
	require.NoError(t, err)
	require.Equal(t, c, d)
	e, err := NewSeededPlan(2, 64)
	require.NoError(t, err)
	require.NotEqual(t, c.coins, e.coins)
	r, err := c.Audit(make([]float64, 64), Config{})
	require.NoError(t, err)
	require.Contains(t, r.String(), "seed")
	for _, n := range []int{0, -1, maxPlan + 1} {
		require.ErrorIs(t, second(NewPlan(n)), ErrInvalid)
	}
	require.ErrorIs(t, second(NewPlan(3, Guesses{4, 0})), ErrInvalid)
	_, err = newPlan(strings.NewReader("ab"), 64, nil)
	require.True(t, errors.Is(err, io.ErrUnexpectedEOF), "no coins without randomness: %v", err)
}

func TestPlanIsReadAndWritten(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 7, 8, 9, 100} {
		plan, err := NewPlan(n)
		require.NoError(t, err)
		data, err := json.Marshal(plan)
		require.NoError(t, err)
		var back Plan
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, plan, &back)
		require.Equal(t, plan.Digest(), back.Digest())
	}
	plan, err := NewPlan(9)
	require.NoError(t, err)
	data, err := json.Marshal(plan)
	require.NoError(t, err)
	good := string(data)
	for name, bad := range map[string]string{
		"version":      strings.Replace(good, `"version":1`, `"version":2`, 1),
		"field":        strings.Replace(good, `{"version"`, `{"x":1,"version"`, 1),
		"fewer coins":  strings.Replace(good, `"canaries":9`, `"canaries":17`, 1),
		"stray bits":   strings.Replace(good, `"canaries":9`, `"canaries":0`, 1),
		"guesses":      strings.Replace(good, `"in":5`, `"in":9`, 1),
		"salt":         strings.Replace(good, `"salt":"`, `"salt":"00`, 1),
		"no hex":       strings.Replace(good, `"coins":"`, `"coins":"zz`, 1),
		"no object":    `[1]`,
		"another one":  good + good,
		"huge":         strings.Replace(good, `"canaries":9`, `"canaries":99999999999`, 1),
		"not a number": strings.Replace(good, `"canaries":9`, `"canaries":"9"`, 1),
	} {
		back := *plan
		err := back.UnmarshalJSON([]byte(bad))
		require.ErrorIs(t, err, ErrInvalid, name)
		require.Equal(t, *plan, back, "unchanged: %s", name)
		require.NotContains(t, err.Error(), good[30:34], "the coins are a secret: %s", name)
	}
}
