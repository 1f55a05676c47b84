package conference

import (
	"errors"
	"slices"

	"mcp/control/media/mix"
)

// shapeLocked is the conference as its plan sees it.
func (c *Conference) shapeLocked() shape {
	s := shape{watched: c.o.Notify != nil || len(c.sinks) > 0 || len(c.sounds) > 0}
	for _, m := range c.members {
		one := side{mute: m.set.Mute, deaf: m.set.Deaf, gain: m.set.Gain != 0, private: m.set.HeardBy != nil}
		if f, ok := m.leg.Format(); ok {
			one.codec = f.Codec
		}
		s.sides = append(s.sides, one)
	}
	return s
}

// applyLocked plans anew and carries it out. The streams towards the far ends go
// on whatever changes: the leg stamps them. What is heard goes on, too: see mixLocked
// and relayLocked.
func (c *Conference) applyLocked() error {
	if c.over {
		return nil
	}
	p := c.shapeLocked().plan()
	var err error
	if p.mixed {
		err = c.mixLocked()
	} else {
		err = c.relayLocked(p)
	}
	c.applied.plan = p
	c.paceLocked(p.mixed)
	return err
}

// paceLocked has the clock mix, or not.
func (c *Conference) paceLocked(on bool) {
	if c.mixing.Swap(on) == on {
		return
	}
	if on {
		c.bridge.clock.Add(c)
	} else {
		c.bridge.clock.Remove(c)
	}
}

// relayLocked lets the plane carry a conference of two. What the mixer still holds of
// either the other is told first, so that the plane goes on where it ends.
func (c *Conference) relayLocked(p plan) error {
	if slices.Equal(p.ways, c.applied.ways) && !c.applied.mixed {
		return nil
	}
	var errs []error
	if c.applied.mixed && c.applied.beside == 0 {
		for _, w := range p.ways {
			errs = append(errs, c.members[w.to].conclude(c.members[w.from]))
		}
	}
	c.applied.beside = 0
	for _, m := range c.members {
		errs = append(errs, m.quit())
	}
	for _, w := range p.ways {
		errs = append(errs, c.members[w.from].relay(c.members[w.to]))
	}
	return errors.Join(errs...)
}

// acquaintance is for how many frames the mixer listens to those whom the plane still
// relays: until it can go on where they are.
const acquaintance = 4

// mixLocked has the members mixed, and makes the mixer's ports of what they are. Those
// who are relayed stay so for a moment: what the mixer sends comes later than what the
// plane relays, and to stand in for the difference it must have heard them.
func (c *Conference) mixLocked() error {
	var errs []error
	for _, m := range c.members {
		errs = append(errs, m.mix())
		if m.hears != nil && c.applied.beside == 0 {
			c.applied.beside = acquaintance
		}
	}
	c.ports = c.ports[:0]
	for _, m := range c.members {
		m.port.Gain, m.port.Mute = linear(m.set.Gain), m.set.Mute
		m.port.Deaf, m.port.Preferred = m.set.Deaf, m.set.Preferred
		m.port.HeardBy = c.portsLocked(m.set.HeardBy)
		c.ports = append(c.ports, m.port)
	}
	for _, s := range c.sounds {
		s.port.HeardBy = nil
		if s.to != "" {
			s.port.HeardBy = c.portsLocked([]string{s.to})
		}
		c.ports = append(c.ports, s.port)
	}
	return errors.Join(errs...)
}

// takeOverLocked ends the relays. What was heard by them is heard no second time.
func (c *Conference) takeOverLocked() {
	var errs []error
	for _, m := range c.members {
		if m.link != nil {
			errs = append(errs, m.unrelay())
		}
	}
	for _, m := range c.members {
		if m.hears != nil {
			errs = append(errs, m.goOn())
		}
		errs = append(errs, m.mix())
	}
	if err := errors.Join(errs...); err != nil {
		c.bridge.log.Error("mix who was relayed", "conference", c.name, "error", err)
	}
}

// portsLocked are the ports of some members; nil: of everybody.
func (c *Conference) portsLocked(ids []string) []*mix.Port {
	if ids == nil {
		return nil
	}
	ports := []*mix.Port{}
	for _, id := range ids {
		if m := c.findLocked(id); m != nil {
			ports = append(ports, m.port)
		}
	}
	return ports
}

// Tick implements clock.Ticker: it mixes one frame and sends it.
func (c *Conference) Tick() {
	c.mu.Lock()
	if !c.mixing.Load() {
		c.mu.Unlock()
		return
	}
	if c.applied.beside > 0 {
		if c.applied.beside--; c.applied.beside == 0 {
			c.takeOverLocked()
		}
	}
	for _, m := range c.members {
		m.port.Active = m.ear.Pull(m.port.In)
	}
	ended := false
	for _, s := range c.sounds {
		ended = c.applied.beside == 0 && !s.next() || ended
	}
	c.mixer.Frame(c.ports)
	c.common.renew(c.mixer.Common())
	for _, m := range c.members {
		if err := m.speak(&c.common); err != nil {
			c.bridge.log.Debug("send the mix", "conference", c.name, "member", m.set.ID, "error", err)
		}
	}
	for _, s := range c.sinks {
		s.Frame(c.mixer.Common())
	}
	c.observeLocked()
	if ended {
		c.endSoundsLocked()
	}
	talk := c.talk
	c.mu.Unlock()
	for _, t := range talk {
		c.o.Notify(t)
	}
}

// hangover is for how many frames a member may be silent between words.
const hangover = 15

// observeLocked follows who talks.
func (c *Conference) observeLocked() {
	c.talk = c.talk[:0]
	for _, m := range c.members {
		before := m.talks
		m.observe()
		if m.talks != before && c.o.Notify != nil {
			c.talk = append(c.talk, Talk{m.set.ID, m.talks, m.port.Level()})
		}
	}
}
