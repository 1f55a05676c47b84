package v1

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/rtsp"
	"mcp/speech/mrcp/wire"
)

// typeMRCP is the media type of what ANNOUNCE carries.
const typeMRCP = "application/mrcp"

// link is one RTSP session.
type link struct {
	carriage *Carriage
	opening  mrcp.Opening
	target   target
	log      *slog.Logger
	conn     *rtsp.Conn
	done     chan struct{} // closed when the server has ended the session
	end      sync.Once

	mu        sync.Mutex
	session   string // the server's identifier
	media     speech.Media
	resources []string          // that are set up, in order
	asked     map[uint32]string // resources by the requests that are not complete
	alive     *time.Timer       // sends OPTIONS before the session times out
	every     time.Duration     // how often that must be
}

// Media is part of mrcp.Link.
func (l *link) Media() speech.Media {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.media
}

// Done is part of mrcp.Link.
func (l *link) Done() <-chan struct{} { return l.done }

// uri is where a resource is.
func (l *link) uri(resource string) string {
	return l.target.base + "/" + l.carriage.cfg.Paths[resource]
}

// lost hears that the connection is over, and the session with it.
func (l *link) lost(err error) {
	l.opening.Receiver.Lost(fmt.Errorf("%w: connection to %s: %w", speech.ErrUnavailable, l.target.address, err))
	l.over()
}

func (l *link) over() { l.end.Do(func() { close(l.done) }) }

// request makes a request within the session.
func (l *link) request(method, uri string) *rtsp.Message {
	m := rtsp.NewRequest(method, uri)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != "" {
		m.Header.Add(rtsp.HeaderSession, l.session)
	}
	if l.alive != nil {
		l.alive.Reset(l.every)
	}
	return m
}

// setup adds a resource to the session, the first of which begins it.
func (l *link) setup(ctx context.Context, resource string) error {
	uri := l.uri(resource)
	if l.carriage.cfg.Describe {
		response, err := l.conn.Do(ctx, rtsp.NewRequest(rtsp.MethodDescribe, uri, "Accept", "application/sdp"))
		if err != nil {
			return unavailable(err)
		}
		if response.Status/100 != 2 {
			return failure(rtsp.MethodDescribe, response)
		}
	}
	m := l.request(rtsp.MethodSetup, uri)
	m.Header.Add(rtsp.HeaderTransport, transport(l.opening.Media.Addr.Port()))
	m.SetBody("application/sdp", describe(l.opening.Media, append(slices.Clone(l.resources), resource)).Marshal())
	response, err := l.conn.Do(ctx, m)
	if err != nil {
		return unavailable(err)
	}
	if response.Status/100 != 2 {
		return failure(rtsp.MethodSetup, response)
	}
	media, err := agree(l.opening.Media, response, l.target.address)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.resources) == 0 {
		l.beginLocked(response, media)
	}
	l.resources = append(l.resources, resource)
	return nil
}

// beginLocked takes what the first SETUP brought.
func (l *link) beginLocked(response *rtsp.Message, media speech.Media) {
	id, params := response.Session()
	l.session, l.media = id, media
	_, value, _ := strings.Cut(strings.ToLower(params), "timeout=")
	if seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16); err == nil && seconds > 0 {
		l.every = time.Duration(seconds) * time.Second / 2
		l.alive = time.AfterFunc(l.every, l.keepAlive)
	}
}

// keepAlive asks for nothing, so that the server does not forget the session.
func (l *link) keepAlive() {
	select {
	case <-l.done:
	default:
		l.conn.Send(l.request(rtsp.MethodOptions, l.target.base), func(*rtsp.Message, error) {})
	}
}

// Send is part of mrcp.Channels.
func (l *link) Send(resource string, m *wire.Message) {
	l.mu.Lock()
	l.asked[m.ID] = resource
	l.mu.Unlock()
	announce := l.request(rtsp.MethodAnnounce, l.uri(resource))
	announce.SetBody(typeMRCP, wire.ToV1(m, resource).AppendV1(nil))
	id := m.ID
	l.conn.Send(announce, func(response *rtsp.Message, err error) {
		if err == nil { // otherwise the session hears that it is lost
			l.respond(id, response)
		}
	})
}

// respond takes the response to an ANNOUNCE, which carries the MRCP response.
// A server that has none to carry is taken to have failed; one that has failed
// inside does not answer within that session again, as deployed servers show.
func (l *link) respond(id uint32, response *rtsp.Message) {
	if response.Status/100 == 2 && len(response.Body) > 0 {
		if m, err := wire.ParseV1(response.Body); err == nil {
			l.deliver(m)
			return
		}
	}
	l.log.Warn("speech server's answer carries no mrcp response", "answer", response.String())
	status := wire.StatusServerError
	if response.Status == rtsp.StatusMethodNotAllowed {
		status = wire.StatusMethodNotAllowed
	}
	l.deliver(&wire.Message{Kind: wire.Response, ID: id, Status: status, State: wire.Complete,
		Header: wire.Header{{Name: wire.HeaderCompletionReason, Value: "rtsp " + response.String()}}})
	if response.Status >= rtsp.StatusInternal || response.Status == rtsp.StatusSessionNotFound {
		l.over()
	}
}

// deliver hands a message on in the words of MRCPv2.
func (l *link) deliver(m *wire.Message) {
	l.mu.Lock()
	resource := l.asked[m.ID]
	if m.State == wire.Complete {
		delete(l.asked, m.ID)
	}
	l.mu.Unlock()
	l.opening.Receiver.Receive(wire.FromV1(m, resource))
}

// handle answers the server's requests: its ANNOUNCEs carry events. They are told
// apart by the request-id alone, because some servers name the wrong resource.
func (l *link) handle(request *rtsp.Message) *rtsp.Message {
	switch request.Method {
	case rtsp.MethodAnnounce:
		m, err := wire.ParseV1(request.Body)
		if err != nil {
			l.log.Warn("mrcp message not understood", "err", err)
			return rtsp.NewResponse(request, rtsp.StatusBadRequest)
		}
		l.deliver(m)
		return rtsp.NewResponse(request, rtsp.StatusOK)
	case rtsp.MethodTeardown:
		l.over()
		return rtsp.NewResponse(request, rtsp.StatusOK)
	case rtsp.MethodOptions:
		return rtsp.NewResponse(request, rtsp.StatusOK, "Public", rtsp.MethodAnnounce)
	}
	return refuse(request)
}

// Alter is part of mrcp.Link: SETUP for what is new. Nothing is given up before
// the session ends, because UniMRCP closes the audio of all resources with the
// TEARDOWN of one.
func (l *link) Alter(ctx context.Context, resources []string) ([]string, error) {
	var failures []error
	for _, resource := range resources {
		if !slices.Contains(l.granted(), resource) {
			if err := l.setup(ctx, resource); err != nil {
				failures = append(failures, err)
			}
		}
	}
	return l.granted(), errors.Join(failures...)
}

func (l *link) granted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.resources)
}

func (l *link) teardown(ctx context.Context, resource string) error {
	l.mu.Lock()
	l.resources = slices.DeleteFunc(l.resources, func(r string) bool { return r == resource })
	l.mu.Unlock()
	response, err := l.conn.Do(ctx, l.request(rtsp.MethodTeardown, l.uri(resource)))
	if err != nil {
		return unavailable(err)
	}
	// A session that is not there any more is torn down.
	if response.Status/100 != 2 && response.Status != rtsp.StatusSessionNotFound && response.Status != rtsp.StatusNotFound {
		return failure(rtsp.MethodTeardown, response)
	}
	return nil
}

// Shun is part of mrcp.Channels: a connection carries one session only.
func (l *link) Shun() {}

// Close is part of mrcp.Link.
func (l *link) Close(ctx context.Context) error {
	var failures []error
	resources := l.granted()
	for _, resource := range slices.Backward(resources) {
		select {
		case <-l.done: // by the server: there is nothing left to tear down
		default:
			if err := l.teardown(ctx, resource); err != nil {
				failures = append(failures, err)
			}
		}
	}
	l.mu.Lock()
	if l.alive != nil {
		l.alive.Stop()
	}
	l.mu.Unlock()
	l.carriage.disconnect(l.conn)
	l.over()
	return errors.Join(failures...)
}
