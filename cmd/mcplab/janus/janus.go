// Package janus runs the Janus media server, whose AudioBridge mixes conferences of
// plain RTP: a mixer that Debian has, to be compared with. It is steered over HTTP
// (https://janus.conf.meetecho.com/docs/audiobridge).
package janus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mcp/cmd/mcplab/process"
)

// ErrMissing says that Janus is not installed.
var ErrMissing = errors.New("janus is not installed")

// Server is a running Janus.
type Server struct {
	process *process.Process
	dir     string
	url     string
	http    http.Client
	turn    int
}

// The server's files: nothing but the AudioBridge, on the loopback.
const (
	config = `general: { configs_folder = "%[1]s" debug_level = 2 session_timeout = 0 }
plugins: { disable = "libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_videoroom.so,libjanus_voicemail.so" }
transports: { disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_websockets.so" }
`
	transport = `general: { json = "compact" base_path = "/janus" http = true port = %d ip = "127.0.0.1" https = false }
`
	bridge = `general: { local_ip = "127.0.0.1" rtp_port_range = "46000-65000" }
`
)

// Start starts Janus and waits until it answers.
func Start(ctx context.Context) (s *Server, err error) {
	path, err := exec.LookPath("janus")
	if err != nil {
		return nil, ErrMissing
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s = &Server{url: fmt.Sprintf("http://127.0.0.1:%d/janus", port)}
	if s.dir, err = os.MkdirTemp("", "janus"); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"janus.jcfg": fmt.Sprintf(config, s.dir), "janus.transport.http.jcfg": fmt.Sprintf(transport, port), "janus.plugin.audiobridge.jcfg": bridge,
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
	}
	if err == nil {
		s.process, err = process.Start(process.Program{
			Name: "janus", Log: filepath.Join(s.dir, "log"), Cmd: exec.Command(path, "-F", s.dir, "-C", filepath.Join(s.dir, "janus.jcfg")),
		})
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	for {
		if _, err = s.ask(ctx, "", request{Janus: "create"}); err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, s.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freePort is one that nobody listens on at present.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Close ends the server.
func (s *Server) Close() error {
	s.http.CloseIdleConnections()
	return errors.Join(s.process.Abandon(), os.RemoveAll(s.dir))
}

// CPU is the time that the server has used, to within a tick of the kernel.
func (s *Server) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("janus: %q", text)
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100, errors.Join(err, err2) // USER_HZ
}

// Join lets a far end that speaks PCMU into a room, which is made if nobody is there, and
// tells where it is to send.
func (s *Server) Join(ctx context.Context, room int, far netip.AddrPort) (netip.AddrPort, error) {
	made, err := s.ask(ctx, "", request{Janus: "create"})
	if err != nil {
		return netip.AddrPort{}, err
	}
	session := fmt.Sprintf("/%d", made.Data.ID)
	if made, err = s.ask(ctx, session, request{Janus: "attach", Plugin: "janus.plugin.audiobridge"}); err != nil {
		return netip.AddrPort{}, err
	}
	handle := fmt.Sprintf("%s/%d", session, made.Data.ID)
	// That the room is there already is no fault.
	if _, err = s.ask(ctx, handle, request{Janus: "message", Body: map[string]any{
		"request": "create", "room": room, "sampling_rate": 8000, "allow_rtp_participants": true,
	}}); err != nil {
		return netip.AddrPort{}, err
	}
	if _, err = s.ask(ctx, handle, request{Janus: "message", Body: map[string]any{
		"request": "join", "room": room, "codec": "pcmu", "rtp": map[string]any{"ip": far.Addr().String(), "port": far.Port()},
	}}); err != nil {
		return netip.AddrPort{}, err
	}
	return s.joined(ctx, session)
}

// joined waits for the room's answer.
func (s *Server) joined(ctx context.Context, session string) (netip.AddrPort, error) {
	for range 10 {
		said, err := s.do(ctx, http.MethodGet, session, nil)
		if err != nil {
			return netip.AddrPort{}, err
		}
		switch d := said.Plugin.Data; {
		case d.Error != "":
			return netip.AddrPort{}, fmt.Errorf("janus: %s", d.Error)
		case d.RTP.Port != 0:
			addr, err := netip.ParseAddr(d.RTP.IP)
			return netip.AddrPortFrom(addr, d.RTP.Port), err
		}
	}
	return netip.AddrPort{}, errors.New("janus: nobody answers who would join")
}

type request struct {
	Janus       string         `json:"janus"`
	Transaction string         `json:"transaction"`
	Plugin      string         `json:"plugin,omitempty"`
	Body        map[string]any `json:"body,omitempty"`
}

type answer struct {
	Janus string `json:"janus"`
	Error struct {
		Reason string `json:"reason"`
	} `json:"error"`
	Data struct {
		ID uint64 `json:"id"`
	} `json:"data"`
	Plugin struct {
		Data struct {
			Error string `json:"error"`
			RTP   struct {
				IP   string `json:"ip"`
				Port uint16 `json:"port"`
			} `json:"rtp"`
		} `json:"data"`
	} `json:"plugindata"`
}

func (s *Server) ask(ctx context.Context, path string, q request) (answer, error) {
	s.turn++
	q.Transaction = strconv.Itoa(s.turn)
	body, err := json.Marshal(q)
	if err != nil {
		return answer{}, err
	}
	return s.do(ctx, http.MethodPost, path, body)
}

func (s *Server) do(ctx context.Context, method, path string, body []byte) (a answer, err error) {
	q, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	resp, err := s.http.Do(q)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return a, fmt.Errorf("janus: %w", err)
	}
	if a.Janus == "error" {
		return a, fmt.Errorf("janus: %s", a.Error.Reason)
	}
	return a, nil
}
