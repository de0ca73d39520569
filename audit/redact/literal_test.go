package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHostileTexts: texts in which every few bytes begin something that reaches far. Were time to grow with the square of
// their length, this would take many minutes.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	r, err := New(Config{})
	require.NoError(t, err)
	const n = 1 << 18
	for _, unit := range []string{"%40", "a@", "a@a", "a@a.", "-eyJ", "eyJ", "eyJ.", "eyJhbGciOi.", "_eyJhbGciOiJub25lIn0.", "-----BEGIN ", "-----BEGIN PRIVATE KEY",
		"://", "a://b@", "password", "password=", "\\\"password\\\":", "bearer ", "4111", "+1 ", "GB82", "sk-", "ghp_", "\\u0041", "%25", "\"", "\\"} {
		text := strings.Repeat(unit, n/len(unit))
		_ = r.String(text)
		_ = r.JSON(nil, []byte(`{"a":"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"}`))
	}
}

func TestTokensBehindOthers(t *testing.T) {
	t.Parallel()
	r, err := New(Config{})
	require.NoError(t, err)
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	for _, front := range []string{"", "id-", "x_", "session_0123456789-", strings.Repeat("a,", 100), strings.Repeat("a", 300) + " "} {
		require.NotContains(t, r.String(front+token), "dBjft", front)
	}
	require.NotContains(t, string(r.Value([]byte("\xffghp_a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8")).String()), "Z2hwX2")
}
