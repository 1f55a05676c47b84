package call

import (
	"log/slog"
	"maps"
	"strings"

	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/genesys"
)

// attached is what a Resource Manager or SIP Server sent along with a call, for its
// record and its log; nil: nothing.
func (s *Server) attached(log *slog.Logger, known genesys.Call, uri sip.URI) *reporting.Attached {
	taken, refused := genesys.Overrides(uri.Params, s.config.Overrides)
	if len(refused) > 0 {
		log.Warn("options not overridden, for calls.overrides does not name them", "options", refused)
	}
	a := reporting.Attached{CallUUID: known.CallUUID, SessionData: known.SessionData}
	if len(taken) > 0 {
		a.Overrides = taken
	}
	if data := presentable(known.UserData); len(data) > 0 {
		a.UserData = data
	}
	if a.CallUUID == "" && a.SessionData == nil && a.UserData == nil && a.Overrides == nil {
		return nil
	}
	log.Info("call came with", "session_data", a.SessionData, "user_data", a.UserData, "overrides", a.Overrides)
	return &a
}

// presentable is user data without the passwords in it.
func presentable(data map[string]string) map[string]string {
	maps.DeleteFunc(data, func(key, _ string) bool { return strings.Contains(key, "password") })
	return data
}

// Overrides are the options that whoever sent the call may set for it, and has set,
// by "section.option".
func (c *Call) Overrides() map[string]string {
	if a := c.life.facts.record.Attached; a != nil {
		return a.Overrides
	}
	return nil
}
