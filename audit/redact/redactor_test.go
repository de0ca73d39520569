package redact

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func must(tb testing.TB, cfg Config) *Redactor {
	tb.Helper()
	r, err := New(cfg)
	require.NoError(tb, err)
	return r
}

func TestRecall(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	const n = 400
	found := map[string]int{}
	for _, s := range samples(7, n) {
		for _, text := range []string{s.text, "12:30:01 INFO " + s.text, "(" + s.text + "\nnext line", `escaped\n` + s.text, "at%20" + s.text, `and\u0026` + s.text} {
			out := r.String(text)
			require.NotContains(t, out, s.hidden, "%s in %q became %q", s.kind, text, out)
			require.Contains(t, out, markOpen)
			require.Equal(t, out, r.String(out), "not idempotent: %q", text)
		}
		found[s.kind]++
	}
	for kind, hits := range found {
		t.Logf("%-12s %d of %d", kind, hits, n)
		require.Equal(t, n, hits)
	}
	require.Len(t, found, len(Kinds()), "every kind but KnownSecret, and keys")
}

func TestText(t *testing.T) {
	t.Parallel()
	r := must(t, Config{Keys: []string{"wifi_key", "plan b"}, Except: []string{"demo_password"}, Secrets: []Secret{NewSecret("open sesame")}})
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"the key point of the tokenizer, monkey=banana, author: Bob, broken: yes", ""},
		{"commit 8f3a9c1d2e4b5a6978c0d1e2f3a4b5c6d7e8f901 id 6f1ed002-ab43-4111-8111-111111111111", ""},
		{"max_tokens=512 eos_token=</s> pad_token: 0 num_token: 7 token_count=3 password_policy=strict", ""},
		{"bearer of good news, basic training, sk-learn-pipeline-for-images, hf_hub", ""},
		{"at 12:30:45 [::1]:8080 std::string x==y a:=b http://host:80/a@b c++", ""},
		{"icon@2x.png getty@tty1.service git@github.com:org/repo golang.org/x/mod@v0.36.0 a@b", ""},
		{"4111111111111112 1234567890123456 blk_4111111111111111 0.4111111111111111", ""},
		{"219-09-999 000-12-3456 666-12-3456 912-12-3456 123-00-4567 2026-03-10", ""},
		{"demo_password=x", ""},
		{"token: null api_key=None secret={} passwd: **** password=", ""},
		{"password=hunter2", "password=[redacted:password]"},
		{"password: 'a b' c", "password: '[redacted:password]' c"},
		{`msg="login password=hunter2" user=x`, `msg="login password=[redacted:password]" user=x`},
		{`{"apiKey":12345,"n":1}`, `{"apiKey":[redacted:api-key],"n":1}`},
		{`{"password":"a\"b","n":1}`, `{"password":"[redacted:password]","n":1}`},
		{"password=[redacted:password] x", ""},
		{"PASSWORD == x", ""},
		{"password=a&page=2", "password=[redacted:password]&page=2"},
		{"password=a&b c", "password=[redacted:password] c"},
		{"Password:[104 117 110] x", "Password:[redacted:password] x"},
		{"Authorization: Digest a=b, c=d\nHost: x", "Authorization: [redacted:authorization]\nHost: x"},
		{`curl -H "Authorization: Bearer abc" https://x`, `curl -H "Authorization: [redacted:authorization]" https://x`},
		{"authorization=Bearer abc status=200", "authorization=[redacted:authorization] status=200"},
		{"cookie=a=b; c=d status=200", "cookie=[redacted:cookie] status=200"},
		{"run --wifi-key=x -wifikey y -n 3", "run --wifi-key=[redacted:wifi-key] -wifikey [redacted:wifi-key] -n 3"},
		{"plan_b: run", "plan_b: [redacted:plan-b]"},
		{"he said open sesame twice", "he said [redacted:known-secret] twice"},
		{"https://bob:pw@h/p", "https://[redacted:url-user]@h/p"},
		{"bob@example.com, ann%40example.org", "[redacted:email], [redacted:email]"},
		{"4111 1111 1111 1111 x", "[redacted:card] x"},
		{"GB82 WEST 1234 5698 7654 32", "[redacted:iban]"},
		{"219-09-9999", "[redacted:ssn]"},
		{"+1 202 555 0147 rang", "[redacted:phone] rang"},
	} {
		want := tt.want
		if want == "" {
			want = tt.in
		}
		require.Equal(t, want, r.String(tt.in), "%q", tt.in)
		require.Equal(t, want, string(r.Append([]byte(nil), tt.in)))
		require.Equal(t, want != tt.in, r.Has(tt.in))
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	for name, want := range map[string]Kind{
		"password": "password", "PassWord": "password", "DB_PASSWORD": "password", "pgpassword": "password", "user.password": "password",
		"password2": "password", "old-password_1": "password", "passwordHash": "password", "token_value2": "token",
		"apiKey": "api-key", "API-KEY": "api-key", "x_api_key": "api-key", "openaiapikey": "api-key", "APIKey": "api-key",
		"accessToken": "token", "s3token": "token", "Set-Cookie": "set-cookie", "AWS_SECRET_ACCESS_KEY": "secret-access-key",
		"clientSecret": "client-secret", "noise_seed": "noise-seed", "cvv2": "cvv", "id/token": "token",
		"tokenizer": "", "monkey": "", "author": "", "tokens": "", "max_tokens": "", "token_count": "", "keyboard": "", "key": "", "secretary": "",
		"eos_token": "", "padToken": "", "num_token": "", "passwordless": "", "hash": "", "value": "", "": "", "2": "", "_": "", "seed": "",
	} {
		kind, secret := r.Key(name)
		require.Equal(t, want, kind, name)
		require.Equal(t, want != "", secret, name)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	r := must(t, Config{DigestKey: NewSecret("0123456789abcdef")})
	a, b := r.String("password=hunter2"), r.String("token=hunter2")
	_, digest, ok := strings.Cut(strings.TrimSuffix(a, "]"), "#")
	require.True(t, ok)
	require.Len(t, digest, 2*digestBytes)
	require.Equal(t, "token=[redacted:token#"+digest+"]", b, "equal secrets correlate")
	require.NotContains(t, r.String("password=hunter3"), digest)
	require.NotContains(t, must(t, Config{DigestKey: NewSecret("0123456789abcdeg")}).String("password=hunter2"), digest)
	require.Equal(t, a, r.String(a))
	require.Equal(t, `{"password":"[redacted:password#`+digest+`]"}`, string(r.JSON(nil, []byte(`{"password":"hunter2"}`))))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{Keys: []string{""}}, {Keys: []string{"--"}}, {Keys: []string{"a/b"}}, {Except: []string{strings.Repeat("x", 65)}},
		{Skip: []Kind{"mail"}}, {Secrets: []Secret{NewSecret("12345")}}, {DigestKey: NewSecret("short")},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, "redact: ")
		require.NotContains(t, err.Error(), "12345")
		require.NotContains(t, err.Error(), "short")
	}
	r := must(t, Config{Skip: Kinds(), Secrets: []Secret{NewSecret("sesame")}})
	for _, s := range samples(3, 20) {
		if s.kind != "key" && !strings.Contains(s.text, "key: ") {
			require.Equal(t, s.text, r.String(s.text))
		}
	}
	require.Equal(t, "sesame", r.String("sesame"))
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	for _, r := range []*Redactor{nil, {}} {
		require.Equal(t, allMark, r.String("x"))
		require.Equal(t, `"`+allMark+`"`, string(r.JSON(nil, []byte(`1`))))
		require.Equal(t, allMark, r.Value(1).String())
		require.Equal(t, allMark, r.Error(errors.New("x")).Error())
	}
}

func TestErrorKeepsNothing(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	cause := errors.New("dial postgres://bob:hunter2@db")
	err := r.Error(fmt.Errorf("step 3: %w", cause))
	require.EqualError(t, err, "step 3: dial postgres://[redacted:url-user]@db")
	require.NotErrorIs(t, err, cause)
	require.NoError(t, r.Error(nil))
	require.EqualError(t, r.Error(panics{}), panicMark)
}

// findAll is find without its table: every detector is asked at every byte.
func (r *Redactor) findAll(s string, from int) (span, bool) {
	if sp, ok := r.atStart(s, from); ok {
		return sp, true
	}
	for i := from; i+1 < len(s); i++ {
		if sp, ok := r.at(s, i, from, 0xff); ok {
			return sp, true
		}
		for a := range r.literals { // under whatever pair they stand
			for k := range r.literals[a] {
				l := &r.literals[a][k]
				if sp, ok := l.find(r, s, i, from); ok {
					return sp, true
				}
			}
		}
		for _, list := range r.values {
			for _, v := range list {
				if strings.HasPrefix(s[i:], v) {
					return span{i, i + len(v), KnownSecret}, true
				}
			}
		}
	}
	return span{}, false
}

// sameWithout checks that the table in front of the detectors misses nothing.
func sameWithout(t testing.TB, r *Redactor, s string) {
	t.Helper()
	for from := 0; ; {
		want, ok := r.findAll(s, from)
		got, found := r.find(s, from)
		require.Equal(t, ok, found, "%q from %d: %v", s, from, want)
		require.Equal(t, want, got, "%q from %d", s, from)
		if !ok {
			return
		}
		require.True(t, got.start >= from && got.end > got.start, "%v from %d in %q", got, from, s)
		from = got.end
	}
}

func TestFilterMissesNothing(t *testing.T) {
	t.Parallel()
	r := must(t, Config{Secrets: []Secret{NewSecret("open sesame"), NewSecret("@:=-+99")}})
	list := samples(11, 60)
	rng := rand.New(rand.NewPCG(5, 5))
	for i, s := range list {
		sameWithout(t, r, s.text)
		sameWithout(t, r, s.text[rng.IntN(len(s.text)):]+list[rng.IntN(i+1)].text)
		b := []byte(s.text) // with a byte changed
		b[rng.IntN(len(b))] = byte(rng.IntN(256))
		sameWithout(t, r, string(b))
	}
	for name, lines := range corporaOrNone(t) {
		for i, line := range lines {
			if i%4 == 0 && len(line) < 400 {
				sameWithout(t, r, line)
			}
		}
		t.Log(name, len(lines))
	}
}

func corporaOrNone(t *testing.T) (lines map[string][]string) {
	t.Run("corpora", func(t *testing.T) { lines = corpora(t) })
	return lines
}

func FuzzFilter(f *testing.F) {
	for _, s := range samples(2, 4) {
		f.Add(s.text)
	}
	r, err := New(Config{Secrets: []Secret{NewSecret("open sesame"), NewSecret("@:=-+99")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		sameWithout(t, r, s)
		if out := r.String(s); out != s {
			require.True(t, r.Has(s))
			for _, sp := range r.spans(out) { // marks settle at once or in one more round
				require.False(t, isMark(out[sp.start:sp.end]), "%q", out)
			}
		}
	})
}

// Any text must be worked through in about the same time.
func TestLinear(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	for _, unit := range []string{
		"@", "a@", "a.b@", "://", "://a:b/", "a://x:y", "password=", "password", ":", "=", `"`, `\"`, `password="\`, "eyJ", "eyJa.", ".eyJaaaaaaaa",
		"-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "--token ", "-token", "4111", "4111 ", "+1", "bearer ", "basic YTpi", "DE89", "a", " ", "[", "token:[", "Cookie: ",
		"cookie=a; ", "token=Bearer ", "ghp_", "sk-", "sig=", "api key ", "&a=", "password=a&b", "\x80", "password: '",
	} {
		n := 1 << 20 / len(unit)
		s := strings.Repeat(unit, n)
		require.LessOrEqual(t, len(r.String(s)), 16*len(s))
	}
}

func TestCleanTextAllocatesNothing(t *testing.T) {
	r := must(t, Config{})
	lines := []string{prose, logText, "loss=0.43 url=https://host:443/path?page=2 at 12:30:45"}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, s := range lines {
			if r.String(s) != s {
				panic(s)
			}
		}
	}))
}

func TestKindsAreDistinct(t *testing.T) {
	t.Parallel()
	kinds := Kinds()
	slices.Sort(kinds)
	require.Equal(t, kinds, slices.Compact(slices.Clone(kinds)))
	for _, k := range kinds {
		require.True(t, validKind(string(k)))
	}
}
