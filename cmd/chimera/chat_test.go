package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file owns tests of the conversation on a terminal: lines, interrupts, commands, a daemon that loads.

// conversation starts chat against a server that answers with handle.
func conversation(t *testing.T, handle http.HandlerFunc) *terminal {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	x := onTerminal(t, "chat", "--server", s.URL)
	x.see("/bye")
	return x
}

// say sends a piece of an answer at once.
func say(w http.ResponseWriter, text string) {
	fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", text)
	w.(http.Flusher).Flush()
}

func sayEnd(w http.ResponseWriter) {
	io.WriteString(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":2}}\n\ndata: [DONE]\n\n")
}

// numbered are so many words, each in a piece of its own.
func numbered(from, to int) (words []string) {
	for i := from; i < to; i++ {
		words = append(words, fmt.Sprintf("word-%04d", i)) // nine columns
	}
	return words
}

// printedLines are those that the terminal was given whole, above what is drawn.
func printedLines(x *terminal) []string { return strings.Split(x.all(), "\x1b[K\r\n") }

// hasLine tells whether one ends in text, behind what moves the cursor there.
func hasLine(x *terminal, text string) bool {
	for _, line := range printedLines(x) {
		if line == text || strings.HasSuffix(line, "L"+text) { // ESC [ n L makes room for the lines
			return true
		}
	}
	return false
}

// Long lines are broken between words as they come, at the width that the terminal has by then.
func TestChatBreaksLines(t *testing.T) {
	resized := make(chan struct{})
	x := conversation(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, word := range numbered(0, 21) {
			say(w, word+" ")
		}
		<-resized
		for _, word := range numbered(21, 40) {
			say(w, word+" ")
		}
		say(w, "\n你好世界你好世界你好世界你好世界你好世界\n\nend")
		sayEnd(w)
	})
	x.press("go\r")
	x.see("word-0009")
	x.see("word-0019")
	x.resize(32)
	time.Sleep(200 * time.Millisecond) // the signal's way into the program
	close(resized)
	x.see("tokens/s")
	x.press("\x04")
	x.wantExit(0)
	// 99 columns hold ten words, 31 then three.
	for _, line := range []string{
		strings.Join(numbered(0, 10), " "), strings.Join(numbered(10, 20), " "), strings.Join(numbered(20, 23), " "), strings.Join(numbered(35, 38), " "),
		"你好世界你好世界你好世界你好世", "界你好世界",
	} {
		if !hasLine(x, line) {
			t.Errorf("no line %q among\n%q", line, printedLines(x))
		}
	}
}

// An answer longer than the screen is all there: what scrolls away was printed, not drawn.
func TestChatPrintsLongAnswers(t *testing.T) {
	x := conversation(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			say(w, fmt.Sprintf("line %d of many\n", i))
		}
		sayEnd(w)
	})
	x.press("go\r")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)
	for i := range 200 {
		if line := fmt.Sprintf("line %d of many", i); !hasLine(x, line) {
			t.Fatalf("no %q", line)
		}
	}
}

// What came of an answer that was stopped or that failed is part of the conversation; a question without any answer is not.
func TestChatKeepsPartialAnswers(t *testing.T) {
	var bodies []string
	x := conversation(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body := string(b)
		bodies = append(bodies, body)
		last := body[strings.LastIndex(body, `"content"`):]
		switch {
		case strings.Contains(last, "stopme"):
			say(w, "half of it")
			<-r.Context().Done()
		case strings.Contains(last, "failme"):
			say(w, "a third")
			io.WriteString(w, "data: {\"error\":{\"message\":\"out of pages\"}}\n\n")
		case strings.Contains(last, "refuseme"):
			http.Error(w, `{"error":{"message":"no"}}`, 400)
		default:
			say(w, "whole")
			sayEnd(w)
		}
	})
	x.press("stopme\r")
	x.see("half of it")
	x.press("\x03")
	x.see("(stopped)")
	x.press("failme\r")
	x.see("a third")
	x.see("error: out of pages")
	x.press("refuseme\r")
	x.see("error: the server answered 400: no")
	x.press("last\r")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)
	const want = `"messages":[{"role":"user","content":"stopme"},{"role":"assistant","content":"half of it"},{"role":"user","content":"failme"},{"role":"assistant","content":"a third"},{"role":"user","content":"last"}]`
	if len(bodies) != 4 || !strings.Contains(bodies[3], want) {
		t.Errorf("%q", bodies)
	}
}

func TestChatCommands(t *testing.T) {
	asked := 0
	x := conversation(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		say(w, "answered")
		sayEnd(w)
	})
	for _, c := range []struct{ typed, want string }{
		{"/help\r", "/clear forgets the conversation"},
		{"/?\r", "/clear forgets the conversation"},
		{"/HELP\r", "/clear forgets the conversation"},
		{"/hlep\r", "(/hlep is no command: there are /help, /clear, /bye"},
		{"/clear it\r", "(/clear it is no command"},
		{"/\r", "(/ is no command"},
		{"/clear\r", "forgotten"},
	} {
		x.press(c.typed)
		x.see(c.want)
	}
	if asked != 0 {
		t.Errorf("%d questions were asked", asked)
	}
	for _, typed := range []string{"/etc/hosts, what is it?\r", " /help as a question\r"} {
		x.press(typed)
		x.see("answered")
		x.see("2 tokens")
	}
	x.press("\x1b[A\x1b[A\r") // commands are not what was sent
	x.see("> /etc/hosts")
	x.see("2 tokens")
	x.press("/exit\r")
	x.wantExit(0)
}

// What was being typed is there again behind what was sent.
func TestChatKeepsTheDraft(t *testing.T) {
	x := conversation(t, func(w http.ResponseWriter, _ *http.Request) {
		say(w, "answered")
		sayEnd(w)
	})
	x.press("first\r")
	x.see("2 tokens")
	x.press("a draft\x1b[A\x1b[B and more\r")
	x.see("> a draft and more")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)
}

// Ctrl+C, or SIGINT from elsewhere, stops the answer; the next one the conversation. Another key in between is a new beginning.
func TestChatInterruptedTwice(t *testing.T) {
	forever := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		word := "alpha"
		if strings.Contains(string(body), "again") {
			word = "bravo" // no letter in the same place: only what differs is drawn anew
		}
		say(w, word)
		<-r.Context().Done()
	}
	for name, interrupt := range map[string]func(*terminal){
		"key":    func(x *terminal) { x.press("\x03") },
		"signal": func(x *terminal) { x.cmd.Process.Signal(syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			x := conversation(t, forever)
			x.press("go\r")
			x.see("alpha")
			interrupt(x)
			x.see("(stopped)")
			x.press("again\r")
			x.see("bravo")
			interrupt(x)
			x.see("(stopped)")
			interrupt(x)
			x.wantExit(0)

			x = conversation(t, forever)
			interrupt(x)
			x.see("Ctrl+C again")
			x.press("§") // more may be drawn in parts
			x.see("§")
			interrupt(x) // forgets it
			x.see("sk something")
			interrupt(x)
			x.see("Ctrl+C again")
			interrupt(x)
			x.wantExit(0)
		})
	}
}

// SIGTERM ends it at once, and leaves the terminal as it was.
func TestChatTerminated(t *testing.T) {
	x := conversation(t, func(http.ResponseWriter, *http.Request) {})
	x.press("Q")
	x.see("Q") // it is drawn: the terminal is as the conversation wants it
	x.cmd.Process.Signal(syscall.SIGTERM)
	x.wantExit(exitInterrupted)
	if !strings.Contains(x.all(), "\x1b[?2004l") || !strings.Contains(x.all(), "chimera: interrupted") {
		t.Errorf("%q", x.all())
	}
}

// loadingServer is a daemon whose load goes on until the first question was refused, and its progress was seen.
func loadingServer() http.HandlerFunc {
	refused := make(chan struct{})
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/status" {
			select {
			case <-refused:
				io.WriteString(w, `{"state":"loading","loading_percent":60}`)
			default:
				io.WriteString(w, `{"state":"loading","loading_percent":30}`)
			}
			return
		}
		first := false
		once.Do(func() { first = true })
		if !first {
			say(w, "an answer")
			sayEnd(w)
			return
		}
		time.Sleep(1500 * time.Millisecond) // as a daemon does: the model may be there soon
		close(refused)
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(503)
		io.WriteString(w, `{"error":{"message":"the model is loading","type":"server_error","code":"loading"}}`)
	}
}

func TestTalkWaitsForALoad(t *testing.T) {
	x := conversation(t, loadingServer())
	x.press("go\r")
	x.see("the daemon is loading its model: 30 %")
	x.see("6") // of 60: what stays as it is isn't drawn again
	x.see("an answer")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)

	s := httptest.NewServer(loadingServer())
	defer s.Close()
	y := onTerminal(t, "run", "go", "--server", s.URL)
	y.see("\r\x1b[Kthe daemon is loading its model: 30 %")
	y.see("\r\x1b[Kthe daemon is loading its model: 60 %")
	y.see("\r\x1b[Kan answer")
	y.wantExit(0)

	z := httptest.NewServer(loadingServer())
	defer z.Close()
	if r := runBinary(t, "", "run", "go", "--server", z.URL); r.code != 0 || r.out != "an answer\n" || strings.Contains(r.errors, "loading") {
		t.Errorf("in a pipe: %+v", r)
	}
}
