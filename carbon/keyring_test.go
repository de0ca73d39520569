package carbon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyRing(t *testing.T) {
	t.Parallel()
	_, err := NewKeyRing("a", "", "b")
	require.Error(t, err)
	for _, bad := range []string{"zyx\n", " zyx", "z\x00yx", "zyx\r\nX-Other: 1"} {
		_, err = NewKeyRing("", "good", bad)
		require.ErrorContains(t, err, "the next key")
		require.NotContains(t, err.Error(), strings.TrimSpace(bad))
	}
	r, err := NewKeyRing("old", "now", "new")
	require.NoError(t, err)
	require.Equal(t, []string{"now", "new", "old"}, r.candidates())
	r.worked("now")
	r.worked("never heard of")
	require.Equal(t, []string{"now", "new", "old"}, r.candidates())
	r.worked("new")
	require.Equal(t, []string{"new", "now", "old"}, r.candidates())
	require.NoError(t, r.SetNext("newer"))
	require.Equal(t, []string{"new", "newer"}, r.candidates())
	require.Error(t, r.SetNext("bad\n"))
	require.Equal(t, []string{"new", "newer"}, r.candidates())

	var none *KeyRing
	require.Empty(t, none.candidates())
	require.Error(t, none.SetNext("x"))
	require.Equal(t, "KeyRing(0 keys)", none.String())
	require.Error(t, new(KeyRing).SetNext("x"))
}

func TestKeyRingNeverShown(t *testing.T) {
	t.Parallel()
	r, err := NewKeyRing("SECRET-1", "SECRET-2", "SECRET-3")
	require.NoError(t, err)
	holder := struct{ Keys *KeyRing }{r}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "ring", r, "config", WattTimeConfig{Passwords: r}, "maps", &ElectricityMapsConfig{Keys: r})
	}
	text, err := json.Marshal(holder)
	require.NoError(t, err)
	log.Write(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, r, holder, ElectricityMapsConfig{Keys: r})
	}
	require.NotContains(t, log.String(), "SECRET")
	require.NotContains(t, log.String(), fmt.Sprintf("%x", "SECRET"))
	require.Contains(t, log.String(), "KeyRing(3 keys)")
}

// The change of a key: the old one is refused from some moment on, and no call is lost.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	valid := "key-1"
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		key := r.Header.Get("auth-token")
		seen = append(seen, key)
		if key != valid {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("fine"))
	}))
	t.Cleanup(s.Close)
	ring, err := NewKeyRing("", "key-1", "key-2")
	require.NoError(t, err)
	a := newTestAPI(t, HTTPConfig{URL: s.URL})
	get := func() error {
		_, err := a.get(t.Context(), "/x", ring, "auth-token")
		return err
	}
	require.NoError(t, get())
	mu.Lock()
	valid = "key-2"
	mu.Unlock()
	require.NoError(t, get())
	require.NoError(t, get())
	require.Equal(t, []string{"key-1", "key-1", "key-2", "key-2"}, seen, "the one that works stays")
	mu.Lock()
	valid = "key-1" // rolled back
	mu.Unlock()
	require.NoError(t, get())
	mu.Lock()
	valid = "none"
	mu.Unlock()
	require.ErrorIs(t, get(), ErrAuth)
	require.Len(t, seen, 8)
	_, err = a.get(t.Context(), "/x", nil, "auth-token")
	require.ErrorIs(t, err, ErrAuth)
	require.Len(t, seen, 8, "without a key nothing is asked")
}

// Whatever a provider repeats in its answers, no key reaches an error, a log or another host.
func TestKeysNeverLeak(t *testing.T) {
	t.Parallel()
	const key, password = `SECRET/key+1"x`, `SECRET pass&word`
	var log bytes.Buffer
	var leaks []string
	see := func(where, text string) {
		for _, form := range []string{"SECRET", "U0VDUkVU", url.QueryEscape(key)} {
			if strings.Contains(text, form) {
				leaks = append(leaks, where+": "+text)
			}
		}
	}
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	quoted, err := json.Marshal(key)
	require.NoError(t, err)
	var mu sync.Mutex
	var mode int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		see("URL", r.URL.String())
		see("referer", r.Referer())
		if r.URL.Path == "/login" && mode > 0 {
			_, _ = w.Write([]byte(`{"token":"SECRET-token"}`))
			return
		}
		said := r.Header.Get("auth-token") + " " + url.QueryEscape(key) + " " + strings.ReplaceAll(url.QueryEscape(key), "%2F", "%2f") + " " + string(quoted)
		if r.Header.Get("auth-token") == "" {
			said = r.Header.Get("Authorization") + " " + password + " " + url.PathEscape(password)
		}
		switch mode {
		case 0:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte("refused: " + said))
		case 1: // the key stands across the end of what is read
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(strings.Repeat(" ", 4096-len("SECRET")-2) + said))
		case 2:
			http.Redirect(w, r, other.URL+"/?from=here", http.StatusFound)
		case 3:
			_, _ = w.Write([]byte(`{"zone":` + string(quoted) + `,"history":[{"datetime":` + string(quoted) + `}],"data":[{"point_time":"SECRET-token"}]}`))
		case 4:
			_, _ = w.Write([]byte(said))
		}
	}))
	t.Cleanup(s.Close)
	cfg := HTTPConfig{URL: s.URL, Backoff: 1, PerSecond: 1e6, Failures: 1, Cooldown: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	for mode = range 5 {
		ring, err := NewKeyRing("", key, "SECRET-two")
		require.NoError(t, err)
		maps, err := NewElectricityMaps(ElectricityMapsConfig{Zone: "DE", Keys: ring, HTTP: cfg})
		require.NoError(t, err)
		passwords, err := NewKeyRing("", password, "SECRET-four")
		require.NoError(t, err)
		wt, err := NewWattTime(WattTimeConfig{Region: "R", User: "me", Passwords: passwords, HTTP: cfg})
		require.NoError(t, err)
		_, err = maps.At(t.Context(), testNow())
		require.Error(t, err)
		see("error", fmt.Sprintf("%v %+v %#v", err, err, err))
		_, err = wt.At(t.Context(), testNow())
		require.Error(t, err)
		see("error", fmt.Sprintf("%v %+v %#v", err, err, err))
		see("provider", fmt.Sprintf("%v %+v %v %+v", maps, maps, wt, wt))
	}
	see("log", log.String())
	require.Empty(t, leaks)
	require.Zero(t, elsewhere, "a redirect does not carry a key away")
}

// TestKeyRingByValue: a copy, which vet forbids and code makes all the same, shows no key either.
func TestKeyRingByValue(t *testing.T) {
	t.Parallel()
	r, err := NewKeyRing("previous-secret", "current-secret", "next-secret")
	require.NoError(t, err)
	config := reflect.Indirect(reflect.ValueOf(r)).Interface() // a copy
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		require.NotContains(t, fmt.Sprintf(verb, config), "secret", verb)
		require.NotContains(t, fmt.Sprintf(verb, struct{ Keys any }{config}), "secret", verb)
	}
	r.worked("next-secret")
	require.Equal(t, []string{"next-secret", "current-secret", "previous-secret"}, r.candidates())
	require.Empty(t, new(KeyRing).candidates())
}
