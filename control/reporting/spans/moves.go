package spans

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"mcp/control/reporting"
)

// moves are what steps do to a trace. Steps that are not here say what spans do already,
// or more than a trace has room for.
var moves = map[reporting.Step]func(*call, *reporting.Event){
	reporting.StepReceived: func(c *call, e *reporting.Event) { c.note(setup, e, c.message(e.Text)) },
	reporting.StepSent:     func(c *call, e *reporting.Event) { c.note(setup, e, c.message(e.Text)) },
	reporting.StepRoute: func(c *call, e *reporting.Event) {
		c.open[whole].SetName(partNames[whole] + " " + e.Text)
		c.open[whole].SetAttributes(attribute.String("mcp.service", e.Text))
	},
	reporting.StepProgress: func(c *call, e *reporting.Event) {
		leg, outcome, _ := strings.Cut(e.Text, " ")
		c.note(turn, e, attribute.String("mcp.leg", leg), attribute.String("mcp.call_progress", outcome))
	},
	reporting.StepBegun: func(c *call, e *reporting.Event) { c.finish(setup, e.At) },

	reporting.StepAppBegun:    told,
	reporting.StepAppEnded:    leave,
	reporting.StepGoto:        told,
	reporting.StepSubdialog:   told,
	reporting.StepReturn:      told,
	reporting.StepFormEntered: func(c *call, e *reporting.Event) { c.form = e.Text },
	reporting.StepFormLeft:    leave,
	reporting.StepSelected: func(c *call, e *reporting.Event) {
		c.start(turn, e.At, attribute.String("mcp.dialogue.form", c.form), attribute.String("mcp.dialogue.item", e.Text))
	},
	reporting.StepEvent:          thrown,
	reporting.StepHandlerEntered: told,
	reporting.StepFilling: func(c *call, e *reporting.Event) {
		name, _, _ := strings.Cut(e.Text, " = ")
		c.note(turn, e, attribute.String("mcp.dialogue.item", name), c.contents(e.Text))
	},
	reporting.StepLog:     said,
	reporting.StepFetched: fetched,

	reporting.StepPromptStart: func(c *call, e *reporting.Event) {
		c.start(prompt, e.At, attribute.String("mcp.prompt.language", e.Text))
	},
	reporting.StepPromptPlay: func(c *call, e *reporting.Event) { c.note(prompt, e, c.contents(e.Text)) },
	reporting.StepPromptType: func(c *call, e *reporting.Event) {
		if span := c.open[prompt]; span != nil {
			span.SetAttributes(attribute.String("mcp.prompt.type", e.Text))
		}
	},
	reporting.StepPromptStop: func(c *call, e *reporting.Event) { c.finish(prompt, e.At, attribute.Bool("mcp.prompt.whole", false)) },
	reporting.StepPromptEnd:  func(c *call, e *reporting.Event) { c.finish(prompt, e.At, attribute.Bool("mcp.prompt.whole", true)) },

	reporting.StepInputStart: func(c *call, e *reporting.Event) {
		c.start(input, e.At, attribute.String("mcp.input.modes", e.Text))
	},
	reporting.StepInputEnd: func(c *call, e *reporting.Event) {
		c.finish(input, e.At, attribute.String("mcp.input.outcome", e.Text))
	},
	reporting.StepKeys: said,

	reporting.StepASROpen: func(c *call, e *reporting.Event) { c.engine = e.Text },
	reporting.StepASRStart: func(c *call, e *reporting.Event) {
		c.start(recognition, e.At, attribute.String("mcp.speech.engine", c.engine), attribute.String("mcp.speech.language", e.Text))
	},
	reporting.StepASRTrace:       recognized,
	reporting.StepASREnd:         listened,
	reporting.StepSpeechReceived: func(c *call, e *reporting.Event) { c.note(recognition, e, c.message(e.Text)) },
	reporting.StepSpeechSent:     func(c *call, e *reporting.Event) { c.note(recognition, e, c.message(e.Text)) },
}

func told(c *call, e *reporting.Event) { c.note(turn, e, text(e.Text)) }

func said(c *call, e *reporting.Event) { c.note(turn, e, c.contents(e.Text)) }

// leave ends a turn whose form or application is left.
func leave(c *call, e *reporting.Event) {
	told(c, e)
	c.finish(turn, e.At)
}

// thrown notes an event, whose message is a page's own.
func thrown(c *call, e *reporting.Event) {
	name, message, _ := strings.Cut(e.Text, ": ")
	c.note(turn, e, attribute.String("mcp.dialogue.event", name), c.contents(message))
	if strings.HasPrefix(name, "error") {
		c.within(turn).SetAttributes(semconv.ErrorTypeKey.String(name))
		c.within(turn).SetStatus(codes.Error, "")
	}
}

// fetched notes what no web server was asked for: requests have spans.
func fetched(c *call, e *reporting.Event) {
	_, address, _ := strings.Cut(e.Text, " ")
	if strings.HasPrefix(address, "http") && !strings.HasSuffix(e.Text, "from the cache") {
		return
	}
	told(c, e)
}

// recognized notes outcome, confidence and utterance.
func recognized(c *call, e *reporting.Event) {
	fields := strings.SplitN(e.Text, "|", 3)
	if len(fields) < 3 {
		return
	}
	c.note(recognition, e, attribute.String("mcp.speech.outcome", fields[0]), attribute.String("mcp.speech.confidence", fields[1]), c.contents(fields[2]))
}

// listened ends a recognition.
func listened(c *call, e *reporting.Event) {
	if e.Text == "failed" {
		c.within(recognition).SetAttributes(semconv.ErrorTypeKey.String(e.Text))
		c.within(recognition).SetStatus(codes.Error, "")
	}
	c.finish(recognition, e.At, attribute.String("mcp.speech.outcome", e.Text))
}
