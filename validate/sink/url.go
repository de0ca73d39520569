package sink

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// URLPolicy says which addresses somebody else may have this process call. The zero value allows https on port 443 to every host of
// the public network. It is used twice: [URLPolicy.Check] judges the text, and [URLPolicy.Control] each address that is dialled in the
// end, so that a name which resolves to another address the second time (DNS rebinding), or a redirect, does not get around it:
// [URLPolicy.Client] has both.
type URLPolicy struct {
	Schemes []string // allowed; https if there are none
	Hosts   []string // allowed: "example.com", or ".example.com" for all below it; every host if there are none
	Ports   []uint16 // allowed; 443 for https and 80 for http if there are none
	// Networks are allowed although they are not public: those of a store in the same cluster, say.
	Networks []netip.Prefix
}

// maxURL is the longest address, in bytes.
const maxURL = 8192

// Check parses an address (RFC 3986) and judges scheme, host and port. The host of the result is in lower case and, where it is
// international, in its ASCII form (UTS 46), so that look-alikes of other scripts show. User names and passwords are refused, and
// so are hosts that some read as a number: 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1 to some.
//
// A host that is allowed may still resolve to an address that is not.
func (p URLPolicy) Check(text string) (*url.URL, error) {
	const sink = "URL"
	if len(text) > maxURL {
		return nil, refuse(ErrText, sink, shownURL(text), "have at most "+strconv.Itoa(maxURL)+" bytes")
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return nil, refuse(ErrText, sink, shownURL(text), "have no spaces, control characters and backslashes")
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, refuse(ErrText, sink, shownURL(text), "be an address with a host (RFC 3986)")
	}
	if u.User != nil {
		return nil, refuse(ErrText, sink, shownURL(text), "have no user and password")
	}
	if err := p.scheme(u.Scheme); err != nil {
		return nil, err
	}
	host, err := p.host(u.Hostname())
	if err != nil {
		return nil, err
	}
	if err := p.port(u); err != nil {
		return nil, err
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
	return u, nil
}

// shownURL is what an error shows of an address: nothing where there may be a password before an at sign, and no query, which may hold
// a token.
func shownURL(text string) string {
	if strings.IndexByte(text, '@') >= 0 {
		return "..."
	}
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		return text[:i] + "..."
	}
	return text
}

func (p URLPolicy) scheme(s string) error {
	allowed := p.Schemes
	if len(allowed) == 0 {
		allowed = []string{"https"}
	}
	if !slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, s) }) {
		return refuse(ErrUnlisted, "scheme", s, "be "+strings.Join(allowed, " or "))
	}
	return nil
}

func (p URLPolicy) port(u *url.URL) error {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return refuse(ErrText, "port", text, "be a number, or have no colon before it")
		}
		text = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if text == "" {
		return refuse(ErrUnlisted, "port", text, "be given for the scheme "+u.Scheme)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return refuse(ErrText, "port", text, "be from 0 to 65535")
	}
	if !p.portAllowed(uint16(n), u.Scheme) {
		return refuse(ErrUnlisted, "port", text, "be one that is allowed")
	}
	return nil
}

// portAllowed judges a port; an empty scheme is any of the allowed ones.
func (p URLPolicy) portAllowed(n uint16, scheme string) bool {
	if len(p.Ports) > 0 {
		return slices.Contains(p.Ports, n)
	}
	return scheme != "http" && n == 443 && p.scheme("https") == nil || scheme != "https" && n == 80 && p.scheme("http") == nil
}

// host judges a host, and returns it in the form that can be compared.
func (p URLPolicy) host(name string) (string, error) {
	const sink = "host"
	if a, err := netip.ParseAddr(name); err == nil {
		if a.Zone() != "" {
			return "", refuse(ErrAddress, sink, name, "have no zone")
		}
		if err := p.address(a); err != nil {
			return "", err
		}
		return a.String(), p.listed(a.String())
	}
	if len(name) > 1024 { // that of the longest name in UTF-8; punycode takes the square of it
		return "", refuse(ErrText, sink, name, "be a name of the DNS or an address")
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	again, err2 := idna.Lookup.ToASCII(ascii)
	if err != nil || err2 != nil || again != ascii || ascii == "" || len(ascii) > 253 || !utf8.ValidString(name) {
		return "", refuse(ErrText, sink, name, "be a name of the DNS or an address")
	}
	ascii = strings.ToLower(ascii)
	labels := strings.Split(ascii, ".")
	if last := labels[len(labels)-1]; numeric(last) { // WHATWG URL, 3.5: "ends in a number"
		return "", refuse(ErrAddress, sink, name, "be an address in four decimal parts, or a name that does not end in a number")
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", refuse(ErrText, sink, name, "be a name of the DNS")
		}
	}
	if len(p.Hosts) == 0 && local(labels) {
		return "", refuse(ErrAddress, sink, name, "be a name of the public network")
	}
	return ascii, p.listed(ascii)
}

func (p URLPolicy) listed(host string) error {
	if len(p.Hosts) == 0 || slices.ContainsFunc(p.Hosts, func(h string) bool {
		return strings.EqualFold(h, host) || strings.HasPrefix(h, ".") && len(host) > len(h) && strings.EqualFold(h, host[len(host)-len(h):])
	}) {
		return nil
	}
	return refuse(ErrUnlisted, "host", host, "be one that is allowed")
}

func numeric(label string) bool {
	digits := strings.TrimPrefix(label, "0x")
	if len(digits) < len(label) {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// local reports whether a name is of a network of its own: one label, or below a name that is reserved for it (RFC 6761, 6762, 8375;
// ICANN's "internal").
func local(labels []string) bool {
	if len(labels) == 1 {
		return true
	}
	switch last := labels[len(labels)-1]; last {
	case "localhost", "local", "internal", "localdomain", "lan", "home", "corp", "intranet", "private", "test", "invalid", "onion":
		return true
	case "arpa":
		return labels[len(labels)-2] == "home"
	}
	return false
}
