// Package route reads from a Request-URI what a call asks for: one of the
// services of RFC 4240, RFC 5552 and RFC 5707 by its indicator, or a number that
// the configuration gives a meaning. It is pure: it fetches and starts nothing.
package route

import (
	"fmt"
	"maps"
	"strings"
)

// The statuses of RFC 3261 section 21 that refuse a Request-URI.
const (
	badRequest        = 400
	notFound          = 404
	notAcceptableHere = 488
)

// The services that a Request-URI can name.
const (
	Dialog       = "dialog" // a VoiceXML application (RFC 4240 section 4, RFC 5552)
	Announcement = "annc"   // one recording (RFC 4240 section 3)
	Conference   = "conf"   // a mix of callers (RFC 4240 section 5)
	MSML         = "msml"   // media under remote control (RFC 5707)
	ORS          = "ors"    // treatments that an orchestration session asks for; in a Table only
	Record       = "record" // the caller is recorded
)

// URI is what of a Request-URI matters here, unescaped.
type URI struct {
	User   string
	Params map[string]string // names in lower case
}

// Request is a service with what it was asked for.
type Request struct {
	Service string
	ID      string // of the service's instance: what follows the first equals sign
	Params  map[string]string
}

// Error says how a call is refused whose Request-URI asks for what cannot be.
type Error struct {
	Status  int
	Reason  string // the reason phrase
	Warning string // for the Warning header; empty: none
}

func (e *Error) Error() string {
	if e.Warning == "" {
		return fmt.Sprintf("%d %s", e.Status, e.Reason)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Reason, e.Warning)
}

// Table gives numbers a meaning.
type Table struct {
	// Numbers maps the user part of the Request-URI to the URL of a VoiceXML
	// application, or to a service as a Request-URI names it: annc;play=URL,
	// conf=room, msml, record=name, ors;src=URL of an SCXML document.
	Numbers map[string]string
}

// Select reads a Request-URI. What names no service and is no number of the table
// asks for the default application: a Dialog without a voicexml parameter.
func (t Table) Select(uri URI) (Request, error) {
	if r, ok := read(uri.User, uri.Params); ok {
		return check(r)
	}
	if target := t.Numbers[uri.User]; target != "" {
		return t.number(target, uri.Params)
	}
	if name, _, assigned := strings.Cut(uri.User, "="); assigned {
		return Request{}, &Error{Status: notAcceptableHere, Reason: "Not Acceptable Here", Warning: "there is no service " + name}
	}
	return Request{Service: Dialog, Params: uri.Params}, nil
}

// number reads a table's target. Parameters of the Request-URI stay, but for those
// that the table sets.
func (t Table) number(target string, params map[string]string) (Request, error) {
	merged := make(map[string]string, len(params)+1)
	maps.Copy(merged, params)
	indicator, set := parse(target)
	if strings.EqualFold(indicator, ORS) {
		delete(merged, "src") // which application is started is the table's choice
		maps.Copy(merged, set)
		return Request{Service: ORS, Params: merged}, nil
	}
	r, ok := read(indicator, merged)
	if !ok {
		merged["voicexml"] = target
		return Request{Service: Dialog, Params: merged}, nil
	}
	maps.Copy(merged, set)
	return check(r)
}

// parse takes a target apart: annc;play=URL;repeat=2. A value may hold anything
// but a semicolon.
func parse(target string) (indicator string, params map[string]string) {
	indicator, rest, _ := strings.Cut(target, ";")
	params = map[string]string{}
	for part := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(part, "=")
		if name != "" {
			params[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return indicator, params
}

// read recognizes a service indicator, which knows no case (RFC 4240 section 2).
func read(user string, params map[string]string) (Request, bool) {
	name, id, _ := strings.Cut(user, "=")
	switch name = strings.ToLower(name); name {
	case Dialog, Announcement, Conference, MSML, Record:
		return Request{Service: name, ID: strings.ToLower(id), Params: params}, true
	}
	return Request{}, false
}

// dialogParams must have values when they are given (RFC 4240 section 4.1).
var dialogParams = [...]string{"voicexml", "maxage", "maxstale", "method", "postbody", "ccxml", "aai"}

// check refuses what a service's specification refuses before anything is fetched.
func check(r Request) (Request, error) {
	switch r.Service {
	case Dialog:
		for _, name := range dialogParams {
			if value, given := r.Params[name]; given && value == "" {
				return Request{}, &Error{Status: badRequest, Reason: "Missing VXML Value", Warning: "parameter " + name + " has no value"}
			}
		}
	case Announcement:
		if r.Params["play"] == "" {
			return Request{}, &Error{Status: badRequest, Reason: "Mandatory play parameter missing"}
		}
	case Conference, Record:
		if r.ID == "" {
			return Request{}, &Error{Status: notFound, Reason: "Not Found", Warning: r.Service + " needs an identifier: " + r.Service + "=name"}
		}
	}
	return r, nil
}
