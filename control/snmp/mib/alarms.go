package mib

import (
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"

	"mcp/control/snmp/agentx"
)

// The columns of the alarms' table after its index: name, state and detail.
const alarmColumns = 3

// The states of an alarm.
const (
	stateClear  = 1
	stateRaised = 2
)

// alarm is a condition that is told of once when it comes and once when it goes.
type alarm struct {
	name   string
	about  string
	holds  func(samples map[string][]*dto.Metric) string // what is wrong; empty: nothing
	grows  []string                                      // counters whose growth is the condition, instead
	before float64                                       // what they were
	until  time.Time                                     // how long growth counts
	detail string                                        // of what is raised; empty: clear
}

// waiting is for how long records may wait before that is an alarm.
const waiting = time.Minute

// conditions are the alarms, numbered from 1. What is there keeps its place.
func conditions() []alarm {
	return []alarm{
		{name: "mcpMediaPlaneAlarm", about: "Media is not carried in the kernel although it should be.", holds: planeLost},
		{name: "mcpRecordsWaitingAlarm", about: "Records have waited for a broker for more than a minute.", holds: recordsWait},
		{name: "mcpRecordingsRefusedAlarm", about: "Recordings could not begin.", grows: []string{"mcp_recordings_refused_total"}},
		{name: "mcpCallsRefusedAlarm", about: "Calls were refused for want of capacity or because their records could not be kept.",
			grows: []string{"mcp_calls_over_limit_total", "mcp_calls_unrecordable_total"}},
		{name: "mcpConsulLostAlarm", about: "Consul does not have the platform registered.", holds: consulLost},
	}
}

func planeLost(samples map[string][]*dto.Metric) string {
	for _, s := range samples["mcp_media_plane_info"] {
		if reason := labelOf(s, "reason"); labelOf(s, "mode") == "socket" && reason != "configured" {
			return reason
		}
	}
	return ""
}

func recordsWait(samples map[string][]*dto.Metric) string {
	for _, s := range samples["mcp_reporting_oldest_unsent_seconds"] {
		if age := s.GetGauge().GetValue(); age > waiting.Seconds() {
			return "records wait for the broker of " + labelOf(s, "journal")
		}
	}
	return ""
}

func consulLost(samples map[string][]*dto.Metric) string {
	for _, s := range samples["mcp_consul_registered"] {
		if s.GetGauge().GetValue() == 0 {
			return "not registered with Consul"
		}
	}
	return ""
}

// check says what is wrong now. Growth counts for a while, so that steady trouble is
// one alarm.
func (a *alarm) check(samples map[string][]*dto.Metric, now time.Time, hold time.Duration) string {
	if a.holds != nil {
		return a.holds(samples)
	}
	total := 0.0
	for _, name := range a.grows {
		for _, s := range samples[name] {
			total += s.GetCounter().GetValue()
		}
	}
	if grown := total - a.before; grown > 0 {
		a.before, a.until = total, now.Add(hold)
		return fmt.Sprintf("%.0f more, %.0f in all", grown, total)
	}
	if now.Before(a.until) {
		return a.detail
	}
	return ""
}

// Notifier sends notifications; an agentx.Subagent is one.
type Notifier interface {
	Notify(name agentx.OID, variables ...agentx.Variable)
}

// Watch looks at the alarms every so often, and tells of those that come and go, until
// ctx ends. What grows counts as an alarm until it has not for the time of hold.
func (m *MIB) Watch(ctx context.Context, to Notifier, every, hold time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		m.check(to, time.Now(), hold)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check tells of the alarms that have come or gone since it was last called.
func (m *MIB) check(to Notifier, now time.Time, hold time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	samples := m.gather()
	for i := range m.alarms {
		a := &m.alarms[i]
		was := a.detail
		a.detail = a.check(samples, now, hold)
		if (was == "") == (a.detail == "") {
			continue
		}
		m.gathered = time.Time{} // what is answered is out of date
		to.Notify(m.notification(i, a.detail != ""), m.alarmRow(i)...)
	}
}

// notification is the name of what tells that alarm i has come, or gone.
func (m *MIB) notification(i int, raised bool) agentx.OID {
	number := uint32(2*i + 1)
	if !raised {
		number++
	}
	return m.subtree.Append(branchNotifications, number)
}

func (m *MIB) alarmColumn(column uint32) agentx.OID {
	return m.group(alarmGroup).Append(firstTable, 1, column)
}

// alarmRow is alarm i as the table has it.
func (m *MIB) alarmRow(i int) []agentx.Variable {
	a, row := m.alarms[i], uint32(i+1)
	state := agentx.Int(stateClear)
	if a.detail != "" {
		state = agentx.Int(stateRaised)
	}
	return []agentx.Variable{
		{Name: m.alarmColumn(2).Append(row), Value: agentx.Text(a.name)},
		{Name: m.alarmColumn(3).Append(row), Value: state},
		{Name: m.alarmColumn(4).Append(row), Value: agentx.Text(a.detail[:min(len(a.detail), 255)])},
	}
}

func (m *MIB) alarmRows() (rows []agentx.Variable) {
	for i := range m.alarms {
		rows = append(rows, m.alarmRow(i)...)
	}
	return rows
}
