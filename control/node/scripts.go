package node

import (
	"errors"
	"time"

	"mcp/control/config"
	"mcp/vxml/script"
)

// Scripts is the section of limits on pages' scripts.
type Scripts struct {
	Time   time.Duration `yaml:"time" doc:"how long it may run"`
	Memory config.Size   `yaml:"memory" doc:"by how much the heap may grow while it runs"`
	Calls  int           `yaml:"calls" doc:"how deep its calls may be nested"`
	Size   config.Size   `yaml:"size" doc:"of its text"`
	Work   int           `yaml:"work" doc:"how many tokens of a <script>, but for , and ;, may be compiled, which is done once for all calls and which nothing interrupts: 200000 took 290 ms and 104 MiB at worst where it was measured, large libraries of 170000 up to 190 ms, 80000 less than 100 ms; expressions and tags of grammars may have 80000 at most"`
}

func defaultScripts() Scripts {
	return Scripts{Time: time.Second, Memory: 128 << 20, Calls: 400, Size: 1 << 20, Work: 200_000}
}

// Validate checks the section of scripts.
func (s Scripts) Validate() error {
	return errors.Join(
		config.Above("time", s.Time, 0), config.Least("memory", s.Memory, 1<<20), config.Least("calls", s.Calls, 10),
		config.Within("size", s.Size, 1, 64<<20), config.Within("work", s.Work, 1000, 10_000_000),
	)
}

// Limits are those of the interpreter.
func (s Scripts) Limits() script.Limits {
	return script.Limits{Time: s.Time, Memory: uint64(s.Memory), Depth: s.Calls, Size: int(s.Size), Work: s.Work}
}
