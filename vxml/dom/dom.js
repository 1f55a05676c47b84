// The read-only DOM of <data> (VoiceXML 2.1 appendix D): DOM Level 2 Core as far
// as it looks at documents. Evaluates to a function that makes a Document of the
// plain tree that Go parsed. Node and DOMException are global, as the binding says.
(globalThis[Symbol.for("mcp.dom")] || (function () {
	"use strict";
	var ELEMENT = 1, ATTRIBUTE = 2, TEXT = 3, CDATA = 4, PI = 7, COMMENT = 8, DOCUMENT = 9;
	var XMLNS = "http://www.w3.org/2000/xmlns/";

	function DOMException(code, message) {
		this.code = code;
		this.message = message;
		Object.freeze(this);
	}
	DOMException.prototype.toString = function () { return "DOMException " + this.code + ": " + this.message; };
	var codes = {
		INDEX_SIZE_ERR: 1, DOMSTRING_SIZE_ERR: 2, HIERARCHY_REQUEST_ERR: 3, WRONG_DOCUMENT_ERR: 4, INVALID_CHARACTER_ERR: 5,
		NO_DATA_ALLOWED_ERR: 6, NO_MODIFICATION_ALLOWED_ERR: 7, NOT_FOUND_ERR: 8, NOT_SUPPORTED_ERR: 9, INUSE_ATTRIBUTE_ERR: 10,
		INVALID_STATE_ERR: 11, SYNTAX_ERR: 12, INVALID_MODIFICATION_ERR: 13, NAMESPACE_ERR: 14, INVALID_ACCESS_ERR: 15
	};
	function constants(on, values) {
		for (var name in values) { Object.defineProperty(on, name, {value: values[name], enumerable: true}); }
	}
	constants(DOMException, codes);
	constants(DOMException.prototype, codes);

	function refuse() { throw new DOMException(codes.NO_MODIFICATION_ALLOWED_ERR, "the document is read-only"); }
	function get(type, name, f) { Object.defineProperty(type.prototype, name, {get: f, set: refuse, enumerable: true}); }
	function refusing(type, names) { names.forEach(function (n) { type.prototype[n] = refuse; }); }
	function extend(type, parent) { type.prototype = Object.create(parent.prototype, {constructor: {value: type}}); }

	// What a node is lies in raw, where pages do not reach.
	var raw = new WeakMap();
	function of(node) {
		var r = raw.get(node);
		if (!r) { throw new TypeError("not a node"); }
		return r;
	}
	function or(v) { return v === undefined || v === "" ? null : v; }

	function NodeList(items) { raw.set(this, items); }
	NodeList.prototype.item = function (i) { return of(this)[i] || null; };
	get(NodeList, "length", function () { return of(this).length; });
	function list(items) {
		var l = new NodeList(items);
		items.forEach(function (n, i) { Object.defineProperty(l, i, {value: n, enumerable: true}); });
		return Object.freeze(l);
	}

	function NamedNodeMap(items) { raw.set(this, items); }
	extend(NamedNodeMap, NodeList);
	get(NamedNodeMap, "length", function () { return of(this).length; });
	NamedNodeMap.prototype.getNamedItem = function (name) {
		return of(this).filter(function (a) { return a.name === String(name); })[0] || null;
	};
	NamedNodeMap.prototype.getNamedItemNS = function (ns, local) {
		return of(this).filter(function (a) { return a.namespaceURI === or(ns) && a.localName === String(local); })[0] || null;
	};
	refusing(NamedNodeMap, ["setNamedItem", "removeNamedItem", "setNamedItemNS", "removeNamedItemNS"]);

	function Node() {}
	constants(Node, {
		ELEMENT_NODE: 1, ATTRIBUTE_NODE: 2, TEXT_NODE: 3, CDATA_SECTION_NODE: 4, ENTITY_REFERENCE_NODE: 5, ENTITY_NODE: 6,
		PROCESSING_INSTRUCTION_NODE: 7, COMMENT_NODE: 8, DOCUMENT_NODE: 9, DOCUMENT_TYPE_NODE: 10, DOCUMENT_FRAGMENT_NODE: 11, NOTATION_NODE: 12
	});
	constants(Node.prototype, Node);
	get(Node, "nodeName", function () { return of(this).name; });
	get(Node, "nodeType", function () { return of(this).type; });
	get(Node, "nodeValue", function () { var r = of(this); return r.value === undefined ? null : r.value; });
	get(Node, "parentNode", function () { return of(this).parent; });
	get(Node, "ownerDocument", function () { return of(this).owner; });
	get(Node, "childNodes", function () { var r = of(this); return r.list || (r.list = list(r.children)); });
	get(Node, "firstChild", function () { return of(this).children[0] || null; });
	get(Node, "lastChild", function () { var c = of(this).children; return c[c.length - 1] || null; });
	function sibling(node, step) {
		var r = of(node);
		return r.type !== ATTRIBUTE && r.parent ? of(r.parent).children[r.index + step] || null : null;
	}
	get(Node, "previousSibling", function () { return sibling(this, -1); });
	get(Node, "nextSibling", function () { return sibling(this, 1); });
	get(Node, "attributes", function () { var r = of(this); return r.type === ELEMENT ? r.map : null; });
	function named(r) { return r.type === ELEMENT || r.type === ATTRIBUTE; }
	get(Node, "namespaceURI", function () { return or(of(this).space); });
	get(Node, "prefix", function () { return or(of(this).prefix); });
	get(Node, "localName", function () { var r = of(this); return named(r) ? r.local : null; });
	Node.prototype.hasChildNodes = function () { return of(this).children.length > 0; };
	Node.prototype.hasAttributes = function () { var r = of(this); return r.type === ELEMENT && r.map.length > 0; };
	Node.prototype.isSupported = function (feature, version) {
		return /^(core|xml)$/i.test(feature) && (!version || version === "1.0" || version === "2.0");
	};
	// textContent is DOM Level 3; pages use it.
	get(Node, "textContent", function () {
		var r = of(this);
		if (r.type === DOCUMENT) { return null; }
		if (r.value !== undefined) { return r.value; }
		return r.children.map(function (c) { return /^(7|8)$/.test(c.nodeType) ? "" : c.textContent; }).join("");
	});
	refusing(Node, ["insertBefore", "replaceChild", "removeChild", "appendChild", "normalize", "cloneNode"]);

	function CharacterData() {}
	extend(CharacterData, Node);
	get(CharacterData, "data", function () { return of(this).value; });
	get(CharacterData, "length", function () { return of(this).value.length; });
	CharacterData.prototype.substringData = function (offset, count) {
		var v = of(this).value;
		if (offset < 0 || offset > v.length || count < 0) { throw new DOMException(codes.INDEX_SIZE_ERR, "outside the text"); }
		return v.substr(offset, count);
	};
	refusing(CharacterData, ["appendData", "insertData", "deleteData", "replaceData"]);
	function Text() {}
	extend(Text, CharacterData);
	refusing(Text, ["splitText"]);
	function CDATASection() {}
	extend(CDATASection, Text);
	function Comment() {}
	extend(Comment, CharacterData);
	function ProcessingInstruction() {}
	extend(ProcessingInstruction, Node);
	get(ProcessingInstruction, "target", function () { return of(this).name; });
	get(ProcessingInstruction, "data", function () { return of(this).value; });

	function Attr() {}
	extend(Attr, Node);
	get(Attr, "name", function () { return of(this).name; });
	get(Attr, "value", function () { return of(this).value; });
	get(Attr, "specified", function () { return true; });
	get(Attr, "ownerElement", function () { return of(this).element; });
	get(Attr, "parentNode", function () { return null; });

	function gather(node, wanted, out) {
		of(node).children.forEach(function (c) {
			if (of(c).type !== ELEMENT) { return; }
			if (wanted(of(c))) { out.push(c); }
			gather(c, wanted, out);
		});
		return out;
	}
	function byName(name) {
		name = String(name);
		return list(gather(this, function (r) { return name === "*" || r.name === name; }, []));
	}
	function byNameNS(ns, local) {
		local = String(local);
		return list(gather(this, function (r) {
			return (ns === "*" || or(r.space) === or(ns)) && (local === "*" || r.local === local);
		}, []));
	}

	function Element() {}
	extend(Element, Node);
	get(Element, "tagName", function () { return of(this).name; });
	Element.prototype.getAttributeNode = function (name) { return of(this).map.getNamedItem(name); };
	Element.prototype.getAttributeNodeNS = function (ns, local) { return of(this).map.getNamedItemNS(ns, local); };
	function value(attr) { return attr ? attr.value : ""; }
	Element.prototype.getAttribute = function (name) { return value(this.getAttributeNode(name)); };
	Element.prototype.getAttributeNS = function (ns, local) { return value(this.getAttributeNodeNS(ns, local)); };
	Element.prototype.hasAttribute = function (name) { return this.getAttributeNode(name) !== null; };
	Element.prototype.hasAttributeNS = function (ns, local) { return this.getAttributeNodeNS(ns, local) !== null; };
	Element.prototype.getElementsByTagName = byName;
	Element.prototype.getElementsByTagNameNS = byNameNS;
	refusing(Element, ["setAttribute", "removeAttribute", "setAttributeNode", "removeAttributeNode", "setAttributeNS",
		"removeAttributeNS", "setAttributeNodeNS"]);

	function Document() {}
	extend(Document, Node);
	get(Document, "documentElement", function () {
		return of(this).children.filter(function (c) { return of(c).type === ELEMENT; })[0] || null;
	});
	get(Document, "doctype", function () { return null; });
	get(Document, "implementation", function () {
		return Object.freeze({
			hasFeature: Node.prototype.isSupported, createDocument: refuse, createDocumentType: refuse
		});
	});
	Document.prototype.getElementsByTagName = byName;
	Document.prototype.getElementsByTagNameNS = byNameNS;
	// No document type says which attributes are identifiers; xml:id does.
	Document.prototype.getElementById = function (id) {
		return gather(this, function (r) {
			return r.map.getNamedItem("xml:id") !== null && r.map.getNamedItem("xml:id").value === String(id);
		}, [])[0] || null;
	};
	refusing(Document, ["createElement", "createDocumentFragment", "createTextNode", "createComment", "createCDATASection",
		"createProcessingInstruction", "createAttribute", "createEntityReference", "importNode", "createElementNS", "createAttributeNS"]);

	var types = {};
	types[ELEMENT] = Element; types[ATTRIBUTE] = Attr; types[TEXT] = Text; types[CDATA] = CDATASection;
	types[PI] = ProcessingInstruction; types[COMMENT] = Comment; types[DOCUMENT] = Document;
	for (var t in types) { Object.freeze(types[t].prototype); }
	[Node, CharacterData, NodeList, NamedNodeMap].forEach(function (t) { Object.freeze(t.prototype); });

	// A tree comes as arrays: [type, name, prefix, local, space, value, attributes, children].
	function node(tree, parent, owner, index) {
		var n = Object.create(types[tree[0]].prototype);
		var r = {
			type: tree[0], name: tree[1], prefix: tree[2], local: tree[3], space: tree[4], value: tree[5],
			parent: parent, owner: owner, index: index, children: []
		};
		raw.set(n, r);
		if (r.type === ELEMENT || r.type === DOCUMENT) { r.value = undefined; }
		owner = owner || n;
		if (tree[6]) {
			r.map = new NamedNodeMap(tree[6].map(function (a, i) {
				var attr = node(a, null, owner, i);
				of(attr).element = n;
				return attr;
			}));
			of(r.map).forEach(function (a, i) { Object.defineProperty(r.map, i, {value: a, enumerable: true}); });
			Object.freeze(r.map);
		}
		if (tree[7]) { r.children = tree[7].map(function (c, i) { return node(c, n, owner, i); }); }
		return Object.freeze(n);
	}
	function make(tree) { return node(tree, null, null, 0); }
	var globals = {Node: Node, DOMException: DOMException};
	for (var g in globals) { Object.defineProperty(globalThis, g, {value: Object.freeze(globals[g])}); }
	Object.defineProperty(globalThis, Symbol.for("mcp.dom"), {value: make});
	return make;
})())
