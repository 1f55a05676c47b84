package node

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcp/control/node/fetching"
	"mcp/control/node/orchestrating"
	"mcp/control/ors"
	"mcp/control/service/voicexml"
	"mcp/vxml/fetch"
)

// openFetcher makes what all services fetch with, the built-in application and the
// pages of orchestration sessions among what they can.
func (n *Node) openFetcher() (*fetch.Fetcher, error) {
	reach := fetching.Reach{Files: n.readable(), Own: n.ownPorts(), Via: n.spans.Transport}
	if len(n.cfg.Application.ORS.URLs) > 0 {
		reach.Schemes = []string{ors.Scheme}
	}
	f, err := fetching.Open(n.cfg.Fetch, reach)
	if err != nil {
		return nil, err
	}
	n.opened("fetching", f.Close)
	f.Observe(n.metrics, n.log)
	if err := voicexml.RegisterBuiltin(f.Transport); err != nil {
		return nil, fmt.Errorf("built-in application: %w", err)
	}
	n.treatments = orchestrating.Open(n.cfg.Application.ORS, f.Transport, n.spans.Transport(f.Transport))
	return f.Fetcher, nil
}

// ownPorts are the ports that the platform itself serves, which pages have no
// business with.
func (n *Node) ownPorts() []uint16 {
	var out []uint16
	add := func(address string) {
		if _, text, err := net.SplitHostPort(address); err == nil {
			if port, err := strconv.ParseUint(text, 10, 16); err == nil && port > 0 {
				out = append(out, uint16(port))
			}
		}
	}
	for _, listen := range []string{n.cfg.Health.Listen, n.cfg.Health.Console.Listen, n.cfg.Health.SNMP.Exporter.Listen, n.cfg.Log.Export.Listen, n.cfg.Calls.Outbound.Listen} {
		add(listen)
	}
	for _, listen := range n.cfg.SIP.Listen {
		_, address, _ := strings.Cut(listen, ":")
		add(address)
	}
	return out
}

// readable are the folders that pages may read beside those that the operator names:
// those of what the operator has calls begin with.
func (n *Node) readable() []string {
	out := []string{}
	if dir := n.cfg.Announcements.Directory; dir != "" {
		out = append(out, dir)
	}
	for _, target := range append(slices.Collect(maps.Values(n.cfg.Application.Numbers)), n.cfg.Application.Default) {
		path, isFile := strings.CutPrefix(target, "file://")
		if isFile || filepath.Ext(path) == ".vxml" && !strings.Contains(path, ":") {
			out = append(out, filepath.Dir(path))
		}
	}
	return out
}
