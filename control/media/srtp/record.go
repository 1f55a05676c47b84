package srtp

import (
	"encoding/binary"
	"slices"
)

// Of DTLS 1.2 (RFC 6347 section 4.1, RFC 5246 sections 6.2.1 and 7.4).
const (
	recordHeader  = 13
	messageHeader = 12

	changeCipherSpec = 20
	alertRecord      = 21
	handshakeRecord  = 22

	clientHello        = 1
	serverHello        = 2
	helloVerifyRequest = 3
	newSessionTicket   = 4
	certificate        = 11
	serverKeyExchange  = 12
	certificateRequest = 13
	serverHelloDone    = 14
	certificateVerify  = 15
	clientKeyExchange  = 16
)

// Messages that one side sends before there are keys.
var (
	byClient = []byte{clientHello, certificate, clientKeyExchange, certificateVerify}
	byServer = []byte{
		helloVerifyRequest, serverHello, certificate, serverKeyExchange, certificateRequest, serverHelloDone, newSessionTicket,
	}
)

// dtlsRecord is one record of a packet; its slices are the packet's.
type dtlsRecord struct {
	kind  byte
	epoch uint16
	whole []byte // with its header
	body  []byte
}

// nextRecord splits off the first record; false: it is none.
func nextRecord(p []byte) (r dtlsRecord, rest []byte, ok bool) {
	if len(p) < recordHeader || p[1] != 0xfe || p[2] != 0xfd && p[2] != 0xff {
		return r, nil, false
	}
	end := recordHeader + int(binary.BigEndian.Uint16(p[11:]))
	if end > len(p) || end == recordHeader {
		return r, nil, false
	}
	r = dtlsRecord{kind: p[0], epoch: binary.BigEndian.Uint16(p[3:]), whole: p[:end], body: p[recordHeader:end]}
	return r, p[end:], true
}

// number gives a record another sequence number. Before there are keys nobody has
// signed that: by a forged one the true ones that follow would count as old.
func (r dtlsRecord) number(n uint64) {
	binary.BigEndian.PutUint32(r.whole[7:], uint32(n))
	binary.BigEndian.PutUint16(r.whole[5:], uint16(n>>32))
}

// hello is what a ClientHello says of who sent it.
type hello struct {
	random [32]byte
	cookie string
}

// glimpse is what a packet shows without keys.
type glimpse struct {
	hello *hello // nil: there is none in it
	asks  bool   // for a cookie, by a HelloVerifyRequest
}

// inspect tells what a packet is; false: it is nothing that the other side of a
// handshake, the client or the server, could have sent in earnest. An alert that is
// not encrypted could be anybody's: it is not heeded (RFC 6347 section 4.1.2.7).
func inspect(p []byte, client bool) (g glimpse, ok bool) {
	for len(p) > 0 {
		var r dtlsRecord
		if r, p, ok = nextRecord(p); !ok {
			return g, false
		}
		switch {
		case r.epoch > 1:
			return g, false
		case r.epoch == 1:
		case r.kind == changeCipherSpec && len(r.body) == 1 && r.body[0] == 1:
		case r.kind == handshakeRecord:
			if !g.messages(r.body, client) {
				return g, false
			}
		default:
			return g, false
		}
	}
	return g, ok
}

// messages looks at the messages of a record that is not encrypted.
func (g *glimpse) messages(p []byte, client bool) bool {
	allowed := byServer
	if client {
		allowed = byClient
	}
	for len(p) > 0 {
		if len(p) < messageHeader || !slices.Contains(allowed, p[0]) {
			return false
		}
		total, at, length := uint24(p[1:]), uint24(p[6:]), uint24(p[9:])
		end := messageHeader + length
		if at+length > total || end > len(p) {
			return false
		}
		g.asks = g.asks || p[0] == helloVerifyRequest
		if p[0] == clientHello {
			h, ok := parseHello(p[messageHeader:end])
			if !ok || length != total { // in fragments it would have to be kept for whoever sent it
				return false
			}
			g.hello = &h
		}
		p = p[end:]
	}
	return true
}

func uint24(p []byte) int { return int(p[0])<<16 | int(p[1])<<8 | int(p[2]) }

// parseHello reads the beginning of a ClientHello: version, random, session, cookie.
func parseHello(p []byte) (h hello, ok bool) {
	if len(p) < 35 {
		return h, false
	}
	copy(h.random[:], p[2:])
	_, p, ok = vector(p[34:])
	if !ok {
		return h, false
	}
	cookie, _, ok := vector(p)
	h.cookie = string(cookie)
	return h, ok
}

// vector splits off octets whose number stands before them.
func vector(p []byte) (v, rest []byte, ok bool) {
	if len(p) == 0 || len(p) < 1+int(p[0]) {
		return nil, nil, false
	}
	return p[1 : 1+p[0]], p[1+p[0]:], true
}

// cookieOf is the cookie in a HelloVerifyRequest; empty: the record is none.
func cookieOf(r dtlsRecord) string {
	if r.epoch != 0 || r.kind != handshakeRecord || len(r.body) < messageHeader+3 || r.body[0] != helloVerifyRequest {
		return ""
	}
	cookie, _, _ := vector(r.body[messageHeader+2:])
	return string(cookie)
}
