package prefetch

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Jobs are bounded in number and at a time, and end with their page.
func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, ended atomic.Int32
		endless := func(ctx context.Context) {
			begun.Add(1)
			<-ctx.Done()
			ended.Add(1)
		}
		var r Reader
		r.Start(t.Context(), []Job{endless, endless, endless, endless, endless, endless})
		synctest.Wait()
		if begun.Load() != parallel || ended.Load() != 0 {
			t.Fatalf("%d begun, %d ended", begun.Load(), ended.Load())
		}
		var short atomic.Int32
		jobs := make([]Job, MaxJobs+5)
		for i := range jobs {
			jobs[i] = func(context.Context) { short.Add(1) }
		}
		r.Start(t.Context(), jobs)
		synctest.Wait()
		if begun.Load() != parallel || ended.Load() != parallel || short.Load() != MaxJobs {
			t.Errorf("%d begun, %d ended, %d of the next page", begun.Load(), ended.Load(), short.Load())
		}
		r.Start(t.Context(), []Job{endless})
		synctest.Wait()
		if r.Close(); ended.Load() != parallel+1 {
			t.Errorf("%d ended after Close", ended.Load())
		}
	})
}
