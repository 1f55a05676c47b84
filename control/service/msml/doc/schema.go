package doc

import (
	"slices"
	"strings"
)

// element is what the schema says of an element: its attributes, with the form of
// their values after a colon and an exclamation mark where they are mandatory, and
// what it may contain.
type element struct{ attributes, content string }

// The primitives and actions of dialogs, which several elements may contain.
const (
	actions    = "send exit disconnect"
	primitives = "play dtmfgen tonegen record dtmf collect vad faxdetect speech mcp:progress group " + actions
	streams    = "stream"
	rest       = "*" // anything: it is not looked at
)

// Namespace is that of the extensions of our own, which the schema has as mcp:…
const Namespace = "urn:mcp:msml"

// schema is RFC 5707 section 16 as far as it is supported, with the extensions of
// the field, gvp:recorder and gvp:params, whose namespaces differ, and our own.
var schema = map[string]element{
	"msml": {"version!", "send createconference modifyconference destroyconference join unjoin modifystream monitor dialogstart dialogend mcp:createconnection mcp:destroyconnection"},
	"send": {"event! target! valuelist namelist mark", ""},
	// What servers say, which has no place in a request.
	"event": {"", rest}, "result": {"", rest},

	"createconference":  {"name deletewhen:when term:bool mark", "audiomix reserve recorder"},
	"modifyconference":  {"id! mark", "audiomix recorder"},
	"destroyconference": {"id! mark", "audiomix"},
	"reserve":           {"required:bool", "resource"},
	"resource":          {"n:number type", rest},
	"audiomix":          {"id samplerate:mixrate", "n-loudest asn"},
	"n-loudest":         {"n!:number", ""},
	"asn":               {"ri:time asth:threshold", ""},
	"join":              {"id1! id2! mark", streams},
	"unjoin":            {"id1! id2! mark", streams},
	"modifystream":      {"id1! id2! mark", streams},
	"stream":            {"media!:media dir:direction compressed:bool preferred:bool display:no override:no", "gain clamp"},
	"gain":              {"id amt:gain agc:off tgtlvl:no maxgain:no incr:no", ""},
	"clamp":             {"id dtmf:bool tones:off", ""},

	"recorder": {"state!:recording id type dest dest2 channels:number", "params"},
	"params":   {"", "param"},
	"param":    {"name! value", rest},

	"dialogstart": {"target! src type name mark", "moml params " + primitives},
	"dialogend":   {"id! mark", ""},
	"moml":        {"version id", primitives},
	"exit":        {"namelist", ""},
	"disconnect":  {"namelist", ""},

	"play":        {"id interval:time iterate:times initial:state maxtime:time barge:bool cleardb:bool offset:time skip:time xml:lang", "audio var tts playexit media"},
	"media":       {"", "audio"},
	"audio":       {"uri! format audiosamplerate audiosamplesize iterate:times xml:lang", ""},
	"var":         {"type!:variable subtype value! xml:lang", ""},
	"tts":         {"uri iterate:times xml:lang", rest},
	"playexit":    {"", actions},
	"dtmfgen":     {"id digits!:keys level dur:ms interval:ms", "dtmfgenexit"},
	"dtmfgenexit": {"", actions},
	"tonegen":     {"id iterate:times", "tone silence tonegenexit"},
	"tone":        {"duration!:time iterate:times", "tone1 tone2 silence"},
	"tone1":       {"freq!:hertz atten!:decibel", ""},
	"tone2":       {"freq!:hertz atten!:decibel", ""},
	"tonegenexit": {"", actions},

	"record": {"id append:off dest audiodest format!:format audiosamplerate:narrow audiosamplesize initial:state maxtime!:time prespeech:time postspeech:time termkey:keys " +
		"videodest:no codecconfig:no profile:no level:no imagewidth:no imageheight:no maxbitrate:no framerate:no", "play tonegen recordexit"},
	"recordexit": {"", actions},
	"dtmf":       {"id cleardb:bool fdt:time idt:time edt:time starttimer:bool iterate:times ldd:no", "play pattern detect noinput nomatch dtmfexit"},
	"collect":    {"id cleardb:bool fdt:time idt:time edt:time starttimer:bool iterate:times ldd:no", "play pattern detect noinput nomatch dtmfexit"},
	"pattern":    {"digits! format:pattern iterate:times", actions},
	"detect":     {"", actions},
	"noinput":    {"iterate:times", actions},
	"nomatch":    {"iterate:times", actions},
	"dtmfexit":   {"", actions},

	"speech":     {"id noint:time norect:time spcmplt:time spincmplt:time confidence:percent sens:percent starttimer:bool iterate:times", "grammar noinput nomatch speechexit"},
	"grammar":    {"uri iterate:times version xml:lang mode root tag-format", rest},
	"match":      {"iterate:times", actions},
	"speechexit": {"", actions},

	"group":     {"id topology!:topology", primitives + " groupexit relay"},
	"groupexit": {"", actions},
	"relay":     {"id", ""},
	"vad":       {"id starttimer:bool", "voice silence tvoice tsilence vadexit"},
	"voice":     {"len:time iterate:no sen:no", actions},
	"tvoice":    {"len:time iterate:no sen:no", actions},
	"tsilence":  {"len:time iterate:no sen:no", actions},
	"silence":   {"len:time duration:time iterate:no sen:no", actions},
	"vadexit":   {"", actions},

	"faxdetect":     {"id", "faxdetectexit"},
	"faxdetectexit": {"", actions},

	"mcp:progress":     {"id until:until profile:profile maxtime:time", "mcp:progressexit"},
	"mcp:progressexit": {"", actions},

	"mcp:createconnection":  {"to!:address from:address name aai until:until profile:profile timeout:time mark", "mcp:header"},
	"mcp:header":            {"name! value!", ""},
	"mcp:destroyconnection": {"id! mark", ""},
}

// unsupported are elements of RFC 5707 that are known and not executed: video,
// faxes, and the transformations of single streams.
const unsupported = `video videolayout selector region root visual monitor agc gate transfer faxsend faxrcv sendobj rxpoll faxrecv hdrfooter
	rcvobj txpoll audit auditresult conferenceaudit connectionaudit dialogaudit streamaudit`

// known is an element's name in the schema.
func known(n *Node) string {
	if n.Space == Namespace {
		return "mcp:" + n.Name
	}
	return n.Name
}

// check holds an element and all below it to the schema.
func check(n *Node) error {
	def, ok := schema[known(n)]
	if !ok {
		return unknown(n)
	}
	if err := checkAttributes(n, def); err != nil {
		return err
	}
	allowed := strings.Fields(def.content)
	for _, child := range n.Elements() {
		if def.content == rest && child.Name != "match" {
			continue
		}
		if n.Name == "group" && (child.Name == "gain" || child.Name == "clamp") {
			return Faultf(UnsupportedElement, "line %d: <%s> is supported between objects only", child.Line, child.Name)
		}
		if _, ok := schema[known(child)]; ok && n.Name != "grammar" && !slices.Contains(allowed, known(child)) {
			return Faultf(ForbiddenContent, "line %d: <%s> has no place in <%s>", child.Line, child.Name, n.Name)
		}
		if err := check(child); err != nil {
			return err
		}
	}
	return checkContent(n)
}

func unknown(n *Node) error {
	if slices.Contains(strings.Fields(unsupported), n.Name) {
		return Faultf(UnsupportedElement, "line %d: <%s> is not supported", n.Line, n.Name)
	}
	return Faultf(UnknownElement, "line %d: <%s> is unknown", n.Line, n.Name)
}

func checkAttributes(n *Node, def element) error {
	forms := map[string]string{}
	for _, spec := range strings.Fields(def.attributes) {
		name, form := spec, ""
		if at := strings.LastIndexByte(spec, ':'); at >= 0 && spec != "xml:lang" {
			name, form = spec[:at], spec[at+1:]
		}
		name, mandatory := strings.CutSuffix(name, "!")
		forms[name] = form
		if _, given := n.Lookup(name); mandatory && !given {
			return Faultf(MissingAttribute, "line %d: <%s> needs %s", n.Line, n.Name, name)
		}
	}
	for _, a := range n.Attrs {
		form, known := forms[a.Name]
		switch {
		case known && beyond(form, a.Value):
			return Faultf(UnsupportedAttribute, "line %d: <%s %s=%q> is not supported", n.Line, n.Name, a.Name, a.Value)
		case known && !conforms(form, a.Value):
			return Faultf(InvalidValue, "line %d: <%s %s=%q>", n.Line, n.Name, a.Name, a.Value)
		case known, a.Space != "" && a.Name != "xml:lang": // an extension of somebody's own
		default:
			return Faultf(UnknownAttribute, "line %d: <%s> has no attribute %s", n.Line, n.Name, a.Name)
		}
	}
	return nil
}

// needed are elements one of which another must contain.
var needed = map[string][]string{
	"play": {"audio", "var", "tts", "media"}, "speech": {"grammar"}, "tonegen": {"tone", "silence"}, "tone": {"tone1", "tone2"}, "media": {"audio"},
	"dtmf": {"pattern", "detect", "noinput", "nomatch"}, "collect": {"pattern", "detect", "noinput", "nomatch"},
}

func checkContent(n *Node) error {
	if of := needed[n.Name]; of != nil && !slices.ContainsFunc(n.Elements(), func(c *Node) bool { return slices.Contains(of, c.Name) }) {
		return Faultf(MissingContent, "line %d: <%s> needs one of %s", n.Line, n.Name, strings.Join(of, ", "))
	}
	_, external := n.Lookup("src")
	inline := false
	switch n.Name {
	case "dialogstart":
		inline = len(n.Elements()) > 0 && n.Elements()[0].Name != "params"
	case "tts":
		_, external = n.Lookup("uri")
		inline = n.HasContent()
	case "grammar":
		_, external = n.Lookup("uri")
		inline = slices.ContainsFunc(n.Elements(), func(c *Node) bool { return c.Name != "match" })
	default:
		return nil
	}
	switch {
	case external && inline:
		return Faultf(Ambiguous, "line %d: <%s> has both a source and content", n.Line, n.Name)
	case !external && !inline:
		return Faultf(MissingContent, "line %d: <%s> has neither a source nor content", n.Line, n.Name)
	}
	return nil
}
