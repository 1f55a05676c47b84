package demo

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// timeline prints what happens when it happens.
type timeline struct {
	began time.Time

	mu  sync.Mutex
	out io.Writer
}

func newTimeline(out io.Writer) *timeline { return &timeline{began: time.Now(), out: out} }

func (t *timeline) tell(who, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "%7.2fs  %-9s %s\n", time.Since(t.began).Seconds(), who, fmt.Sprintf(format, args...))
}

// title prints a heading of the report.
func (t *timeline) title(text string) { t.print("\n%s\n", text) }

// print prints without a time.
func (t *timeline) print(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format, args...)
}
