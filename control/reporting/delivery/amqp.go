package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/go-amqp"
)

// amqpLink speaks AMQP 1.0.
type amqpLink struct {
	conn    *amqp.Conn
	session *amqp.Session
	senders map[string]*amqp.Sender // by destination
	config  *Config
}

func dialAMQP(ctx context.Context, t target) (Link, error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	options := &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous(), TLSConfig: t.tls(), WriteTimeout: t.config.Timeout}
	if t.config.User != "" {
		options.SASLType = amqp.SASLTypePlain(t.config.User, t.config.Password)
	}
	conn, err := amqp.Dial(ctx, t.String(), options)
	if err != nil {
		return nil, fmt.Errorf("connect to broker %s: %w", t.host, err)
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin session at broker %s: %w", t.host, err), conn.Close())
	}
	return &amqpLink{conn: conn, session: session, senders: map[string]*amqp.Sender{}, config: t.config}, nil
}

// Send implements Link: everything is sent before the first confirmation is
// awaited.
func (l *amqpLink) Send(ctx context.Context, messages []Message) error {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	receipts := make([]amqp.SendReceipt, 0, len(messages))
	for _, m := range messages {
		sender, err := l.sender(ctx, m.Destination)
		if err != nil {
			return err
		}
		receipt, err := sender.SendWithReceipt(ctx, amqpMessage(m), nil)
		if err != nil {
			return fmt.Errorf("send to broker: %w", err)
		}
		receipts = append(receipts, receipt)
	}
	for _, r := range receipts {
		state, err := r.Wait(ctx)
		if err != nil {
			return fmt.Errorf("await the broker's confirmation: %w", err)
		}
		if _, ok := state.(*amqp.StateAccepted); !ok {
			return fmt.Errorf("broker does not accept a record: %T", state)
		}
	}
	return nil
}

// sender is the link to a destination, whose name is the address as it is.
func (l *amqpLink) sender(ctx context.Context, destination string) (*amqp.Sender, error) {
	if s := l.senders[destination]; s != nil {
		return s, nil
	}
	s, err := l.session.NewSender(ctx, destination, &amqp.SenderOptions{
		SettlementMode: amqp.SenderSettleModeUnsettled.Ptr(), Durability: amqp.DurabilityUnsettledState,
		TargetDurability: amqp.DurabilityUnsettledState,
	})
	if err != nil {
		return nil, fmt.Errorf("open link to %s: %w", destination, err)
	}
	l.senders[destination] = s
	return s, nil
}

func amqpMessage(m Message) *amqp.Message {
	subject, content, made := string(m.Kind), "application/json", m.Time
	msg := &amqp.Message{
		Header:                &amqp.MessageHeader{Durable: true},
		Properties:            &amqp.MessageProperties{MessageID: m.ID, Subject: &subject, ContentType: &content, CreationTime: &made},
		ApplicationProperties: m.Properties,
		Value:                 m.Text,
	}
	if m.Call != "" {
		msg.Properties.CorrelationID = m.Call
	}
	return msg
}

// Done implements Link.
func (l *amqpLink) Done() <-chan struct{} { return l.conn.Done() }

// Close implements Link.
func (l *amqpLink) Close() error {
	_ = l.conn.Close() // it may have ended, and does now
	return nil
}
