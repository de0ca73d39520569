package carbon

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/time/rate"
)

// wattTimeToken is how long a token is used. It lives for 30 minutes.
const wattTimeToken = 25 * time.Minute

// wattTimeSession is an account that is logged in when need be.
type wattTimeSession struct {
	api       *api
	user      string
	passwords *KeyRing
	// logins keeps to 100 in 5 minutes, which is what /login allows.
	logins  *rate.Limiter
	flights flights[string]

	mu     sync.Mutex // guards the rest
	token  string
	former string    // the token before, which a slow call may still carry
	since  time.Time // when the token was asked for
}

func newWattTimeSession(user string, passwords *KeyRing, cfg HTTPConfig) (*wattTimeSession, error) {
	s := &wattTimeSession{user: user, passwords: passwords, logins: rate.NewLimiter(rate.Every(4*time.Second), 10)}
	// 3,000 calls in 5 minutes are allowed.
	a, err := newAPI(wattTimeSource, wattTimeURL, cfg, 8, 20, s.redact)
	s.api = a
	return s, err
}

// redact takes everything out of a text that would let somebody in.
func (s *wattTimeSession) redact(text string) string {
	for _, password := range s.passwords.candidates() {
		text = hide(text, base64.StdEncoding.EncodeToString([]byte(s.user+":"+password)))
	}
	s.mu.Lock()
	token, former := s.token, s.former
	s.mu.Unlock()
	return s.passwords.redact(hide(hide(text, token), former))
}

// get makes a call, or joins the one under way for the same. A token that is refused before its time, which comes as a
// page of HTML, is replaced once.
func (s *wattTimeSession) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	path += "?" + query.Encode()
	return s.api.flights.do(ctx, path, func(ctx context.Context) ([]byte, error) {
		for attempt := 1; ; attempt++ {
			token, err := s.login(ctx)
			if err != nil {
				return nil, err
			}
			body, err := s.api.retried(ctx, path, http.Header{"Authorization": {"Bearer " + token}})
			if attempt == 2 || !errors.Is(err, ErrAuth) {
				return body, err
			}
			s.drop(token)
		}
	})
}

// valid is the token, or empty where a new one is needed.
func (s *wattTimeSession) valid() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.since) >= wattTimeToken {
		return ""
	}
	return s.token
}

// drop forgets a token. One that came since stays.
func (s *wattTimeSession) drop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.since = time.Time{}
	}
}

// login returns a token that is valid for some minutes. Those who need one at the same time share one login.
func (s *wattTimeSession) login(ctx context.Context) (string, error) {
	if token := s.valid(); token != "" {
		return token, nil
	}
	return s.flights.do(ctx, "", func(ctx context.Context) (string, error) {
		if token := s.valid(); token != "" { // from the login that just ended
			return token, nil
		}
		err := error(&APIError{Source: wattTimeSource, Kind: ErrAuth, Detail: "there is no user or password", unasked: true})
		if s.user == "" {
			return "", err
		}
		for _, password := range s.passwords.candidates() {
			var token string
			if token, err = s.ask(ctx, password); err == nil {
				s.passwords.worked(password)
				return token, nil
			}
			if !errors.Is(err, ErrAuth) {
				return "", err
			}
		}
		return "", err
	})
}

func (s *wattTimeSession) ask(ctx context.Context, password string) (string, error) {
	if err := s.logins.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return "", s.api.givenUp(ctx)
		}
		return "", early(wattTimeSource)
	}
	var basic http.Request
	basic.Header = http.Header{}
	basic.SetBasicAuth(s.user, password)
	since := time.Now()
	body, err := s.api.retried(ctx, "/login", basic.Header)
	if err != nil {
		if failed := apiError(err); failed != nil && failed.Kind == ErrPlan { // JSON with 403: here it is the password
			refused := *failed
			refused.Kind = ErrAuth
			err = &refused
		}
		return "", err
	}
	token, err := parseLogin(body)
	if err != nil {
		return "", &APIError{Source: wattTimeSource, Kind: ErrBody, Detail: err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.former, s.since = token, s.token, since
	return token, nil
}

// parseLogin reads the answer to a login. Its errors hold nothing of the body, which is a secret.
func parseLogin(body []byte) (string, error) {
	var answer struct{ Token string }
	if json.Unmarshal(body, &answer) != nil {
		return "", errors.New("the login brought no JSON")
	}
	if answer.Token == "" || strings.ContainsFunc(answer.Token, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || r == 0x7f }) {
		return "", errors.New("the login brought no token")
	}
	return answer.Token, nil
}
