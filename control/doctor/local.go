package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

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
