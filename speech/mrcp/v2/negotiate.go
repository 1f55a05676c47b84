package v2

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
)

// offer describes a session of some resources over one audio stream.
func offer(o mrcp.Opening, id uint64, connection string, secure *tls.Config) *sdp.Description {
	d := &sdp.Description{User: "mcp", ID: id, Version: 1, Addr: o.Media.Addr.Addr().Unmap()}
	for _, resource := range o.Resources {
		d.Lines = append(d.Lines, sdp.Line{Control: control(d.Addr, resource, connection, secure)})
	}
	ptime := o.Media.Ptime
	if ptime == 0 {
		ptime = 20 * time.Millisecond
	}
	d.Lines = append(d.Lines, sdp.Line{Audio: &sdp.Audio{
		Addr: netip.AddrPortFrom(d.Addr, o.Media.Addr.Port()), Codecs: o.Media.Codecs, Events: o.Media.Events,
		Direction: direction(o.Resources), Ptime: ptime, MID: "1",
	}})
	return d
}

func control(addr netip.Addr, resource, connection string, secure *tls.Config) *sdp.Control {
	c := &sdp.Control{Addr: netip.AddrPortFrom(addr, sdp.DiscardPort), Protocol: sdp.ProtocolTCP,
		Setup: sdp.SetupActive, Connection: connection, Resource: resource, CMID: "1"}
	if secure != nil {
		c.Protocol = sdp.ProtocolTLS
		if len(secure.Certificates) > 0 && len(secure.Certificates[0].Certificate) > 0 {
			c.Fingerprint = fingerprint(secure.Certificates[0].Certificate[0])
		}
	}
	return c
}

// fingerprint is a certificate's, as RFC 8122 section 5 writes it.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// direction is that of the audio: synthesizers send to us, all others hear us.
func direction(resources []string) string {
	speaks := slices.Contains(resources, wire.Synthesizer)
	hears := slices.ContainsFunc(resources, func(r string) bool { return r != wire.Synthesizer })
	switch {
	case speaks && hears:
		return "sendrecv"
	case speaks:
		return "recvonly"
	default:
		return "sendonly"
	}
}

// wanted are the resources that a description of ours has, in its order.
func wanted(d *sdp.Description) []string {
	var resources []string
	for _, c := range d.Controls() {
		if c.Addr.Port() != 0 {
			resources = append(resources, c.Resource)
		}
	}
	return resources
}

// alter is the offer that makes a session one of these resources. A resource is
// given up only while no other's line follows its own: UniMRCP takes back the
// lines after the one that is refused as well. One that is asked for again gets
// its old line, which UniMRCP takes where it refuses another.
func alter(ours *sdp.Description, media speech.Media, resources []string) *sdp.Description {
	next := *ours
	next.Lines = slices.Clone(ours.Lines)
	last, template := true, (*sdp.Control)(nil)
	for i, line := range slices.Backward(next.Lines) {
		if line.Control == nil {
			continue
		}
		c := *line.Control
		template = &c
		next.Lines[i].Control = &c
		c.Connection = sdp.ConnectionExisting
		switch wants := slices.Contains(resources, c.Resource); {
		case wants:
			c.Addr = netip.AddrPortFrom(ours.Addr, sdp.DiscardPort)
		case last:
			c.Addr = netip.AddrPort{}
		}
		last = last && c.Addr.Port() == 0
	}
	for _, resource := range resources {
		if !slices.Contains(wanted(&next), resource) {
			c := *template
			c.Addr, c.Resource = netip.AddrPortFrom(ours.Addr, sdp.DiscardPort), resource
			next.Lines = append(next.Lines, sdp.Line{Control: &c})
		}
	}
	for i, line := range next.Lines {
		if line.Audio != nil {
			audio := *line.Audio
			audio.Codecs, audio.Events, audio.Direction = media.Codecs, media.Events, direction(wanted(&next))
			next.Lines[i].Audio = &audio
		}
	}
	return &next
}

// agreement is what an offer and its answer come to.
type agreement struct {
	channels map[string]channelAt // by resource
	media    speech.Media
}

// channelAt is one control channel: its identifier, where its connection goes,
// and whether the server expects a connection it already has.
type channelAt struct {
	id          string
	addr        netip.AddrPort
	existing    bool
	fingerprint string
	server      string // the URI it was asked for at
}

// agree checks an answer against its offer (RFC 6787 section 4.2).
func agree(offered *sdp.Description, answer []byte) (agreement, error) {
	answered, err := sdp.Parse(answer)
	if err != nil {
		return agreement{}, fmt.Errorf("%w: answer: %w", speech.ErrUnavailable, err)
	}
	a := agreement{channels: make(map[string]channelAt)}
	for _, c := range answered.Controls() {
		if c.Addr.Port() == 0 || !strings.Contains(c.Channel, "@") {
			continue
		}
		a.channels[wire.Resource(c.Channel)] = channelAt{id: c.Channel, addr: c.Addr,
			existing: strings.EqualFold(c.Connection, sdp.ConnectionExisting), fingerprint: c.Fingerprint}
	}
	for _, resource := range wanted(offered) {
		if _, granted := a.channels[resource]; !granted {
			return agreement{}, fmt.Errorf("%w: the server refused %s", speech.ErrUnavailable, resource)
		}
	}
	a.media, err = sdp.Agree(offered.Audio(), answered.Audio())
	return a, err
}

// refresh answers a server's re-INVITE, which usually carries the server's own
// description over again to keep the session's timer from running out. Its lines
// are answered in their order; those that were never agreed on are refused.
func refresh(ours, theirs *sdp.Description, media speech.Media) *sdp.Description {
	answer := &sdp.Description{User: ours.User, ID: ours.ID, Version: ours.Version, Addr: ours.Addr}
	audio := *ours.Audio()
	if len(media.Codecs) > 0 {
		audio.Codecs, audio.Events = media.Codecs, media.Events
	}
	for _, line := range theirs.Lines {
		switch {
		case line.Control != nil:
			answer.Lines = append(answer.Lines, sdp.Line{Control: refreshControl(ours, line.Control)})
		case line.Audio != nil && line.Audio.Addr.Port() != 0:
			shared := audio
			shared.MID = line.Audio.MID
			answer.Lines = append(answer.Lines, sdp.Line{Audio: &shared})
		case line.Audio != nil:
			answer.Lines = append(answer.Lines, sdp.Line{Audio: &sdp.Audio{Events: -1}})
		default:
			answer.Lines = append(answer.Lines, line)
		}
	}
	return answer
}

func refreshControl(ours *sdp.Description, c *sdp.Control) *sdp.Control {
	answer := &sdp.Control{Protocol: c.Protocol, Setup: sdp.SetupActive, Connection: sdp.ConnectionExisting,
		Resource: wire.Resource(c.Channel), CMID: c.CMID}
	if c.Addr.Port() != 0 && slices.Contains(wanted(ours), answer.Resource) {
		answer.Addr = netip.AddrPortFrom(ours.Addr, sdp.DiscardPort)
	}
	return answer
}
