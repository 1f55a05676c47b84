package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
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
	"rtsp": {"554", false}, "tcp": {"61616", false}, "ssl": {"61617", true}, "stomp": {"61613", false},
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

// Reach wants a connection to an address, with TLS where the far end speaks it: the
// certificate is looked at, and one that is not believed is a warning, for the part
// that calls may know other authorities.
func Reach(name, address string, secure bool) Check {
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
		err = tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
		var unknown x509.UnknownAuthorityError
		var mismatch x509.HostnameError
		var invalid x509.CertificateInvalidError
		switch {
		case errors.As(err, &unknown), errors.As(err, &mismatch):
			return warn(name, err.Error(), "fine if the configuration names the authority (ca-file)")
		case errors.As(err, &invalid):
			return fail(name, err.Error(), "renew its certificate")
		case err != nil:
			return fail(name, fmt.Sprintf("no TLS: %v", err), "")
		}
		return ok(name, detail+" with TLS")
	}
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
