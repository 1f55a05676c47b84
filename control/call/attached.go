package call

import (
	"log/slog"
	"maps"
	"strings"

	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/genesys"
	"mcp/control/sip/header"
)

// attached is what a Resource Manager or SIP Server sent along with a call, for its
// record and its log; nil: nothing.
func (s *Server) attached(log *slog.Logger, known genesys.Call, headers header.Fields, uri sip.URI) *reporting.Attached {
	taken, refused := genesys.Overrides(uri.Params, s.config.Overrides)
	if len(refused) > 0 {
		log.Warn("options not overridden, for calls.overrides does not name them", "options", refused)
	}
	a := reporting.Attached{
		CallUUID: known.CallUUID, SessionData: known.SessionData, UserToUser: userToUser(headers),
		DBID: known.DBID, DN: uri.Params["dn"], CofID: known.Transfer, Overrides: taken,
	}
	if data := presentable(known.UserData); len(data) > 0 {
		a.UserData = data
	}
	if !holds(a) {
		return nil
	}
	log.Info("call came with", "session_data", a.SessionData, "user_data", a.UserData, "user_to_user", a.UserToUser, "overrides", a.Overrides,
		"dbid", a.DBID, "dn", a.DN, "cof_id", a.CofID)
	kept := a
	return &kept
}

// holds tells whether anything came along.
func holds(a reporting.Attached) bool {
	return a.CallUUID+a.DBID+a.DN+a.CofID != "" || len(a.SessionData)+len(a.UserToUser)+len(a.UserData)+len(a.Overrides) > 0
}

// presentable is user data without the passwords in it.
func presentable(data map[string]string) map[string]string {
	maps.DeleteFunc(data, func(key, _ string) bool { return strings.Contains(key, "password") })
	return data
}

// userToUser is what the caller's side says to the application (RFC 7433), unless
// the caller wants headers that could tell of the user kept private (RFC 3323 section
// 4.2): then only the application learns it.
func userToUser(headers header.Fields) []string {
	for _, value := range header.Values(headers, "privacy") {
		for _, what := range header.Split(strings.ToLower(value), ';') {
			if what == "header" || what == "user" {
				return nil
			}
		}
	}
	var said []string
	for _, u := range header.ParseUUI(header.Values(headers, header.UUIHeader)) {
		said = append(said, u.Text())
	}
	return said
}

// Overrides are the options that whoever sent the call may set for it, and has set,
// by "section.option".
func (c *Call) Overrides() map[string]string {
	if a := c.life.facts.record.Attached; a != nil {
		return a.Overrides
	}
	return nil
}
