package voicexml

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/control/call"
	"mcp/control/media/codec"
	"mcp/control/sdp"
	"mcp/control/sip"
	gvp "mcp/control/sip/genesys"
	"mcp/control/sip/header"
	"mcp/vxml"
	"mcp/vxml/fetch"
)

// What pages see of a call: session.connection.* of VoiceXML 2.0 section 5.1.4
// and RFC 5552 section 2.4, and the names that Genesys applications know. All of it is
// put together when a page asks.

// detailed is an INVITE that remembers what few ask for.
type detailed interface {
	// LocalTag is our tag in the dialog.
	LocalTag() string
}

// described is an INVITE whose far end has said what media it wants.
type described interface{ RemoteSDP() []byte }

// info fills session.connection; agreed tells the codec spoken with the caller.
func info(invite call.Identity, agreed func() codec.Codec) vxml.ConnectionInfo {
	headers, uri := invite.Headers(), invite.RequestURI()
	return vxml.ConnectionInfo{
		LocalURI: invite.LocalURI(), RemoteURI: invite.RemoteURI(),
		ProtocolName: protocolName, ProtocolVersion: protocolVersion,
		Protocol: map[string]any{
			"headers": headerVars(headers), "requesturi": requestVars(uri), "media": vxml.Live(func() any { return mediaVars(invite, agreed()) }),
		},
		Redirect: redirects(headers),
		AAI:      applicationData(uri, headers),
		Members:  connectionVars(invite),
	}
}

// connectionVars are what the Genesys platform adds to session.connection.
func connectionVars(invite call.Identity) map[string]any {
	headers, uri := invite.Headers(), invite.RequestURI()
	vars := map[string]any{"callidref": invite.CallID()}
	set := setter(vars)
	set("uuid", gvp.Read(headers).CallUUID)
	set("dn", uri.Params["dn"])
	if d, ok := invite.(detailed); ok {
		set("siplocaltag", d.LocalTag())
	}
	diverted(headers, set)
	if v := jsonParam(uri, "ccxml"); v != nil {
		vars["ccxml"] = v
	}
	return vars
}

// setter puts texts into a map, but for empty ones.
func setter(into map[string]any) func(name, value string) {
	return func(name, value string) {
		if value != "" {
			into[name] = value
		}
	}
}

// mediaVars are the streams agreed on at present: the caller's audio, its direction
// as the caller sees it, and its formats. There are none before an agreement, and
// none that are disabled.
func mediaVars(invite call.Identity, agreed codec.Codec) []any {
	d, ok := invite.(described)
	if !ok || agreed.Name == "" {
		return []any{}
	}
	offer, err := sdp.Parse(d.RemoteSDP())
	if err != nil || offer.Audio == nil || offer.Audio.RTP.Port() == 0 {
		return []any{}
	}
	format := func(name string, rate int) any {
		return map[string]any{"name": "audio/" + name, "rate": strconv.Itoa(rate)}
	}
	formats := []any{format(agreed.Name, agreed.ClockRate)}
	if offer.Audio.Events != sdp.NoEvents {
		formats = append(formats, format("telephone-event", eventRate))
	}
	return []any{map[string]any{"type": "audio", "direction": offer.Audio.Direction.String(), "format": formats}}
}

// What the calls of pages come by.
const (
	protocolName    = "sip"
	protocolVersion = "2.0"
)

// eventRate is the clock of telephone-events (RFC 4733 section 2.1), Hz.
const eventRate = 8000

// headerVars are the INVITE's headers, each a text, by their names in lower case,
// and under originalcase by their names as written.
func headerVars(headers header.Fields) map[string]any {
	out, original := make(map[string]any), make(map[string]any)
	for _, field := range headers {
		name, text := header.FullName(field.Name()), field.Value()
		if before, again := out[name]; again {
			text = before.(string) + ", " + text
		}
		out[name], original[field.Name()] = text, text
	}
	out["originalcase"] = original
	return out
}

// requestVars are the Request-URI's parameters; the object itself reads as the
// whole URI.
func requestVars(uri sip.URI) vxml.Labelled {
	members := make(map[string]any)
	for name, value := range uri.Params {
		members[name] = value
	}
	for _, name := range []string{"aai", "ccxml"} {
		if v := jsonParam(uri, name); v != nil {
			members[name] = v
		}
	}
	return vxml.Labelled{Members: members, Text: uri.Text}
}

// applicationData is what another application tells ours: the Request-URI's parameter
// (RFC 5552 section 2.4), or else what came as User-to-User (RFC 7433).
func applicationData(uri sip.URI, headers header.Fields) any {
	if v := jsonParam(uri, "aai"); v != nil {
		return v
	}
	if said := header.ParseUUI(header.Values(headers, header.UUIHeader)); len(said) > 0 {
		return jsonValue(said[0].Text())
	}
	return nil
}

// jsonParam is a parameter that is a JSON value; one that is none is its text.
func jsonParam(uri sip.URI, name string) any {
	text, given := uri.Params[name]
	if !given {
		return nil
	}
	return jsonValue(text)
}

func jsonValue(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	return v
}

// redirects reads History-Info (RFC 7044), the last entry first, or else Diversion,
// whose order that is already (RFC 5806 section 4).
func redirects(headers header.Fields) []vxml.Redirect {
	private := strings.Contains(strings.ToLower(strings.Join(header.Values(headers, "privacy"), ";")), "history")
	var out []vxml.Redirect
	for _, p := range slices.Backward(header.ParseParties(header.Values(headers, "history-info"))) {
		out = append(out, vxml.Redirect{
			URI: p.URI, SI: p.Params["si"], Reason: p.Header("Reason"),
			PI: private || strings.Contains(strings.ToLower(p.Header("Privacy")), "history"),
		})
	}
	if out != nil {
		return out
	}
	for _, p := range header.ParseParties(header.Values(headers, "diversion")) {
		privacy := strings.ToLower(p.Params["privacy"])
		out = append(out, vxml.Redirect{
			URI: p.URI, SI: p.Params["screen"], Reason: p.Params["reason"], PI: private || privacy != "" && privacy != "off",
		})
	}
	return out
}

// progressVars is what is known of who has answered a call that the platform made;
// null: it is not analysed.
func progressVars(c *call.Call) any {
	r, known := c.Progress()
	if !known {
		return nil
	}
	return map[string]any{
		"outcome": string(r.Outcome), "answered": r.Answered, "beep": r.Beep, "after": r.After.Seconds(),
	}
}

// genesysVars are session.com.genesyslab of a call; own is our name for it.
func genesysVars(invite call.Identity, own string, overrides map[string]string) map[string]any {
	headers := invite.Headers()
	known := gvp.Read(headers)
	vars := map[string]any{
		"config":    texts(overrides),
		"userdata":  userdata(headers),
		"sessionid": cmp.Or(known.Session, own),
	}
	if parent := header.First(headers, "x-genesys-parent"); parent != "" {
		vars["instance"] = map[string]any{"parent": parent}
	}
	cs := make(map[string]any)
	setter(cs)("username", header.First(headers, "x-genesys-cs-username"))
	setter(cs)("password", header.First(headers, "x-genesys-cs-password"))
	if len(cs) > 0 {
		vars["cs"] = cs
	}
	if len(known.SessionData) > 0 {
		vars["sessiondata"] = list(known.SessionData)
	}
	return vars
}

// list is texts as the page sees them.
func list(all []string) []any {
	out := make([]any, len(all))
	for i, text := range all {
		out[i] = text
	}
	return out
}

// texts are options as the page sees them: by "section.option".
func texts(options map[string]string) map[string]any {
	out := make(map[string]any, len(options))
	for name, value := range options {
		out[name] = value
	}
	return out
}

// properties are the VoiceXML properties among the options that were set for a call:
// gvp.config.property.<name> has a value other than the platform's for it.
func properties(overrides map[string]string) map[string]string {
	var set map[string]string
	for option, value := range overrides {
		name, ok := strings.CutPrefix(option, "property.")
		if !ok {
			continue
		}
		if set == nil {
			set = make(map[string]string)
		}
		set[name] = value
	}
	return set
}

// diverted names the number first called, the one that sent the call on, and why
// (the Diversion header of RFC 5806, the last diversion first).
func diverted(headers header.Fields, set func(name, value string)) {
	all := header.ParseParties(header.Values(headers, "diversion"))
	if len(all) == 0 {
		return
	}
	last, original := all[0], all[len(all)-1]
	set("rdnis", user(last.URI))
	set("ocn", user(original.URI))
	set("rreason", last.Params["reason"])
}

// user is the user part of a URI.
func user(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	part, _, _ := strings.Cut(rest, "@")
	part, _, _ = strings.Cut(part, ";")
	return part
}

// userdata is the data that came with the call in headers of their own, by names
// as written and in lower case.
func userdata(headers header.Fields) map[string]any {
	const prefix = "x-genesys-"
	data := make(map[string]any)
	for field := range headers.Beginning(prefix) {
		as := field.Name()[len(prefix):]
		if _, again := data[strings.ToLower(as)]; !again {
			data[strings.ToLower(as)], data[as] = field.Value(), field.Value()
		}
	}
	return data
}

// firstFetch is how the parameters of a Request-URI want the first page fetched
// (RFC 5552 section 2.1).
func firstFetch(params map[string]string) (fetch.Request, error) {
	var req fetch.Request
	switch method := params["method"]; strings.ToLower(method) {
	case "", "get":
	case "post":
		req.Method, req.ContentType = http.MethodPost, "application/x-www-form-urlencoded"
		req.Body = []byte(params["postbody"])
	default:
		return req, fmt.Errorf("method %q is neither get nor post", method)
	}
	var err error
	if req.MaxAge, err = seconds(params, "maxage"); err != nil {
		return req, err
	}
	stale, err := seconds(params, "maxstale")
	if stale != nil {
		req.MaxStale = *stale
	}
	return req, err
}

// seconds is a parameter that is a time; nil: it is not given.
func seconds(params map[string]string, name string) (*time.Duration, error) {
	text, given := params[name]
	if !given {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%s %q is not a number of seconds", name, text)
	}
	d := time.Duration(n) * time.Second
	return &d, nil
}

// tellable are the session variables that the request for the first page may carry.
func tellable(invite call.Identity, genesys map[string]any) map[string]any {
	about := connectionVars(invite)
	about["local"] = map[string]any{"uri": invite.LocalURI()}
	about["remote"] = map[string]any{"uri": invite.RemoteURI()}
	about["originator"] = invite.RemoteURI()
	about["protocol"] = map[string]any{"name": protocolName, "version": protocolVersion}
	return map[string]any{"connection": about, "com": map[string]any{"genesyslab": genesys}}
}

// at is what a path of names leads to; nil: nowhere.
func at(in any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		members, _ := in.(map[string]any)
		in = members[name]
	}
	return in
}

// tell puts session variables into the request for the first page: into its body if
// it is posted, and otherwise into its address. Those that are no text, or that the
// call does not have, are left out.
func tell(names []string, known map[string]any, start *vxml.Start) {
	told := make(url.Values)
	for _, name := range names {
		if text, ok := at(known, strings.TrimPrefix(name, "session.")).(string); ok && text != "" {
			told.Set(name, text)
		}
	}
	switch {
	case len(told) == 0 || strings.HasPrefix(start.URL, "builtin:"):
	case start.Request.Method == http.MethodPost:
		start.Request.Body = []byte(strings.TrimPrefix(string(start.Request.Body)+"&"+told.Encode(), "&"))
	default:
		bare, fragment, found := strings.Cut(start.URL, "#")
		separator := "?"
		if strings.Contains(bare, "?") {
			separator = "&"
		}
		if start.URL = bare + separator + told.Encode(); found {
			start.URL += "#" + fragment
		}
	}
}
