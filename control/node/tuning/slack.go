package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is by how much the kernel may put off what the process's threads wait
// for, so that wake-ups meet (prctl(2), PR_SET_TIMERSLACK). The runtime's monitor looks
// after busy threads each 20 µs; with the kernel's usual 50 µs of slack it takes a tenth
// of what calls cost, and shorter than half a millisecond it has nothing to look for.
// What sends prompts has a slack of its own.
const timerSlack = 500 * time.Microsecond

// slacken gives all threads of the process a slack. Those to come have it of the thread
// that starts them. It takes CAP_SYS_NICE for all but the calling thread.
func slacken(slack time.Duration) error {
	given := make(map[string]bool)
	for more := true; more; { // a thread that had none yet may have started another meanwhile
		more = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("threads: %w", err)
		}
		for _, thread := range threads {
			if given[thread.Name()] {
				continue
			}
			given[thread.Name()], more = true, true
			file := filepath.Join("/proc", thread.Name(), "timerslack_ns") // the folder of threads has none
			err := os.WriteFile(file, strconv.AppendInt(nil, slack.Nanoseconds(), 10), 0)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("timer slack of a thread: %w", err)
			}
		}
	}
	return nil
}
