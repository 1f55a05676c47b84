package call

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"mcp/control/media"
	"mcp/control/media/mediatest"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// incoming is the dialog of a caller who hangs up once the service runs.
type incoming struct {
	Dialog // of what is not asked
	offer  []byte
	taker  func(sip.Event)
}

func (d *incoming) CallID() string    { return "call-id" }
func (d *incoming) LocalURI() string  { return "sip:ivr@192.0.2.1" }
func (d *incoming) RemoteURI() string { return "sip:caller@192.0.2.2" }
func (d *incoming) RequestURI() sip.URI {
	return sip.URI{Scheme: "sip", User: "ivr", Host: "192.0.2.1"}
}
func (d *incoming) Headers() header.Fields               { return nil }
func (d *incoming) RemoteSDP() []byte                    { return d.offer }
func (d *incoming) LocalHost() netip.Addr                { return loopback }
func (d *incoming) RemoteHost() netip.Addr               { return loopback }
func (d *incoming) Answer(context.Context, []byte) error { return nil }
func (d *incoming) Notify(f func(sip.Event))             { d.taker = f }

// BenchmarkCall is a call from INVITE to record, without what is around it: signalling,
// a media plane and a service.
func BenchmarkCall(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 45000}, mediatest.NewPlane(), log)
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	server := NewServer(Config{}, Parts{
		Engine: engine, Log: log, Recorder: recorderFunc(func(*reporting.Record) {}),
		Selector: &scripted{run: func(ctx context.Context, c *Call) Ending {
			c.dialog.(*incoming).taker(sip.ByeReceived{})
			return untilHungUp(ctx, c)
		}},
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	body := offer()
	b.ReportAllocs()
	for b.Loop() {
		server.Serve(ctx, &incoming{offer: body})
	}
}
