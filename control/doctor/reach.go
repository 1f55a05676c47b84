package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// port is where a scheme's servers listen, and whether they speak TLS.
type port struct {
	number string
	tls    bool
}

// schemes are those of far ends that can be called without saying anything.
var schemes = map[string]port{
	"http": {"80", false}, "https": {"443", true}, "post+http": {"80", false}, "post+https": {"443", true},
	"ws": {"80", false}, "wss": {"443", true}, "sip": {"5060", false}, "sips": {"5061", true},
	"rtsp": {"554", false}, "rtsps": {"554", true}, "tcp": {"61616", false}, "ssl": {"61617", true}, "stomp": {"61613", false},
	"stomp+ssl": {"61614", true}, "amqp": {"5672", false}, "amqps": {"5671", true}, "nio": {"61616", false},
	"grpc": {"443", false}, "grpcs": {"443", true},
}

// FarEnd tells where a URL leads; false: it is none, or leads nowhere that could be
// called, as one of SIP over UDP does.
func FarEnd(text string) (address string, secure, found bool) {
	scheme, rest, isURL := strings.Cut(text, ":")
	at, known := schemes[strings.ToLower(scheme)]
	if !isURL || !known {
		return "", false, false
	}
	host := ""
	if strings.HasPrefix(scheme, "sip") {
		var streams bool
		host, at.tls, streams = sipHost(scheme, rest)
		if !streams {
			return "", false, false
		}
	} else if u, err := url.Parse(text); err == nil {
		host = u.Host
	}
	if host == "" {
		return "", false, false
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), at.number)
	}
	return host, at.tls, true
}

// sipHost takes a SIP URI apart (RFC 3261 section 19.1); streams is false where it
// leads to UDP.
func sipHost(scheme, rest string) (host string, secure, streams bool) {
	host, params, _ := strings.Cut(rest, ";")
	if _, after, hasUser := strings.Cut(host, "@"); hasUser {
		host = after
	}
	params = strings.ToLower(params)
	secure = scheme == "sips" || strings.Contains(params, "transport=tls")
	return host, secure, secure || strings.Contains(params, "transport=tcp")
}

// Trust is by whom a far end's certificate is to be vouched for: the authorities of a PEM
// file, or without one the system's; Beside: these count as well as the file's.
type Trust struct {
	File   string
	Beside bool
}

func (t Trust) pool() (*x509.CertPool, error) {
	if t.File == "" {
		return nil, nil // the system's
	}
	text, err := os.ReadFile(t.File)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if t.Beside {
		if system, err := x509.SystemCertPool(); err == nil {
			pool = system
		}
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("authorities: %s holds no certificate", t.File)
	}
	return pool, nil
}

// Reach wants a connection to an address, with TLS where the far end speaks it: the
// certificate is looked at as calls do. One of an authority that is unknown where none
// is configured is a warning.
func Reach(name, address string, secure bool, trust Trust) Check {
	return func(ctx context.Context) Finding {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return fail(name, dialError(err), "start it, or mend the address, the route or the firewall between")
		}
		defer conn.Close()
		detail := fmt.Sprintf("%s answers", conn.RemoteAddr())
		if !secure {
			return ok(name, detail)
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return fail(name, err.Error(), "")
		}
		authorities, err := trust.pool()
		if err != nil {
			return fail(name, err.Error(), "name a PEM file of certificates")
		}
		err = tls.Client(conn, &tls.Config{ServerName: host, RootCAs: authorities, MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
		if err != nil {
			return distrust(name, err, trust)
		}
		return ok(name, detail+" with TLS")
	}
}

// distrust is what becomes of a handshake that failed.
func distrust(name string, err error, trust Trust) Finding {
	var unknown x509.UnknownAuthorityError
	var mismatch x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown) && trust.File == "":
		return warn(name, err.Error(), "name its authority in the configuration (ca-file, ca or authorities)")
	case errors.As(err, &unknown):
		return fail(name, err.Error(), "add its authority to "+trust.File)
	case errors.As(err, &mismatch):
		return warn(name, err.Error(), "call it by a name of its certificate, or renew that for this one")
	case errors.As(err, &invalid):
		return fail(name, err.Error(), "renew its certificate")
	}
	return fail(name, fmt.Sprintf("no TLS: %v", err), "")
}

// dialError says it without the operation, which the check's name has said.
func dialError(err error) string {
	var name *net.DNSError
	if errors.As(err, &name) {
		return fmt.Sprintf("the name %s cannot be looked up: %s", name.Name, name.Err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return fmt.Sprintf("%s: %v", op.Addr, op.Err)
	}
	return err.Error()
}
