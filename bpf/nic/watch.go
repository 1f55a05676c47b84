package nic

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Changes tells that an interface of one network namespace came, went or changed.
// It does not say which: what is there is looked up, so that nothing goes wrong
// when a message is lost.
type Changes struct {
	socket  *nl.NetlinkSocket
	noticed func()
	signal  chan struct{}
	done    chan struct{}
}

// Subscribe watches the network namespace it is called in. noticed is called at
// once, and often, when an interface, a neighbour or a route may have changed.
func Subscribe(noticed func()) (*Changes, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
	if err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	c := &Changes{socket: socket, noticed: noticed, signal: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c, nil
}

// Signal has a value when an interface changed since it was last read.
func (c *Changes) Signal() <-chan struct{} { return c.signal }

func (c *Changes) run() {
	defer close(c.done)
	for {
		messages, _, err := c.socket.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		c.noticed()
		if err == nil && !slices.ContainsFunc(messages, isLink) {
			continue
		}
		select {
		case c.signal <- struct{}{}:
		default:
		}
	}
}

func isLink(m syscall.NetlinkMessage) bool {
	return m.Header.Type == unix.RTM_NEWLINK || m.Header.Type == unix.RTM_DELLINK
}

// Close stops watching.
func (c *Changes) Close() error {
	c.socket.Close()
	<-c.done
	return nil
}
