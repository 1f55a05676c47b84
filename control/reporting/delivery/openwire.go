package delivery

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf16"

	"mcp/control/reporting/openwire"
)

// openWireLink speaks ActiveMQ's own protocol.
type openWireLink struct{ *openwire.Conn }

func dialOpenWire(ctx context.Context, t target) (Link, error) {
	c, err := openwire.Dial(ctx, openwire.Config{
		Address: t.host, User: t.config.User, Password: t.config.Password, TLS: t.tls(),
		ConnectTimeout: t.config.Timeout, AnswerTimeout: t.config.Timeout,
	})
	if err != nil {
		return nil, err
	}
	return openWireLink{c}, nil
}

// Send implements Link.
func (l openWireLink) Send(ctx context.Context, messages []Message) error {
	out := make([]openwire.Message, len(messages))
	for i, m := range messages {
		out[i] = openwire.Message{
			Destination: m.Destination, Type: string(m.Kind), Correlation: m.Call,
			Properties: m.Properties, Time: m.Time, Text: basic(m.Text),
		}
	}
	return l.Conn.Send(ctx, out)
}

// basic escapes what JSON has beyond the Basic Multilingual Plane. Java writes
// such characters in a way of its own, which the broker hands to consumers that
// are not Java as it is.
func basic(json string) string {
	if strings.IndexFunc(json, beyond) < 0 {
		return json
	}
	var out strings.Builder
	for _, r := range json {
		if !beyond(r) {
			out.WriteRune(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
	}
	return out.String()
}

func beyond(r rune) bool { return r > 0xffff }
