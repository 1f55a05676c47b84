package speechbench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/speech"
	"mcp/speech/google"
	"mcp/speech/google/googletest"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/nexus"
	"mcp/speech/nexus/audiohook"
	"mcp/speech/nexus/nexustest"
	"mcp/speech/speechtest"
)

// pause ends what is said to the stand-ins.
const pause = 100 * time.Millisecond

// attachedWorkers is how many sessions come and go beside each other. What is said
// to a bot is heard at its pace, and a bot has not said all before it was silent for
// 200 ms: most of a session is spent waiting, and few at a time would measure that.
const attachedWorkers = 200

// certain is an engine that hears the same in everything, and has nothing to say.
type certain struct{}

// Synthesize implements speechtest.Engine.
func (certain) Synthesize(context.Context, string, string) ([]int16, error) {
	return make([]int16, speechtest.Rate/50), nil
}

// Transcribe implements speechtest.Engine.
func (certain) Transcribe(context.Context, speechtest.Utterance) (speechtest.Transcript, error) {
	return speechtest.Transcript{Text: "yes", Confidence: 0.9}, nil
}

// attached is a client of a service that has the call's audio over a connection of
// its own, with the stand-in for the service.
type attached struct {
	name   string
	engine speech.Attacher
	close  func() error
}

func newGoogle(log *slog.Logger) (*attached, error) {
	server, err := googletest.NewServer(googletest.Config{Pause: pause}, certain{}, log)
	if err != nil {
		return nil, err
	}
	engine, err := google.New(google.Config{Insecure: true, TTSEndpoint: server.Addr(), ASREndpoint: server.Addr()}, log)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &attached{"google", engine, func() error { return errors.Join(engine.Close(), server.Close()) }}, nil
}

func newNexus(log *slog.Logger) (*attached, error) {
	server, err := nexustest.NewServer(nexustest.Config{Pause: pause}, certain{}, log)
	if err != nil {
		return nil, err
	}
	client, err := audiohook.New(audiohook.Config{URL: server.URL(), OpenTimeout: time.Minute}, log)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	engine := nexus.New(nexus.Config{Settle: time.Millisecond}, client, log)
	return &attached{"nexus", engine, func() error { return errors.Join(client.Close(), server.Close()) }}, nil
}

// measureAttached has sessions with each service come and go, and many recognize at
// the same time.
func measureAttached(ctx context.Context, o Options) ([]bench.Result, error) {
	log := slog.New(slog.DiscardHandler)
	var results []bench.Result
	for _, open := range []func(*slog.Logger) (*attached, error){newGoogle, newNexus} {
		a, err := open(log)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Progress, "measuring %d sessions with the stand-in for %s, %d at a time, as each waits for audio; then %d recognitions at a time\n",
			o.Attached, a.name, attachedWorkers, o.Recognitions)
		more, err := a.measure(ctx, o)
		if err = errors.Join(err, a.close()); err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		results = append(results, more...)
	}
	return results, nil
}

func (a *attached) measure(ctx context.Context, o Options) ([]bench.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	one := func(ctx context.Context) error { return a.recognize(ctx, func() {}) }
	if err := inParallel(ctx, attachedWorkers, attachedWorkers, one); err != nil { // what there is once is not left behind
		return nil, err
	}
	goroutines, files := leftovers()
	began := time.Now()
	if err := inParallel(ctx, attachedWorkers, o.Attached, one); err != nil {
		return nil, err
	}
	rate := float64(o.Attached) / time.Since(began).Seconds()
	matched, err := a.together(ctx, o.Recognitions)
	if err != nil {
		return nil, err
	}
	moreGoroutines, moreFiles := settled(goroutines, files)
	return []bench.Result{
		bench.Result{Name: "speech." + a.name + ".sessions_per_s", Value: rate, Unit: "sessions/s"}.Rate(),
		{Name: "speech." + a.name + ".sessions_at_a_time", Value: attachedWorkers, Unit: "sessions, each waiting for audio"},
		{Name: "speech." + a.name + ".sessions", Value: float64(o.Attached), Unit: "sessions"},
		bench.Result{Name: "speech." + a.name + ".recognitions", Value: float64(matched), Unit: "at a time"}.Rate(),
		{Name: "speech." + a.name + ".left_goroutines", Value: float64(moreGoroutines), Unit: "goroutines"},
		{Name: "speech." + a.name + ".left_files", Value: float64(moreFiles), Unit: "files"},
	}, nil
}

// together has n recognitions under way before anybody says anything.
func (a *attached) together(ctx context.Context, n int) (matched int, err error) {
	var all sync.WaitGroup
	all.Add(n)
	outcomes := make(chan error, n)
	for range n {
		go func() {
			var once sync.Once
			here := func() { once.Do(all.Done) }
			defer here() // whatever becomes of it: the others wait
			outcomes <- a.recognize(ctx, func() { here(); all.Wait() })
		}()
	}
	for range n {
		if failed := <-outcomes; failed != nil {
			err = failed
			continue
		}
		matched++
	}
	if matched > 0 {
		return matched, nil
	}
	return 0, err
}

// recognize is the life of a session in which the caller says one thing, when he is
// told to.
func (a *attached) recognize(ctx context.Context, told func()) error {
	line := speechtest.NewLine("PCMU")
	s, err := a.engine.Attach(ctx, line)
	if err != nil {
		return err
	}
	r, err := s.Recognize(ctx, speech.Recognition{StartTimers: true})
	if err == nil {
		err = a.answered(ctx, line, r, told)
	}
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}

func (a *attached) answered(ctx context.Context, line *speechtest.Line, r speech.Recognizing, told func()) error {
	for line.Listeners() == 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-r.Done():
			_, err := r.Result()
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	told()
	silence := make([]int16, speechtest.Rate/4)
	line.Speak(speechtest.Encode(slices.Concat(silence, mrcptest.NewCanned().Beeps(1), silence), false))
	select {
	case <-r.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	result, err := r.Result()
	if err == nil && result.Outcome != speech.Match {
		err = fmt.Errorf("outcome %d", result.Outcome)
	}
	return err
}
