package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// job is a configuration of every kind of field.
type job struct {
	Name      string             `json:"name"`
	Key       string             `json:"key"`
	Optimizer string             `json:"optimizer"`
	Zone      string             `json:"zone"`
	Dropout   float64            `json:"dropout"`
	Rate      float64            `json:"rate"`
	Steps     int                `json:"steps"`
	Seed      *int               `json:"seed"`
	Resume    *bool              `json:"resume"`
	Timeout   time.Duration      `json:"timeout"`
	Privacy   *Privacy           `json:"privacy"`
	Layers    []layer            `json:"layers"`
	Data      struct{ A, B int } `json:"data"`
}

type layer struct {
	Size int `json:"size"`
}

func jobRules(t testing.TB) *Rules[job] {
	layers, err := NewRules[layer](Int[layer]{Name: "size", Get: func(l *layer) int { return l.Size }, Min: 1, Max: 8192})
	require.NoError(t, err)
	r, err := NewRules[job](
		String[job]{Name: "name", Get: func(j *job) string { return j.Name }, Min: 2, Max: 8, Pattern: regexp.MustCompile(`^[a-zé-]+$`)},
		String[job]{Name: "key", Get: func(j *job) string { return j.Key }, Kind: SecretText},
		String[job]{Name: "optimizer", Get: func(j *job) string { return j.Optimizer }, OneOf: []string{"sgd", "adamw"}},
		String[job]{Name: "zone", Get: func(j *job) string { return j.Zone }, Kind: ZoneText},
		Float[job]{Name: "dropout", Get: func(j *job) float64 { return j.Dropout }, Max: 0.9, Usual: Usual{0, 0.5}},
		Float[job]{Name: "rate", Get: func(j *job) float64 { return j.Rate }, Max: 1, Above: true, Doc: "learning rate"},
		Int[job]{Name: "steps", Get: func(j *job) int { return j.Steps }, Min: 0, Max: 1000, Usual: Usual{0, 900}},
		Int[job]{Name: "seed", Get: func(j *job) int { return *j.Seed }, Min: -5, Max: 5,
			Presence: Presence[job]{Has: func(j *job) bool { return j.Seed != nil }}},
		Bool[job]{Name: "resume", Get: func(j *job) bool { return *j.Resume },
			Presence: Presence[job]{Has: func(j *job) bool { return j.Resume != nil }, Required: true}},
		Duration[job]{Name: "timeout", Get: func(j *job) time.Duration { return j.Timeout }, Min: time.Second, Max: time.Hour},
		Part[job, Privacy]{Name: "privacy", Get: func(j *job) *Privacy { return j.Privacy }, Rules: PrivacyRules()},
		Each[job, layer]{Name: "layers", Get: func(j *job) []layer { return j.Layers }, Rules: layers, Min: 1, Max: 3},
		Int[job]{Name: "data.a", Get: func(j *job) int { return j.Data.A }, Max: 9},
		Int[job]{Name: "data.b", Get: func(j *job) int { return j.Data.B }, Max: 9},
		Own[job]{OK: func(j *job) bool { return j.Data.A <= j.Data.B },
			Problem: func(j *job) Problem {
				return Problem{Path: "data.a", Code: CodeOrder, Value: fmt.Sprint(j.Data.A), Limit: "at most data.b"}
			}},
	)
	require.NoError(t, err)
	return r
}

func goodJob() job {
	seed, resume := 0, false // present zeros
	p := goodPrivacy()
	return job{Name: "né", Key: "s3cr3tK", Optimizer: "sgd", Zone: "DE", Rate: 1, Seed: &seed, Resume: &resume, Timeout: time.Minute,
		Privacy: &p, Layers: []layer{{8}, {16}}}
}

func TestRuleSet(t *testing.T) {
	t.Parallel()
	r := jobRules(t)
	good := goodJob()
	require.NoError(t, r.ErrStrict(&good), "zeros that are present are values like others")
	for _, tt := range []struct {
		change func(j *job)
		want   string
	}{
		{func(j *job) { j.Name = "x" }, `name is "x", must be of 2 to 8 characters`},
		{func(j *job) { j.Name = "é" }, `name is "é", must be of 2 to 8 characters`},
		{func(j *job) { j.Name = "abcdefghi" }, `name is "abcdefghi", must be of 2 to 8 characters`},
		{func(j *job) { j.Name = "éééééééé" }, ""},
		{func(j *job) { j.Name = "ab1" }, `name is "ab1", must be like ^[a-zé-]+$`},
		{func(j *job) { j.Key = "hunter2 " }, "key is [redacted], must be without spaces, line ends and other characters that do not print"},
		{func(j *job) { j.Key = "" }, "key must be set"},
		{func(j *job) { j.Optimizer = "SGD" }, `optimizer is "SGD", must be one of "sgd", "adamw"`},
		{func(j *job) { j.Zone = "../x" }, `zone is "../x", must be 1 to 64 letters, digits, '-', '_' and '.', starting with a letter or digit, without ".."`},
		{func(j *job) { j.Dropout = 0.6 }, "dropout is 0.6, should be in [0, 0.5]"},
		{func(j *job) { j.Dropout = 0.91 }, "dropout is 0.91, must be in [0, 0.9]"},
		{func(j *job) { j.Dropout = nan }, "dropout is NaN, must be in [0, 0.9]"},
		{func(j *job) { j.Rate = 0 }, "rate is 0, must be in (0, 1]"},
		{func(j *job) { j.Rate = inf }, "rate is +Inf, must be in (0, 1]"},
		{func(j *job) { j.Steps = 901 }, "steps is 901, should be in [0, 900]"},
		{func(j *job) { j.Steps = 1001 }, "steps is 1001, must be in [0, 1000]"},
		{func(j *job) { j.Seed = nil }, ""},
		{func(j *job) { six := 6; j.Seed = &six }, "seed is 6, must be in [-5, 5]"},
		{func(j *job) { j.Resume = nil }, "resume must be present"},
		{func(j *job) { j.Timeout = 0 }, "timeout is 0s, must be in [1s, 1h0m0s]"},
		{func(j *job) { j.Privacy = nil }, ""},
		{func(j *job) { j.Privacy.NoiseMultiplier = 0 }, "privacy.noise_multiplier is 0, must be in [0.01, 10]: without noise there is no privacy"},
		{func(j *job) { j.Privacy.Epsilon = 11 }, "privacy.epsilon is 11, should be at most 10: above it the guarantee says little"},
		{func(j *job) { j.Layers[1].Size = 0 }, "layers[1].size is 0, must be in [1, 8192]"},
		{func(j *job) { j.Layers = nil }, "layers is of 0 elements, must be of 1 to 3 elements"},
		{func(j *job) { j.Data.A = 3 }, "data.a is 3, must be at most data.b"},
	} {
		j := goodJob()
		tt.change(&j)
		if tt.want == "" {
			require.NoError(t, r.ErrStrict(&j))
			continue
		}
		require.EqualError(t, r.ErrStrict(&j), "validate: "+tt.want)
		if strings.Contains(tt.want, "should") {
			require.NoError(t, r.Err(&j), tt.want)
		} else {
			require.EqualError(t, r.Err(&j), "validate: "+tt.want)
		}
	}
	// Strict mode runs every check and reports every problem at once.
	var ps Problems
	require.ErrorAs(t, r.ErrStrict(&job{Dropout: 0.7, Privacy: &Privacy{Epsilon: nan}}), &ps)
	require.Len(t, ps, 14, "%v", ps)

	var none *Rules[job]
	require.NoError(t, none.ErrStrict(&job{}))
	none.Check(new(Check), &job{})
	require.NoError(t, new(Rules[job]).Err(nil))
}

func TestImpossibleRules(t *testing.T) {
	t.Parallel()
	number := func(*layer) float64 { return 0 }
	whole := func(*layer) int { return 0 }
	text := func(*layer) string { return "" }
	for i, f := range []Field[layer]{
		nil,
		Float[layer]{Name: "x"},
		Float[layer]{Get: number},
		Float[layer]{Name: "x", Get: number, Min: 1},
		Float[layer]{Name: "x", Get: number, Max: nan},
		Float[layer]{Name: "x", Get: number, Above: true},
		Float[layer]{Name: "x", Get: number, Min: inf, Max: inf},
		Float[layer]{Name: "x", Get: number, Max: 1, Usual: Usual{Min: nan}},
		Int[layer]{Name: "x", Get: whole, Min: 1},
		Int[layer]{Name: "x"},
		Duration[layer]{Name: "x", Get: func(*layer) time.Duration { return 0 }, Min: 1},
		Bool[layer]{Name: "x"},
		String[layer]{Name: "x", Get: text, Min: 2, Max: 1},
		String[layer]{Name: "x", Get: text, OneOf: []string{}},
		String[layer]{Name: "x", Get: text, Kind: 9},
		Part[layer, layer]{Name: "x"},
		Each[layer, layer]{Name: "x", Get: func(*layer) []layer { return nil }, Min: 1},
		Own[layer]{},
	} {
		_, err := NewRules(f)
		require.ErrorIs(t, err, ErrRule, "%d", i)
	}
	_, err := NewRules[layer](Float[layer]{Name: "x", Get: number, Min: math.Inf(-1), Max: inf})
	require.NoError(t, err)
	for _, built := range []interface{ validAll() error }{PrivacyRules(), TrainingRules(), CarbonRules(), MonitorRules()} {
		require.NoError(t, built.validAll())
	}
}

func (r *Rules[T]) validAll() error {
	_, err := NewRules(r.fields...)
	return err
}

// obeys judges a decoded JSON value by a schema, of the keywords that Rules.Schema writes.
func obeys(schema map[string]any, v any) error {
	limit := func(key string, ok func(limit float64) bool) error {
		if l, has := schema[key].(float64); has && !ok(l) {
			return fmt.Errorf("%v: %s %v", v, key, l)
		}
		return nil
	}
	switch schema["type"] {
	case "number", "integer":
		x, ok := v.(float64)
		if !ok || schema["type"] == "integer" && x != math.Trunc(x) {
			return fmt.Errorf("%v is no %v", v, schema["type"])
		}
		return errors.Join(limit("minimum", func(l float64) bool { return x >= l }), limit("maximum", func(l float64) bool { return x <= l }),
			limit("exclusiveMinimum", func(l float64) bool { return x > l }))
	case "boolean":
		if _, ok := v.(bool); !ok {
			return fmt.Errorf("%v is no boolean", v)
		}
	case "string":
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("%v is no string", v)
		}
		if pattern, has := schema["pattern"].(string); has && pattern != zonePattern && !regexp.MustCompile(pattern).MatchString(s) {
			return fmt.Errorf("%q is not like %s", s, pattern)
		}
		if list, has := schema["enum"].([]any); has && !slices.Contains(list, any(s)) {
			return fmt.Errorf("%q is none of %v", s, list)
		}
		n := float64(utf8.RuneCountInString(s))
		return errors.Join(limit("minLength", func(l float64) bool { return n >= l }), limit("maxLength", func(l float64) bool { return n <= l }))
	case "array":
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%v is no array", v)
		}
		n := float64(len(list))
		err := errors.Join(limit("minItems", func(l float64) bool { return n >= l }), limit("maxItems", func(l float64) bool { return n <= l }))
		for _, e := range list {
			err = errors.Join(err, obeys(schema["items"].(map[string]any), e))
		}
		return err
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%v is no object", v)
		}
		var err error
		properties := schema["properties"].(map[string]any)
		for key, e := range m {
			p, known := properties[key].(map[string]any)
			if !known {
				return fmt.Errorf("unknown %s", key)
			}
			err = errors.Join(err, obeys(p, e))
		}
		required, _ := schema["required"].([]any)
		for _, key := range required {
			if _, has := m[key.(string)]; !has {
				err = errors.Join(err, fmt.Errorf("%s is missing", key))
			}
		}
		return err
	}
	return nil
}

func TestSchema(t *testing.T) {
	t.Parallel()
	r := jobRules(t)
	text, err := r.Schema()
	require.NoError(t, err)
	again, err := r.Schema()
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	var schema map[string]any
	require.NoError(t, json.Unmarshal(text, &schema))
	require.Equal(t, "https://json-schema.org/draft/2020-12/schema", schema["$schema"])
	require.Equal(t, false, schema["additionalProperties"])

	const valid = `{"name":"ab","key":"K9","optimizer":"sgd","zone":"DE","rate":0.5,"resume":false,"timeout":1000000000,"layers":[{"size":1}]}`
	for _, tt := range []struct{ change, want string }{
		{``, ""},
		{`"name":"a"`, "minLength"},
		{`"name":"abcdefghi"`, "maxLength"},
		{`"name":"AB"`, "not like"},
		{`"optimizer":"x"`, "none of"},
		{`"rate":0`, "exclusiveMinimum"},
		{`"rate":"0.5"`, "no number"},
		{`"steps":1.5`, "no integer"},
		{`"steps":1001`, "maximum"},
		{`"seed":0`, ""},
		{`"seed":-6`, "minimum"},
		{`"resume":0`, "no boolean"},
		{`"timeout":1`, "minimum"},
		{`"layers":[]`, "minItems"},
		{`"layers":[{"size":0}]`, "minimum"},
		{`"layers":[{}]`, "size is missing"},
		{`"privacy":{}`, "epsilon is missing"},
		{`"privacy":{"epsilon":1,"delta":1e-5,"clip":1,"noise_multiplier":0,"sampling_rate":0.1}`, "minimum"},
		{`"data":{"a":10}`, "maximum"},
		{`"extra":1`, "unknown extra"},
	} {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(valid), &v))
		require.NoError(t, json.Unmarshal([]byte("{"+tt.change+"}"), &v))
		err := obeys(schema, v)
		if tt.want == "" {
			require.NoError(t, err, tt.change)
		} else {
			require.ErrorContains(t, err, tt.want, tt.change)
		}
	}
	for _, key := range []string{"name", "key", "optimizer", "zone", "rate", "resume", "timeout", "layers"} {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(valid), &v))
		delete(v, key)
		require.ErrorContains(t, obeys(schema, v), key+" is missing")
	}
	for _, set := range []interface{ Schema() ([]byte, error) }{PrivacyRules(), TrainingRules(), CarbonRules(), MonitorRules()} {
		text, err := set.Schema()
		require.NoError(t, err)
		require.True(t, json.Valid(text))
	}
}

// fifteen is a flat configuration of 15 fields.
type fifteen struct {
	F [8]float64
	I [3]int
	D time.Duration
	Z string
	O string
	K string
}

func fifteenRules(t testing.TB) *Rules[fifteen] {
	fields := []Field[fifteen]{
		Duration[fifteen]{Name: "d", Get: func(v *fifteen) time.Duration { return v.D }, Max: time.Hour},
		String[fifteen]{Name: "z", Get: func(v *fifteen) string { return v.Z }, Kind: ZoneText},
		String[fifteen]{Name: "o", Get: func(v *fifteen) string { return v.O }, OneOf: []string{"sgd", "adam", "adamw"}},
		String[fifteen]{Name: "k", Get: func(v *fifteen) string { return v.K }, Min: 1, Max: 64},
		Float[fifteen]{Name: "f0", Get: func(v *fifteen) float64 { return v.F[0] }, Max: 1},
		Float[fifteen]{Name: "f1", Get: func(v *fifteen) float64 { return v.F[1] }, Max: 1, Usual: Usual{0, 0.5}},
		Float[fifteen]{Name: "f2", Get: func(v *fifteen) float64 { return v.F[2] }, Max: 1},
		Float[fifteen]{Name: "f3", Get: func(v *fifteen) float64 { return v.F[3] }, Max: 1, Above: true},
		Float[fifteen]{Name: "f4", Get: func(v *fifteen) float64 { return v.F[4] }, Max: 1},
		Float[fifteen]{Name: "f5", Get: func(v *fifteen) float64 { return v.F[5] }, Max: 1},
		Float[fifteen]{Name: "f6", Get: func(v *fifteen) float64 { return v.F[6] }, Max: 1},
		Float[fifteen]{Name: "f7", Get: func(v *fifteen) float64 { return v.F[7] }, Max: 1},
		Int[fifteen]{Name: "i0", Get: func(v *fifteen) int { return v.I[0] }, Max: 1},
		Int[fifteen]{Name: "i1", Get: func(v *fifteen) int { return v.I[1] }, Max: 1},
		Int[fifteen]{Name: "i2", Get: func(v *fifteen) int { return v.I[2] }, Max: 1},
	}
	r, err := NewRules(fields...)
	require.NoError(t, err)
	return r
}

func goodFifteen() fifteen {
	return fifteen{F: [8]float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, D: time.Minute, Z: "europe-west1", O: "adamw", K: "run-7"}
}

func TestValidConfigDoesNotAllocate(t *testing.T) {
	flat, v := fifteenRules(t), goodFifteen()
	nested, j := jobRules(t), goodJob()
	j.Name = "ab" // the regular expression engine may allocate for the first match
	require.NoError(t, nested.ErrStrict(&j))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if flat.ErrStrict(&v) != nil || nested.ErrStrict(&j) != nil {
			t.Error("invalid")
		}
	}))
}

func BenchmarkConfig(b *testing.B) {
	r, v := fifteenRules(b), goodFifteen()
	run := func(name string, want int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := r.ErrStrict(&v)
				if ps, _ := err.(Problems); len(ps) != want {
					b.Fatal(err)
				}
			}
		})
	}
	run("valid", 0)
	v.F[0], v.F[1], v.Z, v.I[0] = nan, 2, "a b", 7
	run("4errors", 4)
	v = goodFifteen()
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ok := true
			for _, x := range v.F {
				ok = ok && x >= 0 && x <= 1
			}
			for _, x := range v.I {
				ok = ok && x >= 0 && x <= 1
			}
			ok = ok && v.D >= 0 && v.D <= time.Hour && validZone(v.Z) && slices.Contains([]string{"sgd", "adam", "adamw"}, v.O) &&
				len(v.K) >= 1 && len(v.K) <= 64
			if !ok {
				b.Fatal()
			}
		}
	})
	s := Training{Epochs: 3, BatchSize: 8, LearningRate: 5e-5}
	b.Run("Training.Check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c Check
			s.Check(&c)
		}
	})
}
