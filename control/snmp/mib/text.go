package mib

import (
	"fmt"
	"strings"

	"mcp/control/snmp/agentx"
)

// head begins the MIB's file.
const head = `MCP-MIB DEFINITIONS ::= BEGIN

-- The objects and notifications of the media control platform, below the default
-- subtree. Under another one (health.snmp.subtree) the assignment of mcp changes.

IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE,
    Gauge32, Counter64, Integer32, enterprises  FROM SNMPv2-SMI
    MODULE-COMPLIANCE, OBJECT-GROUP,
    NOTIFICATION-GROUP                          FROM SNMPv2-CONF;

mcp MODULE-IDENTITY
    LAST-UPDATED "202611280000Z"
    ORGANIZATION "The media control platform"
    CONTACT-INFO "The operator of the platform"
    DESCRIPTION  "State, counters and alarms of a media control platform."
    REVISION     "202611280000Z"
    DESCRIPTION  "The first version."
    ::= { genesysLab 5070 }

genesysLab       OBJECT IDENTIFIER ::= { enterprises 1729 }

mcpNotifications OBJECT IDENTIFIER ::= { mcp 0 }
mcpObjects       OBJECT IDENTIFIER ::= { mcp 1 }
mcpConformance   OBJECT IDENTIFIER ::= { mcp 2 }
`

// alarmText is the table of alarms.
const alarmText = `
mcpAlarm OBJECT IDENTIFIER ::= { mcpObjects 8 }

mcpAlarmTable OBJECT-TYPE
    SYNTAX      SEQUENCE OF McpAlarmEntry
    MAX-ACCESS  not-accessible
    STATUS      current
    DESCRIPTION "Alarms. Each has two notifications: it has come, it has gone."
    ::= { mcpAlarm 51 }

mcpAlarmEntry OBJECT-TYPE
    SYNTAX      McpAlarmEntry
    MAX-ACCESS  not-accessible
    STATUS      current
    DESCRIPTION "An alarm."
    INDEX       { mcpAlarmIndex }
    ::= { mcpAlarmTable 1 }

McpAlarmEntry ::= SEQUENCE {
    mcpAlarmIndex  Integer32,
    mcpAlarmName   OCTET STRING,
    mcpAlarmState  INTEGER,
    mcpAlarmDetail OCTET STRING
}

mcpAlarmIndex OBJECT-TYPE
    SYNTAX      Integer32 (1..255)
    MAX-ACCESS  not-accessible
    STATUS      current
    DESCRIPTION "The alarm's number."
    ::= { mcpAlarmEntry 1 }

mcpAlarmName OBJECT-TYPE
    SYNTAX      OCTET STRING (SIZE (0..255))
    MAX-ACCESS  read-only
    STATUS      current
    DESCRIPTION "Name of the notification that tells the alarm has come."
    ::= { mcpAlarmEntry 2 }

mcpAlarmState OBJECT-TYPE
    SYNTAX      INTEGER { clear(1), raised(2) }
    MAX-ACCESS  read-only
    STATUS      current
    DESCRIPTION "Whether the condition holds."
    ::= { mcpAlarmEntry 3 }

mcpAlarmDetail OBJECT-TYPE
    SYNTAX      OCTET STRING (SIZE (0..255))
    MAX-ACCESS  read-only
    STATUS      current
    DESCRIPTION "What is wrong; empty while nothing is."
    ::= { mcpAlarmEntry 4 }
`

// Text is the MIB as a file for managers, at the default subtree.
func Text() string {
	w := &writer{}
	w.b.WriteString(head)
	for number, g := range groups() {
		w.printf("\n%s OBJECT IDENTIFIER ::= { mcpObjects %d }\n", g.name, number+1)
		for i, o := range g.scalars {
			w.object(o, g.name, i+1)
		}
		for i, t := range g.tables {
			w.table(t, g.name, firstTable+i)
		}
	}
	w.b.WriteString(alarmText)
	w.objects = append(w.objects, "mcpAlarmName", "mcpAlarmState", "mcpAlarmDetail")
	for i, a := range conditions() {
		w.notification(a.name, a.about, 2*i+1)
		w.notification(a.name+"Cleared", "No longer: "+a.about, 2*i+2)
	}
	w.conformance()
	w.printf("\nEND\n")
	return w.b.String()
}

type writer struct {
	b             strings.Builder
	objects       []string
	notifications []string
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

func syntax(k agentx.Kind) string {
	switch k {
	case agentx.Gauge32:
		return "Gauge32"
	case agentx.Counter64:
		return "Counter64"
	}
	return "OCTET STRING (SIZE (0..255))"
}

func (w *writer) object(o object, parent string, number int) {
	w.objects = append(w.objects, o.name)
	w.declare(o.name, syntax(o.kind), o.about, fmt.Sprintf("%s %d", parent, number))
}

// declare writes an object. Tables, their rows and their indexes have no values of their own.
func (w *writer) declare(name, syntax, about, place string) {
	access := "read-only"
	for _, frame := range []string{"Table", "Entry", "Name"} {
		if strings.HasSuffix(name, frame) {
			access = "not-accessible"
		}
	}
	w.printf("\n%s OBJECT-TYPE\n    SYNTAX      %s\n    MAX-ACCESS  %s\n    STATUS      current\n    DESCRIPTION \"%s\"\n", name, syntax, access, about)
	if strings.HasSuffix(name, "Entry") {
		w.printf("    INDEX       { %sName }\n", strings.TrimSuffix(name, "Entry"))
	}
	w.printf("    ::= { %s }\n", place)
}

func (w *writer) table(t table, parent string, number int) {
	entry := strings.ToUpper(t.name[:1]) + t.name[1:] + "Entry"
	w.declare(t.name+"Table", "SEQUENCE OF "+entry, t.about, fmt.Sprintf("%s %d", parent, number))
	w.declare(t.name+"Entry", entry, "A row for each "+t.label+".", t.name+"Table 1")
	w.printf("\n%s ::= SEQUENCE {\n    %sName OCTET STRING", entry, t.name)
	for _, o := range t.columns {
		w.printf(",\n    %s %s", o.name, strings.Split(syntax(o.kind), " (")[0])
	}
	w.printf("\n}\n")
	w.declare(t.name+"Name", "OCTET STRING (SIZE (1..64))", "The "+t.label+".", t.name+"Entry 1")
	for i, o := range t.columns {
		w.object(o, t.name+"Entry", i+2)
	}
}

func (w *writer) notification(name, about string, number int) {
	w.notifications = append(w.notifications, name)
	w.printf("\n%s NOTIFICATION-TYPE\n    OBJECTS     { mcpAlarmName, mcpAlarmState, mcpAlarmDetail }\n    STATUS      current\n    DESCRIPTION \"%s\"\n    ::= { mcpNotifications %d }\n",
		name, about, number)
}

func (w *writer) conformance() {
	list := func(names []string) string { return strings.Join(names, ",\n        ") }
	w.printf(`
mcpCompliances OBJECT IDENTIFIER ::= { mcpConformance 1 }
mcpGroups      OBJECT IDENTIFIER ::= { mcpConformance 2 }

mcpCompliance MODULE-COMPLIANCE
    STATUS      current
    DESCRIPTION "What a platform has."
    MODULE
    MANDATORY-GROUPS { mcpObjectGroup, mcpNotificationGroup }
    ::= { mcpCompliances 1 }

mcpObjectGroup OBJECT-GROUP
    OBJECTS {
        %s
    }
    STATUS      current
    DESCRIPTION "All objects."
    ::= { mcpGroups 1 }

mcpNotificationGroup NOTIFICATION-GROUP
    NOTIFICATIONS {
        %s
    }
    STATUS      current
    DESCRIPTION "All notifications."
    ::= { mcpGroups 2 }
`, list(w.objects), list(w.notifications))
}
