package googletest

import (
	"errors"
	"io"

	asr "cloud.google.com/go/speech/apiv1/speechpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"mcp/speech/speechtest"
)

// ears implements the generated SpeechServer.
type ears struct {
	asr.UnimplementedSpeechServer
	server *Server
}

type recognition = asr.Speech_StreamingRecognizeServer

// StreamingRecognize hears one utterance.
func (e *ears) StreamingRecognize(stream recognition) error {
	defer e.server.enter()()
	faults, err := e.server.admit(stream.Context())
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	config := first.GetStreamingConfig()
	if err := check(config); err != nil {
		return err
	}
	e.server.mu.Lock()
	e.server.heard = append(e.server.heard, proto.CloneOf(config))
	e.server.mu.Unlock()
	h := &hearing{ears: e, stream: stream, config: config, faults: faults, listener: speechtest.NewListener(e.server.config.Pause)}
	return h.run()
}

// check refuses what the service refuses.
func check(c *asr.StreamingRecognitionConfig) error {
	r := c.GetConfig()
	switch {
	case c == nil:
		return status.Error(codes.InvalidArgument, "the first message must be a streaming_config")
	case r.GetLanguageCode() == "":
		return status.Error(codes.InvalidArgument, "a language code is required")
	case r.GetSampleRateHertz() != speechtest.Rate:
		return status.Errorf(codes.InvalidArgument, "%d Hz is not served here", r.GetSampleRateHertz())
	case r.GetEncoding() != asr.RecognitionConfig_MULAW && r.GetEncoding() != asr.RecognitionConfig_LINEAR16:
		return status.Errorf(codes.InvalidArgument, "encoding %s is not served here", r.GetEncoding())
	case c.GetSingleUtterance() && r.GetModel() == "phone_call" && !r.GetUseEnhanced():
		return status.Error(codes.InvalidArgument, "single_utterance is not supported by this model")
	}
	return nil
}

// hearing is one stream.
type hearing struct {
	ears     *ears
	stream   recognition
	config   *asr.StreamingRecognitionConfig
	faults   Faults
	listener *speechtest.Listener
}

func (h *hearing) run() error {
	for {
		message, err := h.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.GetStreamingConfig() != nil:
			return status.Error(codes.InvalidArgument, "a streaming_config after the first message")
		}
		for _, moment := range h.listener.Hear(h.samples(message.GetAudioContent())) {
			over, err := h.reach(moment)
			if over || err != nil {
				return err
			}
		}
	}
}

func (h *hearing) samples(octets []byte) []int16 {
	if h.config.GetConfig().GetEncoding() == asr.RecognitionConfig_LINEAR16 {
		return speechtest.Linear(octets)
	}
	return speechtest.Decode(octets, false)
}

// reach tells the client of a moment. The stream is over when an utterance was all
// that was wanted.
func (h *hearing) reach(moment speechtest.Moment) (over bool, err error) {
	switch moment {
	case speechtest.Begun:
		return false, h.begun()
	case speechtest.Ended:
		return h.config.GetSingleUtterance(), h.ended()
	}
	return false, nil
}

func (h *hearing) begun() error {
	if h.config.GetEnableVoiceActivityEvents() {
		if err := h.event(asr.StreamingRecognizeResponse_SPEECH_ACTIVITY_BEGIN); err != nil {
			return err
		}
	}
	if h.faults.Cut {
		return status.Error(codes.Unavailable, "connection reset by peer")
	}
	if !h.config.GetInterimResults() {
		return nil
	}
	return h.stream.Send(&asr.StreamingRecognizeResponse{Results: []*asr.StreamingRecognitionResult{
		{Alternatives: []*asr.SpeechRecognitionAlternative{{Transcript: "…"}}, Stability: 0.1},
	}})
}

func (h *hearing) event(kind asr.StreamingRecognizeResponse_SpeechEventType) error {
	return h.stream.Send(&asr.StreamingRecognizeResponse{SpeechEventType: kind})
}

func (h *hearing) ended() error {
	if h.config.GetSingleUtterance() {
		if err := h.event(asr.StreamingRecognizeResponse_END_OF_SINGLE_UTTERANCE); err != nil {
			return err
		}
	}
	if h.faults.Garbage {
		return h.stream.Send(&asr.StreamingRecognizeResponse{Results: []*asr.StreamingRecognitionResult{{IsFinal: true}}})
	}
	c := h.config.GetConfig()
	u := speechtest.Utterance{Audio: h.listener.Utterance(), Language: c.GetLanguageCode()}
	for _, set := range c.GetAdaptation().GetPhraseSets() {
		for _, p := range set.GetPhrases() {
			u.Phrases = append(u.Phrases, p.GetValue())
		}
	}
	heard, err := h.ears.server.engine.Transcribe(h.stream.Context(), u)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	h.ears.server.log.Info("recognized", "text", heard.Text, "confidence", heard.Confidence)
	if heard.Text == "" {
		return nil
	}
	return h.stream.Send(&asr.StreamingRecognizeResponse{Results: []*asr.StreamingRecognitionResult{{
		IsFinal: true, LanguageCode: c.GetLanguageCode(),
		Alternatives: []*asr.SpeechRecognitionAlternative{{Transcript: heard.Text, Confidence: float32(heard.Confidence)}},
	}}})
}
