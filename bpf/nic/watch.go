package nic

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Changes tells that an interface of one network namespace came, went or changed.
// It does not say which: what is there is looked up, so that nothing goes wrong
// when a message is lost.
type Changes struct {
	socket *nl.NetlinkSocket
	signal chan struct{}
	done   chan struct{}
}

// Subscribe watches the network namespace it is called in.
func Subscribe() (*Changes, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	c := &Changes{socket: socket, signal: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c, nil
}

// Signal has a value when something changed since it was last read.
func (c *Changes) Signal() <-chan struct{} { return c.signal }

func (c *Changes) run() {
	defer close(c.done)
	for {
		_, _, err := c.socket.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		select {
		case c.signal <- struct{}{}:
		default:
		}
	}
}

// Close stops watching.
func (c *Changes) Close() error {
	c.socket.Close()
	<-c.done
	return nil
}
