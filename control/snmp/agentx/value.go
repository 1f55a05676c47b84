package agentx

import "math"

// Kind is the type of a value (RFC 2741 section 5.4).
type Kind uint16

// The types of values.
const (
	Integer        Kind = 2
	OctetString    Kind = 4
	Null           Kind = 5
	ObjectID       Kind = 6
	IPAddress      Kind = 64
	Counter32      Kind = 65
	Gauge32        Kind = 66
	TimeTicks      Kind = 67
	Opaque         Kind = 68
	Counter64      Kind = 70
	NoSuchObject   Kind = 128
	NoSuchInstance Kind = 129
	EndOfMIBView   Kind = 130
)

// Value is a typed value. Which field holds it follows from its kind: Number of the
// integers, counters and gauges, Text of the strings of octets, OID of identifiers.
type Value struct {
	Kind   Kind
	Number uint64
	Text   string
	OID    OID
}

// Variable is an instance of an object with its value.
type Variable struct {
	Name  OID
	Value Value
}

// Int is a signed value of 32 bits.
func Int(n int32) Value { return Value{Kind: Integer, Number: uint64(uint32(n))} }

// Count is a value that only grows.
func Count(n uint64) Value { return Value{Kind: Counter64, Number: n} }

// Gauge is a value that comes and goes; it stays at the top of its 32 bits rather
// than wrap (RFC 2578 section 7.1.7).
func Gauge(n uint64) Value { return Value{Kind: Gauge32, Number: min(n, math.MaxUint32)} }

// Text is a string of octets.
func Text(s string) Value { return Value{Kind: OctetString, Text: s} }

// Identifier is an object identifier as a value.
func Identifier(o OID) Value { return Value{Kind: ObjectID, OID: o} }
