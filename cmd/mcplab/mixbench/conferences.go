package mixbench

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/conference"
)

// Those who speak at once in a conference of so many, and how many of the
// conference are heard.
const (
	crowd    = 500
	speaking = 20
	loudest  = 4
	trios    = 300
)

// conferences are measured by turning their clock by hand.
func conferences() ([]bench.Result, error) {
	big, err := turn([]int{crowd}, speaking, conference.Options{Loudest: loudest})
	if err != nil {
		return nil, err
	}
	small := make([]int, trios)
	for i := range small {
		small[i] = 3
	}
	three, err := turn(small, 3, conference.Options{})
	if err != nil {
		return nil, err
	}
	plain, err := plainSum(crowd, speaking)
	if err != nil {
		return nil, err
	}
	return []bench.Result{
		bench.Result{
			Name: "mix.one_conference.participants_per_core", Value: perCore(crowd, big), Unit: "participants",
			Against: "mix.plain_sum.participants_per_core", AtLeast: crowd / 2,
		}.Rate(),
		bench.Result{Name: "mix.plain_sum.participants_per_core", Value: perCore(crowd, plain), Unit: "participants"}.Rate(),
		bench.Result{
			Name: "mix.three_party.conferences_per_core", Value: perCore(trios, three), Unit: "conferences", AtLeast: trios / 2,
		}.Rate(),
	}, nil
}

// turn is the CPU time of a frame of conferences of these sizes, packets in and
// out included, but not their way through the kernel.
func turn(sizes []int, speaking int, o conference.Options) (time.Duration, error) {
	h, err := newHall()
	if err != nil {
		return 0, err
	}
	b := conference.NewBridge(new(clock.Clock), slog.New(slog.DiscardHandler))
	var all []*conference.Conference
	var speakers []*speaker
	for i, size := range sizes {
		c, err := b.Open(fmt.Sprint(i), o)
		if err != nil {
			return 0, err
		}
		all = append(all, c)
		for n := range size {
			l, v, err := h.leg(codec.PCMU)
			if err != nil {
				return 0, err
			}
			if err := c.Join(l, conference.Member{ID: fmt.Sprint(n)}); err != nil {
				return 0, err
			}
			if n < speaking {
				speakers = append(speakers, v)
			}
		}
	}
	cost := each(100, func() {
		for _, v := range speakers {
			v.say()
		}
		for _, c := range all {
			c.Tick()
		}
	})
	return cost, errors.Join(b.Close(), h.close())
}

// plainSum is the same conference as one would first write it: all inputs are
// summed for each who listens, and encoded for each.
func plainSum(n, speaking int) (time.Duration, error) {
	decoder, err := codec.NewDecoder(codec.PCMU)
	if err != nil {
		return 0, err
	}
	encoder, err := codec.NewEncoder(codec.PCMU)
	if err != nil {
		return 0, err
	}
	v, err := newSpeaker(codec.PCMU)
	if err != nil {
		return 0, err
	}
	inputs := make([][]int16, n)
	sum, out := make([]int32, 160), make([]int16, 160)
	var payload []byte
	return each(10, func() {
		for i := range inputs {
			inputs[i] = inputs[i][:0]
			if i < speaking {
				inputs[i], err = decoder.Decode(inputs[i], v.packets[0][12:])
			} else {
				inputs[i] = append(inputs[i], out...)
			}
		}
		for i := range inputs {
			clear(sum)
			for j, in := range inputs {
				if i != j {
					for k, s := range in {
						sum[k] += int32(s)
					}
				}
			}
			for k, s := range sum {
				out[k] = int16(max(-32768, min(32767, s)))
			}
			payload, err = encoder.Encode(payload[:0], out)
		}
	}), err
}
