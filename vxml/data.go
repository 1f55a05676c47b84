package vxml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/dom"
	"mcp/vxml/fetch"
	"mcp/vxml/script"
	"mcp/vxml/xmltree"
)

// data is <data> (VoiceXML 2.1 section 5): it fetches an XML document and makes
// it a read-only DOM.
func (s *session) data(ctx context.Context, a *doc.Data) error {
	if a.Name != "" && !script.IsName(a.Name) {
		return semantic(ctx, a.Pos, errors.New("not the name of a variable: "+a.Name))
	}
	req, _, err := s.request(ctx, &a.Transition)
	if err != nil {
		return err
	}
	if req.URL == "" {
		req = s.fetching(s.stage.page.URL, fetchOf{a.Fetch, "data"})
	}
	var r *fetch.Resource
	err = s.whileMusicPlays(ctx, &a.Transition, func() (err error) {
		r, err = s.get(ctx, req)
		return err
	})
	if err != nil || a.Name == "" {
		return located(a.Pos, err)
	}
	d, err := dom.Parse(xmltree.Labelled(r.Body, r.MediaType))
	if err != nil {
		return &Event{Name: "error.badfetch", Message: fmt.Sprintf("%s: %s: %v", a, r.URL, err)}
	}
	if !d.Readable(host(a.URL), host(r.URL)) {
		return &Event{Name: "error.noauthorization", Message: fmt.Sprintf("%s: %s may not be read by pages of %s", a, r.URL, host(a.URL))}
	}
	v, err := d.Bind(ctx, s.machine)
	if err != nil {
		return semantic(ctx, a.Pos, err)
	}
	return semantic(ctx, a.Pos, s.scope().Declare(a.Name, v))
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// object is <object>.
func (s *session) object(ctx context.Context, item *doc.Object) (script.Value, error) {
	handler, ok := s.platform.(ObjectHandler)
	if !ok {
		return script.Value{}, &Event{Name: "error.unsupported.objectname", Message: item.String() + ": there is no object " + item.ClassID}
	}
	req := ObjectRequest{
		ClassID: item.ClassID, CodeType: item.CodeType, Type: item.Type,
	}
	if err := s.locate(item, &req); err != nil {
		return script.Value{}, err
	}
	for _, p := range item.Params {
		v, err := s.param(ctx, p)
		if err != nil {
			return script.Value{}, err
		}
		req.Params = append(req.Params, ObjectParam{Name: p.Name, Value: v.Export(), Ref: p.Ref, Type: p.Type})
	}
	if err := s.flush(ctx); err != nil {
		return script.Value{}, err
	}
	v, err := handler.Object(ctx, req)
	if err != nil {
		return script.Value{}, err
	}
	return s.machine.Value(v), nil
}

// locate makes the addresses of an object absolute: the code base within the page's,
// and the others within that.
func (s *session) locate(item *doc.Object, req *ObjectRequest) (err error) {
	base := s.base(item.Pos)
	absolute := func(uri string) string {
		if uri == "" || err != nil {
			return ""
		}
		var out string
		if out, _, err = fetch.Resolve(base, uri); err != nil {
			err = &Event{Name: "error.badfetch", Message: item.String() + ": " + err.Error()}
		}
		return out
	}
	if req.CodeBase = absolute(item.CodeBase); req.CodeBase != "" {
		base = req.CodeBase
	}
	req.Data = absolute(item.Data)
	for _, uri := range item.Archive {
		req.Archive = append(req.Archive, absolute(uri))
	}
	return err
}

func (s *session) param(ctx context.Context, p doc.Param) (script.Value, error) {
	if p.Expr == "" {
		return s.machine.Value(p.Value), nil
	}
	return s.eval(ctx, p.Pos, p.Expr)
}

// field is one name and value of a submission.
type field struct {
	name, value string
	tape        *Recorded // instead of a value
}

// fields evaluates a namelist for submission: an object is submitted as its
// members, date.year=2026.
func (s *session) fields(ctx context.Context, pos doc.Pos, names []string) ([]field, error) {
	var out []field
	for _, name := range names {
		v, err := s.eval(ctx, pos, name)
		if err != nil {
			return nil, err
		}
		out = s.flatten(out, field{name: name}, v)
	}
	return out, nil
}

// maxNesting bounds how deep objects are submitted.
const maxNesting = 8

func (s *session) flatten(out []field, f field, v script.Value) []field {
	keys := v.Keys()
	switch {
	case v.IsObject() && len(keys) > 0 && strings.Count(f.name, ".") < maxNesting:
		for _, k := range keys {
			out = s.flatten(out, field{name: f.name + "." + k}, v.Get(k))
		}
		return out
	case v.Undefined():
		return out
	}
	f.value, f.tape = v.String(), s.tape(v)
	return append(out, f)
}

// encode writes a submission in the encoding of HTML forms, in the page's order.
func encode(all []field) string {
	pairs := make([]string, len(all))
	for i, f := range all {
		pairs[i] = url.QueryEscape(f.name) + "=" + url.QueryEscape(f.value)
	}
	return strings.Join(pairs, "&")
}

// form is a submission as multipart/form-data (RFC 7578), recordings as files.
func form(all []field) (contentType string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range all {
		if err := part(w, f); err != nil {
			return "", nil, fmt.Errorf("write form: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return "", nil, fmt.Errorf("write form: %w", err)
	}
	return w.FormDataContentType(), b.Bytes(), nil
}

func part(w *multipart.Writer, f field) error {
	if f.tape == nil {
		return w.WriteField(f.name, f.value)
	}
	h := make(textproto.MIMEHeader)
	h.Set("Content-Disposition", multipart.FileContentDisposition(f.name, f.name+extension(f.tape.MediaType)))
	h.Set("Content-Type", f.tape.MediaType)
	p, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(p, bytes.NewReader(f.tape.Data))
	return err
}

// extension is how a file of the type is usually called.
func extension(mediaType string) string {
	kind, _, _ := strings.Cut(mediaType, ";")
	switch strings.TrimSpace(kind) {
	case "audio/x-wav", "audio/wav", "audio/wave", "audio/vnd.wave":
		return ".wav"
	case "audio/basic":
		return ".au"
	}
	return ""
}

// whileMusicPlays fetches. With fetchaudio, what is queued is played first, and
// then the recording: not before the fetch has lasted fetchaudiodelay, and once
// begun, for fetchaudiominimum at least (VoiceXML 2.0 section 6.1.1).
func (s *session) whileMusicPlays(ctx context.Context, t *doc.Transition, fetched func() error) error {
	uri := t.Fetch.Audio
	if uri == "" {
		uri = s.properties().Get("fetchaudio")
	}
	if uri == "" || s.gone != "" {
		return fetched()
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	music, err := s.fetch(ctx, t.Pos, uri, fetchOf{kind: "audio"})
	if err != nil {
		s.log.Warn("fetchaudio is not available", "uri", uri, "error", err)
		return fetched()
	}
	done := make(chan error, 1)
	go func() { done <- fetched() }()
	timer := s.clock.NewTimer()
	defer timer.Stop()
	if delay := s.properties().Duration("fetchaudiodelay"); delay > 0 {
		timer.Reset(delay)
		select {
		case err := <-done:
			return err
		case <-timer.C():
		}
	}
	playback, err := s.play(ctx, []Prompt{recordingPrompt(music)})
	if err != nil {
		return errors.Join(err, <-done)
	}
	defer stop(playback)
	minimum := s.properties().Duration("fetchaudiominimum")
	if minimum <= 0 {
		return <-done
	}
	timer.Reset(minimum)
	err = <-done
	select {
	case <-timer.C():
	case <-playback.Done():
	case <-s.platform.HungUp():
	case <-ctx.Done():
	}
	return err
}
