// Package certstest has what stands in for sources of recording certificates:
// certificates made on the spot, and a gateway.
package certstest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"mcp/control/certs"
)

// Make makes a certificate of a name and its key, in PEM form. It is good for an hour.
func Make(name string) (cert, key []byte, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// PEM makes a certificate of a name, in PEM form.
func PEM(t testing.TB, name string) []byte {
	t.Helper()
	cert, _, err := Make(name)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Gateway answers the platform's question on a listener until the test ends.
func Gateway(t testing.TB, l net.Listener, answer func(certs.Question) any) {
	t.Cleanup(Serve(l, answer))
}

// Serve answers the platform's question on a listener until it is stopped; nil is no
// answer.
func Serve(l net.Listener, answer func(certs.Question) any) (stop func()) {
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				var q certs.Question
				if err := certs.ReadMessage(conn, &q); err != nil {
					return // a client that breaks off, or asks for what is no message
				}
				if a := answer(q); a != nil {
					_ = certs.WriteMessage(conn, a) // to a client that may have gone
				}
			})
		}
	})
	return func() { l.Close(); serving.Wait() }
}
