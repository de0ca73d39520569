package sink

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// special are the stretches of IPv4 and IPv6 that are not of the public network, or not of one host in it (the special-purpose
// registries of IANA, RFC 6890), with 169.254.169.254, fd00:ec2::254, 100.100.100.200 and 168.63.129.16, where clouds tell secrets to whoever asks.
func special() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/96", "64:ff9b:1::/48", "100::/63", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/9", "ff00::/8",
	}
}

// Control refuses a connection to an address or a port that the policy does not allow. It is the Control of a [net.Dialer], which
// calls it with the address that is dialled, after names were resolved. Only TCP is allowed.
func (p URLPolicy) Control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return refuse(ErrAddress, "connection", network+" "+address, "be one of TCP to an address")
	}
	if err := p.address(to.Addr()); err != nil {
		return err
	}
	if !p.portAllowed(to.Port(), "") {
		return refuse(ErrUnlisted, "port", address, "be one that is allowed")
	}
	return nil
}

// address judges where a connection would go, at the end of the ways from IPv6 to IPv4.
func (p URLPolicy) address(a netip.Addr) error {
	via := translated(a.WithZone(""))
	if a = a.WithZone("").Unmap(); a.Is6() && !via.IsValid() && !netip.MustParsePrefix("2000::/3").Contains(a) &&
		!slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(a) }) {
		return refuse(ErrAddress, "address", a.String(), "be of the public network") // RFC 4291, 2.4: all of it so far
	}
	for _, to := range []netip.Addr{a, via} {
		if !to.IsValid() || slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(to) }) {
			continue
		}
		if slices.ContainsFunc(special(), func(s string) bool { return netip.MustParsePrefix(s).Contains(to) }) {
			return refuse(ErrAddress, "address", a.String(), "be of the public network")
		}
	}
	return nil
}

// translated is the IPv4 address that packets to an IPv6 address end at, by NAT64 (RFC 6052) or 6to4 (RFC 3056).
func translated(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}

// Redirect is the CheckRedirect of an [http.Client]: each further address is judged as the first, and there are at most ten.
func (p URLPolicy) Redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return refuse(ErrUnlisted, "redirect", shownURL(req.URL.String()), "be one of at most 10")
	}
	if len(via) > 0 && via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" { // its Authorization would go in the clear
		return refuse(ErrUnlisted, "redirect", req.URL.Scheme, "stay with https")
	}
	_, err := p.Check(req.URL.String())
	return err
}

// Client returns a client that connects to nothing the policy does not allow. It uses no proxy, which would connect in its stead, and no
// cookies; a call takes no longer than timeout (30 seconds if zero), the reading of the body included.
func (p URLPolicy) Client(timeout time.Duration) *http.Client {
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: p.Control}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: p.Redirect,
		Transport: checked{p, &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 16, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 1 << 20,
		}},
	}
}

// checked judges the address of each request before it is made.
type checked struct {
	policy URLPolicy
	next   http.RoundTripper
}

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	_, err := c.policy.Check(req.URL.String())
	if err == nil && req.URL.Opaque != "" { // that is what was judged, and not the host that is dialled
		err = refuse(ErrText, "URL", shownURL(req.URL.String()), "have no opaque part")
	}
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return c.next.RoundTrip(req)
}

// CloseIdleConnections closes what is kept open for the next call.
func (c checked) CloseIdleConnections() {
	if t, ok := c.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}
