package openwire

// Command is what a frame carries.
type Command interface {
	kind() byte
	fields(c *codec)
}

// newCommand makes room for a command of a type.
func newCommand(kind byte) Command {
	switch kind {
	case typeWireFormatInfo:
		return &wireFormatInfo{}
	case typeBrokerInfo:
		return &brokerInfo{}
	case typeConnectionInfo:
		return &connectionInfo{}
	case typeSessionInfo:
		return &sessionInfo{}
	case typeProducerInfo:
		return &producerInfo{}
	case typeTransactionInfo:
		return &transactionInfo{}
	case typeKeepAlive, typeShutdown:
		return &plain{is: kind}
	case typeConnectionError:
		return &connectionError{}
	case typeConnectionControl:
		return &connectionControl{}
	case typeProducerAck:
		return &producerAck{}
	case typeResponse:
		return &response{}
	case typeExceptionResponse:
		return &exceptionResponse{}
	}
	if kind >= typeMessage && kind <= typeTextMessage {
		return &message{is: kind}
	}
	return &unknown{is: kind}
}

// head is what every command but the negotiation's begins with.
type head struct {
	ID       int32
	Answered bool // the far end is to answer
}

func (h *head) fields(c *codec) {
	c.int(&h.ID)
	c.bool(&h.Answered)
}

// plain is a command without fields: keep-alive or shut-down.
type plain struct {
	is byte
	head
}

func (p *plain) kind() byte { return p.is }

// unknown is a command that means nothing to a producer.
type unknown struct {
	is   byte
	body []byte
}

func (u *unknown) kind() byte { return u.is }
func (u *unknown) fields(c *codec) {
	if c.reading {
		u.body = append([]byte{}, c.take(len(c.b))...)
		return
	}
	c.b = append(c.b, u.body...)
}

// wireFormatInfo negotiates the wire format. It always travels loosely.
type wireFormatInfo struct {
	magic      [8]byte
	version    int32
	properties []byte // a map
}

func (w *wireFormatInfo) kind() byte { return typeWireFormatInfo }
func (w *wireFormatInfo) fields(c *codec) {
	for i := range w.magic {
		c.byte(&w.magic[i])
	}
	c.int(&w.version)
	c.bytes(&w.properties)
}

type brokerInfo struct {
	head
	id           object
	url          Nullable
	peers        []object
	name         Nullable
	flags        [5]bool // slave, master, fault tolerant, duplex, network
	connection   int64
	upload, more Nullable
}

func (b *brokerInfo) kind() byte { return typeBrokerInfo }
func (b *brokerInfo) fields(c *codec) {
	b.head.fields(c)
	c.object(&b.id)
	c.nullable(&b.url)
	c.objects(&b.peers)
	c.nullable(&b.name)
	for i := range b.flags {
		c.bool(&b.flags[i])
	}
	c.long(&b.connection)
	c.nullable(&b.upload)
	c.nullable(&b.more)
}

type connectionInfo struct {
	head
	id             object
	client         Nullable
	password, user Nullable
	path           []object
	flags          [5]bool // master connector, manageable, client master, fault tolerant, reconnects by failover
	ip             Nullable
}

func (i *connectionInfo) kind() byte { return typeConnectionInfo }
func (i *connectionInfo) fields(c *codec) {
	i.head.fields(c)
	c.object(&i.id)
	c.nullable(&i.client)
	c.nullable(&i.password)
	c.nullable(&i.user)
	c.objects(&i.path)
	for n := range i.flags {
		c.bool(&i.flags[n])
	}
	if c.version >= 8 {
		c.nullable(&i.ip)
	}
}

type sessionInfo struct {
	head
	id object
}

func (s *sessionInfo) kind() byte { return typeSessionInfo }
func (s *sessionInfo) fields(c *codec) {
	s.head.fields(c)
	c.object(&s.id)
}

// producerInfo begins a producer; without a destination each message names its own.
type producerInfo struct {
	head
	id, destination object
	path            []object
	async           bool
	window          int32
}

func (p *producerInfo) kind() byte { return typeProducerInfo }
func (p *producerInfo) fields(c *codec) {
	p.head.fields(c)
	c.object(&p.id)
	c.object(&p.destination)
	c.objects(&p.path)
	c.bool(&p.async)
	c.int(&p.window)
}

// What a transactionInfo does.
const (
	txBegin  = 0
	txCommit = 2 // in one phase
)

type transactionInfo struct {
	head
	connection, transaction object
	does                    byte
}

func (t *transactionInfo) kind() byte { return typeTransactionInfo }
func (t *transactionInfo) fields(c *codec) {
	t.head.fields(c)
	c.object(&t.connection)
	c.object(&t.transaction)
	c.byte(&t.does)
}

// connectionError tells of a failure that no command asked to be told of.
type connectionError struct {
	head
	exception  Exception
	connection object
}

func (e *connectionError) kind() byte { return typeConnectionError }
func (e *connectionError) fields(c *codec) {
	e.head.fields(c)
	c.throwable(&e.exception)
	c.object(&e.connection)
}

// connectionControl tells clients what the broker wants of them.
type connectionControl struct {
	head
	flags            [5]bool // close, exit, fault tolerant, resume, suspend
	brokers, instead Nullable
	rebalance        bool
	token            []byte
}

func (i *connectionControl) kind() byte { return typeConnectionControl }
func (i *connectionControl) fields(c *codec) {
	i.head.fields(c)
	for n := range i.flags {
		c.bool(&i.flags[n])
	}
	c.nullable(&i.brokers)
	c.nullable(&i.instead)
	c.bool(&i.rebalance)
	if c.version >= 8 {
		c.bytes(&i.token)
	}
}

type producerAck struct {
	head
	producer object
	size     int32
}

func (p *producerAck) kind() byte { return typeProducerAck }
func (p *producerAck) fields(c *codec) {
	p.head.fields(c)
	c.object(&p.producer)
	c.int(&p.size)
}

// response answers a command.
type response struct {
	head
	to int32
}

func (r *response) kind() byte { return typeResponse }
func (r *response) fields(c *codec) {
	r.head.fields(c)
	c.int(&r.to)
}

// exceptionResponse refuses a command.
type exceptionResponse struct {
	response
	exception Exception
}

func (r *exceptionResponse) kind() byte { return typeExceptionResponse }
func (r *exceptionResponse) fields(c *codec) {
	r.response.fields(c)
	c.throwable(&r.exception)
}
