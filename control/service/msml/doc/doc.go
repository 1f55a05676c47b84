// Package doc reads MSML requests (RFC 5707) strictly, and writes results and
// events. It executes nothing.
package doc

import (
	"fmt"
	"strings"

	"mcp/vxml/xmltree"
)

// The media types that MSML travels as: that of RFC 5707 and that of the servers
// that came before it.
const (
	MediaType    = "application/msml+xml"
	MediaTypeOld = "application/vnd.radisys.msml+xml"
)

// Is tells whether a body is MSML by its media type.
func Is(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == MediaType || kind == MediaTypeOld
}

// Node is an element of a request.
type Node = xmltree.Node

// The response codes of RFC 5707 section 11 that are in use.
const (
	OK                   = 200
	BadRequest           = 400
	UnknownElement       = 401
	UnsupportedElement   = 402
	MissingContent       = 403
	ForbiddenContent     = 404
	UnknownAttribute     = 406
	UnsupportedAttribute = 407
	MissingAttribute     = 408
	InvalidValue         = 410
	UnsupportedLanguage  = 420
	Ambiguous            = 422
	FetchError           = 423
	ForeignError         = 426
	NoSuchObject         = 430
	NameInUse            = 431
	ConferenceInUse      = 432
	CannotJoin           = 440
	InputsExceeded       = 444
	ServerError          = 500
	NoResource           = 520
)

// Fault is why a request, or a dialog, fails.
type Fault struct {
	Code int
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("%d %s", f.Code, f.Text) }

// Faultf makes a Fault.
func Faultf(code int, format string, args ...any) *Fault {
	return &Fault{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Parse reads a request and returns its operations in order. The whole of it is
// checked before anything may be executed (RFC 5707 section 5). An error is a
// *Fault.
func Parse(body []byte) ([]*Node, error) {
	root, err := xmltree.Parse(body)
	if err != nil {
		return nil, Faultf(BadRequest, "not well-formed: %v", err)
	}
	if root.Name != "msml" {
		return nil, Faultf(BadRequest, "the root element is <%s>, not <msml>", root.Name)
	}
	if err := check(root); err != nil {
		return nil, err
	}
	return root.Elements(), nil
}

// ParseDialog reads an external dialog: <moml>, or <msml> around one.
func ParseDialog(body []byte) (*Node, error) {
	root, err := xmltree.Parse(body)
	if err != nil {
		return nil, Faultf(FetchError, "dialog is not well-formed: %v", err)
	}
	if root.Name != "moml" {
		return nil, Faultf(UnsupportedLanguage, "the root element is <%s>, not <moml>", root.Name)
	}
	return root, check(root)
}
