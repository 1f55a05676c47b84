package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// bombs need memory or time without bound in as many ways as we could think of.
var bombs = []string{
	`'x'.repeat(Math.pow(2, 40))`,
	`'x'.padStart(Math.pow(2, 31))`,
	`var s = 'x'; for (;;) s += s`,
	`var s = 'x'; for (;;) s = s + s + 'y'`,
	`var s = 'x', t = s; for (;;) { t = s + t; s = t + s; }`,
	"var s = 'x'; for (;;) s = `${s}${s}`",
	"var s = 'x'.repeat(1000000); `" + strings.Repeat("${s}", 500) + "`",
	"var s = 'x'.repeat(1000000), o = {toString: function () { return s; }}; `" + strings.Repeat("${o}", 500) + "`",
	"var s = 'x'.repeat(1000000); s = s" + strings.Repeat("+s", 500),
	`var s = 'x'; for (;;) s = s.concat(s)`,
	`var s = 'x'.repeat(1000000); s.concat.apply(s, new Array(10000).fill(s))`,
	`var s = 'x'.repeat(1000000); s.concat.apply('', new Array(10000).fill([s]))`,
	`var a = new Array(100000).fill(1); a.concat.apply(a, new Array(10000).fill(a))`,
	`var a = new Array(100000).fill(1); new Array(10000).fill(a).flat()`,
	`var a = new Array(100000).fill(1); new Array(10000).fill(a).flatMap(function (x) { return x; })`,
	`var a = []; a.push(a); a.flat(1 / 0)`,
	`var a = []; for (;;) a.push('x' + a.length)`,
	`var a = []; for (;;) a.push(a.concat(a))`,
	`var f; for (var i = 0;; i++) f = (function (g, n) { return function () { return [g, n]; }; })(f, 'x' + i)`,
	`var o = {}; for (var i = 0;; i++) o['k' + i] = i`,
	`new Array(4294967295).join('x')`,
	`var a = new Array(4000000000); '' + a`,
	`new Array(50000000).fill(0)`,
	`Array.from({length: Math.pow(2, 50)})`,
	`String.fromCharCode.apply(null, {length: 1000000000})`,
	`new Float64Array(1000000000)`,
	`new ArrayBuffer(10000000000)`,
	`JSON.stringify(new Array(2000000000))`,
	`var o = {}; for (var i = 0; i < 1000000; i++) o = {o: o}; JSON.stringify(o)`,
	`var a = []; for (var i = 0; i < 1000000; i++) a = [a]; '' + a`,
	`var s = 'x'.repeat(1000000); s.replace(/x/g, s)`,
	`var s = 'x'.repeat(1000000); s.split('').join(s)`,
	`var s = 'x'.repeat(1000000), a = []; for (var i = 0; i < 5000; i++) a.push(s); a.join()`,
	`var m = new Map(); for (var i = 0;; i++) m.set(i, 'x' + i)`,
	`String.raw({raw: {length: 1000000000}})`,
	`[1, 2, 3].indexOf.call({length: Math.pow(2, 53)}, 1)`,
	`/^(?=(a+)+$)b/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')`,
	`'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.match(/(a|a)*\1(?!x)b/)`,
	`new RegExp('((a|aa)+)+(?=c)$').exec('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')`,
	`'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.replace(/(?=a)(a+)+$/g, 'x')`,
	`var s = 'x'.repeat(1000000); /(.{1000}y)|(.{999}z)/.test(s)`,
	`(function f() { return f() + 1; })()`,
	`var s = ['re' + 'peat'][0]; 'x'[s](1e15)`,
	`3n ** 100000000n`,
	`[...new Array(1e9)]`,
	`new Array(4294967295).sort()`,
	`new Array(4294967295).map(String)`,
	`new Array(4294967295).reverse()`,
	`[].forEach.call({length: 9e15}, Math.abs)`,
	`var n = 0; [].indexOf.call({get length() { return n++ ? 9e15 : 1; }}, 1)`,
	`var l = [9e15, 1]; [].indexOf.call(new Proxy({}, {get: [].pop.bind(l)}), 1)`,
	`new Set({length: 9e15, [Symbol.iterator]: [].values})`,
	`var s = 'x'; for (var i = 0; i < 26; i++) s += s; [...s]`,
	`var s = 'x'; for (var i = 0; i < 25; i++) s += s; JSON.stringify([s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s])`,
	`var big = new Array(1000000).fill(1); new Array(100000).fill(big).sort()`,
	`JSON.parse('['.repeat(16000000))`,
	`var o = {toJSON: function () { return {a: o}; }}; JSON.stringify(o)`,
	`eval('('.repeat(8000000))`,
	`var e = eval; e('!'.repeat(8000000) + '1')`,
	`eval('eval("(".repeat(8000000))')`,
	`eval('1' + '+1'.repeat(400000))`,
	`new Function('return ' + '('.repeat(8000000))`,
	`(function () {})[['constr', 'uctor'].join('')]('('.repeat(8000000))`,
	`(function () {})['constr'.concat('uctor')]('('.repeat(8000000))`,
	`var {['constr'.concat('uctor')]: f} = function () {}; f('('.repeat(8000000))`,
	`(function () {})[{toString: function () { return ['constr', 'uctor'].join(''); }}]('('.repeat(8000000))`,
	`String['ra'.concat('w')]({['ra'.concat('w')]: {['leng'.concat('th')]: 1000000000}})`,
	strings.Repeat("(a=", 30) + "1" + strings.Repeat(")=>1", 30),
	`(function* () {}).constructor('!'.repeat(8000000) + '1')`,
	`class F extends Function {} new F('!'.repeat(8000000) + '1')`,
	`new RegExp('(?='.repeat(1000000) + ')'.repeat(1000000))`,
	`'x'.match('('.repeat(5000000))`,
	`function* g() { yield* g(); } for (var x of g());`,
	`function* g() { for (;;) yield 1; } [...g()]`,
	`async function f() { for (;;) await 0; } f()`,
	`function p() { return Promise.resolve().then(p); } p()`,
	`new Promise(function () { for (;;); })`,
	`({[Symbol.toPrimitive]: function () { for (;;); }}) + ''`,
	`({valueOf: function () { for (;;); }}) + 1`,
	`new Proxy({}, {get: function () { for (;;); }}).x`,
	"function t() { return t; } for (var x = t;;) x = x`a`",
	`a: for (;;) { for (;;) continue a; }`,
	`for (;;) try { for (;;) 'x'.repeat(1e9); } catch (e) { }`,
	`'a'.replace(/a/, function () { for (;;); })`,
	"eval('1;\\n//# sourceMappingURL=/dev/zero'); for (;;);",
	"for (;;);\n//# sourceMappingURL=/dev/zero",
	"1" + strings.Repeat("&&1", 50000),
	strings.Repeat("a=>", 300_000) + "1",
	strings.Repeat("!", 100000) + "1",
	strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000),
}

const (
	childLimit = 4 << 30 // of the child's address space
	childPeak  = 500     // MiB it may have used
)

// TestBombs runs every bomb in a process of its own, beside a session that goes
// on evaluating, and looks at what the process needed.
func TestBombs(t *testing.T) {
	if os.Getenv("SCRIPT_BOMBS") != "" {
		explode(t)
		return
	}
	if testing.Short() {
		t.Skip("takes a second a bomb")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestBombs$", "-test.v")
	cmd.Env = append(os.Environ(), "SCRIPT_BOMBS=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

func explode(t *testing.T) {
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: childLimit, Max: childLimit}); err != nil {
		t.Fatal(err)
	}
	cache := NewCache()
	stop, calm, idle := make(chan struct{}), make(chan []time.Duration), make(chan []time.Duration)
	go func() { calm <- evaluate(cache, stop) }()
	go func() { idle <- doze(stop) }()
	for _, text := range bombs {
		begin := time.Now()
		err := chain(NewMachine(Limits{Time: 200 * time.Millisecond}, cache))[4].Run(context.Background(), Source{Text: text})
		took := time.Since(begin)
		// A constructor withheld is refused like any unknown name, and of the
		// expressions the engine sees through some.
		var e *Error
		if errors.As(err, &e) && !e.Limit && !strings.Contains(e.Message, "not defined") {
			t.Errorf("%.60s: ended with %v", text, err)
		}
		if err == nil && !strings.Contains(text, "a!'") {
			t.Errorf("%.60s: ended by itself", text)
		}
		t.Logf("%6d ms, peak %4d MiB: %.70s: %v", took.Milliseconds(), peak(t), text, err)
	}
	close(stop)
	took, late := <-calm, <-idle
	slices.Sort(took)
	slices.Sort(late)
	machine := late[len(late)*99/100] // how long the machine keeps one waiting who does nothing
	t.Logf("beside them %d evaluations: median %v, 99th percentile %v, longest %v; the machine's %v",
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1], machine)
	if p := took[len(took)*99/100]; p > max(50*time.Millisecond, 5*machine) {
		t.Errorf("other sessions waited %v", p)
	}
	if n := cache.Stuck(); n > 0 {
		t.Errorf("%d scripts still run", n)
	}
	if p := peak(t); p > childPeak {
		t.Errorf("the process needed %d MiB", p)
	}
}

// doze measures how late one is woken who sleeps.
func doze(stop <-chan struct{}) (late []time.Duration) {
	for {
		begin := time.Now()
		select {
		case <-stop:
			return late
		case <-time.After(time.Millisecond):
			late = append(late, time.Since(begin)-time.Millisecond)
		}
	}
}

// evaluate is another session's work.
func evaluate(cache *Cache, stop <-chan struct{}) (took []time.Duration) {
	s := chain(NewMachine(Limits{}, cache))[4]
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return took
		case <-tick.C:
		}
		begin := time.Now()
		if v, err := s.Eval(context.Background(), Source{Text: "'a' + 1 == 'a1'"}); err != nil || !v.Bool() {
			panic(fmt.Sprintf("another session's script failed: %v", err))
		}
		took = append(took, time.Since(begin))
	}
}

// peak is the most memory the process has had, in MiB.
func peak(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

func TestMain(m *testing.M) {
	if os.Getenv("SCRIPT_BOMBS") != "" {
		os.Exit(m.Run()) // scripts that could not be stopped may still be there
	}
	goleak.VerifyTestMain(m)
}

// A machine that was given up answers everything with its fault, and touches
// nothing that its last script may still use.
func TestLostMachine(t *testing.T) {
	cache := NewCache()
	m := NewMachine(Limits{Time: 10 * time.Millisecond}, cache)
	s := chain(m)[4]
	if err := s.Run(context.Background(), Source{Text: "var o = {a: 1}"}); err != nil {
		t.Fatal(err)
	}
	o := s.Get("o")
	m.lost = &Error{Message: "lost", Limit: true}
	_, err := s.Eval(context.Background(), Source{Text: "1"})
	for what, err := range map[string]error{
		"eval": err, "run": s.Run(context.Background(), Source{Text: "1"}), "declare": s.Declare("x", m.Value(1)),
		"set": o.Set("a", m.Value(2)), "assign": s.Assign(context.Background(), "o", m.Value(1)),
		"who asks": m.Lost(),
	} {
		if err == nil {
			t.Errorf("%s went on", what)
		}
	}
	if !s.Get("o").Undefined() || o.Keys() != nil || o.Export() != nil || !o.Get("a").Undefined() || o.String() != "undefined" {
		t.Error("values are still to be had")
	}
}

func BenchmarkEval(b *testing.B) {
	s := chain(NewMachine(Limits{}, NewCache()))[4]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Eval(context.Background(), Source{Text: "1 + 2"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMachine(b *testing.B) {
	cache := NewCache()
	b.ReportAllocs()
	for b.Loop() {
		NewMachine(Limits{}, cache)
	}
}

// BenchmarkGuardedMachine is what a page costs whose scripts reach further.
func BenchmarkGuardedMachine(b *testing.B) {
	cache := NewCache()
	b.ReportAllocs()
	for b.Loop() {
		NewMachine(Limits{}, cache).guard(far)
	}
}
