package carrying

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
func (c *Carrier) openPlane() (media.Plane, error) {
	if c.config.Plane == "socket" {
		return c.announce(socket.New("configured", c.log)), nil
	}
	plane, err := c.openXDP()
	if err == nil {
		return c.announce(plane), nil
	}
	if c.config.Plane != "auto" {
		return nil, fmt.Errorf("media plane %s: %w", c.config.Plane, err)
	}
	return c.announce(socket.New(fmt.Sprintf("no XDP: %v", err), c.log)), nil
}

func (c *Carrier) announce(p media.Plane) media.Plane {
	c.log.Info("media plane", "mode", p.Mode(), "reason", p.Reason())
	c.opened("media plane", p.Close)
	return p
}

// openXDP takes over the kernel's plane that an init step or an earlier process
// left pinned, or loads it. What it loads itself it unloads at the end.
func (c *Carrier) openXDP() (media.Plane, error) {
	kernel, err := bpf.Open(c.config.Pins)
	if errors.Is(err, bpf.ErrNotLoaded) {
		mode := bpf.ModeAuto
		if c.config.Plane == "xdp-generic" {
			mode = bpf.ModeGeneric
		}
		kernel, err = bpf.Load(bpf.Config{Dir: c.config.Pins, Interfaces: bpf.WithLoopback(c.config.Interfaces), Mode: mode})
		if err == nil {
			c.opened("kernel programs", func() error { return bpf.Unload(c.config.Pins) })
		}
	}
	if err != nil {
		return nil, err
	}
	plane, err := xdp.New(kernel, c.config.Pacer, c.log)
	if err != nil {
		return nil, errors.Join(err, kernel.Close())
	}
	c.metrics.MustRegister(kernel, plane)
	return plane, nil
}
