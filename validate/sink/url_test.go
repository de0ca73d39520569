package sink

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://example.com":                   "https://example.com",
		"https://EXAMPLE.com:443/a?b=c#d":       "https://example.com:443/a?b=c#d",
		"https://example.com./x":                "https://example.com/x",
		"https://bücher.example/":               "https://xn--bcher-kva.example/",
		"https://1.1.1.1/":                      "https://1.1.1.1/",
		"https://[2606:4700:4700::1111]/":       "https://[2606:4700:4700::1111]/",
		"https://раура1.com/":                   "https://xn--1-7sbaj8coo.com/", // Cyrillic that looks like paypal
		"https://example.com/%2e%2e/a%00?x=%0d": "https://example.com/%2e%2e/a%00?x=%0d",
	} {
		u, err := URLPolicy{}.Check(text)
		require.NoError(t, err, text)
		if strings.HasPrefix(text, "https://раура") {
			require.True(t, strings.HasPrefix(u.Host, "xn--"), "it shows")
			continue
		}
		require.Equal(t, want, u.String())
	}
	for text, kind := range map[string]error{
		"http://example.com": ErrUnlisted, "ftp://example.com": ErrUnlisted, "javascript:alert(1)": ErrText, "//example.com": ErrUnlisted, "": ErrText, "example.com": ErrText,
		"https://": ErrText, "https://:443": ErrText, "https:///x": ErrText, "https://example.com:8443": ErrUnlisted, "https://example.com:": ErrText, "https://example.com:99999": ErrText,
		"https://user:hunter2@example.com": ErrText, "https://example.com@evil.com": ErrText, `https://example.com\@evil.com`: ErrText, "https://exa mple.com": ErrText, "https://example.com\n": ErrText,
		"https://127.0.0.1": ErrAddress, "https://127.1": ErrAddress, "https://2130706433": ErrAddress, "https://0x7f000001": ErrAddress, "https://0x7f.1": ErrAddress, "https://0177.0.0.1": ErrAddress,
		"https://1.2.3.4.5": ErrAddress, "https://127.0.0.1.": ErrAddress, "https://[::1]": ErrAddress, "https://[::ffff:127.0.0.1]": ErrAddress, "https://[::ffff:7f00:1]": ErrAddress, "https://[::127.0.0.1]": ErrAddress,
		"https://[64:ff9b::7f00:1]": ErrAddress, "https://[2002:7f00:1::]": ErrAddress, "https://[fe80::1]": ErrAddress, "https://[::ffff:0:127.0.0.1]": ErrAddress, "https://[1::1]": ErrAddress, "https://[200::1]": ErrAddress, "https://[4000::1]": ErrAddress, "https://[fe80::1%25eth0]": ErrAddress, "https://[fd00:ec2::254]": ErrAddress,
		"https://169.254.169.254/latest/meta-data": ErrAddress, "https://100.100.100.200": ErrAddress, "https://10.1.2.3": ErrAddress, "https://172.31.0.1": ErrAddress, "https://192.168.1.1": ErrAddress,
		"https://0.0.0.0": ErrAddress, "https://255.255.255.255": ErrAddress, "https://224.0.0.1": ErrAddress, "https://localhost": ErrAddress, "https://x.localhost": ErrAddress, "https://metadata.google.internal": ErrAddress,
		"https://printer": ErrAddress, "https://x.local": ErrAddress, "https://①②⑦.⓪.⓪.①": ErrAddress, "https://-a.com": ErrText, "https://a..com": ErrText, "https://exa%6dple.com\x00": ErrText,
		"https://" + strings.Repeat("a.", 200) + "com": ErrText, "https://example.com/" + strings.Repeat("x", maxURL): ErrText, "https://exam\u200bple..com": ErrText,
		"https://168.63.129.16/metadata": ErrAddress, "https://user:hunter2 @example.com": ErrText, `https://user:hunter2\@example.com`: ErrText, "https://example.com/a b?token=hunter2": ErrText,
		"https://user:hunter2@example.com/" + strings.Repeat("x", maxURL): ErrText, "https://u:hunter2#@example.com": ErrText, "https://example.com:x?hunter2": ErrText,
	} {
		_, err := URLPolicy{}.Check(text)
		require.ErrorIs(t, err, kind, text)
		require.NotContains(t, err.Error(), "hunter2")
	}
	p := URLPolicy{Schemes: []string{"http", "https"}, Hosts: []string{"example.com", ".data.example.com", "10.0.0.7"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	for _, text := range []string{"http://example.com", "http://example.com:80/x", "https://a.b.data.example.com", "http://10.0.0.7"} {
		_, err := p.Check(text)
		require.NoError(t, err, text)
	}
	for _, text := range []string{"http://evil-example.com", "http://example.com.evil.com", "https://data.example.com", "https://evildata.example.com", "http://10.0.0.8", "http://example.com:443"} {
		_, err := p.Check(text)
		require.ErrorIs(t, err, ErrUnlisted, text)
	}
	_, err := URLPolicy{Schemes: []string{"ws"}}.Check("ws://example.com")
	require.ErrorIs(t, err, ErrUnlisted, "no port is known for it")
	_, err = URLPolicy{Schemes: []string{"ws"}, Ports: []uint16{9000}}.Check("ws://example.com:9000")
	require.NoError(t, err)
}

// TestSpecial: what the package calls the public network is within what net/netip calls a global unicast address that is not private.
func TestSpecial(t *testing.T) {
	t.Parallel()
	for _, s := range special() {
		p := netip.MustParsePrefix(s)
		require.Equal(t, p.Masked(), p, s)
		require.ErrorIs(t, URLPolicy{}.address(p.Addr()), ErrAddress)
	}
	for i := range 1 << 16 {
		a := netip.AddrFrom4([4]byte{byte(i >> 8), byte(i), byte(i * 7), byte(i * 13)})
		if URLPolicy.address(URLPolicy{}, a) == nil {
			require.True(t, a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast(), a)
		}
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	for address, kind := range map[string]error{"1.1.1.1:443": nil, "1.1.1.1:80": ErrUnlisted, "1.1.1.1:22": ErrUnlisted, "127.0.0.1:443": ErrAddress, "[::1]:443": ErrAddress, "[fe80::1%eth0]:443": ErrAddress, "x:1": ErrAddress} {
		require.ErrorIs(t, URLPolicy{}.Control("tcp4", address, nil), kind, address)
	}
	both := URLPolicy{Schemes: []string{"http", "https"}}
	first := &http.Request{URL: &url.URL{Scheme: "https", Host: "example.com"}}
	require.ErrorIs(t, both.Redirect(&http.Request{URL: &url.URL{Scheme: "http", Host: "example.com"}}, []*http.Request{first}), ErrUnlisted, "what it carries would go in the clear")
	require.NoError(t, both.Redirect(first, []*http.Request{first}))
	require.ErrorIs(t, URLPolicy{}.Control("udp", "1.1.1.1:443", nil), ErrAddress)
	require.ErrorIs(t, URLPolicy{}.Control("unix", "/x", nil), ErrAddress)
}

// TestRebinding: a name that is allowed and resolves to this machine is not dialled; nor is what a redirect leads to.
func TestRebinding(t *testing.T) {
	t.Parallel()
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	port, err := strconv.ParseUint(at.Port(), 10, 16)
	require.NoError(t, err)
	strict := URLPolicy{Schemes: []string{"http"}, Ports: []uint16{uint16(port)}}
	dialer := net.Dialer{Control: strict.Control} // as of a name that resolves here
	_, err = dialer.DialContext(t.Context(), "tcp", at.Host)
	require.ErrorIs(t, err, ErrAddress)
	_, err = strict.Client(time.Minute).Get("http://localhost.example.com@" + at.Host)
	require.ErrorIs(t, err, ErrText)
	require.Empty(t, seen)
	named := strict // a name that is on the list, and resolves to this machine
	named.Hosts = []string{"localhost"}
	_, err = named.Client(time.Minute).Get("http://localhost:" + at.Port())
	require.ErrorIs(t, err, ErrAddress)
	require.Empty(t, seen)

	open := strict
	open.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	client := open.Client(0)
	transport, ok := client.Transport.(checked).next.(*http.Transport)
	require.True(t, ok)
	require.Nil(t, transport.Proxy, "one would connect in its stead")
	t.Cleanup(client.CloseIdleConnections)
	get := func(path string) error {
		resp, err := client.Get(s.URL + path)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	require.NoError(t, get("/"))
	require.ErrorIs(t, get("/away"), ErrAddress)
	require.ErrorIs(t, get("/file"), ErrText)
	require.ErrorIs(t, get("/round"), ErrUnlisted)
	require.Equal(t, 13, len(seen), "ten redirects at most: %q", seen)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "ftp://x/", strings.NewReader("body"))
	require.NoError(t, err)
	_, err = client.Do(req)
	var refused *Error
	require.True(t, errors.As(err, &refused))
}

func FuzzURL(f *testing.F) {
	f.Add("https://example.com/x?y#z")
	f.Add("https://[::ffff:1.2.3.4]:443")
	f.Add("https://0x7f.1")
	f.Add("https://BÜCHER.example:443/ä")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := URLPolicy{}.Check(s)
		if err != nil {
			return
		}
		again, err := URLPolicy{}.Check(u.String())
		if err != nil || again.Host != u.Host {
			t.Fatalf("%q is %q, then %v, %v", s, u, again, err)
		}
		if u.Scheme != "https" || u.User != nil || net.ParseIP(u.Hostname()).IsLoopback() {
			t.Fatalf("%q is %q", s, u)
		}
	})
}
