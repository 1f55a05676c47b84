package google

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mcp/speech"
)

// class is what operators count errors by. The names are those of the alerts on
// gRPC errors that the platform this one follows has.
type class string

// The classes.
const (
	classConfig     class = "config"            // what was configured, or asked for, is refused
	classRoots      class = "ssl_root_cert"     // the services' certificates are not trusted
	classCredential class = "google_credential" // the credentials cannot be used, or are refused
	classStart      class = "recognize_start"   // a recognition could not begin
	classWrite      class = "write"             // audio could not be sent
	classRecognize  class = "recognize"         // a recognition failed
	classTTS        class = "tts"               // a synthesis failed
)

func classes() []class {
	return []class{classConfig, classRoots, classCredential, classStart, classWrite, classRecognize, classTTS}
}

var errClosed = fmt.Errorf("google: %w", speech.ErrClosed)

// Fault is an error with its class. It wraps the error of package speech that says
// what it means for a dialogue.
type Fault struct {
	Class string
	Err   error
	means error
}

func (f *Fault) Error() string   { return "google " + f.Class + ": " + f.Err.Error() }
func (f *Fault) Unwrap() []error { return []error{f.means, f.Err} }

// fault gives an error its class: the one that its text and code tell, or else that
// of what was being done.
func fault(doing class, err error) error {
	var known *Fault
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return err
	}
	f := &Fault{Class: string(doing), Err: err, means: speech.ErrUnavailable}
	text := strings.ToLower(err.Error())
	switch code := status.Code(err); {
	case strings.Contains(text, "x509:") || strings.Contains(text, "tls:"):
		f.Class = string(classRoots)
	case code == codes.Unauthenticated || code == codes.PermissionDenied:
		f.Class = string(classCredential)
	case (code == codes.InvalidArgument || code == codes.NotFound) && strings.Contains(text, "language"):
		f.Class, f.means = string(classConfig), speech.ErrLanguage
	case code == codes.InvalidArgument || code == codes.NotFound || code == codes.Unimplemented:
		f.Class = string(classConfig)
	}
	return f
}

// passing tells whether an error may be gone when it is tried again. One that has
// its class already is final.
func passing(err error) bool {
	var final *Fault
	if errors.As(err, &final) {
		return false
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Internal, codes.Aborted:
		return !strings.Contains(err.Error(), "x509:")
	}
	return false
}
