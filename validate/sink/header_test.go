package sink

import (
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHeaders sends every text that is let through as the value of a field, and reads it back: one field, with that value.
func TestHeaders(t *testing.T) {
	t.Parallel()
	sent := 0
	for _, s := range texts(t) {
		v, err := HeaderValue(s)
		if err != nil {
			require.ErrorIs(t, err, ErrText)
			continue
		}
		rec := httptest.NewRecorder()
		rec.Header().Set("X-Text", v)
		rec.WriteHeader(http.StatusOK)
		var raw strings.Builder
		require.NoError(t, rec.Result().Header.Write(&raw))
		if raw.String() != "X-Text: "+s+"\r\n" {
			t.Fatalf("%q is sent as %q", s, raw.String())
		}
		sent++
	}
	require.Positive(t, sent)
	for _, bad := range []string{"a\r\nb", "a\nb", "\x00", "ä", " a", "a\t", "\x7f"} {
		_, err := HeaderValue(bad)
		require.ErrorIs(t, err, ErrText, "%q", bad)
	}
	_, err := HeaderValue("a\tb c")
	require.NoError(t, err)
	for name, ok := range map[string]bool{"X-Run": true, "": false, "a b": false, "a:": false, "a\n": false, "ä": false, "x_1": true} {
		_, err := HeaderName(name)
		require.Equal(t, ok, err == nil, name)
	}
}

func TestAttachment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run.svg", "über maß.txt", `a'b;c.txt`, "100%.csv"} {
		v, err := Attachment(name)
		require.NoError(t, err)
		_, err = HeaderValue(v)
		require.NoError(t, err)
		_, params, err := mime.ParseMediaType(v)
		require.NoError(t, err)
		require.Equal(t, name, params["filename"])
	}
	for _, name := range []string{"", "../x", "a/b", "a\r\nb", `a"b`} {
		_, err := Attachment(name)
		require.Error(t, err, name)
	}
}
