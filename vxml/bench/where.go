package bench

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Stage is a part of the work, and its part of the processor's time.
type Stage struct {
	Name    string  `json:"stage"`
	Percent float64 `json:"percent"`
}

// stages names the work by the functions that do it, given by how their names
// begin. What a function has others do that are not listed is its own.
var stages = []struct{ function, stage string }{
	{"runtime.mallocgc", "allocation"},
	{"runtime.newobject", "allocation"},
	{"runtime.growslice", "allocation"},
	{"runtime.gcBgMarkWorker", "garbage collection"},
	{"runtime.gcAssistAlloc", "garbage collection"},
	{"runtime.bgsweep", "garbage collection"},
	{"runtime.bgscavenge", "garbage collection"},
	{"github.com/dop251/goja", "script"},
	{"mcp/vxml/script.", "script"},
	{"mcp/vxml/grammar", "grammar"},
	{"mcp/vxml/keypad.", "grammar"},
	{"mcp/vxml/fetch.", "fetch"},
	{"mcp/vxml/doc.", "page"},
	{"mcp/vxml/xmltree.", "page"},
	{"mcp/vxml/ssml.", "prompt"},
	{"mcp/vxml/property.", "properties"},
	{"mcp/vxml/sim.", "simulator"},
	{"mcp/vxml/bench.", "simulator"},
	{"mcp/vxml.", "form interpretation"},
}

// elsewhere is the stage of what no function of the table does: the scheduler.
const elsewhere = "scheduling"

// where is where the processor's time goes while work is done, the longest stage
// first. It is nothing for work too short to be sampled.
func where(work func() error) ([]Stage, error) {
	var samples bytes.Buffer
	if err := pprof.StartCPUProfile(&samples); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	err := work()
	pprof.StopCPUProfile()
	if err != nil {
		return nil, err
	}
	p, err := profile.Parse(&samples)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return divide(p), nil
}

// divide adds up the samples of each stage.
func divide(p *profile.Profile) []Stage {
	spent, total := make(map[string]int64), int64(0)
	for _, s := range p.Sample {
		n := s.Value[len(s.Value)-1] // the processor's time, after the number of samples
		spent[stageOf(s)] += n
		total += n
	}
	var out []Stage
	for name, n := range spent {
		out = append(out, Stage{name, 100 * float64(n) / float64(total)})
	}
	slices.SortFunc(out, func(a, b Stage) int {
		if a.Percent != b.Percent {
			return int(b.Percent*1e6 - a.Percent*1e6)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// stageOf is the stage of the innermost function that has one.
func stageOf(s *profile.Sample) string {
	for _, at := range s.Location {
		for _, line := range at.Line { // inlined calls, innermost first
			for _, known := range stages {
				if line.Function != nil && strings.HasPrefix(line.Function.Name, known.function) {
					return known.stage
				}
			}
		}
	}
	return elsewhere
}
