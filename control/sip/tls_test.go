package sip

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/sip/certs"
	"mcp/control/sip/certs/certstest"
	"mcp/control/sip/siptest"
)

// secured makes an agent listen over TLS as well, with certificates of an
// authority that asks peers for theirs.
func secured(t *testing.T, a *certstest.Authority) func(*Config) {
	t.Helper()
	dir := t.TempDir()
	f := certs.Files{
		Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"),
		Authorities: filepath.Join(dir, "ca.pem"), Mutual: true,
	}
	a.Issue(f.Certificate, f.Key)
	a.Write(f.Authorities)
	store, err := certs.Open(f, discard())
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) {
		c.Security = store
		c.Listen = append(c.Listen, "tls:127.0.0.1:0")
	}
}

func trusted(a *certstest.Authority) *tls.Config {
	return &tls.Config{RootCAs: a.Pool(), ServerName: "127.0.0.1", Certificates: []tls.Certificate{a.Pair()}}
}

func TestCallOverTLS(t *testing.T) {
	authority := certstest.New(t, "test")
	a := startAgent(t, answerAndWait, secured(t, authority))
	addr := addrOf(a, "tls")
	p := siptest.DialTLS(t, addr, trusted(authority))
	c := siptest.NewCall(p, "sip:ivr@"+addr+";transport=tls")
	ok := establish(t, c)
	if want := "<sip:" + addr + ";transport=tls>"; ok.Get("Contact") != want {
		t.Errorf("Contact %s, want %s", ok.Get("Contact"), want)
	}
	hangUp(p, c)
	q := siptest.DialTLS(t, addr, trusted(authority))
	secure := siptest.NewCall(q, "sips:ivr@"+addr)
	ok = establish(t, secure)
	if want := "<sips:" + addr + ";transport=tls>"; ok.Get("Contact") != want {
		t.Errorf("Contact of a SIPS call %s, want %s", ok.Get("Contact"), want)
	}
	hangUp(q, secure)
}

func TestPlacedCallOverTLS(t *testing.T) {
	authority := certstest.New(t, "test")
	for _, uri := range []string{"sip:bob@%s;transport=tls", "sips:bob@%s"} {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{authority.Pair()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		a := startAgent(t, noCalls, secured(t, authority))
		done := place(context.Background(), a, Outgoing{To: fmt.Sprintf(uri, ln.Addr())})
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p := siptest.Adopt(t, conn)
		invite := p.Next()
		scheme, _, _ := strings.Cut(uri, ":")
		if !contains(invite.Get("Via"), "SIP/2.0/TLS") || !contains(invite.Get("Contact"), "<"+scheme+":") {
			t.Errorf("INVITE:\n%s", invite)
		}
		p.Send(accepted(invite, ln.Addr().String()+";transport=tls"))
		p.Expect("ACK")
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		endPlaced(p, got.dialog)
	}
}

func TestPeersThatTLSDoesNotTrust(t *testing.T) {
	ours, theirs := certstest.New(t, "ours"), certstest.New(t, "theirs")
	a := startAgent(t, answerAndWait, secured(t, ours))
	conn, err := tls.Dial("tcp", addrOf(a, "tls"), &tls.Config{
		RootCAs: ours.Pool(), ServerName: "127.0.0.1", Certificates: []tls.Certificate{theirs.Pair()},
	})
	if err == nil { // TLS 1.3: the refusal comes after the handshake
		defer conn.Close()
		if _, err = conn.Read(make([]byte, 1)); err == nil {
			t.Error("a client of another authority is let in")
		}
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{theirs.Pair()}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	if _, err := a.Invite(context.Background(), Outgoing{To: "sips:bob@" + ln.Addr().String(), Offer: []byte(someSDP)}); err == nil {
		t.Error("a server of another authority is trusted")
	}
	// Without certificates there is no TLS, and that is said at once.
	if _, err := New(Config{Listen: []string{"tls:127.0.0.1:0"}}, discard()); err == nil {
		t.Error("listens over TLS without a certificate")
	}
	plain := startAgent(t, noCalls)
	if _, err := plain.Invite(context.Background(), Outgoing{To: "sips:bob@127.0.0.1:5061", Offer: []byte(someSDP)}); err == nil {
		t.Error("calls over TLS without being configured to")
	}
}

// An agent listens on any number of sockets, and answers where it was asked.
func TestSeveralListenersOfATransport(t *testing.T) {
	a := startAgent(t, answerAndWait, func(c *Config) {
		c.Listen = []string{"udp:127.0.0.1:0", "udp:127.0.0.2:0", "udp:[::1]:0", "tcp:127.0.0.1:0", "tcp:[::1]:0"}
	})
	for _, addr := range a.Addrs() {
		p := siptest.Dial(t, addr.Network(), addr.String())
		c := siptest.NewCall(p, "sip:ivr@"+addr.String())
		ok := establish(t, c)
		if !contains(ok.Get("Contact"), addr.String()) {
			t.Errorf("%s: Contact %s", addr, ok.Get("Contact"))
		}
		hangUp(p, c)
	}
}
