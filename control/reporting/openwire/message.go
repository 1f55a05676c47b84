package openwire

// message is a JMS message of any kind on the wire.
type message struct {
	is byte
	head
	origin  origin
	headers headers
	content content
	trail   trail
}

func (m *message) kind() byte { return m.is }
func (m *message) fields(c *codec) {
	m.head.fields(c)
	m.origin.fields(c)
	m.headers.fields(c)
	m.content.fields(c)
	m.trail.fields(c)
}

// origin is where a message comes from and goes to.
type origin struct {
	producer, destination            object
	transaction, originalDestination object
	id, originalTransaction          object
}

func (o *origin) fields(c *codec) {
	c.object(&o.producer)
	c.object(&o.destination)
	c.object(&o.transaction)
	c.object(&o.originalDestination)
	c.object(&o.id)
	c.object(&o.originalTransaction)
}

// headers are those of JMS.
type headers struct {
	group         Nullable
	groupSequence int32
	correlation   Nullable
	persistent    bool
	expiration    int64
	priority      byte
	replyTo       object
	timestamp     int64 // milliseconds since 1970
	kind          Nullable
}

func (h *headers) fields(c *codec) {
	c.nullable(&h.group)
	c.int(&h.groupSequence)
	c.nullable(&h.correlation)
	c.bool(&h.persistent)
	c.long(&h.expiration)
	c.byte(&h.priority)
	c.object(&h.replyTo)
	c.long(&h.timestamp)
	c.nullable(&h.kind)
}

type content struct {
	body       []byte
	properties []byte // a map
	data       object
	consumer   object
	compressed bool
	redelivery int32
}

func (b *content) fields(c *codec) {
	c.bytes(&b.body)
	c.bytes(&b.properties)
	c.object(&b.data)
	c.object(&b.consumer)
	c.bool(&b.compressed)
	c.int(&b.redelivery)
}

// trail is what brokers note on a message.
type trail struct {
	path        []object
	arrival     int64
	user        Nullable
	bridged     bool
	droppable   bool
	cluster     []object
	in, out     int64
	groupsFirst bool
}

func (t *trail) fields(c *codec) {
	c.objects(&t.path)
	c.long(&t.arrival)
	c.nullable(&t.user)
	c.bool(&t.bridged)
	c.bool(&t.droppable)
	c.objects(&t.cluster)
	c.long(&t.in)
	c.long(&t.out)
	if c.version >= 10 {
		c.bool(&t.groupsFirst)
	}
}
