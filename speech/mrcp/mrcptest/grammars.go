package mrcptest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"mcp/speech/mrcp/wire"
)

// grammarLimit bounds a fetched grammar.
const grammarLimit = 1 << 20

// grammarFault is why a grammar cannot be used.
type grammarFault struct {
	cause wire.Cause
	uri   string
	err   error
}

func (f *grammarFault) Error() string { return fmt.Sprintf("grammar %s: %v", f.uri, f.err) }

// store holds the grammars that a session has defined, by their session URI.
type store map[string]Grammar

func sessionURI(contentID string) string {
	return "session:" + strings.Trim(strings.TrimSpace(contentID), "<>")
}

var weightPattern = regexp.MustCompile(`(?i);\s*weight\s*=\s*"?([0-9.]+)"?`)

// references reads the bodies that name grammars: text/uri-list (RFC 2483) and
// text/grammar-ref-list (RFC 6787 section 13.5.1).
func references(body []byte) []Grammar {
	var list []Grammar
	for text := range strings.SplitSeq(string(body), "\n") {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		g := Grammar{URI: text, Weight: 1}
		if strings.HasPrefix(text, "<") {
			g.URI, text, _ = strings.Cut(text[1:], ">")
			if match := weightPattern.FindStringSubmatch(text); match != nil {
				g.Weight, _ = strconv.ParseFloat(match[1], 64)
			}
		}
		list = append(list, g)
	}
	return list
}

// resolve finds the grammars of a DEFINE-GRAMMAR or RECOGNIZE request: those it
// carries, those defined before, those on the web.
func (s store) resolve(ctx context.Context, m *wire.Message, server *Server) ([]Grammar, *grammarFault) {
	mediaType, _, _ := strings.Cut(strings.ToLower(m.Header.Get(wire.HeaderContentType)), ";")
	mediaType = strings.TrimSpace(mediaType)
	var grammars []Grammar
	if mediaType == wire.TypeURIList || mediaType == wire.TypeGrammarRefList {
		for _, ref := range references(m.Body) {
			g, fault := s.load(ctx, ref, server)
			if fault != nil {
				return nil, fault
			}
			grammars = append(grammars, g)
		}
	} else {
		uri := "session:" + strconv.FormatUint(uint64(m.ID), 10)
		if id := m.Header.Get(wire.HeaderContentID); id != "" {
			uri = sessionURI(id)
		}
		grammars = []Grammar{{URI: uri, MediaType: mediaType, Content: m.Body, Weight: 1}}
	}
	return grammars, check(ctx, grammars, server.engine)
}

func check(ctx context.Context, grammars []Grammar, engine Engine) *grammarFault {
	checker, able := engine.(GrammarChecker)
	if !able {
		return nil
	}
	for _, g := range grammars {
		if err := checker.CheckGrammar(ctx, g); err != nil {
			return &grammarFault{wire.RecogCause(wire.RecogGrammarCompilation), g.URI, err}
		}
	}
	return nil
}

func (s store) load(ctx context.Context, ref Grammar, server *Server) (Grammar, *grammarFault) {
	scheme, _, _ := strings.Cut(strings.ToLower(ref.URI), ":")
	switch scheme {
	case "session":
		g, defined := s[ref.URI]
		if !defined {
			return g, &grammarFault{wire.RecogCause(wire.RecogGrammarLoad), ref.URI, fmt.Errorf("not defined")}
		}
		g.Weight = ref.Weight
		return g, nil
	case "http", "https":
		if err := fetch(ctx, &ref, server.cfg.HTTP); err != nil {
			return ref, &grammarFault{wire.RecogCause(wire.RecogURIFailure), ref.URI, err}
		}
	}
	return ref, nil
}

func fetch(ctx context.Context, g *Grammar, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URI, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	g.Content, err = io.ReadAll(io.LimitReader(response.Body, grammarLimit))
	g.MediaType = response.Header.Get("Content-Type")
	return err
}

// refuse is the response to a request whose grammars cannot be used.
func (f *grammarFault) refuse(m *wire.Message) *wire.Message {
	refusal := wire.NewResponse(m, wire.StatusFailed, wire.Complete)
	refusal.Header.Add(wire.HeaderCompletionCause, f.cause.String())
	refusal.Header.Add(wire.HeaderCompletionReason, strconv.Quote(f.Error()))
	if f.cause.Code == wire.RecogURIFailure {
		refusal.Header.Add("Failed-URI", f.uri)
	}
	return refusal
}
