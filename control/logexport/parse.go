package logexport

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// ParseLine reads a line as the platform writes it: slog's text or JSON form. What is
// neither is a line of level info without attributes.
func ParseLine(text string) Line {
	if strings.HasPrefix(text, "{") {
		if l, ok := parseJSON(text); ok {
			return l
		}
	}
	l := Line{Attrs: map[string]string{}}
	known := false
	for rest := text; rest != ""; {
		var key, value string
		key, value, rest = next(rest)
		switch key {
		case slog.LevelKey:
			known = l.Level.UnmarshalText([]byte(value)) == nil
		case slog.MessageKey:
			l.Message = value
		case "", slog.TimeKey:
		default:
			l.Attrs[key] = value
		}
	}
	if !known {
		return Line{Message: text}
	}
	return l
}

// next takes one key=value off a line; values may be quoted.
func next(text string) (key, value, rest string) {
	key, after, found := strings.Cut(strings.TrimLeft(text, " "), "=")
	if !found {
		return "", "", ""
	}
	if strings.HasPrefix(after, `"`) {
		if quoted, err := strconv.QuotedPrefix(after); err == nil {
			value, err = strconv.Unquote(quoted)
			if err == nil {
				return key, value, after[len(quoted):]
			}
		}
	}
	value, rest, _ = strings.Cut(after, " ")
	return key, value, rest
}

func parseJSON(text string) (Line, bool) {
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return Line{}, false
	}
	l := Line{Attrs: map[string]string{}}
	level, _ := all[slog.LevelKey].(string)
	if l.Level.UnmarshalText([]byte(level)) != nil {
		return Line{}, false
	}
	l.Message, _ = all[slog.MessageKey].(string)
	for _, key := range []string{slog.LevelKey, slog.MessageKey, slog.TimeKey} {
		delete(all, key)
	}
	flatten(l.Attrs, "", all)
	return l, true
}

func flatten(attrs map[string]string, group string, values map[string]any) {
	for key, value := range values {
		if inner, isGroup := value.(map[string]any); isGroup {
			flatten(attrs, group+key+".", inner)
			continue
		}
		attrs[group+key] = fmt.Sprint(value)
	}
}
