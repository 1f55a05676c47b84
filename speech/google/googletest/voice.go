package googletest

import (
	"context"
	"fmt"
	"html"

	tts "cloud.google.com/go/texttospeech/apiv1/texttospeechpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"mcp/speech/speechtest"
)

// voice implements the generated TextToSpeechServer.
type voice struct {
	tts.UnimplementedTextToSpeechServer
	server *Server
}

// SynthesizeSpeech answers with a WAV file, as the service does for these encodings.
func (v *voice) SynthesizeSpeech(ctx context.Context, q *tts.SynthesizeSpeechRequest) (*tts.SynthesizeSpeechResponse, error) {
	faults, err := v.server.admit(ctx)
	if err != nil {
		return nil, err
	}
	v.note(q)
	if faults.Garbage {
		return &tts.SynthesizeSpeechResponse{AudioContent: []byte("RIFF\xff\xff\xff\xffWAVEjunk\xff\xff\xff\xff")}, nil
	}
	input := q.GetInput().GetSsml()
	if input == "" {
		input = document(q.GetInput().GetText())
	}
	audio, err := v.audio(ctx, input, q.GetVoice(), q.GetAudioConfig().GetAudioEncoding())
	if err != nil {
		return nil, err
	}
	return &tts.SynthesizeSpeechResponse{
		AudioContent: speechtest.WAV(audio, q.GetAudioConfig().GetAudioEncoding() == tts.AudioEncoding_ALAW),
	}, nil
}

func (v *voice) note(q *tts.SynthesizeSpeechRequest) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	v.server.asked = append(v.server.asked, proto.CloneOf(q))
}

func (v *voice) audio(ctx context.Context, input string, who *tts.VoiceSelectionParams, as tts.AudioEncoding) ([]byte, error) {
	if as != tts.AudioEncoding_MULAW && as != tts.AudioEncoding_ALAW {
		return nil, status.Errorf(codes.InvalidArgument, "encoding %s is not served here", as)
	}
	if who.GetLanguageCode() == "" {
		return nil, status.Error(codes.InvalidArgument, "a language code is required")
	}
	pcm, err := v.server.engine.Synthesize(ctx, input, who.GetLanguageCode())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	v.server.log.Info("synthesized", "text", input, "voice", who.GetName(), "ms", len(pcm)*1000/speechtest.Rate)
	return speechtest.Encode(pcm, as == tts.AudioEncoding_ALAW), nil
}

// document is plain text as SSML.
func document(text string) string { return "<speak>" + html.EscapeString(text) + "</speak>" }

// pieceOctets is how much audio a streaming answer holds.
const pieceOctets = 1600

// StreamingSynthesize answers each input with audio in pieces, without a header.
func (v *voice) StreamingSynthesize(stream tts.TextToSpeech_StreamingSynthesizeServer) error {
	defer v.server.enter()()
	faults, err := v.server.admit(stream.Context())
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	config := first.GetStreamingConfig()
	if config == nil {
		return status.Error(codes.InvalidArgument, "the first message must be a streaming_config")
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return nil // the client has said all, or has gone
		}
		if message.GetInput() == nil {
			return status.Error(codes.InvalidArgument, "messages after the first must be input")
		}
		if err := v.answer(stream, config, message.GetInput().GetText(), faults); err != nil {
			return err
		}
	}
}

func (v *voice) answer(stream tts.TextToSpeech_StreamingSynthesizeServer,
	config *tts.StreamingSynthesizeConfig, text string, faults Faults) error {
	as := config.GetStreamingAudioConfig()
	v.note(&tts.SynthesizeSpeechRequest{
		Input: &tts.SynthesisInput{InputSource: &tts.SynthesisInput_Text{Text: text}}, Voice: config.GetVoice(),
		AudioConfig: &tts.AudioConfig{AudioEncoding: as.GetAudioEncoding(), SampleRateHertz: as.GetSampleRateHertz(), SpeakingRate: as.GetSpeakingRate()},
	})
	audio, err := v.audio(stream.Context(), document(text), config.GetVoice(), as.GetAudioEncoding())
	if err != nil {
		return err
	}
	for len(audio) > 0 {
		n := min(pieceOctets, len(audio))
		if err := stream.Send(&tts.StreamingSynthesizeResponse{AudioContent: audio[:n]}); err != nil {
			return fmt.Errorf("send audio: %w", err)
		}
		audio = audio[n:]
		if faults.Cut {
			return status.Error(codes.Unavailable, "connection reset by peer")
		}
	}
	return nil
}
