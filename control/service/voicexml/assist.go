package voicexml

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"mcp/speech"
	"mcp/vxml"
)

// The objects by which a page has an assistant listen to the conversation, its own
// dialogue and the transfers in it, from the one to the other or to the call's end.
const (
	objectAssist   = "builtin:assist/start"
	objectUnassist = "builtin:assist/stop"
)

// assistants are those at work, by engine.
type assistants struct {
	mu   sync.Mutex
	work map[string]speech.Assistance
}

// Object implements vxml.ObjectHandler.
func (p *phone) Object(ctx context.Context, req vxml.ObjectRequest) (any, error) {
	params := map[string]string{}
	for _, param := range req.Params {
		params[param.Name] = fmt.Sprint(param.Value)
	}
	switch req.ClassID {
	case objectAssist:
		return true, p.assist(ctx, params)
	case objectUnassist:
		return true, p.unassist(params["engine"])
	}
	return nil, &vxml.Event{Name: "error.unsupported.objectname", Message: "there is no object " + req.ClassID}
}

// assisted has the engine listen that listens to every dialogue, if one does.
func (p *phone) assisted(ctx context.Context) (stop func()) {
	name := p.service.config.Assist
	if name == "" {
		return func() {}
	}
	ctx, stop = context.WithCancel(ctx)
	// In vain is logged, and the dialogue goes on.
	p.tasks.Go(func() { _ = p.assist(ctx, map[string]string{"engine": name}) })
	return stop
}

// assist has an engine listen. The parameter engine names it, language says what is
// spoken, and the others are the assistant's.
func (p *phone) assist(ctx context.Context, params map[string]string) error {
	name, assistant, err := p.assistant(params["engine"])
	if err != nil {
		return p.failed("assist", err)
	}
	p.helping.mu.Lock()
	defer p.helping.mu.Unlock()
	if before := p.helping.work[name]; before != nil {
		select {
		case <-before.Done():
		default:
			return nil // it listens already
		}
	}
	caller, err := p.voices.Line().Listen()
	if err != nil {
		return p.failed("assist", err)
	}
	agent, err := p.voices.Line().ListenToUs()
	if err != nil {
		caller.Close()
		return p.failed("assist", err)
	}
	o := speech.Overheard{
		Party: p.voices.Line().Party(), Language: params["language"], Variables: map[string]string{},
		Caller: caller, Agent: agent, Codec: p.voices.Line().Codec(),
	}
	for key, value := range params {
		if key != "engine" && key != "language" {
			o.Variables[key] = value
		}
	}
	a, err := assistant.Assist(ctx, o)
	if err != nil {
		return p.failed("assist", err)
	}
	if p.helping.work == nil {
		p.helping.work = map[string]speech.Assistance{}
	}
	p.helping.work[name] = a
	p.note("assistant listens", slog.String("engine", name))
	return nil
}

func (p *phone) assistant(named string) (string, speech.Assistant, error) {
	name, engine, err := p.service.config.Speech.Choose(named, p.service.config.Speech.ASR)
	if err != nil {
		return "", nil, err
	}
	assistant, ok := engine.Attached.(speech.Assistant)
	if !ok {
		return "", nil, fmt.Errorf("%w: engine %s cannot assist", speech.ErrUnavailable, name)
	}
	return name, assistant, nil
}

// unassist ends what assist began. It is no error if nothing listens any more.
func (p *phone) unassist(named string) error {
	name, _, err := p.assistant(named)
	if err != nil {
		return p.failed("assist", err)
	}
	p.helping.mu.Lock()
	a := p.helping.work[name]
	delete(p.helping.work, name)
	p.helping.mu.Unlock()
	if a != nil {
		a.Stop()
	}
	return nil
}

// dismiss ends all assistants.
func (a *assistants) dismiss() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, one := range a.work {
		one.Stop()
		delete(a.work, name)
	}
}
