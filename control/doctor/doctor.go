// Package doctor examines a machine before calls are sent to it: what the kernel
// and its settings allow, and whether the far ends that are configured answer. It
// changes nothing.
package doctor

import (
	"context"
	"sync"
	"time"
)

// State is how a check came out.
type State string

// The states, from good to bad.
const (
	OK      State = "ok"
	Warning State = "warning" // the platform works, at a price
	Failure State = "failure" // something that is configured cannot work
)

// Finding is what one check found.
type Finding struct {
	Check  string `json:"check"`
	State  State  `json:"state"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"` // what to do; empty when all is well
}

// Check is one look at the machine. It returns when its context ends.
type Check func(ctx context.Context) Finding

// patience is how long one check may take.
const patience = 5 * time.Second

// Examine runs all checks at once and gives their findings in order.
func Examine(ctx context.Context, checks []Check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	findings := make([]Finding, len(checks))
	var running sync.WaitGroup
	for i, c := range checks {
		running.Go(func() { findings[i] = c(ctx) })
	}
	running.Wait()
	return findings
}

// Healthy tells whether nothing failed.
func Healthy(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Failure {
			return false
		}
	}
	return true
}

func ok(check, detail string) Finding { return Finding{Check: check, State: OK, Detail: detail} }

func warn(check, detail, advice string) Finding {
	return Finding{Check: check, State: Warning, Detail: detail, Advice: advice}
}

func fail(check, detail, advice string) Finding {
	return Finding{Check: check, State: Failure, Detail: detail, Advice: advice}
}
