package srtp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
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
	// breath is how long a handshake rests that went wrong, before the next try.
	breath = 50 * time.Millisecond
	// exporter labels the keys (RFC 5764 section 4.2).
	exporter = "EXTRACTOR-dtls_srtp"
	// plaintextAlert is the type of alerts; epoch 0 says that nobody has signed one.
	plaintextAlert = 21
)

// association is one DTLS association, from the first packet to its end.
type association struct {
	terms Handshake
	wire  Wire
	keyed func(send, receive Key) error
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex
	arrived *packetio.Buffer // nil: it is over, or has not begun
}

// associate begins an association.
func associate(h Handshake, w Wire, keyed func(send, receive Key) error) *association {
	ctx, stop := context.WithCancel(context.Background())
	a := &association{terms: h, wire: w, keyed: keyed, stop: stop}
	a.done.Go(func() { a.run(ctx) })
	return a
}

// take takes a packet of the far end's. An alert that is not encrypted could be
// anybody's: it is not heeded (RFC 6347 section 4.1.2.7).
func (a *association) take(p []byte) {
	if len(p) > 4 && p[0] == plaintextAlert && p[3] == 0 && p[4] == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.arrived != nil {
		_, _ = a.arrived.Write(p, nil) // what is too much gets lost, as on the way
	}
}

// close ends it, and waits.
func (a *association) close() {
	a.stop()
	a.done.Wait()
}

// run shakes hands until it succeeds, the far end is not who it should be, or time
// is over. Packets of others may spoil a try; they do not spoil the next.
func (a *association) run(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, a.terms.Limit)
	defer cancel()
	for {
		conn, err := a.try(limit)
		switch {
		case err == nil:
			cancel()
			a.hold(ctx, conn)
			return
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrFingerprint):
			a.wire.Keyed("", err)
			return
		case limit.Err() != nil:
			a.wire.Keyed("", fmt.Errorf("%w: %w", ErrHandshake, err))
			return
		}
		select {
		case <-limit.Done():
		case <-time.After(breath):
		}
	}
}

// try shakes hands once, and has the keys used.
func (a *association) try(ctx context.Context) (*dtls.Conn, error) {
	buffer := packetio.NewBuffer()
	buffer.SetLimitCount(maxQueued)
	a.mu.Lock()
	a.arrived = buffer
	a.mu.Unlock()
	pipe := &pipe{Buffer: buffer, send: a.wire.Send}
	var mismatch error
	conn, err := a.open(pipe, &mismatch)
	if err != nil {
		return nil, err
	}
	err = conn.HandshakeContext(ctx)
	if err == nil {
		err = a.use(conn)
	}
	if err != nil {
		return nil, errors.Join(mismatch, err, conn.Close())
	}
	return conn, nil
}

func (a *association) open(p *pipe, mismatch *error) (*dtls.Conn, error) {
	options := []dtls.Option{
		dtls.WithCertificates(a.terms.Identity.certificate), dtls.WithInsecureSkipVerify(true),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret), dtls.WithFlightInterval(firstRetry),
		dtls.WithSRTPProtectionProfiles(a.numbers()...),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}),
		dtls.WithVerifyPeerCertificate(a.verify(mismatch)),
	}
	if a.terms.Active {
		client := make([]dtls.ClientOption, len(options))
		for i, o := range options {
			client[i] = o
		}
		return dtls.ClientWithOptions(p, nowhere{}, client...)
	}
	server := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, o := range options {
		server = append(server, o)
	}
	return dtls.ServerWithOptions(p, nowhere{}, server...)
}

// numbers are the profiles' that DTLS knows.
func (a *association) numbers() (all []dtls.SRTPProtectionProfile) {
	for _, p := range a.terms.Profiles {
		if n, known := numbers[p]; known && p.overDTLS() {
			all = append(all, dtls.SRTPProtectionProfile(n))
		}
	}
	return all
}

func (a *association) verify(mismatch *error) func([][]byte, [][]*x509.Certificate) error {
	return func(shown [][]byte, _ [][]*x509.Certificate) error {
		if len(shown) == 0 || !a.terms.matches(shown[0]) {
			*mismatch = ErrFingerprint
			return ErrFingerprint
		}
		return nil
	}
}

// use takes the keys that the handshake has made.
func (a *association) use(conn *dtls.Conn) error {
	number, ok := conn.SelectedSRTPProtectionProfile()
	profile := profileOf(pion.ProtectionProfile(number))
	state, known := conn.ConnectionState()
	if !ok || !known || profile == "" {
		return errors.New("no profile in common")
	}
	key, salt := profile.lengths()
	material, err := state.ExportKeyingMaterial(exporter, nil, 2*(key+salt))
	if err != nil {
		return fmt.Errorf("export keys: %w", err)
	}
	client, err := NewKey(profile, append(material[:key:key], material[2*key:2*key+salt]...), KeyOptions{})
	if err != nil {
		return err
	}
	server, err := NewKey(profile, append(material[key:2*key:2*key], material[2*key+salt:]...), KeyOptions{})
	if err != nil {
		return err
	}
	if !a.terms.Active {
		client, server = server, client
	}
	if err := a.keyed(client, server); err != nil {
		return err
	}
	a.wire.Keyed(profile, nil)
	return nil
}

// hold keeps the association, which answers a far end that has lost our last
// flight, until it is closed by either side. The keys outlive it.
func (a *association) hold(ctx context.Context, conn *dtls.Conn) {
	unhold := context.AfterFunc(ctx, func() { conn.Close() })
	defer unhold()
	var buf [2048]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			break
		}
	}
	conn.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrived = nil
}

// pipe is a packet connection whose packets the leg's socket brings and takes.
type pipe struct {
	*packetio.Buffer
	send func([]byte) error
}

var _ net.PacketConn = (*pipe)(nil)

func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := p.Read(b, nil)
	return n, nowhere{}, err
}

func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), p.send(b) }
func (p *pipe) LocalAddr() net.Addr                       { return nowhere{} }
func (p *pipe) SetDeadline(t time.Time) error             { return p.SetReadDeadline(t) }
func (p *pipe) SetWriteDeadline(time.Time) error          { return nil }

// nowhere is an address: the leg knows where its far end is.
type nowhere struct{}

func (nowhere) Network() string { return "udp" }
func (nowhere) String() string  { return "far end" }
