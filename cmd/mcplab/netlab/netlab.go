// Package netlab makes a laboratory of three network namespaces, a caller's, the
// platform's and a speech server's, joined by veth pairs, and takes it down.
package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// namespaces is where named network namespaces are, as iproute2 has them.
const namespaces = "/run/netns"

// Lab is a laboratory:
//
//	sbc (10.0.1.1) --- (10.0.1.2) mcp (10.0.2.1) --- (10.0.2.2) nuance
type Lab struct {
	// SBC, MCP and Nuance are the names of the namespaces.
	SBC, MCP, Nuance string
}

// The laboratory's addresses and, in MCP, its interfaces.
var (
	SBCAddr    = netip.MustParseAddr("10.0.1.1")
	MCPToSBC   = netip.MustParseAddr("10.0.1.2")
	MCPToVoice = netip.MustParseAddr("10.0.2.1")
	NuanceAddr = netip.MustParseAddr("10.0.2.2")
)

// The interfaces, named for what is at the other end.
const (
	ToSBC    = "sbc0"
	ToNuance = "nuance0"
	ToMCP    = "mcp0" // of the others
)

// ErrExists says that a namespace of that name is there already.
var ErrExists = errors.New("network namespace exists already")

// Build makes the laboratory, with a prefix before the namespaces' names. When
// it fails nothing is left.
func Build(ctx context.Context, prefix string) (*Lab, error) {
	l := &Lab{SBC: prefix + "sbc", MCP: prefix + "mcp", Nuance: prefix + "nuance"}
	for _, name := range l.names() {
		if _, err := os.Stat(filepath.Join(namespaces, name)); err == nil {
			return nil, fmt.Errorf("%w: %s (remove it with ip netns delete %s, or choose a prefix)", ErrExists, name, name)
		}
	}
	for i, name := range l.names() {
		if err := create(name); err != nil {
			return nil, errors.Join(fmt.Errorf("create namespace %s: %w", name, err), remove(l.names()[:i]))
		}
	}
	if err := l.join(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) names() []string { return []string{l.SBC, l.MCP, l.Nuance} }

// Close removes the namespaces, and with them the interfaces in them. It is
// idempotent.
func (l *Lab) Close() error { return remove(l.names()) }

func remove(names []string) error {
	var faults []error
	for _, name := range names {
		if err := netns.DeleteNamed(name); err != nil && !os.IsNotExist(err) {
			// A file without a mount is what a creation that failed half-way leaves.
			if err := os.Remove(filepath.Join(namespaces, name)); err != nil && !os.IsNotExist(err) {
				faults = append(faults, fmt.Errorf("remove namespace %s: %w", name, err))
			}
		}
	}
	return errors.Join(faults...)
}

// create makes a namespace.
func create(name string) error {
	return apart(func() error {
		made, err := netns.NewNamed(name)
		if err != nil {
			return err
		}
		return made.Close()
	})
}

// apart runs f on a thread of its own, whose namespace f may change: the thread
// is put back where it was, or thrown away if it cannot be.
func apart(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		err = f()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// In runs f on a thread that is in a namespace: sockets that f itself makes are there.
func (l *Lab) In(namespace string, f func() error) error {
	ns, err := netns.GetFromName(namespace)
	if err != nil {
		return err
	}
	defer ns.Close()
	return apart(func() error {
		if err := netns.Set(ns); err != nil {
			return err
		}
		return f()
	})
}

// Dial connects from within a namespace to an address in numbers.
func (l *Lab) Dial(ctx context.Context, namespace, network string, to netip.AddrPort) (conn net.Conn, err error) {
	err = l.In(namespace, func() error {
		// With one address in numbers the dialer makes its socket right here.
		conn, err = new(net.Dialer).DialContext(ctx, network, to.String())
		return err
	})
	return conn, err
}

// Listen listens within a namespace, on an address in numbers.
func (l *Lab) Listen(namespace, address string) (listener net.Listener, err error) {
	err = l.In(namespace, func() error {
		listener, err = net.Listen("tcp", address)
		return err
	})
	return listener, err
}

// join lays the veth pairs.
func (l *Lab) join(ctx context.Context) error {
	for _, cable := range []struct {
		far, local          string
		localAddr, peerAddr netip.Addr
	}{
		{l.SBC, ToSBC, MCPToSBC, SBCAddr},
		{l.Nuance, ToNuance, MCPToVoice, NuanceAddr},
	} {
		if err := l.lay(cable.far, cable.local); err != nil {
			return fmt.Errorf("join %s and %s: %w", l.MCP, cable.far, err)
		}
		if err := raise(l.MCP, cable.local, cable.localAddr); err != nil {
			return fmt.Errorf("raise %s in %s: %w", cable.local, l.MCP, err)
		}
		if err := raise(cable.far, ToMCP, cable.peerAddr); err != nil {
			return fmt.Errorf("raise %s in %s: %w", ToMCP, cable.far, err)
		}
		// Without GRO, or a program of its own, an end of a veth pair drops what
		// the other end sends by XDP.
		out, err := l.Command(ctx, cable.far, "ethtool", "-K", ToMCP, "gro", "on").CombinedOutput()
		if err != nil {
			return fmt.Errorf("switch GRO on in %s: %w: %s", cable.far, err, out)
		}
	}
	return nil
}

// lay makes a veth pair from MCP into another namespace.
func (l *Lab) lay(far, name string) error {
	peer, err := netns.GetFromName(far)
	if err != nil {
		return err
	}
	defer peer.Close()
	return within(l.MCP, func(h *netlink.Handle) error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = name
		return h.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: ToMCP, PeerNamespace: netlink.NsFd(peer)})
	})
}

// raise gives an interface its address and brings it, and the loopback, up.
func raise(namespace, name string, addr netip.Addr) error {
	return within(namespace, func(h *netlink.Handle) error {
		for _, up := range []string{"lo", name} {
			link, err := h.LinkByName(up)
			if err != nil {
				return err
			}
			if up == name {
				ip, err := netlink.ParseAddr(netip.PrefixFrom(addr, 24).String())
				if err != nil {
					return err
				}
				if err := h.AddrAdd(link, ip); err != nil {
					return err
				}
			}
			if err := h.LinkSetUp(link); err != nil {
				return err
			}
		}
		return nil
	})
}

// within runs f with a netlink socket in a namespace.
func within(namespace string, f func(*netlink.Handle) error) error {
	ns, err := netns.GetFromName(namespace)
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	return f(h)
}

// Command is a command to be run in a namespace. Only the network is the
// namespace's; files, the BPF file system among them, are the machine's.
func (l *Lab) Command(ctx context.Context, namespace, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + filepath.Join(namespaces, namespace), program}, args...)...)
}
