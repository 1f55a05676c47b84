package srtp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	pion "github.com/pion/srtp/v3"
	"github.com/pion/transport/v5/packetio"
)

const (
	// maxQueued bounds the packets that wait for a handshake: a flight has few.
	maxQueued = 32
	// firstRetry is when a flight is sent again that nobody has answered; twice as
	// long after that (RFC 6347 section 4.2.4.1 allows less than a second where the
	// path is known to be short).
	firstRetry = 250 * time.Millisecond
	// exporter labels the keys (RFC 5764 section 4.2).
	exporter = "EXTRACTOR-dtls_srtp"
)

// trial is a try at the handshake with one who may be the far end.
type trial struct {
	*packetio.Buffer // what has arrived
	of               *association
	stop             context.CancelFunc
	random           [32]byte // of the far end's ClientHello
	mismatch         bool     // the certificate is not the one that was signalled
	// A client's, both guarded by the association's lock: how long it waits for the answer to
	// a cookie, and the end of that; nil: it was not asked for one.
	patience   time.Duration
	unanswered *time.Timer

	mu     sync.Mutex     // guards what follows
	from   netip.AddrPort // whom it is with; zero: nobody has answered yet
	cookie string         // that we have sent
	proven bool           // it came back: whoever it is gets what we send
	taken  uint64         // records
}

func newTrial(of *association, from netip.AddrPort) *trial {
	b := packetio.NewBuffer()
	b.SetLimitCount(maxQueued)
	return &trial{Buffer: b, of: of, from: from, patience: secondWord}
}

// take takes a packet that was found to be for it.
func (t *trial) take(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		r, after, _ := nextRecord(rest)
		if r.epoch == 0 {
			r.number(t.taken)
			t.taken++
		}
		rest = after
	}
	_, _ = t.Write(p, nil) // what is too much gets lost, as on the way
}

// answers tells whether a ClientHello goes on with this trial. The first one has no
// cookie; it may come again.
func (t *trial) answers(h hello, from netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.from != from || t.random != h.random || h.cookie != "" && h.cookie != t.cookie {
		return false
	}
	t.proven = t.proven || h.cookie != ""
	return true
}

// heeds tells whether a client's trial takes a packet: from whoever answers first, or
// from where signalling said the far end is, which has precedence.
func (t *trial) heeds(from, far netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if from != far && t.from.IsValid() && t.from != from {
		return false
	}
	t.from = from
	return true
}

// with tells whom the trial is with, and whether that is sure.
func (t *trial) with() (from netip.AddrPort, proven bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.from, t.proven
}

// shake shakes hands.
func (t *trial) shake(ctx context.Context) (*dtls.Conn, error) {
	conn, err := t.open()
	if err != nil {
		return nil, err
	}
	if err = conn.HandshakeContext(ctx); err == nil {
		return conn, nil
	}
	if t.mismatch { // set by a goroutine that has ended
		err = errors.Join(ErrFingerprint, err)
	}
	return nil, errors.Join(err, conn.Close())
}

func (t *trial) open() (*dtls.Conn, error) {
	h := t.of.terms
	options := []dtls.Option{
		dtls.WithCertificates(h.Identity.certificate), dtls.WithInsecureSkipVerify(true),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret), dtls.WithFlightInterval(firstRetry),
		dtls.WithSRTPProtectionProfiles(h.numbers()...),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}),
		dtls.WithVerifyPeerCertificate(t.verify),
	}
	if h.Active {
		client := make([]dtls.ClientOption, len(options))
		for i, o := range options {
			client[i] = o
		}
		return dtls.ClientWithOptions(t, nowhere{}, client...)
	}
	server := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, o := range options {
		server = append(server, o)
	}
	return dtls.ServerWithOptions(t, nowhere{}, server...)
}

func (t *trial) verify(shown [][]byte, _ [][]*x509.Certificate) error {
	if len(shown) == 0 || !t.of.terms.matches(shown[0]) {
		t.mismatch = true
		return ErrFingerprint
	}
	return nil
}

// keysOf are the keys that a handshake has made: what we send with first.
func keysOf(conn *dtls.Conn, active bool) (send, receive Key, err error) {
	number, ok := conn.SelectedSRTPProtectionProfile()
	profile := profileOf(pion.ProtectionProfile(number))
	state, known := conn.ConnectionState()
	if !ok || !known || profile == "" {
		return Key{}, Key{}, errors.New("no profile in common")
	}
	key, salt := profile.lengths()
	material, err := state.ExportKeyingMaterial(exporter, nil, 2*(key+salt))
	if err != nil {
		return Key{}, Key{}, fmt.Errorf("export keys: %w", err)
	}
	client, err := NewKey(profile, append(material[:key:key], material[2*key:2*key+salt]...), KeyOptions{})
	if err != nil {
		return Key{}, Key{}, err
	}
	server, err := NewKey(profile, append(material[key:2*key:2*key], material[2*key+salt:]...), KeyOptions{})
	if !active {
		client, server = server, client
	}
	return client, server, err
}

// A trial is a packet connection, whose packets the leg's socket brings and takes.
var _ net.PacketConn = (*trial)(nil)

// ReadFrom implements net.PacketConn.
func (t *trial) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := t.Read(b, nil)
	return n, nowhere{}, err
}

// WriteTo implements net.PacketConn. Alerts that are not encrypted stay here: what
// they complain of may not have been the far end's doing.
func (t *trial) WriteTo(b []byte, _ net.Addr) (int, error) {
	t.mu.Lock()
	to := t.from
	for rest := b; len(rest) > 0; {
		r, after, ok := nextRecord(rest)
		if !ok || r.epoch == 0 && r.kind == alertRecord {
			t.mu.Unlock()
			return len(b), nil
		}
		if c := cookieOf(r); c != "" {
			t.cookie = c
		}
		if r.epoch == 0 {
			r.number(t.of.sent.Add(1) - 1)
		}
		rest = after
	}
	t.mu.Unlock()
	if !to.IsValid() {
		to = t.of.wire.Far()
	}
	return len(b), t.of.wire.Send(b, to)
}

// LocalAddr implements net.PacketConn.
func (t *trial) LocalAddr() net.Addr { return nowhere{} }

// SetDeadline implements net.PacketConn.
func (t *trial) SetDeadline(at time.Time) error { return t.SetReadDeadline(at) }

// SetWriteDeadline implements net.PacketConn.
func (t *trial) SetWriteDeadline(time.Time) error { return nil }

// nowhere is an address: the leg knows where its far end is.
type nowhere struct{}

func (nowhere) Network() string { return "udp" }
func (nowhere) String() string  { return "far end" }
