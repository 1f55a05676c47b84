package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mcp/bpf/bpfbench"
)

// speak is what one would write without a media platform: a goroutine a stream,
// which sleeps until its next packet is due and writes it to a shared socket.
func speak(ctx context.Context, streams int) (_ promptCost, err error) {
	c, err := newListeningCourse(bpfbench.Listen{First: farPort, Ports: legsPerAddr})
	if err != nil {
		return promptCost{}, err
	}
	defer c.close(&err)
	if err := c.attachListener(); err != nil {
		return promptCost{}, err
	}
	var conn *net.UDPConn
	err = c.relay.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 2, 0, 1)})
		return err
	})
	if err != nil {
		return promptCost{}, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var unsent atomic.Uint64
	var speakers sync.WaitGroup
	begin := time.Now().Add(promptRun / 4)
	for i := range streams {
		speakers.Go(func() {
			first := begin.Add(ptime * time.Duration(i) / time.Duration(streams))
			unsent.Add(speakOne(ctx, conn, listener(i), first))
		})
	}
	time.Sleep(promptRun / 2)
	cost, err := c.hear(streams)
	stop()
	speakers.Wait()
	cost.late += unsent.Load()
	return cost, err
}

// speakOne counts the packets that it could not send.
func speakOne(ctx context.Context, conn *net.UDPConn, to netip.AddrPort, due time.Time) (unsent uint64) {
	packet := make([]byte, 12+payload)
	packet[0] = 0x80
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-ctx.Done():
			return unsent
		case <-timer.C:
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(n))
		binary.BigEndian.PutUint32(packet[4:], n*frameTicks)
		if _, err := conn.WriteToUDPAddrPort(packet, to); err != nil {
			unsent++
		}
		due = due.Add(ptime)
		timer.Reset(time.Until(due))
	}
}
