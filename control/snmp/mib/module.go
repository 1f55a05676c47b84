package mib

import (
	"fmt"
	"strings"

	"mcp/control/snmp/agentx"
)

// Module is the MIB, at the default subtree, as a module of Prometheus' SNMP exporter.
func Module() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made from the MIB's table of objects.\nmcp:\n  walk: [%s]\n  version: 2\n  auth: {community: public}\n  metrics:\n", DefaultSubtree)
	write := func(o object, place, index, kind string) {
		fmt.Fprintf(&b, "  - name: %s\n    oid: %s.%s\n    type: %s\n    help: %q\n", o.name, DefaultSubtree, place, metricType(o.kind), o.about)
		if index != "" {
			fmt.Fprintf(&b, "    indexes: [{labelname: %s, type: %s}]\n", index, kind)
		}
	}
	for number, g := range groups() {
		for i, o := range g.scalars {
			write(o, fmt.Sprintf("%d.%d.%d", branchObjects, number+1, i+1), "", "")
		}
		for i, t := range g.tables {
			for column, o := range t.columns {
				write(o, fmt.Sprintf("%d.%d.%d.1.%d", branchObjects, number+1, firstTable+i, column+2), t.name+"Name", "DisplayString")
			}
		}
	}
	for i, o := range []object{
		label("mcpAlarmName", "", "", "Name of the notification that tells the alarm has come."),
		gauge("mcpAlarmState", "", "Whether the condition holds: 1 it does not, 2 it does."),
		label("mcpAlarmDetail", "", "", "What is wrong; empty while nothing is."),
	} {
		write(o, fmt.Sprintf("%d.%d.%d.1.%d", branchObjects, alarmGroup, firstTable, i+2), "mcpAlarmIndex", "gauge")
	}
	return b.String()
}

func metricType(k agentx.Kind) string {
	switch k {
	case agentx.Counter64:
		return "counter"
	case agentx.Gauge32:
		return "gauge"
	}
	return "DisplayString"
}
