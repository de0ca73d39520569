package leakage

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// within checks that a bound is a number from 0 to limit.
func within(t *testing.T, v, limit float64, err error, what ...any) {
	t.Helper()
	require.NoError(t, err, what...)
	require.True(t, v >= 0 && v <= limit, "%v: %v, at most %v", what, v, limit)
}

// FuzzOneRun: the bound is a number, and never above what the same number of guesses shows at delta 0 when all are right, nor above what the
// share of right guesses itself would be the bias of.
func FuzzOneRun(f *testing.F) {
	f.Add(1000, 200, 190, 1e-5, 0.05)
	f.Add(1, 1, 1, 0.0, 0.5)
	f.Add(100000, 5000, 5000, 0.01, 1e-9)
	f.Fuzz(func(t *testing.T, m, r, v int, delta, alpha float64) {
		if m > 20000 {
			m = m % 20000
		}
		o := OneRun{m, r, v}
		eps, err := o.Epsilon(delta, alpha)
		if o.Validate() != nil || checkDelta(delta) != nil || checkAlpha(alpha) != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		all := 0.0
		if q := math.Pow(alpha, 1/float64(r)); q > 0.5 {
			all = math.Log(q) - math.Log(-math.Expm1(math.Log(alpha)/float64(r)))
		}
		within(t, eps, all+1e-6, err, o, delta, alpha)
		if alpha < 0.3 && v < r { // half of the time more heads than the mean: the median is next to it
			share := (float64(v) + 1) / (float64(r) + 1)
			require.LessOrEqual(t, eps, max(0, math.Log(share/(1-share)))+1e-6)
		}
		p, err := o.PValue(eps, delta)
		within(t, p, 1, err)
		if eps > 0 {
			require.LessOrEqual(t, p, alpha)
		}
		if r > 2000 {
			return
		}
		mu, err := o.Mu(alpha)
		within(t, mu, 100, err, o, alpha)
	})
}

// FuzzTwoRun: the bounds are numbers, and none with a confidence is above what the observed rates themselves would be.
func FuzzTwoRun(f *testing.F) {
	f.Add(300, 1000, 10, 1000, 1e-5, 0.05)
	f.Add(0, 1, 0, 1, 0.0, 0.5)
	f.Add(50, 50, 50, 50, 0.5, 1e-100)
	f.Fuzz(func(t *testing.T, fn, members, fp, others int, delta, alpha float64) {
		c := TwoRun{fn, members, fp, others}
		eps, err := c.ClopperPearson(delta, alpha)
		if c.Validate() != nil || checkDelta(delta) != nil || checkAlpha(alpha) != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		p, q := Proportion{members - fn, members}.Rate(), Proportion{fp, others}.Rate()
		plain := math.Inf(1)
		if q > 0 && p < 1 {
			plain = max(0, math.Log(p/q), math.Log((1-q)/(1-p)))
		}
		within(t, eps, min(plain+1e-9, math.Log(9e6/alpha*1e3)), err, c, delta, alpha)
		eps, err = c.Jeffreys(delta, alpha)
		within(t, eps, 800, err, c, delta, alpha)
		mu, err := c.Mu(alpha)
		within(t, mu, 100, err, c, alpha)
		if members+others < 2000 && alpha > 1e-6 {
			eps, err = c.Bayesian(delta, alpha)
			within(t, eps, 1e4, err, c, delta, alpha)
		}
	})
}

// numbers reads pairs of bytes as scores with ties, and one kind of byte as what is no score.
func numbers(data []byte) (values []float64) {
	for len(data) >= 2 {
		v := float64(int16(binary.LittleEndian.Uint16(data))) / 16
		if v == -2048 {
			v = math.Inf(-1)
		}
		values = append(values, v)
		data = data[2:]
	}
	return values
}

// FuzzScores: all audits and rates of any scores are numbers in their range, and swapped lists show nothing where the lists do.
func FuzzScores(f *testing.F) {
	f.Add([]byte("abcdefghijklmnop"), []byte("qrstuvwxyz"), uint64(1))
	f.Add([]byte{0, 0}, []byte{0, 0}, uint64(2))
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		members, others := numbers(a), numbers(b)
		s, err := NewScores(members, others)
		if len(members) == 0 || len(others) == 0 {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.NoError(t, err)
		for _, sel := range []Selection{Ranks{}, Fixed{Threshold: float64(seed % 100)}, Split{Seed: seed}} {
			r, err := AuditScores(s, sel, Config{Delta: 1e-6})
			if err != nil {
				require.IsType(t, Split{}, sel)
				continue
			}
			within(t, r.Epsilon, 20, nil)
			_, err = json.Marshal(r)
			require.NoError(t, err)
		}
		auc := s.AUC()
		v, err := s.AUCInterval(0.05)
		require.NoError(t, err)
		require.True(t, 0 <= v.Lower && v.Lower <= auc && auc <= v.Upper && v.Upper <= 1, "%v %v", v, auc)
		require.LessOrEqual(t, auc, s.HullAUC()+1e-12)
		for _, fpr := range []float64{0, 0.01, 0.3, 1} {
			raw, err := s.TPR(fpr)
			within(t, raw, 1, err)
			hull, err := s.HullTPR(fpr)
			within(t, hull, 1, err)
			require.LessOrEqual(t, raw, hull+1e-12)
			if p, err := s.Power(fpr, 0.05); err == nil {
				require.True(t, 0 <= p.Lower && p.Lower <= p.Upper && p.Upper <= 1)
			}
		}
		swapped, err := NewScores(others, members)
		require.NoError(t, err)
		r, err := AuditScores(s, nil, Config{})
		require.NoError(t, err)
		back, err := AuditScores(swapped, nil, Config{})
		require.NoError(t, err)
		require.False(t, r.Epsilon > 0 && auc > 0.5 && back.Epsilon > r.Epsilon)
	})
}

func FuzzCanaries(f *testing.F) {
	f.Add([]byte("abcdefghijklmnop"), uint64(0xaaaa), 3, 4)
	f.Fuzz(func(t *testing.T, data []byte, coins uint64, in, out int) {
		scores := numbers(data)
		members := make([]bool, len(scores))
		for i := range members {
			members[i] = coins>>(i%64)&1 == 1
		}
		for _, guesses := range [][]Guesses{nil, {{in, out}}} {
			r, err := AuditCanaries(scores, members, guesses, Config{Delta: 1e-6})
			if err != nil {
				require.ErrorIs(t, err, ErrInvalid)
				continue
			}
			within(t, r.Epsilon, math.Log(float64(len(scores))/0.05*2), nil)
		}
	})
}

// FuzzPlan: what is read is written again as the same plan, and audits.
func FuzzPlan(f *testing.F) {
	for _, n := range []int{1, 9, 40} {
		p, err := NewSeededPlan(1, n)
		require.NoError(f, err)
		data, err := json.Marshal(p)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"version":1,"canaries":1,"coins":"02","guesses":[{"in":1,"out":0}],"salt":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Plan
		if err := p.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			require.Zero(t, p.Len())
			return
		}
		again, err := json.Marshal(&p)
		require.NoError(t, err)
		var q Plan
		require.NoError(t, json.Unmarshal(again, &q))
		require.Equal(t, p, q)
		require.Len(t, p.Digest(), 64)
		r, err := p.Audit(make([]float64, p.Len()), Config{})
		require.NoError(t, err)
		require.Zero(t, r.Epsilon)
	})
}

func FuzzLiRAAndRMIA(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrst"), 2, 1.5, 0.3)
	f.Fuzz(func(t *testing.T, data []byte, columns int, gamma, a float64) {
		values := numbers(data)
		if columns < 1 || columns > 50 || len(values) < columns+1 {
			return
		}
		var target []float64
		var rows [][]float64
		for len(values) > columns {
			target, rows = append(target, values[0]), append(rows, values[1:columns+1])
			values = values[columns+1:]
		}
		for _, l := range []LiRA{{}, {Shared: true}} {
			if s, err := l.Offline(target, rows); err == nil {
				for _, v := range s {
					require.True(t, v <= 0, v)
				}
			}
			if s, err := l.Online(target, rows, rows); err == nil {
				for _, v := range s {
					require.Zero(t, v, "one law for both")
				}
			}
		}
		for _, row := range append(rows, target) {
			for i, v := range row {
				row[i] = math.Abs(math.Mod(v, 1))
			}
		}
		x := References{target, rows}
		if s, err := (RMIA{Gamma: gamma}).Offline(x, x, a); err == nil {
			for _, v := range s {
				require.True(t, v >= 0 && v <= 1, v)
			}
		}
	})
}

func FuzzExposure(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"), 3.5)
	f.Fuzz(func(t *testing.T, data []byte, canary float64) {
		e, err := NewSampledExposure(canary, numbers(data))
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		rank := e.ByRank()
		require.True(t, rank >= 0, rank)
		lower, err := e.Lower(0.05)
		within(t, lower, rank+1e-9, err)
		if g, err := e.Gaussian(); err == nil {
			require.True(t, g >= 0, g)
		}
		if math.Abs(canary) > 1e5 {
			return
		}
		if s, err := e.SkewNormal(); err == nil {
			require.True(t, s >= 0, s)
		}
	})
}
