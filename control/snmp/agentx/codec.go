package agentx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// encoder writes the elements of RFC 2741 section 5, in network byte order.
type encoder struct{ b []byte }

func (e *encoder) u8(n ...byte) { e.b = append(e.b, n...) }
func (e *encoder) u16(n uint16) { e.b = binary.BigEndian.AppendUint16(e.b, n) }
func (e *encoder) u32(n uint32) { e.b = binary.BigEndian.AppendUint32(e.b, n) }
func (e *encoder) u64(n uint64) { e.b = binary.BigEndian.AppendUint64(e.b, n) }

// internet is the prefix that identifiers are shortened by (section 5.1).
var internet = OID{1, 3, 6, 1}

// oid writes an identifier; include belongs to the start of a search range.
func (e *encoder) oid(o OID, include bool) {
	prefix := byte(0)
	if len(o) > len(internet) && o.Below(internet) && o[4] > 0 && o[4] < 256 {
		prefix, o = byte(o[4]), o[5:]
	}
	e.u8(byte(len(o)), prefix, bit(include), 0)
	for _, n := range o {
		e.u32(n)
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// octets writes a string, padded to four octets (section 5.3).
func (e *encoder) octets(s string) {
	e.u32(uint32(len(s)))
	e.b = append(e.b, s...)
	e.b = append(e.b, make([]byte, padding(len(s)))...)
}

func padding(n int) int { return -n & 3 }

// variables writes a list of variable bindings (section 5.4).
func (e *encoder) variables(list []Variable) {
	for _, v := range list {
		e.u16(uint16(v.Value.Kind))
		e.u16(0)
		e.oid(v.Name, false)
		switch v.Value.Kind {
		case Integer, Counter32, Gauge32, TimeTicks:
			e.u32(uint32(v.Value.Number))
		case Counter64:
			e.u64(v.Value.Number)
		case OctetString, IPAddress, Opaque:
			e.octets(v.Value.Text)
		case ObjectID:
			e.oid(v.Value.OID, false)
		}
	}
}

var errShort = errors.New("the PDU ends too early")

// decoder reads the elements in the byte order that the PDU announces. After an
// error everything reads as zero.
type decoder struct {
	b     []byte
	order binary.ByteOrder
	err   error
}

func (d *decoder) take(n int) []byte {
	if d.err == nil && n > len(d.b) {
		d.err = errShort
	}
	if d.err != nil {
		return make([]byte, min(n, 8))
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) u8() byte       { return d.take(1)[0] }
func (d *decoder) u16() uint16    { return d.order.Uint16(d.take(2)) }
func (d *decoder) u32() uint32    { return d.order.Uint32(d.take(4)) }
func (d *decoder) u64() uint64    { return d.order.Uint64(d.take(8)) }
func (d *decoder) reserved(n int) { d.take(n) }

func (d *decoder) oid() (o OID, include bool) {
	n, prefix := int(d.u8()), d.u8()
	include = d.u8() != 0
	d.reserved(1)
	if n > maxSubIDs && d.err == nil {
		d.err = fmt.Errorf("an object identifier of %d numbers", n)
	}
	if prefix != 0 {
		o = append(slices.Clone(internet), uint32(prefix))
	}
	for range n {
		if d.err != nil {
			return nil, false
		}
		o = append(o, d.u32())
	}
	if len(o) > maxSubIDs && d.err == nil {
		d.err = fmt.Errorf("an object identifier of %d numbers", len(o))
	}
	return o, include
}

func (d *decoder) octets() string {
	n := d.u32()
	if d.err == nil && uint64(n) > uint64(len(d.b)) {
		d.err = errShort
	}
	if d.err != nil {
		return ""
	}
	s := string(d.take(int(n)))
	d.reserved(padding(int(n)))
	return s
}

func (d *decoder) variables() (list []Variable) {
	for d.err == nil && len(d.b) > 0 {
		v := Variable{Value: Value{Kind: Kind(d.u16())}}
		d.reserved(2)
		v.Name, _ = d.oid()
		switch v.Value.Kind {
		case Integer, Counter32, Gauge32, TimeTicks:
			v.Value.Number = uint64(d.u32())
		case Counter64:
			v.Value.Number = d.u64()
		case OctetString, IPAddress, Opaque:
			v.Value.Text = d.octets()
		case ObjectID:
			v.Value.OID, _ = d.oid()
		case Null, NoSuchObject, NoSuchInstance, EndOfMIBView:
		default:
			if d.err == nil {
				d.err = fmt.Errorf("a value of the unknown type %d", v.Value.Kind)
			}
		}
		list = append(list, v)
	}
	return list
}
