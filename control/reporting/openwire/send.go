package openwire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is a persistent text message.
type Message struct {
	// Destination is a queue's name, or a topic's after "topic://".
	Destination string
	// Type and Correlation are the headers JMSType and JMSCorrelationID.
	Type, Correlation string
	// Properties are those that consumers select by; values are bool, int32,
	// int64 and string, names are Java identifiers.
	Properties map[string]any
	Time       time.Time
	Text       string
}

// producerState numbers what the producer sends.
type producerState struct {
	id         *endpointID
	connection object
	sent       int64
	begun      int64 // transactions
}

func newProducerState(connection *named) producerState {
	return producerState{
		id:         &endpointID{is: typeProducerID, connection: connection.id, value: 1, session: 1},
		connection: connection,
	}
}

// Send sends messages and returns once the broker has stored them all: one by
// itself, more as a transaction, for which the broker syncs its disk once. After
// an error any of them may have been stored, or all. One caller at a time.
func (c *Conn) Send(ctx context.Context, messages []Message) error {
	var err error
	switch len(messages) {
	case 0:
		return nil
	case 1:
		err = c.sendAll(ctx, messages, nil)
	default:
		err = c.transact(ctx, messages)
	}
	var refused *Exception
	if errors.As(err, &refused) {
		// The transaction is still open; it ends with the connection.
		_ = c.fail(err)
	}
	if err != nil {
		return fmt.Errorf("send to broker %s: %w", c.config.Address, err)
	}
	return nil
}

func (c *Conn) transact(ctx context.Context, messages []Message) error {
	c.producer.begun++
	tx := &localTransaction{value: c.producer.begun, connection: c.producer.connection}
	begin := &transactionInfo{connection: c.producer.connection, transaction: tx, does: txBegin}
	begun, err := c.begun(begin)
	if err != nil {
		return err
	}
	if err := c.sendAll(ctx, messages, tx); err != nil {
		return err
	}
	if err := c.wait(ctx, begun); err != nil {
		return err
	}
	return c.ask(ctx, &transactionInfo{connection: c.producer.connection, transaction: tx, does: txCommit})
}

// rollsBack is the version from which on every broker refuses to commit a
// transaction of which it has refused a message, whether it was asked to answer
// that message or not (ActiveMQ 5.5 and later).
const rollsBack = 9

// sendAll sends messages and returns once the last is answered; an older broker
// is asked about each, since it could commit the others without one it refused.
// A refusal that nobody asked for ends the connection.
func (c *Conn) sendAll(ctx context.Context, messages []Message, tx object) error {
	answers := make([]chan error, 0, len(messages))
	for i, m := range messages {
		cmd, err := c.message(m, tx)
		if err != nil {
			return err
		}
		if i < len(messages)-1 && c.version >= rollsBack {
			if err := c.tell(cmd); err != nil {
				return err
			}
			continue
		}
		answer, err := c.begun(cmd)
		if err != nil {
			return err
		}
		answers = append(answers, answer)
	}
	if err := c.flush(); err != nil {
		return err
	}
	for _, answer := range answers {
		if err := c.wait(ctx, answer); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) message(m Message, tx object) (*message, error) {
	properties, err := appendMap(m.Properties)
	if err != nil {
		return nil, err
	}
	c.producer.sent++
	body := &codec{}
	body.text(&m.Text, 4)
	return &message{
		is: typeTextMessage,
		origin: origin{
			producer: c.producer.id, destination: destinationOf(m.Destination), transaction: tx,
			id: &messageID{producer: c.producer.id, number: c.producer.sent},
		},
		headers: headers{
			correlation: nullable(m.Correlation), kind: nullable(m.Type),
			persistent: true, priority: 4, timestamp: m.Time.UnixMilli(), // 4 is JMS's usual
		},
		content: content{body: body.b, properties: properties},
	}, nil
}

func destinationOf(name string) object {
	if topic, ok := strings.CutPrefix(name, "topic://"); ok {
		return &destination{is: typeTopic, name: topic}
	}
	return &destination{is: typeQueue, name: strings.TrimPrefix(name, "queue://")}
}
