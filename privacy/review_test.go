package privacy

import (
	"fmt"
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
	require.ErrorIs(t, WithReplacement{1<<30*4/2 - 1, 2, Gaussian{1, 1, AddRemove}}.Validate(), ErrInvalid)
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
