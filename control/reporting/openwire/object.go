package openwire

// newObject makes room for an object of a type; nil: it is not known.
func newObject(kind byte) object {
	switch kind {
	case typeQueue, typeTopic, typeTempQueue, typeTempTopic:
		return &destination{is: kind}
	case typeMessageID:
		return &messageID{}
	case typeLocalTransaction:
		return &localTransaction{}
	case typeConnectionID, typeBrokerID:
		return &named{is: kind}
	case typeSessionID:
		return &sessionID{}
	case typeConsumerID:
		return &endpointID{is: kind}
	case typeProducerID:
		return &endpointID{is: kind}
	case typeBrokerInfo:
		return &brokerInfo{}
	}
	return nil
}

// destination is a queue or a topic.
type destination struct {
	is   byte
	name string
}

func (d *destination) kind() byte      { return d.is }
func (d *destination) fields(c *codec) { c.string(&d.name) }

// named is an identifier that is a string: a connection's or a broker's.
type named struct {
	is byte
	id string
}

func (n *named) kind() byte      { return n.is }
func (n *named) fields(c *codec) { c.string(&n.id) }

type sessionID struct {
	connection string
	value      int64
}

func (s *sessionID) kind() byte { return typeSessionID }
func (s *sessionID) fields(c *codec) {
	c.string(&s.connection)
	c.long(&s.value)
}

// endpointID names a producer or a consumer, whose numbers come in another order.
type endpointID struct {
	is             byte
	connection     string
	value, session int64
}

func (p *endpointID) kind() byte { return p.is }
func (p *endpointID) fields(c *codec) {
	c.string(&p.connection)
	if p.is == typeConsumerID {
		c.long(&p.session)
		c.long(&p.value)
		return
	}
	c.long(&p.value)
	c.long(&p.session)
}

type localTransaction struct {
	value      int64
	connection object
}

func (t *localTransaction) kind() byte { return typeLocalTransaction }
func (t *localTransaction) fields(c *codec) {
	c.long(&t.value)
	c.object(&t.connection)
}

type messageID struct {
	text             Nullable // of another system's message
	producer         object
	number, atBroker int64
}

func (m *messageID) kind() byte { return typeMessageID }
func (m *messageID) fields(c *codec) {
	if c.version >= 10 {
		c.nullable(&m.text)
	}
	c.object(&m.producer)
	c.long(&m.number)
	c.long(&m.atBroker)
}
