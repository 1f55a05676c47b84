package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// Report is what a run found.
type Report struct {
	Machine Machine  `json:"machine"`
	Commit  string   `json:"commit"`
	Results []Result `json:"results"`
}

// Result is one number, and how it compares.
type Result struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Against string  `json:"against,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"`    // how many times better than the other
	Goal    float64 `json:"goal,omitempty"`     // what the ratio is to be at least
	AtLeast float64 `json:"at_least,omitempty"` // what the value is to be
	Limit   float64 `json:"limit,omitempty"`    // what the value is to be at most
	Lost    float64 `json:"lost,omitempty"`     // share of packets that did not arrive

	isRate bool // more is better
}

// lower keeps the lowest of repeated measurements.
func (r *Result) lower(v float64) {
	if r.Value == 0 || v < r.Value {
		r.Value = v
	}
}

// compare fills in the ratios.
func (r *Report) compare() {
	values := make(map[string]float64, len(r.Results))
	for _, one := range r.Results {
		values[one.Name] = one.Value
	}
	for i, one := range r.Results {
		other, ok := values[one.Against]
		switch {
		case !ok || other <= 0 || one.Value <= 0:
		case one.isRate:
			r.Results[i].Ratio = one.Value / other
		default:
			r.Results[i].Ratio = other / one.Value
		}
	}
}

// Rate is a result of which more is better.
func (r Result) Rate() Result {
	r.isRate = true
	return r
}

// Publish compares results, prints them and writes them to a file of the folder.
func Publish(out io.Writer, o Options, name string, results []Result) error {
	r := Report{Machine: ThisMachine(), Commit: o.Commit, Results: results}
	r.compare()
	if err := Save(o.Out, name, &r); err != nil {
		return err
	}
	return r.Print(out)
}

// Save writes a report as a JSON file.
func Save(dir, name string, report any) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o644)
}

// Print prints the report as a table.
func (r *Report) Print(out io.Writer) error {
	fmt.Fprintf(out, "%s, %d CPUs, Linux %s, commit %s\n\n", r.Machine.CPU, r.Machine.CPUs, r.Machine.Kernel, r.Commit)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tvalue\tunit\tlost\tratio\tgoal\t")
	for _, one := range r.Results {
		ratio := ""
		if one.Ratio != 0 {
			ratio = fmt.Sprintf("%.2f", one.Ratio)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%.2f%%\t%s\t%s\t\n", one.Name, one.Value, one.Unit, 100*one.Lost, ratio, one.verdict())
	}
	return w.Flush()
}

// verdict says whether a goal was reached.
func (r Result) verdict() string {
	switch {
	case r.AtLeast != 0 && r.Value >= r.AtLeast:
		return fmt.Sprintf("%g reached", r.AtLeast)
	case r.AtLeast != 0:
		return fmt.Sprintf("%g missed", r.AtLeast)
	case r.Limit != 0 && r.Value <= r.Limit:
		return fmt.Sprintf("%g kept", r.Limit)
	case r.Limit != 0:
		return fmt.Sprintf("%g exceeded", r.Limit)
	case r.Goal == 0:
		return ""
	case r.Ratio >= r.Goal:
		return fmt.Sprintf("%g reached", r.Goal)
	}
	return fmt.Sprintf("%g missed", r.Goal)
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// kernelThreads lists where the kernel tells the CPU time of its softirq threads.
func kernelThreads() ([]string, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err == nil && strings.HasPrefix(string(b), "ksoftirqd/") {
			found = append(found, filepath.Join(filepath.Dir(name), "schedstat"))
		}
	}
	return found, nil
}

// Machine says where numbers come from.
type Machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// ThisMachine describes the machine that the caller runs on.
func ThisMachine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), Arch: runtime.GOARCH, Go: runtime.Version(), CPU: cpuModel()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return m
}
