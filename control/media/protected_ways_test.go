package media_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/rtpstream"
	"mcp/control/media/socket"
	"mcp/control/media/srtp"
	"mcp/control/media/srtp/srtptest"
	"mcp/control/media/tone"
)

// telephone is a far end on a socket that protects what it says.
type telephone struct {
	*testing.T
	conn   *net.UDPConn
	codec  codec.Codec
	phone  *srtptest.Phone
	leg    netip.AddrPort
	header rtpstream.Header
	keyed  bool // by signalling

	mu    sync.Mutex // guards what follows
	heard [][]byte   // payloads
}

// protections are bridges of two far ends on sockets that speak SRTP, with every profile
// that signalling can agree on and with one from a handshake: relayed from key to key,
// and transcoded on the way.
func protections() (ways []way) {
	for _, p := range srtp.Profiles() {
		ways = append(ways, protected("SDES "+string(p), func(t *testing.T, ends [2]*telephone) (of [2]*srtp.Agreement) {
			for i, end := range ends {
				a, b := key(t, p), key(t, p)
				of[i] = &srtp.Agreement{Send: a, Receive: b}
				must(t, end.phone.Agree(srtp.Agreement{Send: b, Receive: a}))
				end.keyed = true
			}
			return of
		})...)
	}
	return append(ways, protected("DTLS", handshakes)...)
}

func key(t *testing.T, p srtp.Profile) srtp.Key {
	t.Helper()
	k, err := srtp.RandomKey(p)
	must(t, err)
	return k
}

// handshakes has each far end begin one.
func handshakes(t *testing.T, ends [2]*telephone) (of [2]*srtp.Agreement) {
	ours, err := srtp.NewIdentity()
	must(t, err)
	for i, end := range ends {
		theirs, err := srtp.NewIdentity()
		must(t, err)
		h := srtp.Handshake{Identity: ours, Limit: time.Minute, Peer: [4]srtp.Fingerprint{theirs.Fingerprint()}, Profiles: [8]srtp.Profile{srtp.AES128SHA80}}
		of[i] = &srtp.Agreement{Handshake: h}
		h.Identity, h.Active, h.Peer[0] = theirs, true, ours.Fingerprint()
		must(t, end.phone.Agree(srtp.Agreement{Handshake: h}))
	}
	return of
}

func protected(name string, agree func(*testing.T, [2]*telephone) [2]*srtp.Agreement) (ways []way) {
	for _, to := range []codec.Codec{codec.PCMU, codec.G722} {
		ways = append(ways, way{"protected/" + name + " to " + to.Name, codec.Narrowband, to.SampleRate(), []string{"PCMU", to.Name}, func(t *testing.T, said []int16) []int16 {
			plane := socket.New("test", slog.New(slog.DiscardHandler))
			engine, err := media.NewEngine(media.Config{}, plane, slog.New(slog.DiscardHandler))
			must(t, err)
			session := engine.NewSession("call")
			defer func() { session.Close(); must(t, engine.Close()); must(t, plane.Close()) }()
			var ends [2]*telephone
			var legs [2]*media.Leg
			for i, c := range []codec.Codec{codec.PCMU, to} {
				legs[i], err = session.OpenLeg(fmt.Sprint(i), loopback)
				must(t, err)
				ends[i] = newTelephone(t, c, legs[i].Local())
				defer ends[i].phone.Close()
			}
			for i, agreed := range agree(t, ends) {
				must(t, legs[i].Connect(ends[i].far(agreed), ends[i].codec))
			}
			must(t, session.Join(legs[0], legs[1]))
			return ends[0].talk(ends[1], said)
		}})
	}
	return ways
}

func newTelephone(t *testing.T, c codec.Codec, leg netip.AddrPort) *telephone {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	must(t, err)
	p := &telephone{T: t, conn: conn, codec: c, leg: leg, header: rtpstream.Header{Type: c.PayloadType, SSRC: 7}}
	p.phone = srtptest.NewPhone(conn, func() netip.AddrPort { return leg }, p.hear)
	return p
}

func (p *telephone) far(a *srtp.Agreement) media.FarEnd {
	at := p.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return media.FarEnd{
		RTP: at, RTCP: at, PayloadType: p.codec.PayloadType, Events: 101, ClockRate: p.codec.ClockRate,
		Ptime: 20 * time.Millisecond, Send: true, Receive: true, Secure: a,
	}
}

func (p *telephone) hear(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, slices.Clone(payload))
}

// say says something in packets of 20 ms.
func (p *telephone) say(pcm []int16) {
	p.Helper()
	for frame := range slices.Chunk(pcm, p.codec.SampleRate()/50) {
		payload, err := p.codec.Encode(frame)
		must(p.T, err)
		packet, err := p.phone.Out().RTP(append(p.header.Append(make([]byte, 0, 400)), payload...))
		must(p.T, err)
		p.header.Sequence++
		p.header.Timestamp += p.codec.Ticks(payload)
		_, err = p.conn.WriteToUDPAddrPort(packet, p.leg)
		must(p.T, err)
	}
}

// talk says something, after what proves that the two hear each other and a frame so
// loud that it shows where it begins, and is what the other hears of it.
func (p *telephone) talk(to *telephone, said []int16) []int16 {
	p.Helper()
	for _, end := range []*telephone{p, to} {
		if !end.keyed {
			must(p.T, <-end.phone.Keyed)
		}
	}
	frames := len(said) / 160
	p.sayUntil(func() bool { heard, _ := to.since(-100); return len(heard) > 0 })
	p.say(tone.PCM(codec.Narrowband, tone.Part{Hz: []float64{1000}, Level: loud, For: clock.Frame}))
	p.say(said[:frames*160])
	var heard []int16
	p.sayUntil(func() (whole bool) {
		var err error
		heard, err = to.since(loud - 3)
		must(p.T, err)
		return len(heard) >= frames*to.codec.SampleRate()/50
	})
	return heard
}

// loud is a level in dBm0 that no utterance has.
const loud = -2

// sayUntil says nothing until something holds.
func (p *telephone) sayUntil(holds func() bool) {
	p.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatal("nothing is heard")
		}
		p.say(make([]int16, 160))
	}
}

// since is what was heard after the first packet of at least a level.
func (p *telephone) since(level float64) (pcm []int16, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, err := codec.NewDecoder(p.codec)
	if err != nil {
		return nil, err
	}
	var all []int16
	from := -1
	for _, payload := range p.heard {
		before := len(all)
		if all, err = d.Decode(all, payload); err != nil {
			return nil, err
		}
		if from < 0 && measure.Level(all[before:]) >= level {
			from = len(all)
		}
	}
	return all[max(0, from):], nil
}
