// Package bare is the plainest callee that the SIP library's own stack makes: it
// answers and hangs up when asked to. The platform's signalling is measured beside
// it.
package bare

import (
	"context"
	"fmt"
	"net"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

const answer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"

// Serve answers every call that comes to a UDP socket until the context ends, which
// closes the socket. The receive buffer is the caller's to choose: the library leaves
// the one that the kernel gives.
func Serve(ctx context.Context, conn *net.UDPConn) error {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("bare"))
	if err != nil {
		return fmt.Errorf("bare callee: %w", err)
	}
	defer ua.Close()
	server, err := sipgo.NewServer(ua)
	if err != nil {
		return fmt.Errorf("bare callee: %w", err)
	}
	to := conn.LocalAddr().(*net.UDPAddr)
	contact := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: to.IP.String(), Port: to.Port}}
	sdp := sip.ContentTypeHeader("application/sdp")
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		res := sip.NewResponseFromRequest(req, 200, "OK", []byte(answer))
		res.AppendHeader(contact)
		res.AppendHeader(&sdp)
		// Nobody repeats it: the library takes no heed of an INVITE that is sent again once
		// it was answered, so that a caller who does not hear this gives up.
		_ = tx.Respond(res)
	})
	server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
	})
	return server.ServeUDP(conn)
}
