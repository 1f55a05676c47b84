package bpf

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp/bpf/tap"
)

// wirePacket is a packet of a capture file as tshark reads it.
type wirePacket struct {
	leg, comment string
	received     bool
	from, to     netip.AddrPort
	at           float64
	rtp          bool
	ssrc, seq    uint64
	payload      string // of UDP, in hexadecimal
}

// tool finds a program that reads capture files.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs %s, and in CI nothing is skipped for that", name)
		}
		t.Skipf("needs %s", name)
	}
	return path
}

// countCapture has tcpdump, which takes files of one link type only, read a capture file.
func countCapture(t *testing.T, file string) int {
	t.Helper()
	in, err := os.Open(file)
	must(t, err)
	defer in.Close()
	cmd := exec.Command(tool(t, "tcpdump"), "-n", "-r", "-", "udp")
	cmd.Stdin = in
	out, err := cmd.Output()
	must(t, err)
	return strings.Count(string(out), "UDP, length")
}

// readCapture has tshark take a capture file apart.
func readCapture(t *testing.T, file string, rtpPorts ...uint16) []wirePacket {
	t.Helper()
	tshark := tool(t, "tshark")
	fields := []string{
		"frame.interface_name", "frame.comment", "frame.packet_flags_direction", "ip.src", "ipv6.src", "udp.srcport",
		"ip.dst", "ipv6.dst", "udp.dstport", "frame.time_epoch", "rtp.ssrc", "rtp.seq", "udp.payload",
	}
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	for _, port := range rtpPorts {
		args = append(args, "-d", fmt.Sprintf("udp.port==%d,rtp", port))
	}
	out, err := exec.Command(tshark, args...).Output()
	must(t, err)
	var all []wirePacket
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "|")
		if len(f) != len(fields) {
			t.Fatalf("tshark says %q", line)
		}
		number := func(s string) uint64 { n, _ := strconv.ParseUint(s, 0, 64); return n }
		at, err := strconv.ParseFloat(f[9], 64)
		must(t, err)
		all = append(all, wirePacket{
			leg: f[0], comment: f[1], received: number(f[2]) == 1,
			from: addrPort(f[3]+f[4], uint16(number(f[5]))), to: addrPort(f[6]+f[7], uint16(number(f[8]))),
			at: at, rtp: f[10] != "", ssrc: number(f[10]), seq: number(f[11]), payload: f[12],
		})
	}
	return all
}

// recorder is a phone that keeps what it sent and what it received.
type recorder struct {
	*phone
	sent, received []string
}

func (r *recorder) send(t testing.TB, packet []byte) {
	t.Helper()
	r.sent = append(r.sent, hex.EncodeToString(packet))
	r.phone.send(t, packet)
}

func (r *recorder) receive(t testing.TB) {
	t.Helper()
	r.received = append(r.received, hex.EncodeToString(r.phone.receive(t)))
}

// Sockets talk over both legs in all the ways there are: what the file says is
// what they sent and what reached them, octet for octet.
func TestCaptureFileIsWhatTravelled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, o := range []rigOptions{
		{mode: ModeAuto, gro: true},
		{mode: ModeAuto, gro: true, mixed: true},
		{mode: ModeGeneric},
		{mode: ModeGeneric, ipv6: true},
	} {
		t.Run(fmt.Sprintf("%s,ipv6=%t,mixed=%t", o.mode, o.ipv6, o.mixed), func(t *testing.T) {
			r := newRig(t, o)
			rtcp := make(chan struct{}, 8)
			must(t, r.plane.Receive(func(e Event) {
				if e.RTCP {
					rtcp <- struct{}{}
				}
			}))
			r.openLegs(t)
			file := filepath.Join(t.TempDir(), "legs.pcapng")
			stop := r.captureTo(t, file)
			phones := r.converse(t, rtcp)
			stop()
			all := readCapture(t, file, r.callerLocal.Port(), r.serverLocal.Port())
			compare(t, r, all, phones)
			if n := countCapture(t, file); n != len(all) {
				t.Errorf("tcpdump reads %d packets, tshark %d", n, len(all))
			}
		})
	}
}

// captureTo captures both legs into a file until the function it returns is called.
func (r *rig) captureTo(t *testing.T, file string) (stop func()) {
	t.Helper()
	out, err := os.Create(file)
	must(t, err)
	w, err := tap.NewWriter(out, "test", []tap.Leg{
		{ID: r.callerLeg.ID(), Name: "caller's", Description: "the caller"}, {ID: r.serverLeg.ID(), Name: "server's"},
	})
	must(t, err)
	c := r.look(t, r.callerLeg, r.serverLeg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, w.Write, w.Flush) }()
	return func() {
		cancel()
		must(t, <-done)
		dropped, err := c.Dropped()
		must(t, err)
		if dropped != 0 {
			t.Errorf("%d packets were dropped", dropped)
		}
		must(t, w.Finish(dropped))
		must(t, out.Close())
	}
}

// converse sends by the relay both ways, from userspace, and RTCP both ways.
func (r *rig) converse(t *testing.T, rtcp <-chan struct{}) map[string]*recorder {
	t.Helper()
	above := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+1) }
	caller := &recorder{phone: newPhone(t, r.caller, r.callerPeer, r.callerLocal)}
	server := &recorder{phone: newPhone(t, r.server, r.serverPeer, r.serverLocal)}
	control := &recorder{phone: newPhone(t, r.caller, above(r.callerPeer), above(r.callerLocal))}
	for i := range uint16(10) {
		caller.send(t, voice(i, uint32(i)*frameTicks).Bytes())
		server.receive(t)
		server.send(t, voice(1000+i, uint32(i)*frameTicks).Bytes())
		caller.receive(t)
	}
	for range 3 {
		must(t, r.callerLeg.Send(Packet{PayloadType: audioType, Ticks: frameTicks, Data: make([]byte, 160)}))
		caller.receive(t)
	}
	control.send(t, []byte{0x80, 201, 0, 1, 1, 2, 3, 4})
	<-rtcp
	must(t, r.callerLeg.SendRTCP([]byte{0x80, 201, 0, 1, 5, 6, 7, 8}))
	control.receive(t)
	_, err := r.callerLeg.Close()
	must(t, err)
	must(t, r.callerLeg.SendRTCP([]byte{0x80, 203, 0, 1, 5, 6, 7, 8})) // good-bye
	control.receive(t)
	return map[string]*recorder{"caller": caller, "server": server, "control": control}
}

func compare(t *testing.T, r *rig, all []wirePacket, phones map[string]*recorder) {
	t.Helper()
	ends := map[string][2]netip.AddrPort{} // ours and theirs
	for name, p := range phones {
		theirs, err := netip.ParseAddrPort(p.conn.LocalAddr().String())
		must(t, err)
		ends[name] = [2]netip.AddrPort{p.peer, theirs}
	}
	var total int
	for name, p := range phones {
		var received, sent []string
		for _, w := range all {
			switch {
			case w.received && w.from == ends[name][1] && w.to == ends[name][0]:
				received = append(received, w.payload)
			case !w.received && w.from == ends[name][0] && w.to == ends[name][1]:
				sent = append(sent, w.payload)
				if w.rtp && w.ssrc != callerSSRC && w.ssrc != serverSSRC {
					t.Errorf("a packet left as of source %x", w.ssrc)
				}
			}
		}
		if !slices.Equal(received, p.sent) {
			t.Errorf("%s sent %d packets\n%q\nand these %d were captured\n%q", name, len(p.sent), p.sent, len(received), received)
		}
		if !slices.Equal(sent, p.received) {
			t.Errorf("%s received %d packets\n%q\nand these %d were captured\n%q", name, len(p.received), p.received, len(sent), sent)
		}
		total += len(received) + len(sent)
	}
	if len(all) != total {
		t.Errorf("%d packets were captured, %d travelled", len(all), total)
	}
	checkFrames(t, r, all)
}

// checkFrames looks at what the file says around the packets.
func checkFrames(t *testing.T, r *rig, all []wirePacket) {
	t.Helper()
	comments := make(map[string]int)
	for _, w := range all {
		comments[w.comment]++
		if age := float64(time.Now().UnixNano())/1e9 - w.at; age < 0 || age > patience.Seconds() {
			t.Errorf("%+v is %f seconds old", w, age)
		}
		want := "server's"
		if w.from.Addr() == r.callerPeer.Addr() || w.to.Addr() == r.callerPeer.Addr() {
			want = "caller's"
		}
		if w.leg != want {
			t.Errorf("%+v is said to be the %s", w, w.leg)
		}
	}
	// The first packets of a leg may go by userspace, until the neighbour is known.
	relayed := comments["relayed"] + comments["handed"]
	onward := comments["relayed, from caller's"] + comments["relayed, from server's"] +
		comments["handed, from caller's"] + comments["handed, from server's"]
	if relayed != 20 || onward != 20 || comments["stamped"] != 5 || comments["to_user"] != 1 {
		t.Errorf("comments: %v", comments)
	}
}
