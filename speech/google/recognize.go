package google

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	pb "cloud.google.com/go/speech/apiv1/speechpb"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"mcp/speech"
	"mcp/speech/turn"
)

// propertyModel is the property by which a page chooses a recognizer's model.
const propertyModel = "com.genesyslab.asr.model"

// The service's limits on hints.
const (
	maxPhrases      = 500
	maxPhraseLength = 100
)

// pieceOctets is how much G.711 is sent at a time: 100 ms, as the service advises.
const pieceOctets = 800

// maxTape is how much is kept for another stream: half a minute of G.711.
const maxTape = 30 * 8000

// Recognize implements speech.Session.
func (s *session) Recognize(_ context.Context, r speech.Recognition) (speech.Recognizing, error) {
	config, err := s.engine.config.recognition(r, s.line.Codec())
	if err != nil {
		return nil, s.engine.failed(classConfig, err)
	}
	hearing, err := s.line.Listen()
	if err != nil {
		return nil, err
	}
	s.engine.counts.requests.WithLabelValues("recognize").Inc()
	t := turn.New(r)
	l := &listening{session: s, turn: t, hearing: hearing, config: config, alaw: s.line.Codec().Name == "PCMA", doing: classStart}
	s.tasks.Go(l.run)
	return t, nil
}

// recognition says in the service's words what is listened for.
func (c Config) recognition(r speech.Recognition, codec speech.Codec) (*pb.StreamingRecognitionConfig, error) {
	config := &pb.RecognitionConfig{
		SampleRateHertz: int32(codec.ClockRate), LanguageCode: language(r.Language),
		MaxAlternatives: int32(max(r.NBest, 1)), Model: c.Ears.Model,
	}
	switch codec.Name {
	case "PCMU":
		config.Encoding = pb.RecognitionConfig_MULAW
	case "PCMA": // which it does not know
		config.Encoding = pb.RecognitionConfig_LINEAR16
	default:
		return nil, speech.ErrNoCodec
	}
	if model := r.Properties[propertyModel]; model != "" {
		config.Model = model
	}
	config.UseEnhanced = config.Model == "phone_call" && !c.Ears.Standard
	if hints := c.hints(r.Grammars); len(hints.Phrases) > 0 {
		config.Adaptation = &pb.SpeechAdaptation{PhraseSets: []*pb.PhraseSet{hints}}
	}
	streaming := &pb.StreamingRecognitionConfig{
		Config: config, InterimResults: true, SingleUtterance: !r.Hotword, EnableVoiceActivityEvents: true,
	}
	if r.Complete > 0 {
		streaming.VoiceActivityTimeout = &pb.StreamingRecognitionConfig_VoiceActivityTimeout{SpeechEndTimeout: durationpb.New(r.Complete)}
	}
	return streaming, nil
}

// hints are what the grammars expect.
func (c Config) hints(grammars []speech.Grammar) *pb.PhraseSet {
	set := &pb.PhraseSet{Boost: float32(c.Ears.Boost)}
	seen := map[string]bool{}
	for _, g := range grammars {
		if g.Phrases == nil {
			continue
		}
		for _, phrase := range g.Phrases(maxPhrases - len(set.Phrases)) {
			if seen[phrase] || len(phrase) > maxPhraseLength {
				continue
			}
			seen[phrase] = true
			p := &pb.PhraseSet_Phrase{Value: phrase}
			if g.Weight > 0 && g.Weight != 1 {
				p.Boost = float32(min(c.Ears.Boost*g.Weight, 20))
			}
			set.Phrases = append(set.Phrases, p)
		}
	}
	return set
}

// listening is one recognition under way.
type listening struct {
	session *session
	turn    *turn.Turn
	hearing speech.Hearing
	config  *pb.StreamingRecognitionConfig
	alaw    bool
	piece   []byte // what is to be sent next

	mu    sync.Mutex // guards what follows
	doing class
	tape  []byte // what was sent before the service has answered
}

// begun tells that the service has answered: there is no way back.
func (l *listening) begun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.doing == classStart {
		l.doing, l.tape = classRecognize, nil
	}
}

// keep keeps audio for another stream.
func (l *listening) keep(audio []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.doing == classStart {
		l.tape = append(l.tape, audio...)
		if over := len(l.tape) - maxTape; over > 0 {
			l.tape = l.tape[over:]
		}
	}
}

// phase is what is being done.
func (l *listening) phase() class {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doing
}

// run streams until the turn is over. A stream that fails before the service has
// answered is begun again with all that was said meanwhile.
func (l *listening) run() {
	defer l.hearing.Close()
	ctx, cancel := context.WithCancel(l.turn.Context())
	defer cancel()
	stop := context.AfterFunc(l.session.ctx, func() { l.turn.End(speech.Result{}, speech.ErrClosed) })
	defer stop()
	e := l.session.engine
	var result speech.Result
	err := e.persist(ctx, func(ctx context.Context) error {
		var err error
		result, err = l.stream(ctx)
		if phase := l.phase(); phase != classStart {
			return fault(phase, err) // it had begun: not again
		}
		return err
	})
	l.turn.End(result, e.failed(l.phase(), err))
}

// stream runs one stream to its end.
func (l *listening) stream(ctx context.Context) (speech.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := l.session.account.asr.StreamingRecognize(ctx, once())
	if err != nil {
		cancel()
		return speech.Result{}, err
	}
	finished := make(chan struct{}) // the utterance has ended: send no more
	sent := make(chan error, 1)
	go func() { sent <- l.send(ctx, stream, finished) }()
	result, err := l.receive(stream, finished)
	cancel()
	if unsent := <-sent; err != nil && unsent != nil {
		err = fault(classWrite, unsent)
	}
	return result, err
}

// send sends what was said so far, and what is said from now on.
func (l *listening) send(ctx context.Context, stream pb.Speech_StreamingRecognizeClient, finished <-chan struct{}) error {
	err := stream.Send(&pb.StreamingRecognizeRequest{StreamingRequest: &pb.StreamingRecognizeRequest_StreamingConfig{StreamingConfig: l.config}})
	if err == nil && len(l.tape) > 0 { // nobody else has it: there is one sender at a time
		err = l.write(stream, l.tape)
	}
	for err == nil {
		var sound speech.Sound
		if sound, err = l.hearing.Next(ctx); err != nil {
			break
		}
		l.piece = append(l.piece, sound.Audio...)
		select {
		case <-finished:
			return stream.CloseSend()
		default:
		}
		if len(l.piece) >= pieceOctets {
			l.keep(l.piece)
			err = l.write(stream, l.piece)
			l.piece = nil // the stream may have kept it
		}
	}
	if errors.Is(err, io.EOF) || ctx.Err() != nil { // of the line, or of the stream, whose Recv tells why
		return stream.CloseSend()
	}
	return err
}

func (l *listening) write(stream pb.Speech_StreamingRecognizeClient, audio []byte) error {
	if l.alaw {
		audio = linear(audio)
	}
	return stream.Send(&pb.StreamingRecognizeRequest{StreamingRequest: &pb.StreamingRecognizeRequest_AudioContent{AudioContent: audio}})
}

// receive takes answers until there is a result.
func (l *listening) receive(stream pb.Speech_StreamingRecognizeClient, finished chan<- struct{}) (speech.Result, error) {
	result := speech.Result{Outcome: speech.NoMatch}
	over := false
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		if err != nil {
			return result, err
		}
		l.begun()
		if e := answer.GetError(); e != nil && e.GetCode() != int32(code.Code_OK) {
			return result, status.ErrorProto(e)
		}
		switch answer.GetSpeechEventType() {
		case pb.StreamingRecognizeResponse_SPEECH_ACTIVITY_BEGIN:
			l.turn.Heard()
		case pb.StreamingRecognizeResponse_END_OF_SINGLE_UTTERANCE:
			if !over {
				over = true
				close(finished)
				late := time.AfterFunc(l.session.engine.config.Budget, l.late)
				defer late.Stop()
			}
		}
		for _, r := range answer.GetResults() {
			if len(r.GetAlternatives()) > 0 && r.GetAlternatives()[0].GetTranscript() != "" {
				l.turn.Heard()
			}
			if r.GetIsFinal() {
				return understood(r), nil
			}
		}
	}
}

// late ends a turn whose result does not come.
func (l *listening) late() {
	l.turn.End(speech.Result{}, l.session.engine.failed(classRecognize, errors.New("no result in time")))
}

// understood is a result in our words. Alternatives that have no confidence of
// their own, as all but the first do, have the one before theirs; a service that
// gives none at all is believed.
func understood(r *pb.StreamingRecognitionResult) speech.Result {
	out := speech.Result{Outcome: speech.NoMatch}
	confidence := 1.0
	for _, a := range r.GetAlternatives() {
		if a.GetTranscript() == "" {
			continue
		}
		if c, err := strconv.ParseFloat(strconv.FormatFloat(float64(a.GetConfidence()), 'g', -1, 32), 64); err == nil && c > 0 {
			confidence = c
		}
		out.Outcome = speech.Match
		out.Alternatives = append(out.Alternatives, speech.Alternative{
			Utterance: a.GetTranscript(), Confidence: confidence, Mode: "voice", Transcript: true,
		})
	}
	return out
}
