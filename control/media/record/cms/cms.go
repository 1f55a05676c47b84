// Package cms encrypts what is written to certificates while it is written: it
// makes enveloped data of the Cryptographic Message Syntax (RFC 5652 section 6)
// that any of the recipients opens, with `openssl cms -decrypt -inform DER` for
// instance. What has been written is complete at any time: after each piece comes
// the end of the message, which the next piece replaces, so that a process that is
// killed leaves a file that can be opened.
package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// The algorithms and types by their object identifiers (RFC 5652, RFC 3370, RFC 3565).
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEnvelopedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 3}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidAES256CBC     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// recipient is KeyTransRecipientInfo (RFC 5652 section 6.2.1).
type recipient struct {
	Version   int
	Issuer    issuer
	Algorithm pkix.AlgorithmIdentifier
	Key       []byte
}

type issuer struct {
	Name   asn1.RawValue
	Serial *big.Int
}

// Writer encrypts. It is used by one goroutine.
type Writer struct {
	to     io.Writer
	at     io.WriterAt // the same, where pieces can be replaced; nil: they cannot
	block  cipher.Block
	chain  []byte // the last block of ciphertext
	rest   []byte // of plaintext, less than a block
	piece  bytes.Buffer
	offset int64
	closed bool
}

// NewWriter begins a message to some recipients, who are checked. A destination
// that is also an io.WriterAt holds a complete message after every Write.
func NewWriter(to io.Writer, recipients []*x509.Certificate) (*Writer, error) {
	if len(recipients) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrCertificate)
	}
	key, iv := make([]byte, 32), make([]byte, aes.BlockSize)
	rand.Read(key) // never fails
	rand.Read(iv)
	head, err := header(key, iv, recipients)
	if err != nil {
		return nil, err
	}
	w := &Writer{to: to, chain: iv}
	w.at, _ = to.(io.WriterAt)
	if w.block, err = aes.NewCipher(key); err != nil {
		return nil, err
	}
	w.piece.Write(head)
	return w, w.flush()
}

// header is the message up to its content, all of indefinite length (X.690 section 8.1.3.6).
func header(key, iv []byte, recipients []*x509.Certificate) ([]byte, error) {
	var b bytes.Buffer
	b.Write([]byte{0x30, 0x80})
	err := marshal(&b, oidEnvelopedData)
	b.Write([]byte{0xa0, 0x80, 0x30, 0x80})
	err = errors.Join(err, marshal(&b, 0)) // version: recipients by issuer and serial number
	var infos []recipient
	for _, c := range recipients {
		info, e := wrap(key, c)
		infos, err = append(infos, info), errors.Join(err, e)
	}
	set, e := asn1.MarshalWithParams(infos, "set")
	b.Write(set)
	b.Write([]byte{0x30, 0x80})
	err = errors.Join(err, e, marshal(&b, oidData))
	parameters, e := asn1.Marshal(iv)
	err = errors.Join(err, e, marshal(&b, pkix.AlgorithmIdentifier{
		Algorithm: oidAES256CBC, Parameters: asn1.RawValue{FullBytes: parameters},
	}))
	b.Write([]byte{0xa0, 0x80})
	return b.Bytes(), err
}

func marshal(b *bytes.Buffer, v any) error {
	der, err := asn1.Marshal(v)
	b.Write(der)
	return err
}

// wrap encrypts the content's key to one recipient.
func wrap(key []byte, c *x509.Certificate) (recipient, error) {
	if err := Check(c, time.Now()); err != nil {
		return recipient{}, err
	}
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, c.PublicKey.(*rsa.PublicKey), key)
	return recipient{
		Issuer:    issuer{asn1.RawValue{FullBytes: c.RawIssuer}, c.SerialNumber},
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue},
		Key:       wrapped,
	}, err
}

// closing ends the content and all that is open around it: five times the
// end-of-contents octets (X.690 section 8.1.5).
var closing = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

var errClosed = errors.New("encrypted message is closed")

// Write encrypts a piece. Up to fifteen octets wait for the next where pieces
// cannot be replaced.
func (w *Writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errClosed
	}
	w.rest = append(w.rest, p...)
	if whole := len(w.rest) &^ (aes.BlockSize - 1); whole > 0 {
		w.chain = w.encrypt(w.rest[:whole])
		w.rest = w.rest[:copy(w.rest, w.rest[whole:])]
	}
	return len(p), w.flush()
}

// encrypt adds whole blocks to the piece as an OCTET STRING of their own, and
// returns the last of their ciphertext.
func (w *Writer) encrypt(plain []byte) []byte {
	w.piece.WriteByte(asn1.TagOctetString)
	length(&w.piece, len(plain))
	from := w.piece.Len()
	w.piece.Write(plain)
	sealed := w.piece.Bytes()[from:]
	cipher.NewCBCEncrypter(w.block, w.chain).CryptBlocks(sealed, sealed)
	return append([]byte(nil), sealed[len(sealed)-aes.BlockSize:]...)
}

// length writes a definite length (X.690 section 8.1.3).
func length(b *bytes.Buffer, n int) {
	if n < 0x80 {
		b.WriteByte(byte(n))
		return
	}
	b.Write([]byte{0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// flush writes the piece, and after it, where it can be replaced, the end.
func (w *Writer) flush() error {
	n := w.piece.Len()
	if w.at == nil {
		_, err := w.to.Write(w.piece.Bytes())
		w.piece.Reset()
		return err
	}
	w.end()
	_, err := w.at.WriteAt(w.piece.Bytes(), w.offset)
	w.offset += int64(n)
	w.piece.Reset()
	return err
}

// end adds the padded rest (RFC 5652 section 6.3) and the end of the message.
func (w *Writer) end() {
	pad := aes.BlockSize - len(w.rest)
	last := append(append([]byte(nil), w.rest...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	w.encrypt(last)
	w.piece.Write(closing)
}

// Close ends the message. It does not close the destination.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	if w.at != nil {
		return nil
	}
	w.end()
	return w.flush()
}
