package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// What a page sees of its media is what was agreed on last (RFC 5552 section 2.4).
func TestMediaChangesAreSeen(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<property name="com.genesyslab.externalevents.queue" value="true"/>
		<form xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension"><block>
			<log expr="session.connection.protocol.sip.media[0].direction"/><gvp:receive maxtime="20s"/>
			<log expr="session.connection.protocol.sip.media[0].direction"/></block></form>`)
	const hold = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=sendonly\r\n"
	steps, err := caller.ParseScript("await")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Up: func(d *sip.Dialog) {
		go func() {
			await(t, "the page to wait", func() bool { return len(r.log.lines("page log")) > 0 })
			if _, err := d.Reinvite(ctx, sip.Change{Offer: []byte(hold)}); err != nil {
				t.Error(err)
			}
			if err := d.Info(ctx, sip.Content{Type: "text/plain", Body: []byte("go on")}); err != nil {
				t.Error(err)
			}
		}()
	}})
	if _, err := phone.Call(ctx, steps); err != nil {
		t.Fatal(err)
	}
	var seen []any
	for _, line := range r.log.lines("page log") {
		seen = append(seen, line["text"])
	}
	if len(seen) != 2 || seen[0] != "sendrecv" || seen[1] != "sendonly" {
		t.Errorf("the page saw %v", seen)
	}
	r.nothingLeft()
}

// The first page is asked for with the session variables that the operator names.
func TestFirstPageIsToldOfTheCall(t *testing.T) {
	r := newRig(t, func(c *node.Config) {
		c.Application.Tell = []string{"session.connection.remote.uri", "session.connection.callidref"}
	})
	asked := make(chan string, 1)
	r.pages.page("/next.vxml", `<form><block><exit/></block></form>`)
	r.pages.handle("/main.vxml", func(w http.ResponseWriter, q *http.Request) {
		asked <- q.FormValue("session.connection.callidref") + " " + q.FormValue("session.connection.remote.uri")
		http.Redirect(w, q, "/next.vxml", http.StatusFound)
	})
	summary, err := r.call(t.Context(), "await")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-asked; !strings.HasPrefix(got, summary.CallID+" sip:") {
		t.Errorf("the page was told %q", got)
	}
}

// What networks and applications before ours say of a call reaches the page: who was
// called first and why the call was sent on, and what a user tells ours. What is told
// is in the record and the log, too, unless the caller wants it private.
func TestPageLearnsOfTheCallBefore(t *testing.T) {
	for privacy, kept := range map[string]bool{"none": true, "id;header": false} {
		t.Run(privacy, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.page("/main.vxml", `<form><block>
				<log expr="session.connection.redirect[0].uri + ' ' + session.connection.redirect[1].uri + ' ' + session.connection.redirect[1].reason"/>
				<log expr="session.connection.rdnis + ' ' + session.connection.ocn + ' ' + session.connection.rreason"/>
				<log expr="session.connection.aai.account"/></block></form>`)
			steps, err := caller.ParseScript("await")
			if err != nil {
				t.Fatal(err)
			}
			phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Headers: map[string]string{
				"History-Info": "<sip:first@a?Reason=SIP%3Bcause%3D302>;index=1, <sip:last@b>;index=1.1",
				"Diversion":    "<sip:222@b>;reason=no-answer, <sip:111@a>;reason=unconditional",
				"User-to-User": header.TextUUI(`{"account":"4711"}`), "Privacy": privacy,
			}})
			if _, err := phone.Call(t.Context(), steps); err != nil {
				t.Fatal(err)
			}
			var seen []any
			for _, line := range r.log.lines("page log") {
				seen = append(seen, line["text"])
			}
			want := []any{"sip:last@b sip:first@a SIP;cause=302", "222 111 no-answer", "4711"}
			if !slices.Equal(seen, want) {
				t.Errorf("the page saw %q, want %q", seen, want)
			}
			a := r.record(1).Attached
			if recorded := a != nil && slices.Equal(a.UserToUser, []string{`{"account":"4711"}`}); recorded != kept {
				t.Errorf("the record has %+v", a)
			}
			logged := slices.ContainsFunc(r.log.lines("call came with"), func(line map[string]any) bool { return line["user_to_user"] != nil })
			if logged != kept {
				t.Errorf("in the log: %v", logged)
			}
		})
	}
}

// What the Resource Manager and SIP Server send along reaches the page, the record and
// the log, each header and parameter all three; options only as far as is allowed.
func TestResourceManagerIsHeard(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *node.Config) { c.Calls.Overrides = []string{"vrm.*"} })
	r.pages.page("/main.vxml", `<form><block>
		<log expr="session.com.genesyslab.sessionid"/><log expr="session.com.genesyslab.sessiondata.join('|')"/>
		<log expr="session.connection.uuid"/><log expr="session.com.genesyslab.userdata.Customer"/>
		<log expr="session.com.genesyslab.userdata['gsw-ivr-profile-id']"/><log expr="session.com.genesyslab.userdata['geo-location']"/>
		<log expr="session.connection.protocol.sip.headers['x-genesys-rm-application-dbid']"/>
		<log expr="session.connection.protocol.sip.headers['x-iscc-cofid']"/>
		<log expr="session.com.genesyslab.config['vrm.nsssessionxml']"/><log expr="typeof session.com.genesyslab.config['log.level']"/>
		<log expr="session.connection.protocol.sip.requesturi['gvp.config.log.level']"/><log expr="session.connection.dn"/></block></form>`)
	to := r.uri("ivr", "dn=7001;gvp-tenant-id=no;gvp.config.vrm.nsssessionxml=x;gvp.config.log.level=debug")
	phone := caller.NewPhone(r.agent, caller.Config{To: to, Headers: map[string]string{
		"X-Genesys-GVP-Session-ID":      "A1B2;gvp.rm.datanodes=2|1;gvp.rm.tenant-id=1.102_IVR",
		"X-Genesys-GVP-Session-Data":    "callsession=A1B2;2;1",
		"X-Genesys-CallUUID":            "U1",
		"X-Genesys-RM-Application-dbid": "105",
		"X-Genesys-gsw-ivr-profile-id":  "117",
		"X-Genesys-geo-location":        "emea",
		"X-Genesys-Customer":            "Ann",
		"X-ISCC-CofId":                  "location=x;cofid=9",
	}})
	if _, err := phone.Call(t.Context(), steps(t, "await")); err != nil {
		t.Fatal(err)
	}
	var seen []any
	for _, line := range r.log.lines("page log") {
		seen = append(seen, line["text"])
	}
	want := []any{"A1B2", "callsession=A1B2|2|1", "U1", "Ann", "117", "emea", "105", "location=x;cofid=9", "x", "undefined", "debug", "7001"}
	if !slices.Equal(seen, want) {
		t.Errorf("the page saw %q, want %q", seen, want)
	}
	userData := map[string]string{"customer": "Ann", "gsw-ivr-profile-id": "117", "geo-location": "emea"}
	rec := r.record(1)
	if a := rec.Attached; a == nil || rec.Session != "A1B2" || rec.Tenant != "1.102_IVR" || rec.Profile != "117" || a.CallUUID != "U1" ||
		a.DBID != "105" || a.DN != "7001" || a.CofID != "location=x;cofid=9" ||
		!slices.Equal(a.SessionData, []string{"callsession=A1B2", "2", "1"}) || !maps.Equal(a.UserData, userData) ||
		!maps.Equal(a.Overrides, map[string]string{"vrm.nsssessionxml": "x"}) {
		t.Errorf("the record has %q %q %q %+v", rec.Session, rec.Tenant, rec.Profile, rec.Attached)
	}
	line := r.log.wait(t, "call came with")
	if text := strings.TrimSpace(fmt.Sprintln(line["session_data"], line["user_data"], line["overrides"], line["dbid"], line["dn"], line["cof_id"])); line["gvp_session"] != "A1B2" || line["call_uuid"] != "U1" ||
		text != "[callsession=A1B2 2 1] map[customer:Ann geo-location:emea gsw-ivr-profile-id:117] map[vrm.nsssessionxml:x] 105 7001 location=x;cofid=9" {
		t.Errorf("the log has %v", line)
	}
	if refused := r.log.wait(t, "options not overridden, for calls.overrides does not name them"); fmt.Sprint(refused["options"]) != "[log.level]" {
		t.Errorf("the log has %v", refused)
	}
	r.nothingLeft()
}
