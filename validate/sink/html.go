package sink

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// htmlEscapes are the characters with a meaning in text and in values of attributes. A backquote ended a value in old browsers, and a
// NUL is read as no character, or as another, by some.
var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "`", "&#96;", "\x00", "\ufffd")

// HTML returns the text as it is written in a page, between tags or in the value of an attribute within quotes (WHATWG HTML, 13.2.5).
// It is not for attributes that are code or addresses (onclick, style, srcdoc, href: see [HTMLAddress]), nor for the content of script and style
// elements (see [Script]). NUL becomes U+FFFD, which is what a browser makes of it. The page must declare UTF-8: in ISO-2022-JP, which a browser may guess,
// an escape in the text turns the tags after it into characters.
func HTML(text string) string {
	return htmlEscapes.Replace(text)
}

// HTMLAddress returns an address as it is written in an attribute such as href or src, within quotes. The scheme must be one of these,
// http, https and mailto where none are given, or there is none, as in "/docs?page=2". Without that "javascript:..." would be an address.
func HTMLAddress(text string, schemes ...string) (string, error) {
	const sink = "address"
	if len(schemes) == 0 {
		schemes = []string{"http", "https", "mailto"}
	}
	for i := range len(text) { // a browser removes some of these before it looks for the scheme
		if c := text[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return "", refuse(ErrText, sink, shownURL(text), "have no spaces, control characters and backslashes")
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", refuse(ErrText, sink, shownURL(text), "be an address (RFC 3986)")
	}
	if u.Scheme == "" {
		if i := strings.IndexByte(text, ':'); i >= 0 && !strings.ContainsAny(text[:i], "/?#") {
			return "", refuse(ErrText, sink, shownURL(text), "have no colon before the first slash, or a scheme")
		}
		return HTML(text), nil
	}
	for _, s := range schemes {
		if strings.EqualFold(s, u.Scheme) {
			return HTML(text), nil
		}
	}
	return "", refuse(ErrUnlisted, sink, shownURL(text), "have one of the schemes "+strings.Join(schemes, ", "))
}

// Script returns a value as it is written in a script element, or, after [HTML], in an attribute that is code: JSON in which nothing
// ends the element, opens a comment, or breaks a line (RFC 8259 within ECMA-262). Invalid UTF-8 becomes U+FFFD, as in package encoding/json.
func Script(value any) (string, error) {
	text, err := json.Marshal(value) // escapes <, >, &, U+2028 and U+2029
	if err != nil {
		return "", fmt.Errorf("sink: script: %w", err)
	}
	return string(text), nil
}
