package node

import "mcp/control/service/voicexml/live"

// openTraces serves "mcp vxml trace". That it cannot be had keeps no call away.
func (n *Node) openTraces() *live.Hub {
	if n.cfg.Application.Trace == "" {
		return nil
	}
	hub := &live.Hub{}
	end, err := hub.Listen(n.cfg.Application.Trace)
	if err != nil {
		n.log.Warn("calls cannot be traced", "error", err)
		return nil
	}
	n.opened("traces", end)
	return hub
}
