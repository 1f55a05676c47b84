package dialog

import (
	"context"
	"strings"
	"sync"

	"mcp/control/call/prompt"
	"mcp/control/service/msml/doc"
)

// content is all that a <play> plays.
type content struct {
	d        *Dialog
	parts    []part
	known    int // samples that are held already
	arriving []*prompt.Recording
	winding  sync.WaitGroup
}

// close gives up what has not arrived.
func (c *content) close() {
	for _, r := range c.arriving {
		r.Close()
	}
	c.winding.Wait()
}

// add gets what an element names, or the beginning of it. Recordings and silence that
// follow each other are one part.
func (c *content) add(ctx context.Context, n *doc.Node, language string) error {
	for _, child := range n.Elements() {
		var err error
		switch times := doc.TimesOf(child, "iterate", 1); child.Name {
		case "media":
			err = c.add(ctx, child, language)
		case "tts":
			err = c.say(ctx, child, language, times)
		case "audio":
			var r *reel
			if r, err = c.open(ctx, child); err == nil {
				c.append(track{r, times})
			}
		case "var":
			t, ok := doc.Time(child.Attr("value")) // silence, all else was refused
			if !ok {
				return doc.Faultf(doc.InvalidValue, "<var type=%q value=%q>", child.Attr("type"), child.Attr("value"))
			}
			c.append(track{wound(make([]int16, min(samples(t), longestAudio))), 1})
		}
		if err != nil {
			return err
		}
	}
	if c.known > longestAudio {
		return tooLong()
	}
	return nil
}

func (c *content) append(t track) {
	have, _, _ := t.have()
	c.known += len(have)
	if last := len(c.parts) - 1; last >= 0 && c.parts[last].ssml == "" {
		c.parts[last].audio = append(c.parts[last].audio, t)
		return
	}
	c.parts = append(c.parts, part{audio: stretch{t}, times: 1})
}

// open gets one recording. file://clip.wav names a file of the current directory, as the
// RFC's examples do.
func (c *content) open(ctx context.Context, n *doc.Node) (*reel, error) {
	url, fetcher := n.Attr("uri"), c.d.parts.Fetcher
	r, err := prompt.Open(ctx, fetcher, url, strings.Replace(n.Attr("format"), "codecs=", "codec=", 1))
	if err != nil && prompt.Unreadable(err) && n.Attr("format") != "" {
		r, err = prompt.Open(ctx, fetcher, url, "") // it may be what its server says
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, doc.Faultf(doc.FetchError, "%s: %v", url, err)
	}
	if pcm, whole := r.Whole(); whole {
		return wound(pcm), nil
	}
	c.arriving = append(c.arriving, r)
	from, err := r.Reader()
	if err != nil {
		return nil, unplayed(err)
	}
	w := winding()
	c.winding.Go(func() { w.wind(from) })
	return w, nil
}
