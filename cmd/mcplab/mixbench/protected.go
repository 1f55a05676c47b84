package mixbench

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
	"mcp/control/media/socket"
	"mcp/control/media/srtp"
)

// Calls whose two legs hear each other, and what each leg is told in a measurement:
// less than a second's worth at once, which no leg refuses.
const (
	relayed = 100
	told    = 40
)

// protectedRelays measures legs on sockets whose audio another leg takes on, in the
// clear and protected: what arrives is opened and, with the other leg's key, sealed.
// What their far ends' own packets cost to send is measured apart and left out. All are
// measured in turn, and the best of each is kept: what the machine does beside meets all
// alike, and the first is no colder than the last.
func protectedRelays() ([]bench.Result, error) {
	const rounds = 5
	profiles := append([]srtp.Profile{""}, srtp.Profiles()...)
	took, said := make([]time.Duration, len(profiles)), time.Duration(0)
	for n := range rounds + 1 {
		for i, p := range profiles {
			all, alone, err := relays(p)
			if err != nil {
				return nil, err
			}
			if n == 0 { // warms up
				took[i], said = all, alone
				continue
			}
			took[i], said = min(took[i], all), min(said, alone)
		}
	}
	var results []bench.Result
	for i, p := range profiles {
		if took[i] <= said {
			return nil, fmt.Errorf("a packet takes %s, as much as to send it: this machine is not calm", took[i])
		}
		r := bench.Result{Name: "srtp.none.legs_per_core", Value: perCore(1, took[i]-said), Unit: "legs"}
		if p != "" {
			r.Name, r.Against = fmt.Sprintf("srtp.%s.legs_per_core", strings.ToLower(string(p))), results[0].Name
		}
		results = append(results, r.Rate())
	}
	return results, nil
}

// talker is the far end of a leg.
type talker struct {
	conn  *net.UDPConn
	leg   *media.Leg
	wires [][]byte
}

// say sends what was prepared, from one to another.
func (t *talker) say(from, to int) error {
	for _, p := range t.wires[from:to] {
		if _, err := t.conn.WriteToUDPAddrPort(p, t.leg.Local()); err != nil {
			return err
		}
	}
	return nil
}

// relays is the CPU time that a packet takes from its far end to the other one's socket,
// and what of it the far end takes.
func relays(p srtp.Profile) (took, said time.Duration, err error) {
	plane := socket.New("benchmark", slog.New(slog.DiscardHandler))
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 45000}, plane, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, engine.Close(), plane.Close()) }()
	var all []*talker
	defer func() {
		for _, t := range all {
			t.conn.Close()
		}
	}()
	for i := range relayed {
		s := engine.NewSession(fmt.Sprint(i))
		defer s.Close()
		pair, err := talkers(s, p)
		all = append(all, pair...)
		if err != nil {
			return 0, 0, err
		}
	}
	const first = 2 // prove that the source is one
	if _, err := pass(all, 0, first); err != nil {
		return 0, 0, err
	}
	took, err = pass(all, first, told)
	if err != nil {
		return 0, 0, err
	}
	said, err = unheard(all)
	packets := time.Duration(len(all) * (told - first))
	return took / packets, said / packets, err
}

// talkers are two legs of a call that hear each other, and who speaks there.
func talkers(s *media.Session, p srtp.Profile) (pair []*talker, err error) {
	for _, name := range []string{"caller", "called"} {
		t := &talker{}
		if t.conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return pair, err
		}
		pair = append(pair, t)
		if t.leg, err = s.OpenLeg(name, netip.MustParseAddr("127.0.0.1")); err != nil {
			return pair, err
		}
		far := media.FarEnd{
			RTP: t.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Events: -1, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
		}
		if far.Secure, err = t.prepare(p); err != nil {
			return pair, err
		}
		if err = t.leg.Connect(far, codec.PCMU); err != nil {
			return pair, err
		}
	}
	return pair, errors.Join(s.Join(pair[0].leg, pair[1].leg), s.Join(pair[1].leg, pair[0].leg))
}

// prepare makes the packets that are to be sent, and the agreement by which.
func (t *talker) prepare(p srtp.Profile) (*srtp.Agreement, error) {
	var a *srtp.Agreement
	var out srtp.Outbound
	if p != "" {
		send, err := srtp.RandomKey(p)
		if err != nil {
			return nil, err
		}
		receive, err := srtp.RandomKey(p)
		if err != nil {
			return nil, err
		}
		if err := out.Rekey(receive); err != nil {
			return nil, err
		}
		a = &srtp.Agreement{Send: send, Receive: receive}
	}
	for i := range told {
		h := rtpstream.Header{SSRC: 7, Stamp: rtpstream.Stamp{Sequence: uint16(i), Timestamp: uint32(160 * i)}}
		b := append(h.Append(make([]byte, 0, 172+srtp.Overhead)), make([]byte, 160)...)
		if a != nil {
			var err error
			if b, err = out.RTP(b); err != nil {
				return nil, err
			}
		}
		t.wires = append(t.wires, b)
	}
	return a, nil
}

// pass has everybody say some of it, no more at once than sockets hold, and is the
// CPU time until the legs have taken it on.
func pass(all []*talker, from, to int) (time.Duration, error) {
	begun := cpu()
	for _, t := range all {
		if err := t.say(from, to); err != nil {
			return 0, err
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		var sent uint64
		for _, t := range all {
			s, err := t.leg.Stats()
			if err != nil {
				return 0, err
			}
			sent += s.TxPackets
		}
		if sent >= uint64(len(all)*to) {
			return cpu() - begun, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d of %d packets were relayed", sent, len(all)*to)
		}
	}
}

// unheard is the CPU time of saying as much to sockets that nobody reads.
func unheard(all []*talker) (time.Duration, error) {
	sink, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer sink.Close()
	to, begun := sink.LocalAddr().(*net.UDPAddr).AddrPort(), cpu()
	for _, t := range all {
		for _, p := range t.wires[2:] {
			if _, err := t.conn.WriteToUDPAddrPort(p, to); err != nil {
				return 0, err
			}
		}
	}
	return cpu() - begun, nil
}
