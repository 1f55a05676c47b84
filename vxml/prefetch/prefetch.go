// Package prefetch does in the background what a page may need later: a bounded
// number of jobs, a few at a time, and no longer than the page is the current one.
package prefetch

import (
	"context"
	"sync"
)

// Bounds of what is done for one page.
const (
	MaxJobs  = 64 // those beyond are left undone
	parallel = 4
)

// Job is one thing to do; it returns soon after its context ends.
type Job func(context.Context)

// Reader does the jobs of one page after another. One goroutine owns it.
type Reader struct {
	stop  context.CancelFunc // of the page's jobs, or nil
	tasks sync.WaitGroup
}

// Start cancels the jobs of the page before and begins those of a new one.
func (r *Reader) Start(ctx context.Context, jobs []Job) {
	r.cancel()
	if len(jobs) > 0 {
		r.begin(ctx, jobs)
	}
}

func (r *Reader) begin(ctx context.Context, jobs []Job) {
	ctx, r.stop = context.WithCancel(ctx)
	queue := make(chan Job, MaxJobs)
	for _, job := range jobs[:min(len(jobs), MaxJobs)] {
		queue <- job
	}
	close(queue)
	for range min(len(jobs), parallel) {
		r.tasks.Go(func() {
			for job := range queue {
				if ctx.Err() != nil {
					return
				}
				job(ctx)
			}
		})
	}
}

func (r *Reader) cancel() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// Close cancels what is under way, and waits until it has ended.
func (r *Reader) Close() {
	r.cancel()
	r.tasks.Wait()
}
