package logexport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const example = `
rules:
  - class: fetchTimeout
    message: ^fetch
    where: {error: timeout|deadline}
  - class: fetchError
    message: ^fetch
  - class: totalError
    level: error
  - class: selfTest
    level: info
    message: self-test
    where: {check.outcome: failed}
`

func counter(t testing.TB) *Counter {
	t.Helper()
	rules, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	return NewCounter(rules)
}

// counted is what the classes have counted, those with nothing left out.
func counted(c *Counter) string {
	var all []string
	for i, class := range c.rules.classes {
		if n := testutil.ToFloat64(c.events[i]); n != 0 {
			all = append(all, fmt.Sprintf("%s=%v", class, n))
		}
	}
	return strings.Join(all, " ")
}

// speak logs one line of each kind.
func speak(log *slog.Logger) {
	log.Warn("fetch failed", "url", "http://web/x", "error", "context deadline exceeded")
	log.Error("fetch failed", "error", "404")
	log.Info("fetch failed", "error", "timeout") // below the rule's level
	log.With("call", "1").WithGroup("check").Info("self-test done", "outcome", "failed")
	log.Info("self-test done", slog.Group("check", "outcome", "passed"))
	log.Warn("a \"quoted\" word = trouble\nfetch failed", "error", "timeout")
}

const spoken = "fetchTimeout=1 fetchError=2 totalError=1 selfTest=1"

func TestLinesAreCountedAsTheyAreWritten(t *testing.T) {
	c := counter(t)
	var out strings.Builder
	speak(slog.New(c.Handler(slog.NewTextHandler(&out, nil))))
	if got := counted(c); got != spoken {
		t.Errorf("counted %s", got)
	}
	if n := strings.Count(out.String(), "\n"); n != 6 || !strings.Contains(out.String(), "check.outcome=failed") {
		t.Errorf("the log itself is changed:\n%s", out.String())
	}
	if n := testutil.ToFloat64(c.lines.WithLabelValues("WARN")); n != 2 {
		t.Errorf("%v warnings are counted", n)
	}
}

// What is known of a message holds for lines of other levels and attributes as if it
// were not, when no more messages are remembered too, and costs nothing.
func TestMessagesAreRemembered(t *testing.T) {
	c := counter(t)
	log := slog.New(c.Handler(slog.DiscardHandler))
	speak(log)
	for i := range 2 * maxMessages {
		log.Info(fmt.Sprint("message ", i))
	}
	log.Error(strings.Repeat("long ", maxMessageLength))
	if n := len(c.rules.known.concerned); n != maxMessages {
		t.Errorf("%d messages are remembered", n)
	}
	log.Error("new: trouble")
	speak(log)
	if got := counted(c); got != "fetchTimeout=2 fetchError=4 totalError=4 selfTest=2" {
		t.Errorf("counted %s", got)
	}
	line := Line{Level: slog.LevelInfo, Message: "message 1"}
	if n := testing.AllocsPerRun(100, func() { c.Count(line) }); n != 0 {
		t.Errorf("a line that concerns nobody takes %v allocations", n)
	}
}

func TestLinesThatNobodyReadsAreDismissed(t *testing.T) {
	quiet := slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError})
	for _, tt := range []struct {
		name      string
		next      slog.Handler
		level     slog.Level
		message   string
		dismissed bool
	}{
		{"nobody's", quiet, slog.LevelInfo, "call ended", true},
		{"below all rules", quiet, slog.LevelDebug, "call", true},
		{"a rule's", quiet, slog.LevelInfo, "self-test done", false},
		{"written", slog.NewTextHandler(io.Discard, nil), slog.LevelInfo, "call ended", false},
	} {
		c := counter(t)
		log := slog.New(c.Handler(tt.next)).With("call", 1)
		if got := log.Handler().(*handler).Dismiss(t.Context(), tt.level, tt.message); got != tt.dismissed {
			t.Errorf("%s: dismissed %v", tt.name, got)
		}
		want := 0.0
		if tt.dismissed {
			want = 1
		}
		if got := testutil.ToFloat64(c.levels[tt.level]); got != want {
			t.Errorf("%s: counted %v", tt.name, got)
		}
	}
}

// BenchmarkLine is a line that is not written: one that no rule concerns, as it is told to
// the handler whole and by its message, and one that some do.
func BenchmarkLine(b *testing.B) {
	rules, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(NewCounter(rules).Handler(slog.DiscardHandler)).With("call", "01a22299", "sip_call_id", "2323-19918@127.0.0.1")
	for name, line := range map[string]func(){
		"whole": func() {
			log.LogAttrs(b.Context(), slog.LevelInfo, "page entered", slog.String("url", "http://web/main.vxml"))
		},
		"message": func() { log.Handler().(*handler).Dismiss(b.Context(), slog.LevelInfo, "page entered") },
		"concerned": func() {
			log.LogAttrs(b.Context(), slog.LevelInfo, "event thrown", slog.String("event", "connection.disconnect.hangup"))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				line()
			}
		})
	}
}

// BenchmarkWith makes a call's logger, which never writes.
func BenchmarkWith(b *testing.B) {
	log := slog.New(counter(b).Handler(slog.NewTextHandler(io.Discard, nil)))
	b.ReportAllocs()
	for b.Loop() {
		log.With("call", "01a22299-fe13-7992-bd97-0c3443a9e0ce", "sip_call_id", "2323-19918@127.0.0.1")
	}
}

// What it hands on is what its logger was given, in the same order and groups.
func TestHandsOnWhatLoggersAreGiven(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return counter(t).Handler(slog.NewJSONHandler(&out, nil))
	}, func(t *testing.T) map[string]any {
		line := map[string]any{}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line
	})
}

// What a file tells is counted as what the process itself would have counted.
func TestBothFormsAreRead(t *testing.T) {
	for name, form := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out strings.Builder
		speak(slog.New(form(&out)))
		c := counter(t)
		for line := range strings.Lines(out.String()) {
			c.Count(ParseLine(strings.TrimSuffix(line, "\n")))
		}
		if got := counted(c); got != spoken {
			t.Errorf("%s: counted %s of\n%s", name, got, out.String())
		}
	}
	for _, odd := range []string{"", "panic: fetch", "{", `{"level":7}`, `level="`, "=", `level=WARN msg="fetch`} {
		ParseLine(odd) // must not panic
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add(`time=2026-01-01T00:00:00Z level=WARN msg="a b" x="\"" y=`)
	f.Add(`{"level":"ERROR","msg":"x","g":{"a":[1,2]}}`)
	f.Fuzz(func(t *testing.T, text string) { ParseLine(text) })
}

func TestRulesAreChecked(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"rules: [{message: x}]", "rule 1: class"},
		{"rules: [{class: a}, {class: b, message: '('}]", "rule 2: message"},
		{"rules: [{class: a, where: {x: '['}}]", "where: x"},
		{"rules: [{class: a, level: loud}]", "level"},
		{"rules: [{class: a, massage: x}]", "massage"},
		{"rules: 7", "log rules"},
	} {
		if _, err := Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}

// diary is a log file and who follows it.
type diary struct {
	*testing.T
	dir, path, state string
	counter          *Counter
}

func newDiary(t *testing.T) *diary {
	dir := t.TempDir()
	return &diary{T: t, dir: dir, path: filepath.Join(dir, "mcp.log"), state: filepath.Join(dir, "place"), counter: counter(t)}
}

// write appends to the file n lines that are counted.
func (d *diary) write(n int) {
	d.Helper()
	f, err := os.OpenFile(d.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.Fatal(err)
	}
	defer f.Close()
	log := slog.New(slog.NewTextHandler(f, nil))
	for range n {
		log.Error("recording lost", "id", 1)
	}
}

// follow runs a follower until stop is called.
func (d *diary) follow() (stop func()) {
	d.Helper()
	f := NewFollower(d.path, d.counter, slog.New(slog.DiscardHandler))
	f.State, f.Poll = d.state, time.Millisecond
	ctx, cancel := context.WithCancel(d.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Run(ctx); err != nil {
			d.Error(err)
		}
	})
	stop = func() { cancel(); running.Wait() }
	d.Cleanup(stop)
	return stop
}

// await waits for a count, and a little more for one too many.
func (d *diary) await(want float64) {
	d.Helper()
	n := func() float64 { return testutil.ToFloat64(d.counter.lines.WithLabelValues("ERROR")) }
	for deadline := time.Now().Add(20 * time.Second); n() < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got := n(); got != want {
		d.Fatalf("counted %v lines, want %v", got, want)
	}
}

// awaitClasses waits for the counts of a line's classes, which come after its level's.
func (d *diary) awaitClasses(want string) {
	d.Helper()
	for deadline := time.Now().Add(20 * time.Second); counted(d.counter) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			d.Fatalf("counted %s, want %s", counted(d.counter), want)
		}
	}
}

func TestFileIsFollowed(t *testing.T) {
	d := newDiary(t)
	d.write(3) // before: not ours to count
	stop := d.follow()
	d.settle()
	d.write(2)
	d.await(2)
	if err := os.Rename(d.path, d.path+".1"); err != nil { // rotated by renaming
		t.Fatal(err)
	}
	d.write(4)
	d.await(6)
	if err := os.Truncate(d.path, 0); err != nil { // rotated by copying
		t.Fatal(err)
	}
	d.write(1)
	d.await(7)
	stop()
	d.write(5) // while nobody follows
	d.follow()
	d.await(12)
}

// settle waits until the follower has begun.
func (d *diary) settle() {
	d.Helper()
	d.write(0)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(d.state); err == nil {
			return
		}
	}
	d.Fatal("the follower does not begin")
}

// A file that was renamed while nobody followed is finished first.
func TestRotationWhileNobodyFollows(t *testing.T) {
	d := newDiary(t)
	d.write(0)
	stop := d.follow()
	d.settle()
	d.write(2)
	d.await(2)
	stop()
	d.write(3)
	if err := os.Rename(d.path, d.path+".1"); err != nil {
		t.Fatal(err)
	}
	d.write(4)
	d.follow()
	d.await(9)
}

func TestLineWithoutItsEndWaits(t *testing.T) {
	d := newDiary(t)
	d.write(0)
	d.follow()
	d.settle()
	f, err := os.OpenFile(d.path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprint(f, "level=ERROR msg=fet")
	d.settle()
	fmt.Fprint(f, "ch\nlevel=ERROR msg="+strings.Repeat("x", 2*maxLine)+"\n")
	d.awaitClasses("fetchError=1 totalError=2")
}

// The rules for our own log hang on words that the source says: each must still be
// said somewhere.
func TestDefaultRulesAreAboutWhatIsLogged(t *testing.T) {
	rules, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	said := literals(t)
	for i, r := range rules.rules {
		if r.message.expression.String() == "" {
			continue
		}
		for _, one := range strings.Split(r.message.expression.String(), "|") {
			if strings.Count(one, "(") != strings.Count(one, ")") {
				one = r.message.expression.String() // an alternative within a group
			}
			words, err := regexp.Compile(one)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(said, words.MatchString) {
				t.Errorf("rule %d, of %s: nobody logs %s", i+1, rules.classes[r.class], one)
			}
		}
	}
}

// literals are the first words of all calls that log, in the whole tree.
func literals(t *testing.T) (all []string) {
	t.Helper()
	logged := regexp.MustCompile(`(?:\.(?:Debug|Info|Warn|Error|Log)|note)\((?:[^"]*, level, |[\w.]+, )?"([^"]+)"`)
	for _, root := range []string{"../../control", "../../speech", "../../vxml", "../../bpf"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range logged.FindAllStringSubmatch(string(text), -1) {
				all = append(all, m[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// spy is an attribute that notes that it is looked at.
type spy struct{ seen *bool }

func (s spy) LogValue() slog.Value {
	*s.seen = true
	return slog.StringValue("x")
}

func TestAttributesAreLookedAtOnlyForRules(t *testing.T) {
	log := slog.New(counter(t).Handler(slog.DiscardHandler))
	for message, concerned := range map[string]bool{"call ended": false, "self-test done": true} {
		seen := false
		log.Info(message, "what", spy{&seen})
		if seen != concerned {
			t.Errorf("%s: looked at: %v, want %v", message, seen, concerned)
		}
	}
}
