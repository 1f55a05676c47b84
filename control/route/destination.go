package route

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Destinations are patterns of whom may be called: [USER@]HOST[:PORT]. In USER an
// asterisk stands for anything; without USER anybody may be called there. HOST is an
// address, a network such as 10.0.0.0/8 (without a port), a name, *.NAME for whatever
// is below one, or * for any. No patterns at all allow all.
type Destinations []destination

type destination struct {
	user    string
	name    string       // in lower case; empty: see network
	network netip.Prefix // not valid: see name
	port    uint16       // 0: any
}

// Callee is whom a SIP URI names, unescaped.
type Callee struct {
	User string
	Host string // a name, or an address without brackets
	Port int    // 0: not given
}

// ReadDestinations reads patterns. The error names the first that is none.
func ReadDestinations(patterns []string) (Destinations, error) {
	var all Destinations
	for _, text := range patterns {
		d, ok := readDestination(text)
		if !ok {
			return nil, fmt.Errorf("%q is no destination, such as +49*@gw.example, 10.0.0.0/8 or *@[2001:db8::1]:5060", text)
		}
		all = append(all, d)
	}
	return all, nil
}

func readDestination(text string) (d destination, ok bool) {
	d.user = "*"
	host := text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		d.user, host = text[:at], text[at+1:]
	}
	if network, err := netip.ParsePrefix(host); err == nil {
		d.network = network.Masked()
		return d, d.user != ""
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return d, false
		}
		host, d.port = name, uint16(n)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return d, false
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		d.network = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		return d, d.user != ""
	}
	d.name = canonical(host)
	below := strings.TrimPrefix(d.name, "*.")
	return d, d.user != "" && (d.name == "*" || isName(below))
}

// Allow tells whether somebody may be called.
func (all Destinations) Allow(c Callee) bool {
	for _, d := range all {
		if (d.port == 0 || int(d.port) == c.Port) && d.leadsTo(c.Host) && matches(d.user, c.User) {
			return true
		}
	}
	return len(all) == 0
}

func (d destination) leadsTo(host string) bool {
	addr, err := netip.ParseAddr(host)
	name := canonical(host)
	switch below, any := strings.CutPrefix(d.name, "*"); {
	case err != nil && !isName(name):
		return false
	case d.name == "*":
		return true
	case d.network.IsValid():
		return err == nil && d.network.Contains(addr.Unmap())
	case any:
		return err != nil && strings.HasSuffix(name, below) && len(name) > len(below)
	}
	return name == d.name
}

// canonical is a host's name as it is compared.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func isName(s string) bool {
	return s != "" && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// matches tells whether a text is of a pattern in which asterisks stand for anything.
func matches(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, first)
	if !ok || !more {
		return ok && text == ""
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(part):], after
	}
}
