package delivery

import (
	"context"

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
			Properties: m.Properties, Time: m.Time, Text: m.Text,
		}
	}
	return l.Conn.Send(ctx, out)
}
