package brokertest

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Consume has the broker's own console tool, a JMS client in Java, take messages
// from a destination such as queue://records until take returns false, and hands
// it the text of each.
func (b *Broker) Consume(ctx context.Context, destination string, take func(text string) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := b.tool(ctx, "consumer", destination, "")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("run the broker's consumer: %w", err)
	}
	more := true
	lines := bufio.NewReader(out)
	var last string
	for more && err == nil {
		var line string
		if line, err = lines.ReadString('\n'); err == nil {
			last = line
			if _, text, ok := strings.Cut(line, " Received "); ok {
				more = take(strings.TrimSuffix(text, "\n"))
			}
		}
	}
	cancel()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
	if more {
		return fmt.Errorf("the broker's consumer ended: %w: %s", err, last)
	}
	return nil
}

// Produce has the broker's own console tool send so many messages.
func (b *Broker) Produce(ctx context.Context, destination, url string, count int) error {
	cmd := b.tool(ctx, "producer", destination, url)
	cmd.Args = append(cmd.Args, "--messageCount", fmt.Sprint(count), "--persistent", "true")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("run the broker's producer: %w", err), errors.New(string(out)))
	}
	return nil
}

// tool is a command of the console; url overrides where the broker is.
func (b *Broker) tool(ctx context.Context, name, destination, url string) *exec.Cmd {
	args := []string{name, "--destination", destination, "--brokerUrl", cmp.Or(url, "tcp://"+b.OpenWire)}
	if name == "consumer" {
		args = append(args, "--messageCount", "100000000")
	}
	if b.config.User != "" {
		args = append(args, "--user", b.config.User, "--password", b.config.Password)
	}
	cmd := b.java(args...)
	bound := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	bound.Dir, bound.SysProcAttr = cmd.Dir, cmd.SysProcAttr
	return bound
}
