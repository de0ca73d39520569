package privacy

import (
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// 201 epsilons in both directions and 100 divergences to 25 digits and more, computed with mpmath on other lines than ours: every
// interval of every accountant contains the truth. The comparison is in 200 bits, so an ulp on the wrong side fails.
func TestOracle(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "oracle.json"))
	require.NoError(t, err)
	var oracle struct {
		Epsilon []struct {
			Parts []struct {
				Q, Sigma float64
				Steps    int
			}
			Delta       float64
			Remove, Add string
		}
		Renyi []struct {
			Q, Sigma, Order float64
			Value           string
		}
	}
	require.NoError(t, json.Unmarshal(data, &oracle))
	number := func(s string) *big.Float {
		f, _, err := big.ParseFloat(s, 10, 200, big.ToNearestEven)
		require.NoError(t, err)
		return f
	}
	holds := func(in Interval, truth *big.Float) bool {
		return new(big.Float).SetFloat64(in.Lower).Cmp(truth) <= 0 && new(big.Float).SetFloat64(in.Upper).Cmp(truth) >= 0
	}
	proved := 0
	for i, c := range oracle.Epsilon {
		if slow && i%5 != 0 {
			continue
		}
		truth := number(c.Remove)
		if add := number(c.Add); add.Cmp(truth) > 0 {
			truth = add
		}
		accountants := []Accountant{new(Tight), new(RDP)}
		if i%12 == 0 && !slow {
			accountants = append(accountants, new(PLD), new(Best))
		}
		for _, a := range accountants {
			for _, p := range c.Parts {
				require.NoError(t, a.Add(Poisson{p.Q, Gaussian{p.Sigma, 1, AddRemove}}, p.Steps))
			}
			in, err := a.Epsilon(c.Delta)
			if errors.Is(err, ErrNoBound) {
				continue
			}
			require.NoError(t, err)
			require.True(t, holds(in, truth), "%d %T %+v: %v does not contain %v", i, a, c, in, truth)
			if _, ok := a.(*Tight); ok {
				proved++
			}
		}
	}
	require.True(t, slow || proved > len(oracle.Epsilon)*3/4, "%d proved", proved)
	for _, c := range oracle.Renyi {
		got, err := Renyi(Poisson{c.Q, Gaussian{c.Sigma, 1, AddRemove}}, c.Order)
		require.NoError(t, err)
		truth := number(c.Value)
		require.True(t, holds(Interval{Upper: got}, truth), "%+v: %v", c, got)
		above := new(big.Float).Quo(new(big.Float).SetFloat64(got), truth)
		f, _ := above.Float64()
		require.Less(t, f, 1+1e-11, "%+v", c)
	}
}
