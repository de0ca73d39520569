package tags

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate"
)

type layer struct {
	Size int     `json:"size" validate:"min=1"`
	Rate float64 `json:"rate"`
	Key  string  `json:"key" secret:"true" validate:"omitempty,len=4"`
}

type config struct {
	Name   string  `json:"name" validate:"required"`
	Rate   float64 `json:"rate,omitempty" validate:"min=0"`
	Steps  *int    `json:"steps" validate:"required,min=0"`
	Secret string  `json:"api_key" secret:"true" validate:"len=8"`
	Layers []layer `json:"layers" validate:"max=3,dive"`
	Next   *config `json:"next"`
	hidden float64
}

func check(t *testing.T, s any) string {
	t.Helper()
	var c validate.Check
	require.NoError(t, New().Check(c.At("job"), s))
	if err := c.Err(); err != nil {
		return strings.TrimPrefix(err.Error(), "validate: ")
	}
	return ""
}

func TestCheck(t *testing.T) {
	t.Parallel()
	zero := 0
	good := func() config {
		return config{Name: "a", Rate: 1, Steps: &zero, Secret: "s3cr3t-k", Layers: []layer{{Size: 1}}, hidden: math.NaN()}
	}
	require.Empty(t, check(t, good()), "a present zero is a value")
	c := good()
	require.Empty(t, check(t, &c))
	for _, tt := range []struct {
		change func(c *config)
		want   string
	}{
		{func(c *config) { c.Name = "" }, `job.name is "", must be required`},
		{func(c *config) { c.Rate = math.Inf(1) }, "job.rate is +Inf, must be finite"},
		{func(c *config) { c.Rate = math.NaN() }, "job.rate is NaN, must be finite"},
		{func(c *config) { c.Rate = -1 }, "job.rate is -1, must be min=0"},
		{func(c *config) { c.Steps = nil }, "job.steps must be required"},
		{func(c *config) { c.Secret = "hunter2" }, "job.api_key is [redacted], must be len=8"},
		{func(c *config) { c.Layers[0].Size = 0 }, "job.layers[0].size is 0, must be min=1"},
		{func(c *config) { c.Layers[0].Key = "hunter2" }, "job.layers[0].key is [redacted], must be len=4"},
		{func(c *config) { c.Layers[0].Rate = math.NaN() }, "job.layers[0].rate is NaN, must be finite"},
		{func(c *config) { c.Layers = make([]layer, 4) }, "job.layers is of 4 elements, must be max=3"},
		{func(c *config) { next := good(); next.Rate = -2; c.Next = &next }, "job.next.rate is -2, must be min=0"},
		{func(c *config) { c.Name, c.Rate = "", -1 }, `job.name is "", must be required; job.rate is -1, must be min=0`},
	} {
		c := good()
		tt.change(&c)
		require.Equal(t, tt.want, check(t, c))
	}
	ring := good()
	ring.Rate = math.NaN()
	require.NotEmpty(t, check(t, ring))
}

type item struct {
	Key string `json:"key" secret:"true" validate:"len=4"`
}

type boxed[T any] struct {
	In T `json:"in" validate:"required"`
}

type base struct {
	Rate float64 `json:"rate" validate:"min=0"`
}

// TestNothingSlipsThrough: secrets behind keys with dots, interfaces and generic types, and numbers in maps and embedded structs.
func TestNothingSlipsThrough(t *testing.T) {
	t.Parallel()
	secret := item{Key: "hunter2"}
	for name, s := range map[string]any{
		"map": struct {
			Items map[string]item `json:"items" validate:"dive"`
		}{map[string]item{"a.b": secret, "c": secret}},
		"interface": struct {
			In any `json:"in" validate:"required"`
		}{secret},
		"generic": boxed[item]{secret},
		"nested":  boxed[boxed[item]]{boxed[item]{secret}},
	} {
		text := check(t, s)
		require.NotContains(t, text, "hunter2", name)
		require.Contains(t, text, "[redacted]", name)
	}
	for name, s := range map[string]any{
		"map": struct {
			M map[string]float64 `json:"m"`
		}{map[string]float64{"x": math.NaN()}},
		"embedded": struct{ base }{base{math.Inf(1)}},
	} {
		require.Contains(t, check(t, s), "must be finite", name)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	a := New()
	require.NotNil(t, a.Validator())
	for _, s := range []any{nil, 1, "x", (*config)(nil), []config{}} {
		require.ErrorIs(t, a.Check(new(validate.Check), s), ErrNotStruct)
	}
	require.ErrorContains(t, a.Check(new(validate.Check), struct {
		X int `validate:"no_such_tag"`
	}{}), "no_such_tag")
}
