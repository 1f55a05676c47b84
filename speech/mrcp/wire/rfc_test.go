package wire

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rfcText is the text of RFC 6787 without its page breaks. It lies beside the
// project, whose licence it does not share; MCP_RFC names another folder.
func rfcText(t testing.TB) string {
	t.Helper()
	folder := os.Getenv("MCP_RFC")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "..", "shared", "rfc")
	}
	text, err := os.ReadFile(filepath.Join(folder, "rfc6787.txt"))
	if err != nil {
		t.Skipf("the text of RFC 6787 is needed: %v", err)
	}
	breaks := regexp.MustCompile(`\n+Burnett & Shanmugham .*\[Page \d+\]\n\f\nRFC 6787 .*\n\n`)
	return breaks.ReplaceAllString(string(text), "\n\n")
}

var (
	exampleStart    = regexp.MustCompile(`^ *(?:[CS]->[CS]:)? *(MRCP/2\.0 (?:\.\.\.|\d+) .*)$`)
	exampleField    = regexp.MustCompile(`^[A-Z][A-Za-z-]*:(?:[^/]|$)`)
	exampleBodyType = regexp.MustCompile(`(?mi)^Content-Length:`)
)

// rfcExamples are the messages printed in RFC 6787, with CRLF line ends and their
// lengths reckoned: the RFC abbreviates all but a few of them to "...", and those
// few do not agree with each other on what a line end is.
func rfcExamples(t testing.TB) []string {
	t.Helper()
	lines := strings.Split(rfcText(t), "\n")
	var examples []string
	for i := 0; i < len(lines); i++ {
		start := exampleStart.FindStringSubmatchIndex(lines[i])
		if start == nil {
			continue
		}
		head, body, next := exampleAt(lines, i, start[2])
		examples = append(examples, withLengths(head, body))
		i = next - 1
	}
	return examples
}

// exampleAt reads the example that begins in a column of a line: its header up
// to the empty line and, when it has a Content-Length, the body, which goes on
// while lines are indented as far.
func exampleAt(lines []string, i, column int) (head, body string, next int) {
	text := func(n int) (string, bool) {
		if n >= len(lines) {
			return "", false
		}
		line := strings.TrimRight(lines[n], " ")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		return line[min(len(line), min(indent, column)):], indent >= column-6 && !exampleStart.MatchString(line)
	}
	head = lines[i][column:]
	for next = i + 1; ; next++ {
		line, more := text(next)
		if line == "" || !more {
			break
		}
		// The RFC indents header fields unevenly, and folds the long ones.
		if line = strings.TrimSpace(line); !exampleField.MatchString(line) {
			line = " " + line
		}
		head += "\n" + line
	}
	if !exampleBodyType.MatchString(head) {
		return head, "", next
	}
	var kept []string
	for next++; ; next++ {
		line, more := text(next)
		if line != "" && !more || next >= len(lines) {
			break
		}
		kept = append(kept, line)
	}
	return head, strings.TrimRight(strings.Join(kept, "\n"), "\n") + "\n", next
}

// withLengths writes an example as it would be sent.
func withLengths(head, body string) string {
	contentLength := regexp.MustCompile(`(?i)Content-Length: *[.\d]+`)
	messageLength := regexp.MustCompile(`^MRCP/2\.0 [.\d]+`)
	body = strings.ReplaceAll(body, "\n", "\r\n")
	head = strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n"
	head = contentLength.ReplaceAllString(head, fmt.Sprintf("Content-Length:%d", len(body)))
	bare := len(messageLength.ReplaceAllString(head, "MRCP/2.0 ")) + len(body)
	head = messageLength.ReplaceAllString(head, "MRCP/2.0 "+strconv.Itoa(totalLength(bare)))
	return head + body
}
