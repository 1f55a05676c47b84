package xmltree

import "strings"

// start reads a start tag, or the tag of an empty element.
func (r *Reader) start() (Token, error) {
	begin := r.at
	r.at++
	t := Token{Kind: Start, Line: r.line}
	raw, err := r.name()
	if err != nil {
		return t, err
	}
	switch {
	case len(r.open) == 0 && r.seen > 0:
		return t, r.fault(begin, "<%s> follows the root element", raw)
	case len(r.open) == MaxDepth:
		return t, r.beyond("elements are nested deeper than %d", MaxDepth)
	case r.seen == MaxElements:
		return t, r.beyond("there are more than %d elements", MaxElements)
	}
	r.attrs = r.attrs[:0]
	if err := r.attributes(raw); err != nil {
		return t, err
	}
	r.seen++
	bound := len(r.names.undo)
	if wrong := r.names.declare(r.attrs); wrong != "" {
		return t, r.fault(begin, "<%s>: %s", raw, wrong)
	}
	t.Name, t.Attrs = split(raw), r.attrs
	if wrong := r.names.resolve(&t.Name, r.attrs); wrong != "" {
		return t, r.fault(begin, "<%s> %s", raw, wrong)
	}
	r.open = append(r.open, element{t.Name, bound})
	return t, nil
}

// attributes reads the attributes of an element and the end of its tag.
func (r *Reader) attributes(of string) error {
	for {
		spaced := r.space()
		if r.at == len(r.text) {
			return r.fault(r.at, "the tag of <%s> does not end", of)
		}
		switch c := r.text[r.at]; {
		case c == '>':
			r.at++
			return nil
		case strings.HasPrefix(r.text[r.at:], "/>"):
			r.at += len("/>")
			r.hollow = true
			return nil
		case !spaced:
			return r.fault(r.at, "nothing separates what stands in the tag of <%s>", of)
		case len(r.attrs) == MaxAttributes:
			return r.beyond("<%s> has more than %d attributes", of, MaxAttributes)
		}
		if err := r.attribute(); err != nil {
			return err
		}
	}
}

func (r *Reader) attribute() error {
	raw, err := r.name()
	if err != nil {
		return err
	}
	r.space()
	if !strings.HasPrefix(r.text[r.at:], "=") {
		return r.fault(r.at, "the attribute %q has no value", raw)
	}
	r.at++
	r.space()
	rest := r.text[r.at:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return r.fault(r.at, "the value of the attribute %q is not in quotes", raw)
	}
	length := strings.IndexByte(rest[1:], rest[0])
	if length < 0 {
		return r.fault(r.at, "the value of the attribute %q does not end", raw)
	}
	r.at++
	value := rest[1 : 1+length]
	if at := strings.IndexByte(value, '<'); at >= 0 {
		return r.fault(r.at+at, "< stands in the value of the attribute %q", raw)
	}
	if value, err = r.expand(value, true); err != nil {
		return err
	}
	r.at += length + 1
	r.attrs = append(r.attrs, Attribute{split(raw), value})
	return nil
}

// end reads an end tag.
func (r *Reader) end() (Token, error) {
	begin := r.at
	if len(r.open) == 0 {
		return Token{}, r.fault(begin, "an end tag closes nothing")
	}
	name := r.open[len(r.open)-1].name
	r.at += len("</")
	raw, err := r.name()
	if err != nil {
		return Token{}, err
	}
	if split(raw) != (Name{Prefix: name.Prefix, Local: name.Local}) {
		return Token{}, r.fault(begin, "<%s> is closed by </%s>", name, raw)
	}
	r.space()
	if !strings.HasPrefix(r.text[r.at:], ">") {
		return Token{}, r.fault(r.at, "the tag </%s> does not end", raw)
	}
	r.at++
	return r.close(), nil
}

// close ends the innermost element.
func (r *Reader) close() Token {
	last := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	r.names.forget(last.bound)
	return Token{Kind: End, Name: last.name, Line: r.line}
}

// space skips white space, and tells whether there was any.
func (r *Reader) space() bool {
	begin := r.at
	for r.at < len(r.text) && blank(r.text[r.at]) {
		r.at++
	}
	return r.at > begin
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// name reads a name that may have a prefix (Namespaces in XML production 7).
func (r *Reader) name() (string, error) {
	rest := r.text[r.at:]
	n := nameLength(rest)
	if n == 0 {
		return "", r.fault(r.at, "a name is missing")
	}
	raw := rest[:n]
	if prefix, local, two := strings.Cut(raw, ":"); two && (prefix == "" || nameLength(local) != len(local) || local == "" || strings.Contains(local, ":")) {
		return "", r.fault(r.at, "%q is no name with a prefix", raw)
	}
	r.at += n
	return raw, nil
}

func split(raw string) Name {
	if prefix, local, two := strings.Cut(raw, ":"); two {
		return Name{Prefix: prefix, Local: local}
	}
	return Name{Local: raw}
}
