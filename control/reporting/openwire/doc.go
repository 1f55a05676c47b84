// Package openwire speaks OpenWire, the protocol of Apache ActiveMQ on TCP 61616,
// as far as a producer of persistent messages needs it: negotiation of the wire
// format, connection, session and producer, local transactions, keep-alives. It
// knows nothing of what the messages mean.
//
// The protocol is defined by the broker's own marshallers. A frame is a length
// of 4 bytes, which does not count itself, one byte that names the type of the
// command, and the command's fields; numbers are in network order. This package
// asks for the loose encoding without cache in the negotiation, which both sides
// must want for anything else to be used. Versions 6 to 12 are understood.
package openwire

const (
	minVersion = 6
	maxVersion = 12
	// maxFrame bounds what is read; the broker's own default is 100 MiB, but what
	// it sends to a producer is small.
	maxFrame = 1 << 20
)

// The types of commands and of the objects in them.
const (
	typeWireFormatInfo    = 1
	typeBrokerInfo        = 2
	typeConnectionInfo    = 3
	typeSessionInfo       = 4
	typeProducerInfo      = 6
	typeTransactionInfo   = 7
	typeKeepAlive         = 10
	typeShutdown          = 11
	typeConnectionError   = 16
	typeConnectionControl = 18
	typeProducerAck       = 19
	typeMessage           = 23
	typeTextMessage       = 28
	typeResponse          = 30
	typeExceptionResponse = 31
	typeQueue             = 100
	typeTopic             = 101
	typeTempQueue         = 102
	typeTempTopic         = 103
	typeMessageID         = 110
	typeLocalTransaction  = 111
	typeConnectionID      = 120
	typeSessionID         = 121
	typeConsumerID        = 122
	typeProducerID        = 123
	typeBrokerID          = 124
)
