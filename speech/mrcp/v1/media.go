package v1

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/rtsp"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
)

// transport is where RTP goes to, and RTCP one port above (RFC 2326 section 12.39).
func transport(port uint16) string {
	return fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, uint32(port)+1)
}

// describe is the description of our audio that SETUP carries.
func describe(media speech.Media, resources []string) *sdp.Description {
	addr := media.Addr.Addr().Unmap()
	ptime := media.Ptime
	if ptime == 0 {
		ptime = 20 * time.Millisecond
	}
	direction := "sendonly"
	if speaks := slices.Contains(resources, wire.Synthesizer); speaks && len(resources) > 1 {
		direction = "sendrecv"
	} else if speaks {
		direction = "recvonly"
	}
	return &sdp.Description{User: "mcp", ID: 1, Version: 1, Addr: addr, Lines: []sdp.Line{{Audio: &sdp.Audio{
		Addr: netip.AddrPortFrom(addr, media.Addr.Port()), Codecs: media.Codecs, Events: media.Events,
		Direction: direction, Ptime: ptime,
	}}}}
}

// agree is what SETUP's response says of the audio: in its description or, where
// there is none, in its Transport. The server is at address, host and port.
func agree(offered speech.Media, response *rtsp.Message, address string) (speech.Media, error) {
	if carried := strings.ToLower(response.Header.Get(rtsp.HeaderTransport)); strings.Contains(carried, "interleaved") {
		return speech.Media{}, fmt.Errorf("%w: the server would send its audio over RTSP", speech.ErrUnavailable)
	}
	if len(response.Body) == 0 {
		return agreeTransport(offered, response.Header.Get(rtsp.HeaderTransport), address)
	}
	answered, err := sdp.Parse(response.Body)
	if err != nil {
		return speech.Media{}, fmt.Errorf("%w: answer: %w", speech.ErrUnavailable, err)
	}
	media, err := sdp.Agree(describe(offered, nil).Audio(), answered.Audio())
	if err == nil && media.Addr.Addr().IsUnspecified() {
		media.Addr = netip.AddrPortFrom(hostOf(address), media.Addr.Port())
	}
	return media, err
}

// agreeTransport takes the first codec offered, for want of a word about it.
func agreeTransport(offered speech.Media, transport, address string) (speech.Media, error) {
	host, port := hostOf(address), uint64(0)
	for param := range strings.SplitSeq(transport, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch strings.ToLower(name) {
		case "server_port":
			value, _, _ = strings.Cut(value, "-")
			port, _ = strconv.ParseUint(value, 10, 16)
		case "source":
			if addr, err := netip.ParseAddr(value); err == nil {
				host = addr.Unmap()
			}
		}
	}
	if port == 0 || !host.IsValid() || len(offered.Codecs) == 0 {
		return speech.Media{}, fmt.Errorf("%w: the answer to SETUP names no port", speech.ErrUnavailable)
	}
	return speech.Media{Addr: netip.AddrPortFrom(host, uint16(port)), Codecs: offered.Codecs[:1], Events: offered.Events}, nil
}

// hostOf is the IP address in a host and port, or the zero one.
func hostOf(address string) netip.Addr {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}
