package sipbench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"mcp/bpf/bpfbench"
	"mcp/bpf/bpftest"
	"mcp/cmd/mcplab/netlab"
)

const probes = "127.0.0.1:8300"

// callee is where the callee is called.
func callee() string { return netlab.MCPToSBC.String() + ":5070" }

// hearing is where what it plays goes.
func hearing() string { return netlab.NuanceAddr.String() }

// farPort is where callers say that they hear.
const farPort = 4000

// road is where calls are placed: SIPp in one network namespace, the callee in a
// second and in a third what callers hear with, an interface that swallows and counts.
type road struct {
	lab  *netlab.Lab
	ears *bpfbench.Bench
	pins string // a BPF file system
	web  *web

	profiles string // folder of the callee's profiles; empty: none
}

// openRoad makes one with a web server beside the callee that has pages by path.
func openRoad(ctx context.Context, pages map[string][]byte) (_ *road, err error) {
	lab, err := netlab.Build(ctx, fmt.Sprintf("sipbench%d-", os.Getpid()))
	if err != nil {
		return nil, err
	}
	r := &road{lab: lab}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.pins, err = os.MkdirTemp("", "sipbench"); err != nil {
		return nil, err
	}
	if err := unix.Mount("bpf", r.pins, "bpf", 0, ""); err != nil {
		return nil, fmt.Errorf("mount a BPF file system: %w", err)
	}
	// What it could generate is of no concern here.
	idle := bpftest.Frame{Payload: bpftest.RTP{Payload: make([]byte, 160)}.Bytes()}
	if r.ears, err = bpfbench.New(bpfbench.Config{Frames: [][]byte{idle.Bytes()}}); err != nil {
		return nil, err
	}
	if r.web, err = serve(lab, pages); err != nil {
		return nil, err
	}
	return r, r.listen(ctx)
}

// listen has all that comes to the third namespace swallowed, what asks for an
// address included: addresses are therefore told.
func (r *road) listen(ctx context.Context) error {
	end, err := r.interfaceIn(r.lab.Nuance, netlab.ToMCP)
	if err != nil {
		return err
	}
	if err := r.lab.In(r.lab.Nuance, func() error { return r.ears.AttachSink(end.Index) }); err != nil {
		return err
	}
	near, err := r.interfaceIn(r.lab.MCP, netlab.ToNuance)
	if err != nil {
		return err
	}
	return errors.Join(
		r.tell(ctx, r.lab.MCP, netlab.NuanceAddr, end), r.tell(ctx, r.lab.Nuance, netlab.MCPToVoice, near))
}

// tell has a namespace know who has an address.
func (r *road) tell(ctx context.Context, namespace string, addr netip.Addr, has *net.Interface) error {
	device := netlab.ToNuance
	if namespace == r.lab.Nuance {
		device = netlab.ToMCP
	}
	out, err := r.lab.Command(ctx, namespace, "ip", "neighbour", "replace", addr.String(), "lladdr", has.HardwareAddr.String(),
		"dev", device, "nud", "permanent").CombinedOutput()
	if err != nil {
		return fmt.Errorf("tell where %s is: %w: %s", addr, err, out)
	}
	return nil
}

func (r *road) interfaceIn(namespace, name string) (found *net.Interface, err error) {
	err = r.lab.In(namespace, func() error {
		found, err = net.InterfaceByName(name)
		return err
	})
	return found, err
}

// close takes the road down.
func (r *road) close() error {
	var faults []error
	if r.web != nil {
		faults = append(faults, r.web.close())
	}
	if r.ears != nil {
		faults = append(faults, r.ears.Close())
	}
	if r.pins != "" {
		_ = unix.Unmount(r.pins, unix.MNT_DETACH) // it may not be mounted
		faults = append(faults, os.Remove(r.pins))
	}
	return errors.Join(append(faults, r.lab.Close())...)
}

// command is one that runs in a namespace, on one core; -1: on any.
func (r *road) command(ctx context.Context, namespace string, core int, args []string) *exec.Cmd {
	if core >= 0 {
		args = slices.Concat([]string{"taskset", "-c", fmt.Sprint(core % runtime.NumCPU())}, args)
	}
	return r.lab.Command(ctx, namespace, args[0], args[1:]...)
}

const platformConfig = `
sip: {listen: ["udp:%s"]}
calls: {cpu: 0, drain: 0s, max: %d}
media: {plane: xdp, interfaces: [%s, %s], pins: %s, address: %s, timeout: 0s}
application: {default: "%s"}
reporting: {journal: %s}
health: {listen: "%s", profiles: true}
log: {level: error}
`

// platform writes the configuration of a platform that takes so many calls at once, 0:
// as many as it can, and returns the command that runs it.
func (r *road) platform(binary, dir, application string, most int) ([]string, error) {
	config := filepath.Join(dir, "mcp.yaml")
	text := fmt.Sprintf(platformConfig, callee(), most, netlab.ToSBC, netlab.ToNuance, filepath.Join(r.pins, "plane"),
		netlab.MCPToVoice, application, filepath.Join(dir, "journal"), probes)
	return []string{binary, "serve", "--config", config}, os.WriteFile(config, []byte(text), 0o600)
}

// web is a web server in the callee's namespace.
type web struct {
	addr   string
	server *http.Server
	done   chan struct{}
}

func serve(lab *netlab.Lab, pages map[string][]byte) (*web, error) {
	w := &web{addr: "127.0.0.1:8080", done: make(chan struct{})}
	listener, err := lab.Listen(lab.MCP, w.addr)
	if err != nil {
		return nil, fmt.Errorf("web server: %w", err)
	}
	w.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(out, r)
			return
		}
		out.Header().Set("Cache-Control", "max-age=3600")
		if path.Ext(r.URL.Path) == ".vxml" {
			out.Header().Set("Content-Type", "application/voicexml+xml")
		}
		_, _ = out.Write(page) // who has gone needs none
	})}
	go func() {
		defer close(w.done)
		_ = w.server.Serve(listener) // until it is closed
	}()
	return w, nil
}

func (w *web) close() error {
	err := w.server.Close()
	<-w.done
	return err
}
