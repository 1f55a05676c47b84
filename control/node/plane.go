package node

import (
	"errors"
	"fmt"

	"mcp/bpf"
	"mcp/control/media"
	"mcp/control/media/socket"
	"mcp/control/media/xdp"
)

// openPlane opens the media plane that the configuration asks for, or with
// auto the best that this machine and this process's privileges allow.
func (n *Node) openPlane() (media.Plane, error) {
	cfg := n.cfg.Media
	if cfg.Plane == "socket" {
		return n.announce(socket.New("configured", n.log)), nil
	}
	plane, err := n.openXDP(cfg)
	if err == nil {
		return n.announce(plane), nil
	}
	if cfg.Plane != "auto" {
		return nil, fmt.Errorf("media plane %s: %w", cfg.Plane, err)
	}
	return n.announce(socket.New(fmt.Sprintf("no XDP: %v", err), n.log)), nil
}

func (n *Node) announce(p media.Plane) media.Plane {
	n.log.Info("media plane", "mode", p.Mode(), "reason", p.Reason())
	n.opened("media plane", p.Close)
	return p
}

// openXDP takes over the kernel's plane that an init step or an earlier process
// left pinned, or loads it. What it loads itself it unloads at the end.
func (n *Node) openXDP(cfg Media) (media.Plane, error) {
	kernel, err := bpf.Open(cfg.Pins)
	if errors.Is(err, bpf.ErrNotLoaded) {
		mode := bpf.ModeAuto
		if cfg.Plane == "xdp-generic" {
			mode = bpf.ModeGeneric
		}
		kernel, err = bpf.Load(bpf.Config{Dir: cfg.Pins, Interfaces: bpf.WithLoopback(cfg.Interfaces), Mode: mode})
		if err == nil {
			n.opened("kernel programs", func() error { return bpf.Unload(cfg.Pins) })
		}
	}
	if err != nil {
		return nil, err
	}
	plane, err := xdp.New(kernel, n.log)
	if err != nil {
		return nil, errors.Join(err, kernel.Close())
	}
	n.metrics.MustRegister(kernel, plane)
	return plane, nil
}
