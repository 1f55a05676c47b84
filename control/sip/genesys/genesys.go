// Package genesys reads what a Genesys Resource Manager and SIP Server say of a
// call in headers and Request-URI parameters of their own.
package genesys

import (
	"cmp"
	"slices"
	"strings"

	"mcp/control/sip/header"
)

// The headers with a meaning of their own. All others that begin with Prefix are
// user data: what was attached to the call.
const (
	Prefix            = "x-genesys-"
	SessionHeader     = "x-genesys-gvp-session-id"
	SessionDataHeader = "x-genesys-gvp-session-data"
	CallUUIDHeader    = "x-genesys-calluuid"
	ProfileHeader     = "x-genesys-rm-application-dbid"
	// OverrideHeader names the application in place of the one that the number called
	// stands for. It is user data too.
	OverrideHeader = "x-genesys-gsw-ivr-profile-id"
	// TransferHeader tells of the call of another site that this one goes on with.
	TransferHeader = "x-iscc-cofid"
)

// extension is what the names of all these begin with.
const extension = "x-"

// ConfigPrefix is what the name of a Request-URI parameter begins with that
// overrides an option: gvp.config.<section>.<option>.
const ConfigPrefix = "gvp.config."

// Call is what is known of a call.
type Call struct {
	Session  string // the Resource Manager's name for the call
	Tenant   string // gvp.rm.tenant-id
	CallUUID string // SIP Server's name for the call
	Profile  string // the application's identifier in the configuration
	DBID     string // of the application that the number called stands for
	Transfer string // inter-site call control's name for the call
	// SessionData are the parts of that header, in order.
	SessionData []string
	// UserData is what was attached, by lower-case name without Prefix; nil: nothing.
	UserData map[string]string
}

// Read takes it from the headers of an INVITE.
func Read(invite header.Fields) Call {
	headers := header.Fields(slices.Collect(invite.Beginning(extension))) // none, as a rule
	var session header.Value
	if text := header.First(headers, SessionHeader); text != "" {
		session = header.ParseValue(text)
	}
	c := Call{
		Session:  session.Text,
		Tenant:   session.Params["gvp.rm.tenant-id"],
		CallUUID: strings.TrimSpace(header.First(headers, CallUUIDHeader)),
		DBID:     strings.TrimSpace(header.First(headers, ProfileHeader)),
		Transfer: strings.TrimSpace(header.First(headers, TransferHeader)),
	}
	c.Profile = cmp.Or(strings.TrimSpace(header.First(headers, OverrideHeader)), c.DBID)
	if data := header.First(headers, SessionDataHeader); data != "" {
		c.SessionData = strings.Split(data, ";")
	}
	for field := range headers.Beginning(Prefix) {
		name := strings.ToLower(field.Name())
		key := name[len(Prefix):]
		if key == "" || meant(name) {
			continue
		}
		if c.UserData == nil {
			c.UserData = map[string]string{}
		}
		value := field.Value()
		if before, again := c.UserData[key]; again {
			value = before + ", " + value
		}
		c.UserData[key] = value
	}
	return c
}

// meant tells whether a header has a meaning of its own.
func meant(name string) bool {
	switch name {
	case SessionHeader, SessionDataHeader, CallUUIDHeader, ProfileHeader:
		return true
	}
	return false
}

// Overrides are the options that a Request-URI's parameters override, by
// "section.option", of those that are allowed; a caller must not be able to
// change any other. An allowed name may end in ".*" for a whole section. Nil: there are
// none.
func Overrides(params map[string]string, allowed []string) (taken map[string]string, refused []string) {
	for name, value := range params {
		option, ok := strings.CutPrefix(strings.ToLower(name), ConfigPrefix)
		if !ok {
			continue
		}
		if !slices.ContainsFunc(allowed, func(a string) bool { return covers(strings.ToLower(a), option) }) {
			refused = append(refused, option)
			continue
		}
		if taken == nil {
			taken = map[string]string{}
		}
		taken[option] = value
	}
	slices.Sort(refused)
	return taken, refused
}

func covers(allowed, option string) bool {
	section, all := strings.CutSuffix(allowed, ".*")
	return allowed == option || all && strings.HasPrefix(option, section+".") && len(option) > len(section)+1
}
