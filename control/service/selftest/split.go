package selftest

import (
	"context"
	"crypto/subtle"
	"log/slog"

	"mcp/control/call"
	"mcp/control/reporting"
	"mcp/control/route"
	"mcp/control/sip"
)

// Split hands the tests' calls to a server of their own and all others to the
// platform's, whose gate it is for both.
type Split struct {
	*call.Server
	tests *call.Server
	name  string
}

// Split makes it. The program of the tests is a dialog of the service.
func (t *Tester) Split(platform *call.Server, config call.Config, p call.Parts, program call.Service) *Split {
	p.Selector, p.Recorder, p.Log = only{program}, forgets{}, slog.New(warnings{t.log.Handler()})
	return &Split{Server: platform, tests: call.NewServer(config, p), name: t.name}
}

// Invite implements sip.Handler.
func (s *Split) Invite(ctx context.Context, d *sip.Dialog) {
	if subtle.ConstantTimeCompare([]byte(d.RequestURI().User), []byte(s.name)) == 1 {
		s.tests.Invite(ctx, d)
		return
	}
	s.Server.Invite(ctx, d)
}

// only selects one service.
type only struct{ service call.Service }

// Select implements call.Selector.
func (o only) Select(call.Identity) (call.Choice, error) {
	return call.Choice{Service: o.service, Request: route.Request{Service: route.Dialog}}, nil
}

// forgets records nothing.
type forgets struct{}

func (forgets) Check(context.Context) error                     { return nil }
func (forgets) Begin(*reporting.Record) *reporting.Trail        { return nil }
func (forgets) Answered(*reporting.Record)                      {}
func (forgets) Serve(*reporting.Record)                         {}
func (forgets) Record(context.Context, *reporting.Record) error { return nil }

// warnings leaves out of the log that calls come and go.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
