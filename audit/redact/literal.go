package redact

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// literal is a prefix that a secret has, found by two of its bytes that are rare in prose.
type literal struct {
	kind   Kind
	text   string
	anchor int  // of the pair in text
	fold   bool // upper case is the same
	find   func(r *Redactor, s string, i, from int) (span, bool)
}

// anchored is a literal and the second byte of its pair.
type anchored struct {
	second byte
	literal
}

const maxBody = 512 // bytes that are looked at to tell a secret from a word

// body returns a literal that is followed by at least least bytes of a class. All that belong to the class are taken.
func body(kind Kind, text string, anchor int, class func(byte) bool, least int, further ...func(body string) bool) literal {
	l := literal{kind: kind, text: text, anchor: anchor}
	l.find = func(r *Redactor, s string, i, from int) (span, bool) {
		start := i - anchor
		if start < from || !strings.HasPrefix(s[start:], text) || inWord(s, start) {
			return span{}, false
		}
		end := start + len(text)
		for end < len(s) && end-start < maxBody && class(s[end]) {
			end++
		}
		b := s[start+len(text) : end]
		if len(b) < least {
			return span{}, false
		}
		for _, ok := range further {
			if !ok(b) {
				return span{}, false
			}
		}
		for end < len(s) && class(s[end]) {
			end++
		}
		return span{start, end, kind}, true
	}
	return l
}

func isTokenByte(c byte) bool  { return isAlnum(c) || c == '_' || c == '-' }
func isDottedByte(c byte) bool { return isTokenByte(c) || c == '.' }
func isDashedByte(c byte) bool { return isAlnum(c) || c == '-' }
func isWordByte(c byte) bool   { return isAlnum(c) || c == '_' }
func isBase64Byte(c byte) bool {
	return isAlnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_'
}
func isPathByte(c byte) bool { return isWordByte(c) || c == '/' }
func isEscapedByte(c byte) bool {
	return isBase64Byte(c) || c == '%'
}

// random reports whether a body is none of words: prefixes such as "sk-" begin names too.
func random(b string) bool {
	n, upper := 0, false
	for i := range len(b) {
		if isDigit(b[i]) {
			n++
		}
		upper = upper || isUpper(b[i])
	}
	return n >= 3 || n > 0 && upper
}

func exactly16(b string) bool { return len(b) == 16 && strings.ToUpper(b) == b }

func builtins() []literal {
	list := []literal{
		{kind: JWT, text: "eyJ", anchor: 1, find: findJWT},
		{kind: PrivateKey, text: "-----BEGIN ", anchor: 4, find: findPEM},
		{kind: Bearer, text: "bearer ", anchor: 0, fold: true, find: findBearer},
		{kind: Basic, text: "basic ", anchor: 4, fold: true, find: findBasic},
		{kind: Email, text: "%40", find: func(r *Redactor, s string, i, from int) (span, bool) {
			if !strings.HasPrefix(s[i:], "%40") {
				return span{}, false
			}
			return r.address(s, i, i+3, from)
		}},
		body(CloudKey, "AKIA", 1, isAlnum, 16, exactly16),
		body(CloudKey, "ASIA", 1, isAlnum, 16, exactly16),
		body(CloudKey, "ABIA", 1, isAlnum, 16, exactly16),
		body(CloudKey, "ACCA", 1, isAlnum, 16, exactly16),
		body(CloudKey, "AIza", 1, isTokenByte, 35),
		body(CloudKey, "ya29.", 1, isTokenByte, 20),
		body(CloudKey, "GOCSPX-", 4, isTokenByte, 20),
		body(CloudKey, "sig=", 2, isEscapedByte, 40, random),
		body(CloudKey, "dop_v1_", 2, isAlnum, 40),
		body(CloudKey, "hvs.", 1, isTokenByte, 20, random),
		body(CloudKey, "hvb.", 1, isTokenByte, 20, random),
		body(CloudKey, "dapi", 1, isAlnum, 32, random),
		body(APIToken, "github_pat_", 6, isWordByte, 22),
		body(APIToken, "glpat-", 4, isTokenByte, 20),
		body(APIToken, "gldt-", 3, isTokenByte, 20),
		body(APIToken, "glrt-", 3, isTokenByte, 20),
		body(APIToken, "glptt-", 4, isTokenByte, 20),
		body(APIToken, "xapp-", 1, isDashedByte, 20, random),
		body(APIToken, "hooks.slack.com/services/", 4, isPathByte, 20),
		body(APIToken, "sk_live_", 2, isWordByte, 16),
		body(APIToken, "sk_test_", 2, isWordByte, 16, random),
		body(APIToken, "rk_live_", 2, isWordByte, 16),
		body(APIToken, "rk_test_", 2, isWordByte, 16, random),
		body(APIToken, "whsec_", 3, isBase64Byte, 16, random),
		body(APIToken, "sk-", 1, isTokenByte, 20, random),
		body(APIToken, "hf_", 1, isAlnum, 30),
		body(APIToken, "api_org_", 2, isAlnum, 30),
		body(APIToken, "npm_", 2, isAlnum, 36),
		body(APIToken, "pypi-Ag", 4, isTokenByte, 50),
		body(APIToken, "dckr_pat_", 3, isTokenByte, 20),
		body(APIToken, "SG.", 1, isDottedByte, 40, random),
		body(APIToken, "nvapi-", 4, isTokenByte, 40),
		body(APIToken, "wandb_v1_", 4, isTokenByte, 30),
		body(APIToken, "gsk_", 2, isAlnum, 40),
		body(APIToken, "r8_", 0, isAlnum, 37),
		body(APIToken, "pplx-", 1, isAlnum, 40),
		body(APIToken, "xai-", 0, isAlnum, 40, random),
		body(APIToken, "glsa_", 3, isWordByte, 30, random),
		body(APIToken, "lin_api_", 2, isAlnum, 30),
		body(APIToken, "ATATT3", 3, isBase64Byte, 40),
		body(PrivateKey, "AGE-SECRET-KEY-1", 2, isAlnum, 50),
	}
	for _, c := range "pousr" { // the kinds of GitHub tokens
		list = append(list, body(APIToken, "gh"+string(c)+"_", 2, isAlnum, 30))
	}
	for _, c := range "abeprs" { // those of Slack
		list = append(list, body(APIToken, "xox"+string(c)+"-", 0, isDashedByte, 10, random))
	}
	for _, s := range []string{"at", "ca", "pa", "ss"} { // and of Shopify
		list = append(list, body(APIToken, "shp"+s+"_", 1, isAlnum, 32))
	}
	return list
}

// maxGlued is how many bytes without a break may stand in front of a token, as in "id-eyJ".
const maxGlued = 64

// findJWT finds a token in the compact serialization of RFC 7515 or RFC 7516. s[i] is the 'y' of "eyJ".
func findJWT(_ *Redactor, s string, i, from int) (span, bool) {
	start := i - 1
	if start < from || !strings.HasPrefix(s[start:], "eyJ") || inWord(s, start) {
		return span{}, false
	}
	run := start // of bytes that a token may have: each is read to its end for a few places in it only, or time would be quadratic
	for run > from && isTokenByte(s[run-1]) {
		if run--; start-run > maxGlued {
			return span{}, false
		}
	}
	end, parts := start, 0
	for {
		j := end
		for j < len(s) && isTokenByte(s[j]) {
			j++
		}
		if parts < 2 && j-end < 8 && (parts == 0 || j >= len(s) || s[j] != '.') {
			return span{}, false
		}
		end = j
		parts++
		if j+1 >= len(s) || s[j] != '.' || !isTokenByte(s[j+1]) && s[j+1] != '.' {
			break
		}
		end = j + 1
	}
	return span{start, end, JWT}, parts >= 2
}

// findPEM finds a private key in PEM form, also where line ends are escaped. s[i] is the dash in front of "BEGIN". A key
// that is not ended goes to the end of the text.
func findPEM(_ *Redactor, s string, i, from int) (span, bool) {
	const begin, end, rule = "-----BEGIN ", "-----END ", "-----"
	start := i - 4
	if start < from || !strings.HasPrefix(s[start:], begin) {
		return span{}, false
	}
	label := s[start+len(begin):]
	n := strings.Index(label[:min(len(label), 64)], rule)
	if n < 0 || !strings.Contains(label[:n], "PRIVATE KEY") {
		return span{}, false
	}
	stop := start + len(begin) + n + len(rule)
	k := strings.Index(s[stop:], end)
	if k < 0 {
		return span{start, len(s), PrivateKey}, true
	}
	stop += k + len(end)
	if n := strings.Index(s[stop:min(len(s), stop+64)], rule); n >= 0 {
		stop += n + len(rule)
	}
	return span{start, stop, PrivateKey}, true
}

// findBearer finds the credentials of RFC 6750. s[i] is the first letter of the scheme.
func findBearer(_ *Redactor, s string, i, from int) (span, bool) {
	start, ok := scheme(s, i, from, "bearer ")
	if !ok {
		return span{}, false
	}
	end := start
	for end < len(s) && (isBase64Byte(s[end]) || s[end] == '.' || s[end] == '~') {
		end++
	}
	if end-start < 16 && !random(s[start:end]) || end-start < 6 {
		return span{}, false // "bearer of good news"
	}
	return span{start, end, Bearer}, true
}

// findBasic finds the credentials of RFC 7617. s[i] is the last letter of the scheme.
func findBasic(_ *Redactor, s string, i, from int) (span, bool) {
	start, ok := scheme(s, i-4, from, "basic ")
	if !ok {
		return span{}, false
	}
	end := start
	for end < len(s) && isBase64Byte(s[end]) {
		end++
	}
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s[start:end], "="))
	if err != nil || !utf8.Valid(text) || strings.IndexByte(string(text), ':') < 0 {
		return span{}, false
	}
	return span{start, end, Basic}, true
}

// scheme returns where the credentials after a scheme begin, if that stands at s[i].
func scheme(s string, i, from int, name string) (int, bool) {
	if i < from || len(s)-i < len(name) || !strings.EqualFold(s[i:i+len(name)], name) || inWord(s, i) {
		return 0, false
	}
	i += len(name)
	for i < len(s) && s[i] == ' ' {
		i++
	}
	return i, true
}
