package sink

import (
	"bufio"
	"mime"
	"net/http"
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
		raw := "HTTP/1.1 200 OK\r\nX-Text: " + v + "\r\nContent-Length: 0\r\n\r\n" // without the help of http.Header
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil)
		require.NoError(t, err, "%q", s)
		require.NoError(t, resp.Body.Close())
		if len(resp.Header) != 2 || len(resp.Header["X-Text"]) != 1 || resp.Header.Get("X-Text") != s {
			t.Fatalf("%q is read as %q", s, resp.Header)
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
