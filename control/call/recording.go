package call

import "context"

// Recordings record whole calls.
type Recordings interface {
	// Begin begins to record a call whose caller's leg is connected. Stop ends the
	// recording; it may be called twice and does not wait.
	Begin(c *Call) (stop func(), err error)
}

// record records the call, if calls are recorded, until the far end is gone or
// ctx ends. A call that cannot be recorded goes on: who keeps recordings has
// counted and logged it, and nothing is in the clear that should not be.
func (c *Call) record(ctx context.Context) {
	if c.server.recordings == nil {
		return
	}
	stop, err := c.server.recordings.Begin(c)
	if err != nil {
		c.log.Error("call is not recorded", "error", err)
		return
	}
	c.beside(func() {
		defer stop()
		select {
		case <-c.hungUp:
		case <-ctx.Done():
		}
	})
}
