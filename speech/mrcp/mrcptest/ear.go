package mrcptest

import "mcp/speech/mrcp/mrcptest/line"

// ear keeps what the caller says for a resource that listens.
type ear struct {
	frames chan heard

	// Of the port's goroutine.
	detector line.Detector
	rest     []int16
}

// heard is a frame, and by how much it stands out of the noise.
type heard struct {
	frame  []int16
	excess float64
}

func newEar() *ear { return &ear{frames: make(chan heard, 512)} }

// hear takes what came over RTP. What nobody listens to for ten seconds is lost.
func (e *ear) hear(pcm []int16) {
	e.rest = append(e.rest, pcm...)
	for len(e.rest) >= line.FrameSamples {
		frame := e.rest[:line.FrameSamples:line.FrameSamples]
		e.rest = e.rest[line.FrameSamples:]
		select {
		case e.frames <- heard{frame, e.detector.Measure(frame)}:
		default:
		}
	}
}

// flush forgets what was said before.
func (e *ear) flush() {
	for {
		select {
		case <-e.frames:
		default:
			return
		}
	}
}
