package mrcptest

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcp/speech/mrcp/rtsp"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// paths are where the resources are, in lower case. RFC 4463's examples call the
// recognizer's so, products the other.
var paths = map[string]string{
	"media/speechsynthesizer": wire.Synthesizer, "speechsynthesizer": wire.Synthesizer, "synthesizer": wire.Synthesizer,
	"media/speechrecognizer": wire.Recognizer, "speechrecognizer": wire.Recognizer, "recognizer": wire.Recognizer,
	"media/recorder": wire.Recorder,
}

// teller is a client's RTSP connection, over which it speaks MRCPv1.
type teller struct {
	server *Server
	nc     net.Conn
	peer   netip.Addr

	mu       sync.Mutex // held to write
	sessions map[string]*Session
	urls     map[string]string // by session identifier and resource
	waiting  map[exchangeID]*rtsp.Message
	cseq     string // of the client's last request
}

// exchangeID is a request of a session.
type exchangeID struct {
	session string
	id      uint32
}

func (s *Server) serveRTSP(nc net.Conn) {
	t := &teller{server: s, nc: nc, peer: nc.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(),
		sessions: make(map[string]*Session), urls: make(map[string]string), waiting: make(map[exchangeID]*rtsp.Message)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close() // nobody has used it yet
		return
	}
	s.tellers[t] = struct{}{}
	s.wg.Go(func() {
		t.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.tellers, t)
	})
}

// run answers requests until the connection ends, and its sessions with it.
func (t *teller) run() {
	r := rtsp.NewReader(t.nc, t.server.cfg.MaxMessage)
	for {
		m, err := r.Read()
		if err != nil {
			break
		}
		if m.Method == "" {
			continue // the answer to an event
		}
		t.mu.Lock()
		t.cseq = m.Header.Get(rtsp.HeaderCSeq)
		t.mu.Unlock()
		if response := t.handle(m); response != nil {
			t.write(response)
		}
	}
	_ = t.nc.Close() // whatever else there was to know, the reader has told
	t.mu.Lock()
	orphans := t.sessions
	t.sessions = nil
	t.mu.Unlock()
	for _, session := range orphans {
		session.orphan()
	}
}

// handle returns the response to a request, or nil when that comes later.
func (t *teller) handle(m *rtsp.Message) *rtsp.Message {
	switch m.Method {
	case rtsp.MethodOptions:
		return rtsp.NewResponse(m, rtsp.StatusOK, "Public", "OPTIONS, DESCRIBE, SETUP, ANNOUNCE, TEARDOWN")
	case rtsp.MethodDescribe:
		return t.describe(m)
	case rtsp.MethodSetup:
		return t.setup(m)
	case rtsp.MethodAnnounce:
		return t.announce(m)
	case rtsp.MethodTeardown:
		return t.teardown(m)
	}
	return rtsp.NewResponse(m, rtsp.StatusMethodNotAllowed, "Allow", "OPTIONS, DESCRIBE, SETUP, ANNOUNCE, TEARDOWN")
}

// resourceOf is the resource that a URI names.
func resourceOf(uri string) (string, bool) {
	_, rest, _ := strings.Cut(uri, "://")
	_, path, _ := strings.Cut(rest, "/")
	resource, known := paths[strings.ToLower(strings.Trim(path, "/"))]
	return resource, known
}

func (t *teller) describe(m *rtsp.Message) *rtsp.Message {
	if _, known := resourceOf(m.URI); !known {
		return rtsp.NewResponse(m, rtsp.StatusNotFound)
	}
	addr := t.server.cfg.Addr
	response := rtsp.NewResponse(m, rtsp.StatusOK)
	response.SetBody("application/sdp", (&sdp.Description{User: "mrcptest", ID: 1, Version: 1, Addr: addr,
		Lines: []sdp.Line{{Audio: &sdp.Audio{Codecs: t.server.cfg.Codecs, Events: -1}}}}).Marshal())
	return response
}

// setup grants a resource, in a new session or one that there is.
func (t *teller) setup(m *rtsp.Message) *rtsp.Message {
	resource, known := resourceOf(m.URI)
	if !known {
		return rtsp.NewResponse(m, rtsp.StatusNotFound)
	}
	audio, status := t.audioOf(m)
	if status != rtsp.StatusOK {
		return rtsp.NewResponse(m, status)
	}
	id, _ := m.Session()
	session := t.session(id)
	switch {
	case id == "":
		if session, status = t.open(audio); status != rtsp.StatusOK {
			return rtsp.NewResponse(m, status)
		}
	case session == nil:
		return rtsp.NewResponse(m, rtsp.StatusSessionNotFound)
	}
	session.grant(resource)
	t.mu.Lock()
	t.urls[session.id+" "+resource] = m.URI
	t.mu.Unlock()
	local := session.port.Local().Port()
	response := rtsp.NewResponse(m, rtsp.StatusOK, rtsp.HeaderSession, session.id, rtsp.HeaderTransport,
		m.Header.Get(rtsp.HeaderTransport)+";server_port="+strconv.Itoa(int(local))+"-"+strconv.Itoa(int(local)+1))
	response.SetBody("application/sdp", (&sdp.Description{User: "mrcptest", ID: 1, Version: 1, Addr: t.server.cfg.Addr,
		Lines: []sdp.Line{{Audio: session.describeAudio(audio)}}}).Marshal())
	return response
}

// audioOf is where a client's audio is: as its description says or, without one,
// its Transport.
func (t *teller) audioOf(m *rtsp.Message) (*sdp.Audio, int) {
	if len(m.Body) > 0 {
		d, err := sdp.Parse(m.Body)
		if err != nil || d.Audio() == nil {
			return nil, rtsp.StatusBadRequest
		}
		return d.Audio(), rtsp.StatusOK
	}
	_, ports, _ := strings.Cut(m.Header.Get(rtsp.HeaderTransport), "client_port=")
	first, _, _ := strings.Cut(ports, "-")
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return nil, rtsp.StatusUnsupported
	}
	return &sdp.Audio{Addr: netip.AddrPortFrom(t.peer, uint16(port)), Codecs: t.server.cfg.Codecs, Events: -1}, rtsp.StatusOK
}

func (t *teller) session(id string) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

func (t *teller) open(audio *sdp.Audio) (*Session, int) {
	codec, ok := t.server.choose(audio.Codecs)
	if !ok {
		return nil, rtsp.StatusUnsupported
	}
	session, err := newSession(t.server, audio, codec)
	if err != nil {
		return nil, rtsp.StatusNotEnough
	}
	if err := t.server.admit(session); err != nil {
		session.Close()
		return nil, rtsp.StatusUnavailable
	}
	session.mu.Lock()
	session.control = t
	session.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[session.id] = session
	return session, rtsp.StatusOK
}

// announce gives an MRCP request to its session, which answers when it likes.
func (t *teller) announce(m *rtsp.Message) *rtsp.Message {
	id, _ := m.Session()
	session := t.session(id)
	resource, known := resourceOf(m.URI)
	switch {
	case id == "":
		return rtsp.NewResponse(m, rtsp.StatusBadRequest)
	case session == nil:
		return rtsp.NewResponse(m, rtsp.StatusSessionNotFound)
	case !known || !session.has(resource):
		return rtsp.NewResponse(m, rtsp.StatusNotFound)
	}
	request1, err := wire.ParseV1(m.Body)
	if err != nil || request1.Kind != wire.Request {
		return rtsp.NewResponse(m, rtsp.StatusBadRequest)
	}
	r := wire.FromV1(request1, resource)
	r.Header = append(wire.Header{{Name: wire.HeaderChannelIdentifier, Value: session.id + "@" + resource}}, r.Header...)
	faults := t.server.failing()
	if faults.drop(r.Name) {
		_ = t.nc.Close() // as a server that crashed
		return nil
	}
	if faults.silent(r.Name) {
		return nil
	}
	t.mu.Lock()
	t.waiting[exchangeID{session.id, r.ID}] = m
	t.mu.Unlock()
	session.submit(request{r, resource})
	return nil
}

// send is part of carrier.
func (t *teller) send(m *wire.Message) {
	id, resource, _ := strings.Cut(m.Channel(), "@")
	body := toV1(m, resource).AppendV1(nil)
	t.mu.Lock()
	asked := t.waiting[exchangeID{id, m.ID}]
	url, cseq := t.urls[id+" "+resource], t.cseq
	if m.Kind == wire.Response {
		delete(t.waiting, exchangeID{id, m.ID})
	}
	t.mu.Unlock()
	var out *rtsp.Message
	switch {
	case m.Kind != wire.Response:
		// Deployed servers repeat the client's last number here.
		out = rtsp.NewRequest(rtsp.MethodAnnounce, url, rtsp.HeaderCSeq, cseq, rtsp.HeaderSession, id)
	case asked != nil:
		out = rtsp.NewResponse(asked, rtsp.StatusOK)
	default:
		return
	}
	out.SetBody("application/mrcp", body)
	t.write(out)
}

// toV1 is a message as MRCPv1 has it: confidences are of 0 to 100.
func toV1(m *wire.Message, resource string) *wire.Message {
	out := wire.ToV1(m, resource)
	if out.Header.Get(wire.HeaderContentType) == wire.TypeNLSML {
		if result, err := nlsml.Parse(out.Body, nlsml.Fraction); err == nil {
			out.SetBody(wire.TypeNLSMLDraft, result.AppendScaled(nil, nlsml.Percent))
		}
	}
	return out
}

func (t *teller) teardown(m *rtsp.Message) *rtsp.Message {
	id, _ := m.Session()
	session := t.session(id)
	if session == nil {
		return rtsp.NewResponse(m, rtsp.StatusSessionNotFound)
	}
	resource, _ := resourceOf(m.URI)
	if session.revoke(resource) == 0 {
		session.Close()
	}
	return rtsp.NewResponse(m, rtsp.StatusOK)
}

// unbind is part of carrier.
func (t *teller) unbind(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, s.id)
	for _, resource := range []string{wire.Synthesizer, wire.Recognizer, wire.Recorder} {
		delete(t.urls, s.id+" "+resource)
	}
	for id := range t.waiting {
		if id.session == s.id {
			delete(t.waiting, id)
		}
	}
}

func (t *teller) write(m *rtsp.Message) {
	raw := m.Append(nil)
	if rewrite := t.server.failing().Rewrite; rewrite != nil {
		raw = rewrite(raw)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return // the reader finds out and ends the sessions
	}
	if _, err := t.nc.Write(raw); err != nil {
		_ = t.nc.Close() // so that the reader finds out
	}
}

// grant adds a resource to a session.
func (s *Session) grant(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.resources, resource) {
		s.resources = append(slices.Clone(s.resources), resource)
	}
}

// revoke takes one away, and tells how many are left.
func (s *Session) revoke(resource string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resources = slices.DeleteFunc(slices.Clone(s.resources), func(r string) bool { return r == resource })
	return len(s.resources)
}
