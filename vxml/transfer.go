package vxml

import (
	"context"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
)

// Transferring is the end of a session whose caller was sent to another party.
const Transferring End = "transfer"

// transfer is <transfer> (VoiceXML 2.0 section 2.3.7, VoiceXML 2.1 section 7).
func (s *session) transfer(ctx context.Context, item *doc.Transfer) (visit, error) {
	transferrer, ok := s.platform.(Transferrer)
	if !ok {
		return visit{}, &Event{Name: "error.unsupported.transfer." + item.Kind, Message: item.String() + " is not supported"}
	}
	req, err := s.transferRequest(ctx, item)
	if err != nil {
		return visit{}, err
	}
	own := &activation{s: s}
	if req.Kind == Bridge {
		own.add(ctx, owner{item: item}, item.Grammars)
	}
	if own.err != nil {
		return visit{}, own.err
	}
	w, err := s.occupy(ctx, own.out, false)
	if w == nil || err != nil {
		return visit{}, err
	}
	defer w.timer.Stop()
	t, err := transferrer.Transfer(ctx, req)
	if err != nil {
		return visit{}, err
	}
	defer func() {
		t.Stop()
		<-t.Done()
	}()
	if err := w.overhear(ctx); err != nil {
		s.log.Debug("nobody listens for words during the transfer", "error", err)
	}
	defer w.deaf()
	if req.Kind != Blind {
		w.what = "transfer"
	}
	in, _, left := w.until(ctx, t.Done())
	if ctx.Err() != nil {
		return visit{}, ctx.Err()
	}
	t.Stop()
	<-t.Done()
	ended, err := t.Take()
	if err != nil {
		return visit{}, err
	}
	return s.transferred(ctx, item, ended, stopped{input: in, left: left})
}

func (s *session) transferRequest(ctx context.Context, item *doc.Transfer) (TransferRequest, error) {
	req := TransferRequest{
		Kind: TransferKind(item.Kind), Destination: item.Dest, AAI: item.AAI,
		ConnectTimeout: duration(item.ConnectTimeout, 0), MaxTime: duration(item.MaxTime, 0),
		Properties: s.properties(),
	}
	for _, part := range []struct {
		expr string
		to   *string
	}{{item.DestExpr, &req.Destination}, {item.AAIExpr, &req.AAI}} {
		if part.expr == "" {
			continue
		}
		v, err := s.eval(ctx, item.Pos, part.expr)
		if err != nil {
			return req, err
		}
		if v.Undefined() {
			return req, &Event{Name: "error.semantic", Message: item.String() + ": " + part.expr + " is undefined"}
		}
		*part.to = v.String()
	}
	var err error
	if req.Extensions, err = s.extensions(ctx, item.Pos, item.Extensions); err != nil {
		return req, err
	}
	if item.Audio == "" || req.Kind == Blind {
		return req, nil
	}
	// A recording that cannot be had is left out.
	if r, err := s.fetch(ctx, item.Pos, item.Audio, fetchOf{kind: "audio"}); err == nil {
		req.Audio = []Prompt{recordingPrompt(r)}
	} else if ctx.Err() != nil {
		return req, ctx.Err()
	} else {
		s.log.Warn("transferaudio is not available", "uri", item.Audio, "error", err)
	}
	return req, nil
}

// recordingPrompt is a prompt of one recording.
func recordingPrompt(r *fetch.Resource) Prompt {
	return Prompt{Segments: []Segment{{Audio: &Audio{URI: r.URL, MediaType: r.MediaType, Data: r.Body}}}}
}

// transferred gives the item the transfer's result, or throws the event that says
// that the caller is no longer here.
func (s *session) transferred(ctx context.Context, item *doc.Transfer, ended Transferred, why stopped) (visit, error) {
	shadow := map[string]any{"duration": ended.Duration.Seconds()}
	if why.input != nil {
		if _, err := s.remember(ctx, why.input); err != nil {
			return visit{}, err
		}
		said := why.input.alternatives[0]
		ended.Result = "near_end_disconnect"
		shadow["inputmode"], shadow["utterance"] = said.mode, said.utterance
	}
	v := visit{value: s.machine.Value(ended.Result), shadow: s.machine.Value(shadow)}
	switch {
	case why.left != nil && item.Kind == string(Bridge):
		v.value = s.machine.Value("near_end_disconnect")
		return visit{}, s.keep(&item.Common, v, why.left)
	case why.left != nil:
		return visit{}, why.left
	case ended.Result != "":
		return v, nil
	}
	s.gone = Transferring
	s.queue.drop()
	return visit{}, &Event{Name: "connection.disconnect.transfer", Message: item.String() + ": the caller was transferred"}
}
