package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// This file owns where events may go: the address of the settings, and what its name stands for when it is dialled.
//
// The address is the administrator's, the answer of a name server need not be. So each address is looked at when it is connected to, behind the look-up:
// what is no server's is refused, and this machine itself unless the setting says so. A private network is where most receivers are, and is called by name.
// Proxies of the environment are not used: behind one nobody here could tell.

// URL is where events are posted to.
type URL struct {
	text     string
	host     string // without its port
	loopback bool   // it names this machine
}

// ParseURL reads an address of a setting.
func ParseURL(text string) (URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return URL{}, errors.New("it is no URL") // the error would show it, with what is secret in it
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return URL{}, errors.New("it must begin with http:// or https://")
	case u.Hostname() == "":
		return URL{}, errors.New("it has no host")
	case u.User != nil:
		return URL{}, errors.New("it has a user's name in it: events are signed, write none")
	case u.Fragment != "":
		return URL{}, errors.New("it has a fragment (#), which is never sent")
	}
	to := URL{text: text, host: u.Hostname(), loopback: strings.EqualFold(u.Hostname(), "localhost")}
	if a, err := netip.ParseAddr(to.host); err == nil {
		to.loopback = a.Unmap().IsLoopback()
		if err := to.check(a); err != nil {
			return URL{}, err
		}
	}
	return to, nil
}

// AddressError says that nothing is sent to an address.
type AddressError struct {
	Address netip.Addr
	Why     string
}

func (e *AddressError) Error() string { return fmt.Sprintf("%s: %s", e.Address, e.Why) }

// metadata are addresses at which clouds tell machines who they are, and give them keys, beside those that are link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("192.0.0.192"),
}

// nat64 are IPv6 addresses that stand for an IPv4 one (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// check tells whether an address may be connected to.
func (u *URL) check(a netip.Addr) error {
	plain := a.Unmap().WithZone("")
	if nat64.Contains(plain) {
		b := plain.As16()
		plain = netip.AddrFrom4([4]byte(b[12:]))
	}
	why := ""
	switch {
	case plain.IsUnspecified():
		why = "it is no machine's address"
	case plain.IsMulticast(), plain == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		why = "it is many machines' address"
	case plain.IsLinkLocalUnicast():
		why = "it is link-local, where clouds keep their keys"
	case isMetadata(plain):
		why = "it is where a cloud keeps its keys"
	case plain.IsLoopback() && !u.loopback:
		why = "it is this machine, which the URL does not name (127.0.0.1, [::1] or localhost)"
	default:
		return nil
	}
	return &AddressError{a, why}
}

func isMetadata(a netip.Addr) bool {
	for _, m := range metadata {
		if a == m {
			return true
		}
	}
	return false
}

// control looks at the address that a socket is about to be connected to.
func (u *URL) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return u.check(at.Addr())
}

// client is one that follows no redirects and connects to what may be.
func (u *URL) client() *http.Client {
	own := *u
	dialer := &net.Dialer{Timeout: deadline, Control: own.control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: deadline, ResponseHeaderTimeout: deadline, ForceAttemptHTTP2: true,
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// hide takes the URL out of an error: its path is often a secret.
func (u *URL) hide(err error) error {
	if of := (*url.Error)(nil); errors.As(err, &of) {
		return of.Err
	}
	return err
}
