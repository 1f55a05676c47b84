package mixbench

import (
	"errors"
	"fmt"
	"strings"

	"mcp/cmd/mcplab/bench"
	"mcp/control/media/codec"
)

// bridges measures two legs of each pair of codecs that hear each other.
func bridges() ([]bench.Result, error) {
	codecs := codec.Spoken()
	var results []bench.Result
	for i, a := range codecs {
		for _, b := range codecs[i+1:] {
			r, err := bridge(a, b)
			if err != nil {
				return nil, err
			}
			results = append(results, r)
		}
	}
	return results, nil
}

func bridge(a, b codec.Codec) (bench.Result, error) {
	h, err := newHall()
	if err != nil {
		return bench.Result{}, err
	}
	first, one, err := h.leg(a)
	if err != nil {
		return bench.Result{}, err
	}
	second, other, err := h.leg(b)
	if err != nil {
		return bench.Result{}, err
	}
	_, e1 := first.Link(second)
	_, e2 := second.Link(first)
	if err := errors.Join(e1, e2); err != nil {
		return bench.Result{}, err
	}
	cost := each(200, func() { one.say(); other.say() })
	if one.to.sent == 0 || other.to.sent == 0 {
		return bench.Result{}, fmt.Errorf("nothing passes between %s and %s", a.Name, b.Name)
	}
	name := strings.ToLower(fmt.Sprintf("transcode.%s_%s.bridges_per_core", a.Name, b.Name))
	return bench.Result{Name: name, Value: perCore(1, cost), Unit: "bridges"}.Rate(), h.close()
}
