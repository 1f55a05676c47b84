package voicexml

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mcp/control/media/codec"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/control/sip/header/headertest"
	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
	"net/http"
	"net/http/httptest"
)

// invite is an INVITE made of words.
type invite struct {
	uri     sip.URI
	headers header.Fields
	sdp     string
}

func (i invite) CallID() string         { return "abc@host" }
func (i invite) LocalURI() string       { return "sip:dialog@mcp" }
func (i invite) RemoteURI() string      { return "sip:ann@sbc" }
func (i invite) RequestURI() sip.URI    { return i.uri }
func (i invite) Headers() header.Fields { return i.headers }
func (i invite) RemoteSDP() []byte      { return []byte(i.sdp) }
func (i invite) LocalTag() string       { return "tag1" }

// listener is a simulated caller whose INVITE says more.
type listener struct {
	*sim.Caller
	invite
}

func (l listener) Info() vxml.ConnectionInfo {
	return info(l.invite, func() codec.Codec { return codec.PCMU })
}

// overridden are options set for the call.
var overridden = map[string]string{"vrm.nsssessionxml": "file:///x", "property.timeout": "17s"}

// say is what a page says of a call that came with the INVITE.
func say(t *testing.T, i invite, expr string) string {
	t.Helper()
	page := `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><catch event="error">caught <value expr="_event"/></catch>
		<block><value expr="` + expr + `"/></block></form></vxml>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) }))
	defer server.Close()
	var out bytes.Buffer
	caller := sim.New(strings.NewReader(""), &out)
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: server.Client()})})
	vars := []vxml.Variable{{Name: "com.genesyslab", Make: func() any { return genesysVars(i, "own", overridden) }}}
	if _, err := in.Run(t.Context(), vxml.Start{URL: server.URL, Vars: vars, Properties: properties(overridden), Trace: caller.Trace}, listener{caller, i}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if text, ok := strings.CutPrefix(line, "  system  "); ok {
			return text
		}
	}
	return out.String()
}

// Each row is a session variable of VoiceXML 2.0 section 5.1.4, RFC 5552 section
// 2.4 or the Genesys platform.
func TestSessionVariables(t *testing.T) {
	full := invite{
		uri: sip.URI{Text: `sip:dialog@mcp;voicexml=http://web/a.vxml;aai={"x":1,"y":true}`, Params: map[string]string{
			"voicexml": "http://web/a.vxml", "aai": `{"x":1,"y":true}`, "ccxml": "[7]", "dn": "7001", "foo": "bar",
		}},
		headers: headertest.Fields(
			"Call-ID", "abc@host", "via", "one", "via", "two", "x-genesys-calluuid", "U1", "X-Genesys-Customer", "Ann B", "x-genesys-cs-username", "cs", "x-genesys-parent", "P1",
			"x-genesys-gvp-session-id", "S1;gvp.rm.datanodes=1", "x-genesys-gvp-session-data", "callsession=9;2;1", "privacy", "none", "user-to-user", "0431;encoding=hex",
			"history-info", `<sip:first@a?Reason=SIP%3Bcause%3D302>;index=1, <sip:last@b?Privacy=history>;index=1.1;si=5`,
			"diversion", `"B, C" <sip:222@b>;reason=no-answer`, "diversion", `<sip:111@a>;reason=unconditional`,
		),
		sdp: "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n" +
			"a=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n",
	}
	tests := []struct{ expr, want string }{
		{"session.connection.local.uri", "sip:dialog@mcp"},
		{"session.connection.remote.uri", "sip:ann@sbc"},
		{"session.connection.originator == session.connection.remote", "true"},
		{"session.connection.protocol.name + session.connection.protocol.version", "sip2.0"},
		{"session.connection.protocol.sip.headers['call-id']", "abc@host"},
		{"session.connection.protocol.sip.media.length + session.connection.protocol.sip.media[0].type", "1audio"},
		{"session.connection.protocol.sip.media[0].direction", "sendonly"},
		{"session.connection.protocol.sip.media[0].format[0].name + session.connection.protocol.sip.media[0].format[0].rate", "audio/PCMU8000"},
		{"session.connection.protocol.sip.media[0].format[1].name", "audio/telephone-event"},
		{"session.connection.protocol.sip.headers.via", "one, two"},
		{"session.connection.protocol.sip.headers.originalcase['Call-ID']", "abc@host"},
		{"session.connection.protocol.sip.requesturi.foo", "bar"},
		{"session.connection.protocol.sip.requesturi['aai'].x + 1", "2"},
		{"session.connection.protocol.sip.requesturi", `sip:dialog@mcp;voicexml=http://web/a.vxml;aai={"x":1,"y":true}`},
		{"Object.keys(session.connection.protocol.sip.requesturi).sort()", "aai,ccxml,dn,foo,voicexml"},
		{"session.connection.aai.y", "true"},
		{"session.connection.protocol.sip.headers['user-to-user']", "0431;encoding=hex"},
		{"session.connection.ccxml[0]", "7"},
		{"session.connection.redirect.length", "2"},
		{"session.connection.redirect[0].uri + session.connection.redirect[0].pi + session.connection.redirect[0].si", "sip:last@btrue5"},
		{"session.connection.redirect[1].uri + session.connection.redirect[1].pi + session.connection.redirect[1].reason", "sip:first@afalseSIP;cause=302"},
		{"typeof session.connection.redirect[1].si", "undefined"},
		{"session.connection.callidref", "abc@host"},
		{"session.connection.uuid", "U1"},
		{"session.connection.dn", "7001"},
		{"session.connection.rdnis + ' ' + session.connection.ocn + ' ' + session.connection.rreason", "222 111 no-answer"},
		{"session.connection.siplocaltag", "tag1"},
		{"session.com.genesyslab.sessionid", "S1"},
		{"session.com.genesyslab.userdata.Customer", "Ann B"},
		{"session.com.genesyslab.sessiondata[0] + session.com.genesyslab.sessiondata.length", "callsession=93"},
		{"session.com.genesyslab.cs.username + session.com.genesyslab.instance.parent + typeof session.com.genesyslab.cs.password", "csP1undefined"},
		{"session.com.genesyslab.config['vrm.nsssessionxml']", "file:///x"},
		{"session.com.genesyslab.userdata.customer", "Ann B"},
		{"(function(){ session.connection.dn = 'x'; return session.connection.dn })()", "7001"},
	}
	for _, tt := range tests {
		if got := say(t, full, tt.expr); got != tt.want {
			t.Errorf("%s is %q, want %q", tt.expr, got, tt.want)
		}
	}
	for value, want := range map[string]string{"04416e6e;encoding=hex": "Ann", `"{\"x\":7}"`: "", "plain": "plain"} {
		told := invite{headers: headertest.Fields("user-to-user", value)}
		if got := say(t, told, "typeof session.connection.aai == 'object' ? '' : session.connection.aai"); got != want {
			t.Errorf("User-to-User %s is %q, want %q", value, got, want)
		}
	}
	moved := invite{headers: headertest.Fields("diversion", `"B, C" <sip:222@b>;reason=no-answer;screen=yes, <sip:111@a>;privacy=full;reason=unconditional`)}
	const entry = "(function(r){ return r.uri + ' ' + r.pi + ' ' + r.si + ' ' + r.reason })"
	for at, want := range []string{"sip:222@b false yes no-answer", "sip:111@a true undefined unconditional"} {
		if got := say(t, moved, fmt.Sprintf("%s(session.connection.redirect[%d])", entry, at)); got != want {
			t.Errorf("without History-Info redirection %d is %q, want %q", at, got, want)
		}
	}
	bare := invite{headers: headertest.Fields()}
	for expr, want := range map[string]string{
		"session.com.genesyslab.sessionid": "own", "typeof session.connection.redirect": "undefined",
		"session.connection.protocol.sip.media.length": "0", "typeof session.connection.aai": "undefined", "typeof session.connection.dn": "undefined",
	} {
		if got := say(t, bare, expr); got != want {
			t.Errorf("%s is %q, want %q", expr, got, want)
		}
	}
}

// The Request-URI says how the first page is fetched (RFC 5552 section 2.1).
func TestFirstFetch(t *testing.T) {
	req, err := firstFetch(map[string]string{"method": "POST", "postbody": "a=1&b=2", "maxage": "30", "maxstale": "5"})
	if err != nil || req.Method != "POST" || string(req.Body) != "a=1&b=2" || req.MaxAge.Seconds() != 30 || req.MaxStale.Seconds() != 5 {
		t.Errorf("%+v, %v", req, err)
	}
	for _, bad := range []map[string]string{{"method": "put"}, {"maxage": "soon"}, {"maxstale": "-1"}} {
		if _, err := firstFetch(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestTell(t *testing.T) {
	i := invite{headers: headertest.Fields("x-genesys-calluuid", "U1"), uri: sip.URI{Params: map[string]string{"dn": "7001"}}}
	names := []string{"session.connection.local.uri", "session.connection.uuid", "session.connection.dn", "session.connection.rdnis", "session.connection.protocol.sip.headers",
		"session.com.genesyslab.sessionid", "session.com.genesyslab.config", "session.connection.local.uri.x"}
	const told = "session.com.genesyslab.sessionid=own&session.connection.dn=7001&session.connection.local.uri=sip%3Adialog%40mcp&session.connection.uuid=U1"
	tests := []struct {
		name      string
		names     []string
		start     vxml.Start
		url, body string
	}{
		{"nothing is told", nil, vxml.Start{URL: "http://web/a"}, "http://web/a", ""},
		{"in the address", names, vxml.Start{URL: "http://web/a"}, "http://web/a?" + told, ""},
		{"behind a query, before a fragment", names, vxml.Start{URL: "http://web/a?x=1#f"}, "http://web/a?x=1&" + told + "#f", ""},
		{"in a body", names, vxml.Start{URL: "http://web/a", Request: fetch.Request{Method: "POST", Body: []byte("x=1")}}, "http://web/a", "x=1&" + told},
		{"in a body of its own", names, vxml.Start{URL: "http://web/a", Request: fetch.Request{Method: "POST"}}, "http://web/a", told},
		{"not to the built-in application", names, vxml.Start{URL: BuiltinURL}, BuiltinURL, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tell(tt.names, tellable(i, genesysVars(i, "own", nil)), &tt.start)
			if tt.start.URL != tt.url || string(tt.start.Request.Body) != tt.body {
				t.Errorf("%s with %q, want %s with %q", tt.start.URL, tt.start.Request.Body, tt.url, tt.body)
			}
		})
	}
}
