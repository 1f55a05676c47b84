package agentx

import (
	"encoding/binary"
	"fmt"
	"io"
)

// kind is the type of a PDU (RFC 2741 section 6.1).
type kind byte

const (
	kindOpen       kind = 1
	kindClose      kind = 2
	kindRegister   kind = 3
	kindUnregister kind = 4
	kindGet        kind = 5
	kindGetNext    kind = 6
	kindGetBulk    kind = 7
	kindTestSet    kind = 8
	kindCommitSet  kind = 9
	kindUndoSet    kind = 10
	kindCleanupSet kind = 11
	kindNotify     kind = 12
	kindPing       kind = 13
	kindResponse   kind = 18
)

const (
	version           = 1
	headerLength      = 20
	flagContext       = 0x08 // NON_DEFAULT_CONTEXT
	flagNetworkOrder  = 0x10 // NETWORK_BYTE_ORDER
	maxPayload        = 1 << 20
	defaultPriority   = 127
	reasonShutdown    = 5
	reasonProtocol    = 3
	errorGeneral      = 5   // genErr
	errorCommitFailed = 14  // commitFailed
	errorNotWritable  = 17  // notWritable
	errorDuplicate    = 263 // duplicateRegistration
)

// pdu is a PDU of any type; the fields after context are those that its type has.
type pdu struct {
	kind        kind
	session     uint32
	transaction uint32
	packet      uint32
	context     *string // nil: the default one

	timeout   byte // Open, Register: seconds; 0: the master's
	priority  byte // Register, Unregister
	reason    byte // Close
	id        OID  // Open, Register, Unregister
	text      string
	ranges    []searchRange
	bulk      bulk
	variables []Variable // TestSet, Notify, Response
	result    result
}

// searchRange is where a variable is looked for (section 5.2).
type searchRange struct {
	start   OID
	include bool // start itself counts
	end     OID  // the first that does not count; empty: none
}

// bulk says how often each range of a GetBulk is gone on from.
type bulk struct{ nonRepeaters, maxRepetitions uint16 }

// result is what a Response says of the request.
type result struct {
	upTime uint32 // the master's, hundredths of a second
	code   uint16 // 0: no error
	index  uint16 // of the variable that failed, from 1
}

// hasContext tells whether a type of PDU may carry a context.
func (k kind) hasContext() bool {
	switch k {
	case kindRegister, kindUnregister, kindGet, kindGetNext, kindGetBulk, kindTestSet, kindNotify, kindPing:
		return true
	}
	return false
}

// encode is a PDU as it is sent, in network byte order.
func (p *pdu) encode() []byte {
	flags := byte(flagNetworkOrder)
	if p.context != nil && p.kind.hasContext() {
		flags |= flagContext
	}
	e := &encoder{}
	e.u8(version, byte(p.kind), flags, 0)
	e.u32(p.session)
	e.u32(p.transaction)
	e.u32(p.packet)
	e.u32(0)
	if flags&flagContext != 0 {
		e.octets(*p.context)
	}
	p.encodeBody(e)
	binary.BigEndian.PutUint32(e.b[headerLength-4:], uint32(len(e.b)-headerLength))
	return e.b
}

func (p *pdu) encodeBody(e *encoder) {
	switch p.kind {
	case kindOpen:
		e.u8(p.timeout, 0, 0, 0)
		e.oid(p.id, false)
		e.octets(p.text)
	case kindClose:
		e.u8(p.reason, 0, 0, 0)
	case kindRegister, kindUnregister:
		e.u8(p.timeout, p.priority, 0, 0)
		e.oid(p.id, false)
	case kindGetBulk:
		e.u16(p.bulk.nonRepeaters)
		e.u16(p.bulk.maxRepetitions)
		p.encodeRanges(e)
	case kindGet, kindGetNext:
		p.encodeRanges(e)
	case kindTestSet, kindNotify:
		e.variables(p.variables)
	case kindResponse:
		e.u32(p.result.upTime)
		e.u16(p.result.code)
		e.u16(p.result.index)
		e.variables(p.variables)
	}
}

func (p *pdu) encodeRanges(e *encoder) {
	for _, r := range p.ranges {
		e.oid(r.start, r.include)
		e.oid(r.end, false)
	}
}

// read reads the next PDU.
func read(r io.Reader) (*pdu, error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	if header[0] != version {
		return nil, fmt.Errorf("AgentX version %d", header[0])
	}
	var order binary.ByteOrder = binary.LittleEndian
	if header[2]&flagNetworkOrder != 0 {
		order = binary.BigEndian
	}
	length := order.Uint32(header[16:])
	if length > maxPayload || length%4 != 0 {
		return nil, fmt.Errorf("a PDU of %d octets", length)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, fmt.Errorf("read a PDU: %w", err)
	}
	p := &pdu{
		kind: kind(header[1]), session: order.Uint32(header[4:]),
		transaction: order.Uint32(header[8:]), packet: order.Uint32(header[12:]),
	}
	d := &decoder{b: payload, order: order}
	if header[2]&flagContext != 0 && p.kind.hasContext() {
		context := d.octets()
		p.context = &context
	}
	p.decodeBody(d)
	if d.err == nil && len(d.b) != 0 {
		d.err = fmt.Errorf("%d octets too many", len(d.b))
	}
	if d.err != nil {
		return nil, fmt.Errorf("PDU of type %d: %w", p.kind, d.err)
	}
	return p, nil
}

func (p *pdu) decodeBody(d *decoder) {
	switch p.kind {
	case kindOpen:
		p.timeout = d.u8()
		d.reserved(3)
		p.id, _ = d.oid()
		p.text = d.octets()
	case kindClose:
		p.reason = d.u8()
		d.reserved(3)
	case kindRegister, kindUnregister:
		p.decodeRegistration(d)
	case kindGetBulk:
		p.bulk = bulk{d.u16(), d.u16()}
		p.decodeRanges(d)
	case kindGet, kindGetNext:
		p.decodeRanges(d)
	case kindTestSet, kindNotify:
		p.variables = d.variables()
	case kindResponse:
		p.result = result{upTime: d.u32(), code: d.u16(), index: d.u16()}
		p.variables = d.variables()
	case kindCommitSet, kindUndoSet, kindCleanupSet, kindPing:
	default:
		d.err = fmt.Errorf("the type is unknown")
	}
}

func (p *pdu) decodeRegistration(d *decoder) {
	p.timeout, p.priority = d.u8(), d.u8()
	if ranged := d.u8(); ranged != 0 && d.err == nil {
		d.err = fmt.Errorf("a range of subtrees")
	}
	d.reserved(1)
	p.id, _ = d.oid()
}

func (p *pdu) decodeRanges(d *decoder) {
	for d.err == nil && len(d.b) > 0 {
		var r searchRange
		r.start, r.include = d.oid()
		r.end, _ = d.oid()
		p.ranges = append(p.ranges, r)
	}
}
