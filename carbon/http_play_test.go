package carbon

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// httpAnswer is what a test server says to one call.
type httpAnswer struct {
	code   int // 0 is 200
	header map[string]string
	body   string
	cut    bool                // the connection ends in the middle of the body
	before func(*http.Request) // what happens first, if anything
}

// httpPlay is a local server that gives the answers in turn, the last one again and again.
type httpPlay struct {
	server  *httptest.Server
	mu      sync.Mutex
	answers []httpAnswer
	calls   []*http.Request
}

func playHTTP(t *testing.T, answers ...httpAnswer) *httpPlay {
	t.Helper()
	p := &httpPlay{answers: answers}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *httpPlay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls = append(p.calls, r)
	answer := p.answers[min(len(p.calls), len(p.answers))-1]
	p.mu.Unlock()
	if answer.before != nil {
		answer.before(r)
	}
	for k, v := range answer.header {
		w.Header().Set(k, v)
	}
	if answer.cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(answer.body)*2))
	}
	if answer.code != 0 {
		w.WriteHeader(answer.code)
	}
	_, _ = w.Write([]byte(answer.body))
}

// asked are the paths of the calls so far.
func (p *httpPlay) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, r := range p.calls {
		out = append(out, r.URL.RequestURI())
	}
	return out
}

// headers are the values of one header in the calls so far.
func (p *httpPlay) headers(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, r := range p.calls {
		out = append(out, r.Header.Get(name))
	}
	return out
}

// config calls the server, without pauses that a test would have to wait for.
func (p *httpPlay) config() HTTPConfig {
	return HTTPConfig{URL: p.server.URL, Backoff: time.Microsecond, PerSecond: 1e6, MaxBody: 1 << 16, Failures: 100}
}

// recordedBody is a recorded response.
func recordedBody(t testing.TB, provider, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "carbon", "fixtures", provider, file))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("recorded responses are not here")
	}
	require.NoError(t, err)
	return body
}
