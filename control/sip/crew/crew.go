// Package crew runs tasks on goroutines of which some stay for the next task: with the
// stack that the one before has come to need, which a new goroutine would grow again.
package crew

import (
	"slices"
	"sync"
	"time"
)

// staying is how many goroutines wait for a task at most: as many calls as end before
// others begin, where both come by chance. The garbage collector takes back what of
// their stacks nobody needs.
const staying = 64

// patience is for how long goroutines stay that were not needed meanwhile.
const patience = time.Second

// Crew runs tasks. Its zero value may be used.
type Crew struct {
	members sync.WaitGroup

	mu      sync.Mutex  // guards what follows
	waiting []member    // the last has waited least: its stack is likely in the processor's caches
	idle    int         // how many of them, from the first on, have not been needed since the last thinning
	next    *time.Timer // the next thinning; nil: none is due, as nobody waits
	over    bool
}

// member is where a goroutine that waits is given its next task, which it need not take
// at once.
type member chan func()

// Go runs a task on a goroutine that has nothing else to do.
func (c *Crew) Go(task func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.waiting); n > 0 {
		c.waiting[n-1] <- task
		c.waiting = c.waiting[:n-1]
		c.idle = min(c.idle, n-1)
		return
	}
	c.members.Go(func() { c.work(task) })
}

// work runs a first task, and others while there may be any.
func (c *Crew) work(task func()) {
	m := make(member, 1)
	for more := true; more; task, more = <-m {
		task()
		c.rest(m)
	}
}

// rest has a member wait, or leave: there are enough who wait, or nobody comes any more.
func (c *Crew) rest(m member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || len(c.waiting) == staying {
		close(m)
		return
	}
	c.waiting = append(c.waiting, m)
	if c.next == nil {
		c.next = time.AfterFunc(patience, c.thin)
	}
}

// thin has those leave that have not been needed for a while.
func (c *Crew) thin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	for _, m := range c.waiting[:c.idle] {
		close(m)
	}
	c.waiting = slices.Delete(c.waiting, 0, c.idle)
	c.idle, c.next = len(c.waiting), nil
	if c.idle > 0 {
		c.next = time.AfterFunc(patience, c.thin)
	}
}

// Wait returns when all tasks have. From now on nobody stays. It may be called again.
func (c *Crew) Wait() {
	c.mu.Lock()
	c.over = true
	for _, m := range c.waiting {
		close(m)
	}
	c.waiting = nil
	if c.next != nil {
		c.next.Stop()
	}
	c.mu.Unlock()
	c.members.Wait()
}
