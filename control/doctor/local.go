package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// File wants a file, or a directory, that can be read.
func File(name, path string) Check {
	return func(context.Context) Finding {
		f, err := os.Open(path)
		if err != nil {
			return fail(name, err.Error(), "put it there, let the user that mcp runs as read it, or mend the path")
		}
		f.Close()
		return ok(name, path+" can be read")
	}
}

// renewal is how long before its end a certificate should have been renewed.
const renewal = 14 * 24 * time.Hour

// Certificate wants a certificate that is in force, and its key, in PEM files.
func Certificate(name, certificate, key string) Check {
	return func(ctx context.Context) Finding {
		if f := File(name, certificate)(ctx); f.State != OK {
			return f
		}
		pair, err := tls.LoadX509KeyPair(certificate, key)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return ok(name, certificate+" can be read") // the key's own check says so
		case err != nil:
			return fail(name, fmt.Sprintf("%s and %s: %v", certificate, key, err), "name a certificate in PEM form, and the key that it was made for")
		}
		from, until := pair.Leaf.NotBefore, pair.Leaf.NotAfter
		day := until.UTC().Format(time.DateOnly)
		switch now := time.Now(); {
		case now.Before(from):
			return fail(name, certificate+" is not in force until "+from.UTC().Format(time.RFC3339), "compare this machine's clock, or have another made")
		case now.After(until):
			return fail(name, certificate+" expired on "+day+", far ends refuse it", "have it renewed; a new one in its place is read by itself")
		case now.Add(renewal).After(until):
			return warn(name, certificate+" expires on "+day, "have it renewed; a new one in its place is read by itself")
		}
		return ok(name, certificate+" is in force until "+day)
	}
}

// Listener wants an address of this machine that nobody listens on yet: on the network
// tcp or udp, HOST:PORT.
func Listener(name, network, address string) Check {
	return func(ctx context.Context) Finding {
		at := network + " " + address
		err := bind(ctx, network, address)
		switch {
		case err == nil:
			return ok(name, at+" is free")
		case errors.Is(err, unix.EADDRINUSE):
			return warn(name, at+" is taken", fmt.Sprintf("fine if this platform runs already; otherwise stop what has it (ss -lnp --%s shows it), or set another port", network))
		case errors.Is(err, unix.EACCES):
			return fail(name, fmt.Sprintf("%s: %v", at, unix.EACCES), "set a port above 1023, or grant CAP_NET_BIND_SERVICE")
		}
		return fail(name, fmt.Sprintf("%s: %v", at, err), "set an address that this machine has (ip address shows them), or 0.0.0.0")
	}
}

func bind(ctx context.Context, network, address string) error {
	var config net.ListenConfig
	if network == "udp" {
		conn, err := config.ListenPacket(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	l, err := config.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return l.Close()
}
