package witness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/audit/internal/cosignature"
)

func verifier(vkey string) (note.Verifier, error) { return cosignature.NewVerifier(vkey) }

// TestAnswers: what a client makes of an answer.
func TestAnswers(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, "log")
	l.grow(0, 3, "")
	w := open(t, filepath.Join(t.TempDir(), "w"), l.vkey)
	good, err := w.Cosign(context.Background(), 0, nil, l.head(3))
	require.NoError(t, err)
	other, err := w.Cosign(context.Background(), 3, nil, l.head(3))
	require.NoError(t, err)
	stranger := newTestLog(t, "stranger")
	stranger.grow(0, 3, "")
	_, foreign, _ := bytes.Cut(stranger.head(3), []byte("\n\n"))
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   error
		text   string
	}{
		{"signed", 200, "", string(good), nil, ""},
		{"signed twice", 200, "", string(good) + string(other), nil, ""},
		{"with a stranger", 200, "", string(foreign) + string(good), nil, ""},
		{"a stranger alone", 200, "", string(foreign), nil, "not signed by"},
		{"nothing", 200, "", "", nil, "not signed by"},
		{"HTML", 200, "text/html", "<html>login</html>", nil, "not signed by"},
		{"huge", 200, "", strings.Repeat("x", maxBody+1), nil, "exceeds"},
		{"conflict without a size", 409, "text/plain", "7\n", nil, "409"},
		{"conflict with words", 409, sizeType, "seven\n", nil, "409"},
		{"conflict with a negative size", 409, sizeType, "-7\n", nil, "409"},
		{"forbidden", 403, "", "", ErrSignature, ""},
		{"not found", 404, "", "", ErrUnknownLog, ""},
		{"fork", 422, "", "", ErrFork, ""},
		{"error", 500, "", "secret", nil, "500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if tt.kind != "" {
					rw.Header().Set("Content-Type", tt.kind)
				}
				rw.WriteHeader(tt.status)
				_, _ = io.WriteString(rw, tt.body)
			}))
			defer s.Close()
			c, err := NewClient(s.URL, w.Key(), nil)
			require.NoError(t, err)
			sigs, err := c.Cosign(context.Background(), 3, nil, l.head(3))
			switch {
			case tt.want != nil:
				require.ErrorIs(t, err, tt.want)
			case tt.text != "":
				require.ErrorContains(t, err, tt.text)
				require.NotContains(t, err.Error(), "secret")
				var size *audit.WitnessSizeError
				require.False(t, errors.As(err, &size))
			default:
				require.NoError(t, err)
				require.Contains(t, string(sigs), string(good))
				require.NotContains(t, string(sigs), "stranger")
			}
		})
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	w := open(t, filepath.Join(t.TempDir(), "w"))
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", path, "", 405}, {"POST", "/", "", 404}, {"POST", path, "", 400}, {"POST", path, "old 1\n\nx", 400},
		{"POST", path, strings.Repeat("x", maxBody+1), 413},
	} {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
		require.Equal(t, tt.status, rec.Code, tt)
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	w := open(t, filepath.Join(t.TempDir(), "w"))
	for _, bad := range []string{"", "x", "ftp://h", "http://", "http://u:secret@h/", "http://h/?token=secret", "http://h/#x"} {
		_, err := NewClient(bad, w.Key(), nil)
		require.ErrorContains(t, err, "witness: the URL")
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := NewClient("http://witness.example.com", w.Key(), nil)
	require.ErrorContains(t, err, "https")
	_, err = NewClient("https://h", "x", nil)
	require.ErrorContains(t, err, "witness: key")
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("old 0\n\nx"))
	f.Add([]byte("old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\nexample.com/log\n1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		old, proof, checkpoint, err := parseRequest(body)
		if err != nil {
			require.ErrorIs(t, err, ErrRequest)
			return
		}
		require.Equal(t, string(body), string(formatRequest(old, proof, checkpoint)), "there is one way to write a request")
		_, _ = parseHead(string(checkpoint))
	})
}
