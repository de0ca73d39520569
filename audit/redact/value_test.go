package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type panics struct{ Name string }

func (panics) Error() string                { panic("hunter2") }
func (panics) String() string               { panic("hunter2") }
func (panics) MarshalJSON() ([]byte, error) { panic("hunter2") }

type panicsLater struct{}

func (panicsLater) LogValue() slog.Value { panic("hunter2") }

type stringer struct{ inner string }

func (s stringer) String() string { return "state of " + s.inner }

type level int

func (l level) String() string { return "level-" + string(rune('a'+l)) }

type pointerText struct{ Hidden string }

func (p *pointerText) MarshalText() ([]byte, error) { return []byte("text of " + p.Hidden), nil }

type valuer struct{ v slog.Value }

func (v valuer) LogValue() slog.Value { return v.v }

type base struct {
	User     string `json:"user"`
	Password string `json:"pw,omitempty"`
}

type tree struct {
	base
	Pin      string `redact:"pin"`
	Nick     Secret
	Children []*tree         `json:"children,omitempty"`
	More     map[string]any  `json:",omitempty"`
	Raw      json.RawMessage `json:"raw,omitempty"`
	Skipped  string          `json:"-"`
	When     time.Time       `json:"when,omitzero"`
	Loss     []float64       `json:",omitempty"`
	Err      error           `json:",omitempty"`
	Texts    []pointerText   `json:",omitempty"`
	ByID     map[int]string  `json:",omitempty"`
	Any      any             `json:",omitempty"`
	Bytes    []byte          `json:",omitempty"`
}

func TestValue(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	u, err := url.Parse("https://bob:hunter2@example.com/x")
	require.NoError(t, err)
	loop := &tree{}
	loop.Children = []*tree{loop}
	ring := map[string]any{}
	ring["self"] = ring
	for _, tt := range []struct {
		in         any
		json, text string // text if other than the JSON
	}{
		{nil, `null`, ""},
		{42, `42`, ""},
		{int64(4111111111111111), `"[redacted:card]"`, "[redacted:card]"},
		{math.NaN(), `"NaN"`, "NaN"},
		{[]float64{1, math.Inf(1), math.Inf(-1), 1e-9, 0.1}, `[1,"+Inf","-Inf",1e-09,0.1]`, ""},
		{[]float32{0.1}, `[0.1]`, ""},
		{"password=x", `"password=[redacted:password]"`, "password=[redacted:password]"},
		{NewSecret("hunter2"), `"[redacted:secret]"`, "[redacted:secret]"},
		{struct{ s Secret }{NewSecret("hunter2")}, `{}`, ""},
		{map[string]string{"b": "1", "password": "hunter2", "a": "bob@example.com"}, `{"a":"[redacted:email]","b":"1","password":"[redacted:password]"}`, ""},
		{map[string]int{"a@b.com": 1, "c@d.com": 2}, `{"[redacted:email]":1,"[redacted:email]~2":2}`, ""},
		{map[string]any{"credentials": map[string]string{"x": "y"}, "token": nil, "secret": ""}, `{"credentials":"[redacted:credentials]","secret":"","token":null}`, ""},
		{tree{base: base{"bob", "hunter2"}, Pin: "1234", Skipped: "hunter2", When: time.Unix(0, 0).UTC()},
			`{"user":"bob","pw":"[redacted:password]","Pin":"[redacted:pin]","Nick":"[redacted:secret]","when":"1970-01-01T00:00:00Z"}`, ""},
		{&tree{Raw: json.RawMessage(`{"token": "hunter2" }`), Err: fmt.Errorf("x: %w", errors.New("token=hunter2")), Texts: []pointerText{{"token=hunter2"}}},
			`{"user":"","Pin":"","Nick":"[redacted:secret]","raw":{"token": "[redacted:token]" },"Err":"x: token=[redacted:token]","Texts":["text of token=[redacted:token]"]}`, ""},
		{loop, `{"user":"","Pin":"","Nick":"[redacted:secret]","children":["[redacted:cycle]"]}`, ""},
		{ring, `{"self":"[redacted:cycle]"}`, ""},
		{errors.New("bearer abc1234567"), `"bearer [redacted:bearer]"`, "bearer [redacted:bearer]"},
		{panics{"hunter2"}, `"[redacted:panic]"`, "[redacted:panic]"},
		{stringer{"password=hunter2"}, `"state of password=[redacted:password]"`, "state of password=[redacted:password]"},
		{level(2), `2`, "level-c"},
		{[]level{2}, `[2]`, ""},
		{u, "", ""},
		{[]byte("token=hunter2"), `"dG9rZW49W3JlZGFjdGVkOnRva2VuXQ=="`, "token=[redacted:token]"},
		{[]any{[]byte{0xff, 1}}, `["/wE="]`, ""},
		{slog.GroupValue(slog.String("token", "x"), slog.Int("n", 1)), `{"token":"[redacted:token]","n":1}`, ""},
		{[]any{slog.Duration("d", 5), slog.Any("v", valuer{slog.AnyValue(valuer{slog.StringValue("token=hunter2")})})}, `[{"d":5},{"v":"token=[redacted:token]"}]`, ""},
		{valuer{slog.GroupValue(slog.Any("password", []int{1}))}, `{"password":"[redacted:password]"}`, ""},
		{make(chan int), `"[chan int]"`, "[chan int]"},
		{func() {}, `"[func()]"`, "[func()]"},
		{complex(1, 2), `"(1+2i)"`, "(1+2i)"},
		{json.Number("4111111111111111"), `"[redacted:card]"`, "[redacted:card]"},
		{map[[2]int]string{{1, 2}: "x"}, `{"[1,2]":"x"}`, ""},
		{(*tree)(nil), `null`, ""},
		{[...]bool{true}, `[true]`, ""},
	} {
		c := r.Value(tt.in)
		out, err := json.Marshal(c)
		require.NoError(t, err, "%T", tt.in)
		require.NotContains(t, string(out), "hunter2")
		require.NotContains(t, c.String(), "hunter2")
		require.NotContains(t, fmt.Sprintf("%v %+v %s %q", c, c, c, c), "hunter2")
		if tt.json == "" {
			continue
		}
		require.Equal(t, tt.json, string(c.json), "%T", tt.in)
		if tt.text == "" {
			tt.text = tt.json
		}
		require.Equal(t, tt.text, c.String(), "%T", tt.in)
	}
	require.Contains(t, r.Value(panicsLater{}).String(), "LogValue panicked")
	require.NotContains(t, r.Value(panicsLater{}).String(), "hunter2")
	require.Equal(t, "null", r.Value(Clean{}).String())
}

// What an attacker, or an accident, makes too deep or too large ends.
func TestValueIsBounded(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	var deep any = "token=hunter2"
	for range 10000 {
		deep = []any{deep}
	}
	out := r.Value(deep).String()
	require.Contains(t, out, "[redacted:depth]")
	require.Less(t, len(out), 1000)

	type pair struct{ L, R *pair }
	p := &pair{}
	for range 60 { // 2^60 paths
		p = &pair{p, p}
	}
	out = r.Value(p).String()
	require.Contains(t, out, "[redacted:size]")
	require.Less(t, len(out), 2<<20)
	require.True(t, json.Valid([]byte(out)))

	out = r.Value(make([]float32, 1<<20)).String()
	require.Less(t, len(out), 1<<20)
	require.True(t, json.Valid([]byte(out)))

	require.Equal(t, strings.Repeat("[", maxDepth)+depthMark+strings.Repeat("]", maxDepth),
		string(r.JSON(nil, []byte(strings.Repeat("[", 5000)+strings.Repeat("]", 5000)))))
}

func TestAttr(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	same := func(a slog.Attr) {
		clean, changed := r.Clean(a)
		require.False(t, changed, a)
		require.True(t, clean.Equal(a))
		if k := a.Value.Kind(); k != slog.KindGroup && k != slog.KindAny && a.Key != "token" && a.Key != "password" && a.Key != "at" {
			require.True(t, r.Plain(a))
		}
	}
	same(slog.String("k", "v"))
	same(slog.Int("step", 7))
	same(slog.Duration("took", time.Second))
	same(slog.Group("g", slog.Bool("b", true), slog.Group("h", slog.Float64("loss", 0.5))))
	same(slog.Bool("token", true))
	same(slog.String("password", ""))
	same(slog.Any("x", nil))
	same(slog.Int64("at", 1763850000000000000))
	for _, tt := range []struct {
		in   slog.Attr
		want string
	}{
		{slog.String("password", "hunter2"), "password=[redacted:password]"},
		{slog.Int("pin_code", 1234), "pin_code=[redacted:pincode]"},
		{slog.Any("api-key", []string{"hunter2"}), "api-key=[redacted:api-key]"},
		{slog.Group("credentials", slog.String("user", "bob")), "credentials=[redacted:credentials]"},
		{slog.Group("g", slog.Int("n", 1), slog.Group("h", slog.String("jwt", "x"), slog.Any("e", errors.New("pwd=x")))), "g=[n=1 h=[jwt=[redacted:jwt] e=pwd=[redacted:pwd]]]"},
		{slog.Float64("loss", math.NaN()), "loss=NaN"},
		{slog.Float64("loss", math.Inf(1)), "loss=+Inf"},
		{slog.Any("v", valuer{slog.AnyValue(NewSecret("hunter2"))}), "v=[redacted:secret]"},
		{slog.String("a@b.com", "x"), "[redacted:email]=x"},
		{slog.Uint64("n", 4111111111111111), "n=[redacted:card]"},
		{slog.Any("m", map[string]any{"token": "hunter2", "loss": math.NaN()}), `m={"loss":"NaN","token":"[redacted:token]"}`},
		{slog.Any("token", valuer{slog.BoolValue(true)}), "token=true"},
	} {
		require.False(t, r.Plain(tt.in))
		clean, changed := r.Clean(tt.in)
		require.True(t, changed, tt.in.Key)
		require.Equal(t, tt.want, clean.String())
		again, _ := r.Clean(clean)
		require.Equal(t, tt.want, again.String())
	}
	require.Equal(t, "user=[redacted:secrets]", r.Attr([]string{"a", "secrets"}, slog.String("user", "bob")).String())
	require.Equal(t, "user=bob", r.Attr([]string{"a"}, slog.String("user", "bob")).String())
}
