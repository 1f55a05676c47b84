package google

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	pb "cloud.google.com/go/texttospeech/apiv1/texttospeechpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/protobuf/proto"

	"mcp/speech"
	"mcp/speech/ssml"
)

// The properties by which a page chooses how a prompt sounds.
const (
	propertyVoice = "com.genesyslab.tts.voice"
	propertyRate  = "com.genesyslab.tts.rate"
	propertyPitch = "com.genesyslab.tts.pitch"
	propertyGain  = "com.genesyslab.tts.gain"
)

// Speak implements speech.Session. What was said before is not asked for again.
func (s *session) Speak(_ context.Context, u speech.Utterance) (speech.Speaking, error) {
	request, err := s.engine.config.synthesis(u, s.line.Codec())
	if err != nil {
		return nil, s.engine.failed(classConfig, err)
	}
	saying, err := s.line.Say(request.key())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	p := &speaking{Saying: saying, cancel: cancel}
	if saying.Known() {
		s.engine.counts.requests.WithLabelValues("kept").Inc()
		return p, nil
	}
	s.tasks.Go(func() {
		defer cancel()
		err := s.synthesize(ctx, request, saying)
		if err != nil && ctx.Err() == nil {
			err = s.engine.failed(classTTS, err)
		}
		saying.End(err)
	})
	return p, nil
}

// speaking implements speech.Speaking. Its Err is what the clip ended with.
type speaking struct {
	speech.Saying
	cancel context.CancelFunc
}

// BargeIn implements speech.Speaking.
func (p *speaking) BargeIn(ctx context.Context) error { return p.Stop(ctx) }

// Stop implements speech.Speaking.
func (p *speaking) Stop(context.Context) error {
	p.Saying.Stop()
	p.cancel()
	return nil
}

// synthesis is what is asked for.
type synthesis struct {
	request *pb.SynthesizeSpeechRequest
	stream  bool
}

// synthesis says a prompt in the service's words.
func (c Config) synthesis(u speech.Utterance, codec speech.Codec) (*synthesis, error) {
	audio := &pb.AudioConfig{
		SampleRateHertz: int32(codec.ClockRate), SpeakingRate: c.Voice.Rate, Pitch: c.Voice.Pitch, VolumeGainDb: c.Voice.Gain,
	}
	switch codec.Name {
	case "PCMU":
		audio.AudioEncoding = pb.AudioEncoding_MULAW
	case "PCMA":
		audio.AudioEncoding = pb.AudioEncoding_ALAW
	default:
		return nil, fmt.Errorf("%w: %s", speech.ErrNoCodec, codec.Name)
	}
	for property, value := range map[string]*float64{
		propertyRate: &audio.SpeakingRate, propertyPitch: &audio.Pitch, propertyGain: &audio.VolumeGainDb,
	} {
		text := u.Properties[property]
		if text == "" {
			continue
		}
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("property %s: %q is no number", property, text)
		}
		*value = number
	}
	voice := &pb.VoiceSelectionParams{LanguageCode: language(u.Language), Name: c.voice(u)}
	if voice.Name != "" {
		// A voice speaks one language; a service that is asked for another refuses.
		voice.LanguageCode = languageOf(voice.Name, voice.LanguageCode)
	}
	out := &synthesis{
		request: &pb.SynthesizeSpeechRequest{
			Input: &pb.SynthesisInput{InputSource: &pb.SynthesisInput_Ssml{Ssml: u.SSML}},
			Voice: voice, AudioConfig: audio,
		},
		stream: c.Voice.Stream == "always" || c.Voice.Stream == "auto" && strings.Contains(voice.Name, "Chirp"),
	}
	if c.Voice.Effect != "none" && !out.stream {
		audio.EffectsProfileId = []string{c.Voice.Effect}
	}
	if out.stream {
		text, err := ssml.Text(u.SSML)
		if err != nil {
			return nil, err
		}
		out.request.Input.InputSource = &pb.SynthesisInput_Text{Text: text}
	}
	return out, nil
}

func (c Config) voice(u speech.Utterance) string {
	for _, name := range []string{u.Voice, u.Properties[propertyVoice], c.Voice.Names[language(u.Language)]} {
		if name != "" {
			return name
		}
	}
	return c.Voice.Name
}

func language(tag string) string {
	if tag == "" {
		return "en-US"
	}
	return tag
}

// languageOf is that of a voice by its name, such as de-DE-Neural2-B.
func languageOf(voice, otherwise string) string {
	parts := strings.SplitN(voice, "-", 3)
	if len(parts) < 3 || len(parts[0]) > 3 || len(parts[1]) < 2 || len(parts[1]) > 4 {
		return otherwise
	}
	return parts[0] + "-" + parts[1]
}

// key names what will be heard.
func (q *synthesis) key() string {
	// The wire form is the same for the same message within one process.
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(q.request)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(wire)
	return fmt.Sprintf("google %t %s", q.stream, hex.EncodeToString(sum[:]))
}

// synthesize has the service make audio, within the budget.
func (s *session) synthesize(ctx context.Context, q *synthesis, to io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := &firstWrite{Writer: to, begun: time.Now(), heard: s.engine.counts.firstAudio.Observe}
	watch := time.AfterFunc(s.engine.config.Budget, func() { cancel(errBudget) })
	defer watch.Stop()
	limited, stop := context.WithTimeout(ctx, s.engine.config.Budget)
	defer stop()
	var err error
	if q.stream {
		s.engine.counts.requests.WithLabelValues("stream").Inc()
		err = s.engine.persist(ctx, func(ctx context.Context) error {
			err := s.synthesizeStream(ctx, q, first, watch)
			if first.n > 0 && err != nil {
				return fault(classTTS, err) // some of it has been heard: not again from the beginning
			}
			return err
		})
	} else {
		s.engine.counts.requests.WithLabelValues("synthesize").Inc()
		err = s.engine.persist(limited, func(ctx context.Context) error {
			answer, err := s.account.tts.SynthesizeSpeech(ctx, q.request, once())
			if err == nil {
				_, err = first.Write(headless(answer.GetAudioContent()))
			}
			return err
		})
	}
	if err != nil && context.Cause(ctx) == errBudget {
		return errBudget
	}
	if err == nil && first.n == 0 {
		err = errNoAudio
	}
	return err
}

var (
	errBudget  = errors.New("no audio in time")
	errNoAudio = errors.New("the answer holds no audio")
)

// once leaves trying again to persist.
func once() gax.CallOption { return gax.WithRetry(func() gax.Retryer { return nil }) }

// synthesizeStream takes audio as it is made; watch is wound up by each piece.
func (s *session) synthesizeStream(ctx context.Context, q *synthesis, to io.Writer, watch *time.Timer) error {
	stream, err := s.account.tts.StreamingSynthesize(ctx, once())
	if err != nil {
		return err
	}
	audio := q.request.AudioConfig
	for _, message := range []*pb.StreamingSynthesizeRequest{
		{StreamingRequest: &pb.StreamingSynthesizeRequest_StreamingConfig{StreamingConfig: &pb.StreamingSynthesizeConfig{
			Voice: q.request.Voice,
			StreamingAudioConfig: &pb.StreamingAudioConfig{
				AudioEncoding: audio.AudioEncoding, SampleRateHertz: audio.SampleRateHertz, SpeakingRate: audio.SpeakingRate,
			},
		}}},
		{StreamingRequest: &pb.StreamingSynthesizeRequest_Input{Input: &pb.StreamingSynthesisInput{
			InputSource: &pb.StreamingSynthesisInput_Text{Text: q.request.Input.GetText()},
		}}},
	} {
		if err := stream.Send(message); err != nil && !errors.Is(err, io.EOF) { // EOF: Recv tells why
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		watch.Reset(s.engine.config.Budget)
		if _, err := to.Write(headless(answer.GetAudioContent())); err != nil {
			return err
		}
	}
}

// firstWrite tells how long the first audio took.
type firstWrite struct {
	io.Writer
	begun time.Time
	heard func(seconds float64)
	n     int
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.n == 0 && len(p) > 0 {
		w.heard(time.Since(w.begun).Seconds())
	}
	n, err := w.Writer.Write(p)
	w.n += n
	return n, err
}
