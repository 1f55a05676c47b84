package mrcp

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// discardPort stands in an offer's control line, because it is the server that
// listens (RFC 4145 section 4.1).
const discardPort = 9

// resources are what a session asks for, in the order of its offer.
var resources = [...]string{wire.Synthesizer, wire.Recognizer}

// offer describes a session with both resources over one audio stream.
func offer(media speech.Media, id uint64, connection string) *Description {
	d := &Description{User: "mcp", ID: id, Version: 1, Addr: media.Addr.Addr().Unmap()}
	for _, resource := range resources {
		d.Lines = append(d.Lines, Line{Control: &Control{
			Addr:       netip.AddrPortFrom(d.Addr, discardPort),
			Protocol:   ProtocolTCP,
			Setup:      SetupActive,
			Connection: connection,
			Resource:   resource,
			CMID:       "1",
		}})
	}
	ptime := media.Ptime
	if ptime == 0 {
		ptime = 20 * time.Millisecond
	}
	d.Lines = append(d.Lines, Line{Audio: &Audio{
		Addr: netip.AddrPortFrom(d.Addr, media.Addr.Port()), Codecs: media.Codecs, Events: media.Events,
		Direction: "sendrecv", Ptime: ptime, MID: "1",
	}})
	return d
}

// agreement is what an offer and its answer come to.
type agreement struct {
	channels map[string]channelAt // by resource
	media    speech.Media
}

// channelAt is one control channel: its identifier, the address of its TCP
// connection, and whether the server expects a connection it already has.
type channelAt struct {
	id       string
	addr     netip.AddrPort
	existing bool
}

// agree checks an answer against its offer (RFC 6787 section 4.2).
func agree(offered *Description, answer []byte) (agreement, error) {
	answered, err := ParseDescription(answer)
	if err != nil {
		return agreement{}, fmt.Errorf("%w: answer: %w", speech.ErrUnavailable, err)
	}
	a := agreement{channels: make(map[string]channelAt)}
	for _, c := range answered.Controls() {
		if c.Addr.Port() == 0 || !strings.Contains(c.Channel, "@") {
			continue
		}
		a.channels[wire.Resource(c.Channel)] = channelAt{id: c.Channel, addr: c.Addr,
			existing: strings.EqualFold(c.Connection, ConnectionExisting)}
	}
	for _, resource := range resources {
		if _, granted := a.channels[resource]; !granted {
			return agreement{}, fmt.Errorf("%w: the server refused %s", speech.ErrUnavailable, resource)
		}
	}
	a.media, err = agreeAudio(offered.Audio(), answered.Audio())
	return a, err
}

// agreeAudio takes the answer's first codec that was offered. The payload type
// to send with is the answerer's; ours and theirs are the same in practice, as
// RFC 3264 section 6.1 recommends.
func agreeAudio(offered, answered *Audio) (speech.Media, error) {
	if answered == nil {
		return speech.Media{}, fmt.Errorf("%w: the server refused the audio line", speech.ErrNoCodec)
	}
	for _, codec := range answered.Codecs {
		if _, ok := FindCodec(offered.Codecs, codec); ok {
			return speech.Media{Addr: answered.Addr, Codecs: []speech.Codec{codec},
				Events: answered.Events, Ptime: answered.Ptime}, nil
		}
	}
	return speech.Media{}, speech.ErrNoCodec
}

// refresh answers a server's re-INVITE, which usually carries the server's own
// description over again to keep the session's timer from running out. Its lines
// are answered in their order; those that were never agreed on are refused.
func refresh(ours, theirs *Description, media speech.Media) *Description {
	answer := &Description{User: ours.User, ID: ours.ID, Version: ours.Version, Addr: ours.Addr}
	audio := *ours.Audio()
	if len(media.Codecs) > 0 {
		audio.Codecs, audio.Events = media.Codecs, media.Events
	}
	for _, line := range theirs.Lines {
		switch {
		case line.Control != nil:
			answer.Lines = append(answer.Lines, Line{Control: refreshControl(ours, line.Control)})
		case line.Audio != nil && line.Audio.Addr.Port() != 0:
			shared := audio
			shared.MID = line.Audio.MID
			answer.Lines = append(answer.Lines, Line{Audio: &shared})
		case line.Audio != nil:
			answer.Lines = append(answer.Lines, Line{Audio: &Audio{Events: -1}})
		default:
			answer.Lines = append(answer.Lines, line)
		}
	}
	return answer
}

func refreshControl(ours *Description, c *Control) *Control {
	answer := &Control{Protocol: c.Protocol, Setup: SetupActive, Connection: ConnectionExisting,
		Resource: wire.Resource(c.Channel), CMID: c.CMID}
	if c.Addr.Port() != 0 {
		answer.Addr = netip.AddrPortFrom(ours.Addr, discardPort)
	}
	return answer
}
