package caller

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Load is a number of calls with the same script.
type Load struct {
	Calls       int
	Concurrency int // calls at once
}

// LoadResult is how they went.
type LoadResult struct {
	Calls       int           `json:"calls"`
	Completed   int           `json:"completed"` // script followed to its end, stream whole
	Failed      int           `json:"failed"`
	Duration    time.Duration `json:"duration_ns"`
	SetupMedian time.Duration `json:"setup_median_ns"`
	SetupMax    time.Duration `json:"setup_max_ns"`
	// Errors and faults, each with how many calls had it.
	Errors map[string]int `json:"errors,omitempty"`
}

// Run places the calls and waits for the last. When the context ends, running
// calls are hung up and no more are placed.
func (l Load) Run(ctx context.Context, phone *Phone, script []Step) LoadResult {
	began := time.Now()
	tally := &tally{result: LoadResult{Calls: l.Calls, Errors: map[string]int{}}}
	turns := make(chan struct{})
	var callers sync.WaitGroup
	for range max(l.Concurrency, 1) {
		callers.Go(func() {
			for range turns {
				tally.add(phone.Call(ctx, script))
			}
		})
	}
	for range l.Calls {
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
		}
	}
	close(turns)
	callers.Wait()
	tally.result.Duration = time.Since(began)
	return tally.sum()
}

type tally struct {
	mu     sync.Mutex
	result LoadResult
	setups []time.Duration
}

func (t *tally) add(s *Summary, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	whole := err == nil
	if err != nil {
		t.result.Errors[err.Error()]++
	}
	if s != nil {
		t.setups = append(t.setups, s.Setup)
		for _, fault := range s.Faults {
			whole = false
			t.result.Errors[fault]++
		}
	}
	if whole {
		t.result.Completed++
	}
}

func (t *tally) sum() LoadResult {
	t.result.Failed = t.result.Calls - t.result.Completed
	if len(t.setups) > 0 {
		slices.Sort(t.setups)
		t.result.SetupMedian, t.result.SetupMax = t.setups[len(t.setups)/2], t.setups[len(t.setups)-1]
	}
	return t.result
}
