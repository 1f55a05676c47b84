package dialog

import (
	"context"
	"strconv"
	"time"

	"mcp/control/service/msml/digits"
	"mcp/control/service/msml/doc"
)

// collection performs one <collect> or <dtmf> (RFC 5707 section 9.7.5).
type collection struct {
	d        *Dialog
	n        *doc.Node
	r        *running
	patterns []*choice
	limits   map[string]int // how often <noinput> and <nomatch> may be yet
	typed    []byte
	seen     bool // a key has been pressed
	end      string

	first, next, extra time.Duration // fdt, idt, edt
	timer              *time.Timer
}

// choice is one <pattern>.
type choice struct {
	*digits.Pattern
	n    *doc.Node
	left int // how often it may match yet
}

// compile reads the patterns of a <collect>.
func compile(n *doc.Node) ([]*choice, error) {
	var all []*choice
	for _, c := range n.Elements() {
		if c.Name != "pattern" {
			continue
		}
		p, err := digits.Compile(c.Attr("digits"), c.Attr("format"))
		if err != nil {
			return nil, doc.Faultf(doc.InvalidValue, "line %d: %v", c.Line, err)
		}
		all = append(all, &choice{Pattern: p, n: c, left: doc.TimesOf(c, "iterate", doc.TimesOf(n, "iterate", 1))})
	}
	return all, nil
}

func (d *Dialog) collect(ctx context.Context, n *doc.Node, r *running) error {
	if d.on.Keys == nil {
		return doc.Faultf(doc.UnsupportedElement, "<%s> needs a connection", n.Name)
	}
	c := &collection{d: d, n: n, r: r, limits: map[string]int{}, timer: time.NewTimer(time.Hour)}
	c.timer.Stop()
	defer c.timer.Stop()
	var err error
	if c.patterns, err = compile(n); err != nil {
		return err
	}
	c.first, c.next = doc.TimeOf(n, "fdt", 0), doc.TimeOf(n, "idt", 4*time.Second)
	c.extra = doc.TimeOf(n, "edt", 4*time.Second)
	hearing := d.on.Keys.listen(true, doc.BoolOf(n, "cleardb", false))
	defer hearing.stop()
	if err := c.prompt(ctx); err != nil {
		return err
	}
	if r.within == nil || doc.BoolOf(n, "starttimer", false) {
		c.start()
	}
	if err := c.run(ctx, hearing.ch); err != nil {
		return err
	}
	return d.finally(ctx, n, "dtmfexit", r)
}

// prompt plays what comes before the keys. They end it where it may be.
func (c *collection) prompt(ctx context.Context) error {
	n := doc.Child(c.n, "play")
	if n == nil {
		return nil
	}
	var barge <-chan byte
	if doc.BoolOf(n, "barge", false) {
		peeking := c.d.on.Keys.listen(false, false)
		defer peeking.stop()
		barge = peeking.ch
	}
	playing := c.d.enter(n, c.r.within)
	defer c.d.quit(playing)
	if err := c.d.prompt(ctx, n, playing, barge); err != nil {
		return err
	}
	return c.d.finally(ctx, n, "playexit", playing)
}

// start starts the first-digit timer.
func (c *collection) start() {
	if c.first > 0 && !c.seen {
		c.timer.Reset(c.first)
	}
}

func (c *collection) run(ctx context.Context, pressed <-chan byte) error {
	for c.end == "" {
		var err error
		select {
		case key := <-pressed:
			err = c.press(ctx, key)
		case <-c.timer.C:
			err = c.timeout(ctx)
		case event := <-c.r.events:
			if event == "starttimer" {
				c.start()
			} else {
				c.end = event
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	c.d.set("dtmf.end", c.end)
	return nil
}

// press takes a key. The first runs <detect>.
func (c *collection) press(ctx context.Context, key byte) error {
	c.typed = append(c.typed, key)
	c.d.set("dtmf.digits", string(c.typed), "dtmf.len", strconv.Itoa(len(c.typed)), "dtmf.last", string(rune(key)))
	c.timer.Stop()
	if !c.seen {
		c.seen = true
		if err := c.actions(ctx, doc.Child(c.n, "detect")); err != nil {
			return err
		}
	}
	best, of := digits.No, (*choice)(nil)
	for _, p := range c.patterns {
		if v := p.Judge(string(c.typed)); v > best {
			best, of = v, p
		}
	}
	switch best {
	case digits.Match:
		return c.matched(ctx, of)
	case digits.Enough:
		c.timer.Reset(c.extra)
	case digits.Partial:
		c.timer.Reset(c.next)
	case digits.No:
		if len(c.patterns) == 0 {
			return nil
		}
		return c.missed(ctx, "nomatch")
	}
	return nil
}

// timeout is the end of one of the timers: nothing was pressed, or no more.
func (c *collection) timeout(ctx context.Context) error {
	if !c.seen {
		return c.missed(ctx, "noinput")
	}
	for _, p := range c.patterns {
		if v := p.Judge(string(c.typed)); v == digits.Enough || v == digits.Match {
			return c.matched(ctx, p)
		}
	}
	return c.missed(ctx, "nomatch")
}

// matched runs a pattern's actions. When it may match no more the collection ends;
// else it begins anew.
func (c *collection) matched(ctx context.Context, p *choice) error {
	p.left--
	c.d.set("dtmf.end", "dtmf.match")
	if p.left <= 0 {
		c.end = "dtmf.match"
	}
	c.typed = nil
	return c.actions(ctx, p.n)
}

// missed runs <noinput> or <nomatch>.
func (c *collection) missed(ctx context.Context, name string) error {
	n := doc.Child(c.n, name)
	last := spend(c.limits, name, n, doc.TimesOf(c.n, "iterate", 1))
	c.d.set("dtmf.end", "dtmf."+name)
	if last {
		c.end = "dtmf." + name
	}
	c.typed = nil
	if err := c.actions(ctx, n); err != nil {
		return err
	}
	if c.end == "" && name == "noinput" {
		c.start()
	}
	return nil
}

// spend uses up one of the times that an element may be executed, otherwise so many, and
// tells whether it was the last. The element may be missing.
func spend(left map[string]int, name string, n *doc.Node, otherwise int) (last bool) {
	if _, counted := left[name]; !counted {
		left[name] = otherwise
		if n != nil {
			left[name] = doc.TimesOf(n, "iterate", otherwise)
		}
	}
	left[name]--
	return left[name] <= 0
}

// actions performs what is in an element, if there is one.
func (c *collection) actions(ctx context.Context, n *doc.Node) error {
	if n == nil {
		return nil
	}
	return c.d.perform(ctx, n.Elements(), c.r.within)
}
