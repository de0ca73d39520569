package redact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type node struct {
	Text  string         `json:"text"`
	Inner any            `json:"inner,omitempty"`
	List  []node         `json:"list,omitempty"`
	Map   map[string]any `json:"map,omitempty"`
	Next  *node          `json:"next,omitempty"`
}

// wrap hides a text in a value of some type.
func wrap(rng *rand.Rand, text string, depth int) any {
	if depth == 0 {
		switch rng.IntN(8) {
		case 0:
			return errors.New(text)
		case 1:
			return stringer{text}
		case 2:
			return valuer{slog.StringValue(text)}
		case 3:
			return NewSecret(text)
		case 4:
			return &pointerText{text}
		case 5:
			b, _ := json.Marshal(map[string]string{"k": text})
			return json.RawMessage(b)
		case 6:
			return slog.GroupValue(slog.String("s", text))
		default:
			return text
		}
	}
	inner := wrap(rng, text, depth-1)
	switch rng.IntN(10) {
	case 0:
		return node{Text: "x", Inner: inner}
	case 1:
		return &node{Text: text, Next: &node{Inner: inner}}
	case 2:
		return []any{1, inner}
	case 3:
		return map[string]any{"k": inner, text: 1}
	case 4:
		return map[any]any{1: inner}
	case 5:
		return fmt.Errorf("wrapped: %w", errors.New(text))
	case 6:
		return valuer{slog.AnyValue(inner)}
	case 7:
		return slog.GroupValue(slog.Any("deep", inner))
	case 8:
		return node{List: []node{{Text: text}}, Map: map[string]any{"m": inner}}
	default:
		return &inner
	}
}

// noSecret logs a value through both handlers of slog, in every place, and looks for what must not be there.
func noSecret(t testing.TB, r *Redactor, v any, hidden string) {
	t.Helper()
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		rec := slog.Record{Message: "m"}
		rec.AddAttrs(r.Attr(nil, slog.Any("v", v)), r.Attr(nil, slog.Group("g", slog.Group("h", slog.Any("v", v)))))
		require.NoError(t, h.Handle(context.Background(), rec))
	}
	got := out.String()
	for _, form := range []string{hidden, strings.Trim(string(appendQuoted(nil, hidden)), `"`)} {
		require.NotContains(t, got, form, "%#v", v)
	}
	require.NotContains(t, got, "!ERROR")
	require.NotContains(t, got, "!PANIC")
}

func TestNoSecretInAnyValue(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	rng := rand.New(rand.NewPCG(21, 4))
	for _, s := range samples(19, 60) {
		for depth := range 4 {
			noSecret(t, r, wrap(rng, s.text, depth), s.hidden)
		}
		for _, name := range []string{"password", "api_key", "Authorization"} {
			noSecret(t, r, map[string]any{name: wrap(rng, s.hidden, 2)}, s.hidden)
		}
	}
}

func FuzzValue(f *testing.F) {
	r, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	kinds := generators()
	f.Add(uint64(1), uint64(2), uint8(3), "key")
	f.Fuzz(func(t *testing.T, a, b uint64, depth uint8, kind string) {
		rng := rand.New(rand.NewPCG(a, b))
		for name, generate := range kinds {
			if kind == name || kind == "" || len(kind) > 12 {
				s := generate(rng)
				noSecret(t, r, wrap(rng, s.text, int(depth%6)), s.hidden)
			}
		}
	})
}
