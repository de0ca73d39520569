package redact

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type holder struct {
	Exported Secret
	private  Secret
}

func TestSecretShowsNothing(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	s := NewSecret(value)
	require.Equal(t, value, s.Reveal())
	values := map[string]any{
		"value": s, "pointer": &s, "struct": holder{s, s}, "pointer to struct": &holder{s, s}, "map": map[string]Secret{"k": s},
		"slice": []Secret{s}, "array": [1]Secret{s}, "error": fmt.Errorf("with %v, %s, %q, %x, %d, %+v, %#v", s, s, s, s, s, s, s), "any": []any{&s},
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T"} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, value, "%s %s", name, verb)
			require.NotContains(t, strings.ToLower(out), fmt.Sprintf("%x", value), "%s %s", name, verb)
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(b), value)
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			l := slog.New(h).With("w", v)
			l.LogAttrs(context.Background(), slog.LevelInfo, "m", slog.Any("a", v), slog.Group("g", slog.Any("a", v)))
			require.NotContains(t, out.String(), value, name)
		}
	}
	b, err := xml.Marshal(holder{s, s})
	require.NoError(t, err)
	require.NotContains(t, string(b), value)
	var out bytes.Buffer
	require.Error(t, gob.NewEncoder(&out).Encode(s), "it refuses")
	require.NotContains(t, out.String(), value)
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	require.True(t, NewSecret("a").Equal(NewSecret("a")))
	require.False(t, NewSecret("a").Equal(NewSecret("ab")))
	require.True(t, Secret{}.Equal(NewSecret("")))
	require.True(t, NewSecret("").IsZero())
	require.Empty(t, Secret{}.Reveal())
}

func TestSecretFromConfiguration(t *testing.T) {
	t.Parallel()
	var cfg struct{ Key Secret }
	require.NoError(t, json.Unmarshal([]byte(`{"Key":"hunter2"}`), &cfg))
	require.Equal(t, "hunter2", cfg.Key.Reveal())
	saved, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.ErrorIs(t, json.Unmarshal(saved, &cfg), errMarked)
	require.Equal(t, "hunter2", cfg.Key.Reveal())
	require.False(t, errors.Is(cfg.Key.UnmarshalText([]byte("[redacted:x")), errMarked))
}
