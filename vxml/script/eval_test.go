package script

import (
	"context"
	"strings"
	"testing"
)

// afterwards is what an expression comes to once a script has run.
type afterwards struct{ name, script, expr, want string }

func (a afterwards) run(t *testing.T) {
	s := chain(NewMachine(Limits{}, NewCache()))[4]
	if err := s.Run(context.Background(), Source{Text: a.script}); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Eval(context.Background(), Source{Text: a.expr}); err != nil || v.String() != a.want {
		t.Errorf("%s, %v", v.String(), err)
	}
}

// Guards leave what text means as it is.
func TestTextAsScript(t *testing.T) {
	tests := []afterwards{
		{"eval sees variables around it", "function f(x) { var y = 2; return eval('x + y'); }", "f(1)", "3"},
		{"and declares them", "function f() { eval('var z = 4'); return z; }", "f()", "4"},
		{"in an expression", "var n = 5;", "eval('n') + eval('n')", "10"},
		{"behind other letters", "function f(x) { var s = 'größe'; return eval('x + s'); }", "f(1)", "1größe"},
		{"within itself", "function f(x) { return eval('eval(\"x\")'); }", "f(6)", "6"},
		{"of more than a text", "", "eval('7', 8) + eval(...['1'])", "8"},
		{"of no text", "var o = {a: 1};", "eval(o).a + typeof eval()", "1undefined"},
		{"by another name", "var e = eval; var r = e('1 + 1');", "r + (0, eval)('3')", "5"},
		{"that fails", "var r; try { eval('1 +'); } catch (e) { r = e.name; }", "r", "SyntaxError"},
		{"eval is eval", "var same = eval === eval;", "typeof eval + same", "functiontrue"},
		{"functions of text", "var f = new Function('a', 'return a + 1'), g = Function('return 2');", "f(1) + g()", "4"},
		{"their kind", "function f() { }", "f instanceof Function && f.constructor === Function && new Function() instanceof Function", "true"},
		{"generators of text", "var G = (function* () {}).constructor;", "[...G('yield 1; yield 2')()].length", "2"},
		{"expressions of text", "var r = new RegExp('(b)', 'i');", "r.test('aB') && r instanceof RegExp && RegExp('x').source == 'x' && RegExp.$1 == 'B'", "true"},
		{"lists by length", "var l = {length: 2, 0: 'a', 1: 'b'};", "[].map.call(l, function (x) { return x + x; }).join('')", "aabb"},
		{"arguments as a list", "function f() { return Array.prototype.slice.call(arguments, 1).length; }", "f(1, 2, 3)", "2"},
		{"lists of a class", "class L extends Array {} var l = L.from([3, 1, 2]);", "l.sort().join('') + (l.map(String) instanceof L)", "123true"},
		{"iteration", "var n = 0; for (var c of 'abc') n++; for (var x of [1, 2]) n += x; var [a, ...r] = 'xyz';", "n + r.join('')", "6yz"},
		{"a map of where it came from", "var m = 1;\n//# sourceMappingURL=/dev/zero", "m", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// Nobody gets at the engine's own eval, or has a text pass unseen.
func TestEvalIsLookedAt(t *testing.T) {
	const deep = "'('.repeat(1e5)" // more levels than the engine's parser can be trusted with
	tests := []struct{ name, script, want string }{
		{"plainly", "eval(" + deep + ")", "nested deeper"},
		{"beside a variable of the check's name", "var $vet = function (x) { return x; }; eval(" + deep + ")", "nested deeper"},
		{"in a scope that has it", "application['$v' + 'et'] = function (x) { return x; }; eval(" + deep + ")", "nested deeper"},
		{"in an object that has it", "with ({$vet: function (x) { return x; }}) { eval(" + deep + ") }", "nested deeper"},
		{"with numbers that have it", "Object.defineProperty(Number.prototype, '$vet', {value: function (x) { return x; }}); eval(" + deep + ")", "Cannot redefine"},
		{"by another name", "eval('1'); var e = eval; e(" + deep + ")", "cannot be a value"},
		{"by a property", "eval('1'); ({eval}).eval(" + deep + ")", "cannot be a value"},
		{"by a text that names it", "eval('var e = eval'); e(" + deep + ")", "cannot be a value"},
		{"within a text", "var t = 'eval(x)', x = " + deep + "; eval(t)", "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := chain(NewMachine(Limits{}, NewCache()))[4]
			err := s.Run(context.Background(), Source{Text: tt.script})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
