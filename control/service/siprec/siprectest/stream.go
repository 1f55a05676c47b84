package siprectest

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/pion/rtp"

	"mcp/control/media/codec"
)

// Stream is one of a session's streams.
type Stream struct {
	Label     string
	Direction string // as it was offered
	Codec     codec.Codec
	conn      *net.UDPConn

	mu      sync.Mutex // guards what follows
	packets []rtp.Packet
}

// The lines of a media section that matter.
var (
	rtpmap    = regexp.MustCompile(`(?m)^a=rtpmap:(\d+) ([A-Za-z0-9]+)/(\d+)`)
	label     = regexp.MustCompile(`(?m)^a=label:(\S+)`)
	direction = regexp.MustCompile(`(?m)^a=(sendrecv|sendonly|recvonly|inactive)\b`)
)

func newStream(section string, only codec.Codec) (*Stream, error) {
	s := &Stream{}
	for _, m := range rtpmap.FindAllStringSubmatch(section, -1) {
		number, _ := strconv.ParseUint(m[1], 10, 7) // digits, by the expression
		rate, _ := strconv.Atoi(m[3])
		if c := (codec.Codec{Name: m[2], PayloadType: uint8(number), ClockRate: rate}); s.Codec.Name == "" && (only.Name == "" || only.Same(c)) {
			s.Codec = c
		}
	}
	if s.Codec.Name == "" {
		return nil, errors.New("no codec in common")
	}
	if m := label.FindStringSubmatch(section); m != nil {
		s.Label = m[1]
	}
	if m := direction.FindStringSubmatch(section); m != nil {
		s.Direction = m[1]
	}
	var err error
	s.conn, err = loopback()
	return s, err
}

func (s *Stream) port() int { return s.conn.LocalAddr().(*net.UDPAddr).Port }

func (s *Stream) receive() {
	buf := make([]byte, 2048)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(slices.Clone(buf[:n])) == nil {
			s.mu.Lock()
			s.packets = append(s.packets, p)
			s.mu.Unlock()
		}
	}
}

// Packets are those received so far.
func (s *Stream) Packets() []rtp.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packets)
}

// PCM is what they say, in their order, silence where the timeline has gaps.
func (s *Stream) PCM() ([]int16, error) {
	packets := s.Packets()
	d, err := codec.NewDecoder(s.Codec)
	if err != nil || len(packets) == 0 {
		return nil, err
	}
	var pcm []int16
	perTick := float64(s.Codec.SampleRate()) / float64(s.Codec.ClockRate)
	for _, p := range packets {
		if p.PayloadType != s.Codec.PayloadType {
			return nil, fmt.Errorf("payload type %d is not what was agreed", p.PayloadType)
		}
		at := int(float64(p.Timestamp-packets[0].Timestamp) * perTick)
		if gap := at - len(pcm); gap > 0 && gap < 60*s.Codec.SampleRate() {
			pcm = append(pcm, make([]int16, gap)...)
		}
		if pcm, err = d.Decode(pcm, p.Payload); err != nil {
			return nil, err
		}
	}
	return pcm, nil
}
