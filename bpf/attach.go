package bpf

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"mcp/bpf/nic"
	"mcp/bpf/pin"
)

// Interface is one the relay is attached to.
type Interface struct {
	Name   string
	Index  int
	Mode   Mode
	Reason string

	// What Inspect finds besides.
	Attached  bool // false while the interface is gone
	Sends     bool // the relay sends through it; else userspace does
	Upgrading bool // it runs another program than the pinned one
}

// attach puts the relay on the interfaces, all in one mode: a frame that
// arrives in native mode can leave in native mode only. Loopback has no driver
// and is always generic.
func (p *Plane) attach(cfg Config) error {
	interfaces, err := chooseInterfaces(cfg.Interfaces)
	if err != nil {
		return err
	}
	lookups := allowLookups()
	generic, reason := cfg.Mode == ModeGeneric, "generic mode was asked for"
	if !generic {
		generic, reason, err = p.attachNative(interfaces, cfg.Mode)
		if err != nil {
			return err
		}
	}
	if err := p.attachGeneric(interfaces, generic, reason); err != nil {
		return err
	}
	if lookups != nil {
		reason += "; packets are sent by userspace, because the kernel's route lookup is off: " + lookups.Error()
	}
	return p.describe(generic, reason)
}

// chooseInterfaces finds the named interfaces, or all that can carry media. A VLAN
// stands for the interface below it.
func chooseInterfaces(names []string) ([]net.Interface, error) {
	var chosen []net.Interface
	for _, name := range names {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
		chosen = append(chosen, *i)
	}
	if len(names) > 0 {
		return nic.UnderVLANs(chosen)
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err == nil && i.Flags&net.FlagUp != 0 && len(addrs) > 0 {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no interface is up and has an address")
	}
	return nic.UnderVLANs(chosen)
}

// WithLoopback adds the loopback interface to those that are named, unless none is,
// which stands for all: calls that a host places to itself go over it.
func WithLoopback(names []string) []string {
	all, err := net.Interfaces()
	if err != nil || len(names) == 0 {
		return names
	}
	for _, i := range all {
		if isLoopback(i) && i.Flags&net.FlagUp != 0 && !slices.Contains(names, i.Name) {
			return append(slices.Clone(names), i.Name)
		}
	}
	return names
}

func isLoopback(i net.Interface) bool {
	return i.Flags&net.FlagLoopback != 0
}

// attachNative attaches to all interfaces but loopback in native mode and sees
// whether frames leave them. In automatic mode it undoes all when one will not
// do, and answers that generic mode it is, and why.
func (p *Plane) attachNative(interfaces []net.Interface, mode Mode) (generic bool, reason string, err error) {
	var links []link.Link
	names := make([]string, 0, len(interfaces))
	for _, i := range interfaces {
		if isLoopback(i) {
			continue
		}
		l, err := p.tryNative(i, mode)
		if l != nil {
			links = append(links, l)
		}
		var busy *BusyError
		if errors.As(err, &busy) || err != nil && mode == ModeNative {
			return false, "", errors.Join(err, detachAll(links))
		}
		if err != nil {
			return true, fmt.Sprintf("generic mode: %s", err), detachAll(links)
		}
		names = append(names, i.Name)
	}
	if len(links) == 0 {
		return true, "generic mode: loopback has no native mode", nil
	}
	reason = "frames sent in native mode leave " + strings.Join(names, ", ")
	if mode == ModeNative {
		reason = "native mode was asked for"
	}
	for n, l := range links {
		i := interfaceOf(interfaces, names[n])
		if err := p.keep(l, i, ModeNative, reason); err != nil {
			return false, "", errors.Join(err, detachAll(links))
		}
	}
	return false, reason, closeAll(links)
}

func interfaceOf(interfaces []net.Interface, name string) net.Interface {
	for _, i := range interfaces {
		if i.Name == name {
			return i
		}
	}
	return net.Interface{}
}

// tryNative attaches to one interface and, unless the mode is forced, probes it.
func (p *Plane) tryNative(i net.Interface, mode Mode) (link.Link, error) {
	l, err := attachXDP(p.objects.Relay, i, link.XDPDriverMode)
	if err != nil || mode == ModeNative {
		return l, err
	}
	return l, nic.ProbeTransmit(p.objects.Probe, i)
}

// attachGeneric attaches to loopback, and to the other interfaces too if asked.
func (p *Plane) attachGeneric(interfaces []net.Interface, all bool, reason string) error {
	for _, i := range interfaces {
		why := reason
		if isLoopback(i) {
			why = "loopback has no native mode"
		} else if !all {
			continue
		}
		l, err := attachXDP(p.objects.RelaySkb, i, link.XDPGenericMode)
		if err != nil {
			return err
		}
		if err := errors.Join(p.keep(l, i, ModeGeneric, why), l.Close()); err != nil {
			return err
		}
	}
	return nil
}

func attachXDP(prog *ebpf.Program, i net.Interface, flags link.XDPAttachFlags) (link.Link, error) {
	l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: i.Index, Flags: flags})
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
		return nil, &BusyError{Interface: i.Name}
	}
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", i.Name, err)
	}
	return l, nil
}

func detachAll(links []link.Link) error {
	var err error
	for _, l := range links {
		err = errors.Join(err, l.Detach(), l.Close())
	}
	return err
}

func closeAll(links []link.Link) error {
	var err error
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return err
}

// keep pins a link and notes the interface in the maps.
func (p *Plane) keep(l link.Link, i net.Interface, mode Mode, reason string) error {
	if err := p.note(l, i, mode, reason); err != nil {
		return err
	}
	p.reached("attached")
	return p.openPort(i)
}

// note pins a link and lists the interface. The list comes first: what is
// linked is listed whenever the process dies.
func (p *Plane) note(l link.Link, i net.Interface, mode Mode, reason string) error {
	entry := relayIface{}
	if mode == ModeNative {
		entry.Native = 1
	}
	setString(entry.Name[:], i.Name)
	setString(entry.Reason[:], reason)
	index := uint32(i.Index)
	if err := p.objects.Ifaces.Put(index, &entry); err != nil {
		return fmt.Errorf("note interface %s: %w", i.Name, err)
	}
	if err := l.Pin(pin.LinkPath(p.dir, i.Index)); err != nil {
		return fmt.Errorf("pin link of %s: %w", i.Name, err)
	}
	return nil
}

// openPort lets the relay send frames out of an interface.
func (p *Plane) openPort(i net.Interface) error {
	if isLoopback(i) {
		return nil
	}
	index := uint32(i.Index)
	if err := p.objects.TxPorts.Put(index, index); err != nil {
		return fmt.Errorf("note port %s: %w", i.Name, err)
	}
	return nil
}

func (p *Plane) describe(generic bool, reason string) error {
	netns, err := nic.NetNSInode()
	if err != nil {
		return err
	}
	p.layout = relayLayout{Version: relayLayoutVersionLAYOUT_VERSION, Netns: netns}
	if generic {
		p.layout.Generic = 1
	}
	setString(p.layout.Reason[:], reason)
	return p.objects.Layout.Put(uint32(0), &p.layout)
}

// allowLookups lets the kernel answer the relay's route lookups, which start at
// the loopback interface. It changes that interface only; no traffic is
// forwarded from there.
func allowLookups() error {
	err := allowForwarding("/proc/sys/net/ipv4/conf/lo/forwarding")
	if _, e := os.Stat("/proc/sys/net/ipv6"); e == nil {
		err = errors.Join(err, allowForwarding("/proc/sys/net/ipv6/conf/lo/forwarding"))
	}
	return err
}

func allowForwarding(path string) error {
	value, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(value)) == "1" {
		return err
	}
	return os.WriteFile(path, []byte("1"), 0)
}

func modeOf(native bool) Mode {
	if native {
		return ModeNative
	}
	return ModeGeneric
}

func setString(dst []int8, s string) {
	for i := 0; i < len(dst)-1 && i < len(s); i++ {
		dst[i] = int8(s[i])
	}
}

func goString(src []int8) string {
	b := make([]byte, 0, len(src))
	for _, c := range src {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}
