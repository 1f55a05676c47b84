package xmltree

import "fmt"

// declarations is the namespace of the attributes that declare namespaces.
const declarations = "http://www.w3.org/2000/xmlns/"

// namespaces are what prefixes stand for where the reader is. The default namespace
// has no prefix.
type namespaces struct {
	bound map[string]string
	undo  []binding // what was bound before, by each declaration in force
}

type binding struct{ prefix, space string }

// declare takes the declarations among an element's attributes, or says what is
// wrong with one.
func (n *namespaces) declare(attrs []Attribute) string {
	for i := range attrs {
		a := &attrs[i]
		prefix := a.Local
		switch {
		case a.Prefix == "" && a.Local == "xmlns":
			prefix = ""
		case a.Prefix != "xmlns":
			continue
		}
		if !bindable(prefix, a.Value) {
			return fmt.Sprintf("%s=%q is no declaration of a namespace", a.Name, a.Value)
		}
		a.Space = declarations
		if n.bound == nil {
			n.bound = make(map[string]string)
		}
		n.undo = append(n.undo, binding{prefix, n.bound[prefix]})
		n.bound[prefix] = a.Value
	}
	return ""
}

// bindable tells whether a declaration of a namespace is one (Namespaces in XML
// sections 2.2, 3 and 5).
func bindable(prefix, space string) bool {
	switch prefix {
	case "":
		return space != XMLNamespace && space != declarations
	case "xml":
		return space == XMLNamespace
	case "xmlns":
		return false
	}
	return space != "" && space != XMLNamespace && space != declarations
}

// forget ends the declarations but for the oldest.
func (n *namespaces) forget(oldest int) {
	for i := len(n.undo) - 1; i >= oldest; i-- {
		n.bound[n.undo[i].prefix] = n.undo[i].space
	}
	n.undo = n.undo[:oldest]
}

// resolve finds the namespaces of an element's name and its attributes', or says
// what is wrong with one.
func (n *namespaces) resolve(element *Name, attrs []Attribute) string {
	if !n.find(element) {
		return "is no name in a namespace that is declared"
	}
	for i := range attrs {
		a := &attrs[i]
		if a.Prefix != "" && a.Space == "" && !n.find(&a.Name) {
			return fmt.Sprintf("has the attribute %q, in no namespace that is declared", a.Name)
		}
	}
	return twice(attrs)
}

// find finds the namespace of a name.
func (n *namespaces) find(name *Name) bool {
	switch name.Prefix {
	case "xml":
		name.Space = XMLNamespace
	case "xmlns":
		return false
	default:
		name.Space = n.bound[name.Prefix]
	}
	return name.Prefix == "" || name.Space != ""
}

// few is how many attributes are compared with each other rather than listed.
const few = 16

// twice tells when two attributes have the same name.
func twice(attrs []Attribute) string {
	if len(attrs) <= few {
		for i, a := range attrs {
			for _, b := range attrs[:i] {
				if a.Local == b.Local && a.Space == b.Space {
					return fmt.Sprintf("has the attribute %q twice", a.Name)
				}
			}
		}
		return ""
	}
	seen := make(map[binding]bool, len(attrs))
	for _, a := range attrs {
		if seen[binding{a.Local, a.Space}] {
			return fmt.Sprintf("has the attribute %q twice", a.Name)
		}
		seen[binding{a.Local, a.Space}] = true
	}
	return ""
}
