package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Policy says where pages may reach. The zero value lets them reach everything
// but what Metadata names.
type Policy struct {
	// Schemes that may be used; default: every one that the transport knows.
	Schemes []string
	// Hosts that may be asked: names, addresses, or patterns such as *.example.com,
	// a port behind each if it matters; default: all.
	Hosts []string
	// Denied networks: the address that a connection goes to counts, whatever
	// name led to it. Default: Metadata.
	Denied []netip.Prefix
	// Own are ports of this machine that are none of the pages' business.
	Own []uint16
	// Files are the folders that file: URLs may read; nil: all.
	Files []string
}

// Metadata are the networks in which clouds tell machines their secrets, and
// those that name nobody: link-local, unspecified and multicast addresses.
func Metadata() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range []string{"169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8"} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// ErrRefused is an address that the policy keeps pages from.
var ErrRefused = errors.New("the platform's policy refuses it")

// check says whether a URL may be fetched, as far as it tells.
func (p *Policy) check(u *url.URL) error {
	if len(p.Schemes) > 0 && !slices.Contains(p.Schemes, u.Scheme) {
		return fmt.Errorf("%w: the scheme %s", errScheme, u.Scheme)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	if !p.listed(u) {
		return fmt.Errorf("%w: the host %s", ErrRefused, u.Host)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return p.checkAddr(netip.AddrPortFrom(ip, portOf(u)))
	}
	return nil
}

func portOf(u *url.URL) uint16 {
	switch port := u.Port(); {
	case port != "":
		if ap, err := netip.ParseAddrPort("0.0.0.0:" + port); err == nil {
			return ap.Port()
		}
	case u.Scheme == "https":
		return 443
	case u.Scheme == "http":
		return 80
	}
	return 0
}

func (p *Policy) listed(u *url.URL) bool {
	if len(p.Hosts) == 0 {
		return true
	}
	name := strings.ToLower(u.Hostname())
	withPort := fmt.Sprintf("%s:%d", name, portOf(u))
	return slices.ContainsFunc(p.Hosts, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		for _, candidate := range []string{name, withPort} {
			if ok, err := path.Match(pattern, candidate); err == nil && ok {
				return true
			}
		}
		return false
	})
}

// checkAddr says whether a connection may be made.
func (p *Policy) checkAddr(to netip.AddrPort) error {
	ip := to.Addr().Unmap().WithZone("")
	for _, network := range p.Denied {
		if network.Contains(ip) {
			return fmt.Errorf("%w: %s is in %s", ErrRefused, ip, network)
		}
	}
	if slices.Contains(p.Own, to.Port()) && ours(ip) {
		return fmt.Errorf("%w: %s is the platform's own", ErrRefused, to)
	}
	return nil
}

// ours tells whether an address is this machine's.
func ours(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // who cannot be told apart is kept out
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr() == ip
	})
}

// control is a net.Dialer's: it sees the address itself, after names were
// resolved and before anything is sent.
func (p *Policy) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrRefused, address)
	}
	return p.checkAddr(to)
}

// file says whether a file may be read.
func (p *Policy) file(name string) error {
	if p.Files == nil {
		return nil
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	for _, dir := range p.Files {
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			continue
		}
		if rel, err := filepath.Rel(dir, real); err == nil && filepath.IsLocal(rel) {
			return nil
		}
	}
	return fmt.Errorf("%w: the file %s", ErrRefused, name)
}
