package privacy

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a JSON decoder takes in silence must not make an event cheaper than it reads.
func TestUnmarshalEventAmbiguous(t *testing.T) {
	t.Parallel()
	const gaussian = `{"std_dev":1,"clip":1,"relation":"replace_special"}`
	_, err := UnmarshalEvent([]byte(`{"version":1,"type":"poisson","params":{"rate":0.5,"gaussian":` + gaussian + `}}`))
	require.NoError(t, err)
	for _, bad := range []string{
		`{"version":1,"type":"poisson","params":{"rate":null,"gaussian":` + gaussian + `}}`,
		`{"version":1,"type":"poisson","params":{"rate":0.5,"rate":0,"gaussian":` + gaussian + `}}`,
		`{"version":1,"type":"poisson","params":{"rate":0.5,"RATE":0,"gaussian":` + gaussian + `}}`,
		`{"version":1,"type":"banded","params":{"bands":1,"iterations":4,"rate":0.5,"rate":null,"gaussian":` + gaussian + `}}`,
		`{"version":1,"type":"approximate","params":{"epsilon":null,"delta":null,"relation":"add_remove"}}`,
		`{"version":1,"type":"zero_concentrated","params":{"rho":null,"relation":"add_remove"}}`,
		`{"version":1,"type":"gaussian","params":{"std_dev":1,"clip":1,"clip":0.1,"relation":"add_remove"}}`,
		`{"version":1,"type":"gaussian","params":` + gaussian + `,"type":"gaussian"}`,
		`{"version":1,"type":"toeplitz","params":{"run":{"steps":4,"participations":1,"separation":1,"gaussian":` + gaussian + `},"coefficients":[1,null]}}`,
		`{"version":1,"type":"repeated","params":{"count":1,"event":{"version":1,"type":"poisson","params":{"rate":null,"gaussian":` + gaussian + `}}}}`,
	} {
		_, err := UnmarshalEvent([]byte(bad))
		require.ErrorIs(t, err, ErrInvalid, bad)
	}
}

// The work for a composite event must not grow with a power of its depth: here it once took minutes.
func TestCompositeDeep(t *testing.T) {
	t.Parallel()
	var events []Event
	for i := range 300 {
		events = append(events, Gaussian{float64(i + 1), 1, AddRemove})
	}
	c, err := Compose(events...)
	require.NoError(t, err)
	var e Event = c
	for range 3 {
		e = Repeated{e, 2}
		c, err := Compose(e, Gaussian{2, 1, AddRemove})
		require.NoError(t, err)
		e, err = Compose(c)
		require.NoError(t, err)
	}
	e = Repeated{e, 3}
	data, err := MarshalEvent(e)
	require.NoError(t, err)
	back, err := UnmarshalEvent(data)
	require.NoError(t, err)
	require.Equal(t, e, back)
	require.EqualValues(t, 3*(2*(2*(2*300+1)+1)+1), executions(e, 1))
	sum := int64(0)
	for _, l := range e.lower() {
		sum += l.count
	}
	require.Equal(t, sum, executions(e, 1))
	_, err = Compose(Repeated{e, maxCount / 1000}, e)
	require.ErrorIs(t, err, ErrInvalid)
}

// A search within a search would take the product of their times.
func TestSelectNested(t *testing.T) {
	t.Parallel()
	inner := Select{Event: Gaussian{1, 1, AddRemove}, Shape: 1, Gamma: 0.1}
	require.NoError(t, inner.Validate())
	c, err := Compose(inner, Gaussian{1, 1, AddRemove})
	require.NoError(t, err)
	for _, e := range []Event{inner, Repeated{inner, 2}, c} {
		require.ErrorIs(t, Select{Event: e, Mean: 10}.Validate(), ErrInvalid, fmt.Sprintf("%T", e))
	}
}

// 1/Gamma - 1 lost 27 bits here.
func TestSelectRunsNearOne(t *testing.T) {
	t.Parallel()
	const x = 0x1p-26 // Runs = x/(1-x)/-log(1-x) = 1 + x/2 + 5x²/12...
	s := Select{Event: Gaussian{1, 1, AddRemove}, Gamma: 1 - x}
	require.InEpsilon(t, 1+x/2, s.Runs(), 1e-14)
}

// The memory for the hits of a record grows with the root of Draws.
func TestWithReplacementHuge(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, WithReplacement{1<<30 + 1, 2, Gaussian{1, 1, AddRemove}}.Validate(), ErrInvalid)
	require.NoError(t, WithReplacement{1 << 30, 2, Gaussian{1, 1, AddRemove}}.Validate())
}

// Rates and weights that were rounded up say nothing about what the event costs at least.
func TestSharpTiny(t *testing.T) {
	t.Parallel()
	require.False(t, sharp(Poisson{1e-100, Gaussian{1, 1, AddRemove}}))
	require.True(t, sharp(Poisson{1e-50, Gaussian{1, 1, AddRemove}}))
	m, err := NewMixture(1, AddRemove, Component{0, 1}, Component{100, 1e-200})
	require.NoError(t, err)
	require.False(t, sharp(m))
	require.True(t, strings.Contains(m.String(), "100:1e-200"))
}

// A subnormal delta once gave an epsilon below the truth: math.Log is wrong there on amd64.
func TestSubnormalDelta(t *testing.T) {
	t.Parallel()
	require.InEpsilon(t, 744.4400719213812, minusLog(5e-324), 1e-15)
	require.InEpsilon(t, 713.801378828154, minusLog(1e-310), 1e-15)
	require.InEpsilon(t, 690.7755278982137, minusLog(1e-300), 1e-15)
	for _, delta := range []float64{5e-324, 1e-320, 1e-310, 1e-307} {
		var g GDP
		var r RDP
		for _, add := range []func(Event) error{g.Step, r.Step} {
			require.NoError(t, add(Gaussian{1, 1, AddRemove}))
		}
		exact, err := g.Epsilon(delta)
		require.NoError(t, err)
		bound, err := r.Epsilon(delta)
		require.NoError(t, err)
		require.GreaterOrEqual(t, bound.Upper, exact.Lower, delta)
		f, err := NewFilter(Budget{exact.Upper * 1.1, delta}, Gaussian{30, 1, AddRemove})
		require.NoError(t, err)
		n, err := f.Remaining(Gaussian{30, 1, AddRemove})
		require.NoError(t, err)
		var all GDP
		require.NoError(t, all.Add(Gaussian{30, 1, AddRemove}, n))
		spent, err := all.Epsilon(delta)
		require.NoError(t, err)
		require.LessOrEqual(t, spent.Lower, f.Budget().Epsilon, delta)
	}
}

// The contour, which takes the logarithm of delta, once was 2 below the truth here.
func TestSubnormalDeltaContour(t *testing.T) {
	t.Parallel()
	var x Tight
	require.NoError(t, x.Add(Poisson{0.05, Gaussian{1, 1, AddRemove}}, 2000))
	near, err := x.Epsilon(1e-307)
	require.NoError(t, err)
	_, err = x.Epsilon(5e-324)
	require.ErrorIs(t, err, ErrNoBound)
	var b Best
	require.NoError(t, b.Merge(&x))
	in, err := b.Epsilon(5e-324)
	require.NoError(t, err)
	require.Greater(t, in.Upper, near.Upper+1.8)
}

// A batch size beyond what an int or a float64 holds was once negative.
func TestCalibrateBatchLargest(t *testing.T) {
	t.Parallel()
	c, err := CalibrateBatch(Budget{1, 1e-5}, math.MaxInt, func(batch int) (Event, int) {
		require.Positive(t, batch)
		return Gaussian{1e9, 1, AddRemove}, 1
	})
	require.NoError(t, err)
	require.LessOrEqual(t, c.Value, 0x1p53)
}
