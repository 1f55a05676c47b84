// Package certstest has what stands in for sources of recording certificates:
// certificates made on the spot, and a gateway.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

// PEM makes a certificate of a name, in PEM form.
func PEM(t testing.TB, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Gateway answers the platform's question on a listener until the test ends.
func Gateway(t testing.TB, l net.Listener, answer func(certs.Question) any) {
	t.Helper()
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
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
}
