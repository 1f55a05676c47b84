package mrcp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// storeDomain completes a grammar's name to the addr-spec that RFC 2392 wants of
// a Content-ID.
const storeDomain = "@mcp.store"

// grammars remembers what a session has defined at its server, by content: the
// same grammar is not sent twice, and a name is never given new content.
type grammars struct {
	numbered bool
	names    map[[sha256.Size]byte]string // name by content
	taken    map[string]bool
}

func newGrammars(m Manners) *grammars {
	return &grammars{numbered: m.NumberedGrammars, names: make(map[[sha256.Size]byte]string), taken: make(map[string]bool)}
}

func grammarKey(g speech.Grammar) [sha256.Size]byte {
	return sha256.Sum256(bytes.Join([][]byte{[]byte(g.MediaType), []byte(g.URI), g.Content}, []byte{0}))
}

// name returns the name of an inline grammar and whether it is yet to be defined.
func (gs *grammars) name(g speech.Grammar) (string, bool) {
	key := grammarKey(g)
	if name, defined := gs.names[key]; defined {
		return name, false
	}
	if gs.numbered {
		return fmt.Sprintf("grammar%d", len(gs.taken)+1), true
	}
	wanted := g.ID
	if !validGrammarID(wanted) {
		wanted = "g" + hex.EncodeToString(key[:6])
	}
	name := wanted
	for n := 2; gs.taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", wanted, n)
	}
	return name, true
}

// defined notes that the server has accepted a grammar under a name.
func (gs *grammars) defined(g speech.Grammar, name string) {
	gs.names[grammarKey(g)] = name
	gs.taken[name] = true
}

func validGrammarID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	})
}

// defineGrammar makes the request that stores an inline grammar.
func defineGrammar(g speech.Grammar, name, language string) *wire.Message {
	m := &wire.Message{Name: wire.MethodDefineGrammar}
	m.Header.Add(wire.HeaderContentID, "<"+name+storeDomain+">")
	if g.URI != "" {
		m.Header.Add(wire.HeaderContentBase, g.URI)
	}
	if language != "" {
		m.Header.Add(wire.HeaderSpeechLanguage, language)
	}
	m.SetBody(orDefault(g.MediaType, wire.TypeSRGS), g.Content)
	return m
}

// reference is an active grammar of a recognition.
type reference struct {
	uri    string
	id     string // what the caller calls it
	weight float64
}

// setReferences puts the list of active grammars into a request, with their
// weights where the protocol has any.
func setReferences(m *wire.Message, references []reference, weights bool) {
	weighted := weights && slices.ContainsFunc(references, reference.weighted)
	var body strings.Builder
	for _, r := range references {
		switch {
		case !weighted:
			body.WriteString(r.uri)
		case r.weighted():
			fmt.Fprintf(&body, `<%s>;weight="%s"`, r.uri, wire.Float(r.weight))
		default:
			fmt.Fprintf(&body, "<%s>", r.uri)
		}
		body.WriteString("\r\n")
	}
	mediaType := wire.TypeURIList
	if weighted {
		mediaType = wire.TypeGrammarRefList
	}
	m.SetBody(mediaType, []byte(body.String()))
}

func (r reference) weighted() bool { return r.weight != 0 && r.weight != 1 }

// nameGrammars turns the URIs by which the server names grammars into the
// caller's identifiers. Servers vary what follows the @ of a session URI.
func nameGrammars(alternatives []speech.Alternative, references []reference) {
	for i := range alternatives {
		uri := alternatives[i].GrammarID
		for _, r := range references {
			if sameGrammar(uri, r.uri) {
				alternatives[i].GrammarID = orDefault(r.id, r.uri)
				break
			}
		}
	}
}

func sameGrammar(a, b string) bool {
	if a == b {
		return true
	}
	nameA, isA := sessionName(a)
	nameB, isB := sessionName(b)
	return isA && isB && strings.EqualFold(nameA, nameB)
}

func sessionName(uri string) (string, bool) {
	const scheme = "session:"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return "", false
	}
	name, _, _ := strings.Cut(strings.Trim(uri[len(scheme):], "<>"), "@")
	return name, true
}
