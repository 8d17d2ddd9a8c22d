package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// This file owns the conversation without a terminal.

// Pipe takes each line of in as a turn and writes each answer to out as it comes, bytes as they are and lines as
// long as they are. It ends with ctx, also while it waits for a line.
func Pipe(ctx context.Context, c *Client, o Options, system string, in io.Reader, out io.Writer) error {
	messages := opening(system)
	lines, failed := scanLines(ctx, in)
	for {
		var line string
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text, more := <-lines:
			if !more {
				return <-failed
			}
			line = text
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		messages = append(messages, Message{"user", line})
		answer, _, err := c.Print(ctx, messages, o, out)
		if err != nil {
			return err
		}
		messages = append(messages, Message{"assistant", answer})
	}
}

// Print asks for the next turn and writes it to out as it comes. It ends the last line also of an answer that breaks
// off, so that what follows stands apart; where there is no answer it writes nothing.
func (c *Client) Print(ctx context.Context, messages []Message, o Options, out io.Writer) (answer string, s Stats, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var text strings.Builder
	var failed error
	s, err = c.Chat(ctx, messages, o, func(piece string) {
		if failed != nil {
			return
		}
		text.WriteString(piece)
		if _, failed = io.WriteString(out, piece); failed != nil {
			cancel() // what nobody gets is not computed to its end
		}
	})
	if failed != nil {
		return text.String(), s, failed
	}
	if err == nil || text.Len() > 0 {
		_, failed = fmt.Fprintln(out)
	}
	return text.String(), s, errors.Join(err, failed)
}

// scanLines reads beside, so that nobody is stuck in a read that only the next line would end.
func scanLines(ctx context.Context, in io.Reader) (lines <-chan string, failed <-chan error) {
	to, end := make(chan string), make(chan error, 1)
	go func() {
		defer close(to)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxEvent)
		for scanner.Scan() {
			select {
			case to <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
		end <- scanner.Err()
	}()
	return to, end
}

func opening(system string) []Message {
	if system == "" {
		return nil
	}
	return []Message{{"system", system}}
}
