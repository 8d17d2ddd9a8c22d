package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/weights"
)

// This file owns tests of what reaches a terminal of what models, servers and files wrote.

// obeyed is what a terminal would act on: it names its window, writes the clipboard, goes up and erases, and turns what follows.
const obeyed = "\x1b]0;owned\x07\x1b]52;c;cm0=\x07\x1b[2A\x1b[2K\u009b31m\x7f\u202eevil"

// shownInstead is what stands there for it.
const shownInstead = `^[]0;owned^G^[]52;c;cm0=^G^[[2A^[[2K\u009b31m^?\u202eevil`

// hostileServer says nothing without that.
func hostileServer(t *testing.T) string {
	t.Helper()
	quoted := func(text string) string {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/v1/status":
			fmt.Fprintf(w, `{"state":"serving","models":[{"id":%[1]s,"loaded":true,"max_model_len":99,"state":%[1]s,"problem":%[1]s}],"model":{"backend":%[1]s,"threads_bound_by":%[1]s,"numerics_id":%[1]s},
				"requests":{"admission_limit":1,"admission_reason":%[1]s},"memory":[{"purpose":%[1]s,"mapped_bytes":9999999}],"gpus":[{"name":%[1]s,"bus":%[1]s}]}`, quoted("m\n"+obeyed))
		case r.URL.Path == "/v1/cache":
			fmt.Fprintf(w, `{"caches":[{"model":%[1]s,"groups":[{"group":%[1]s}],"pins":[{"name":%[1]s}],"prefixes":[{"name":%[1]s,"key":%[1]s}]}]}`, quoted("m\n"+obeyed))
		case r.URL.Path == "/v1/quality":
			fmt.Fprintf(w, `{"windows":[{"model":%[1]s,"tenant":%[1]s,"class":%[1]s,"missed":[%[1]s]}],"correlations":[{"measure":%[1]s,"problem":%[1]s}]}`, quoted("m\n"+obeyed))
		case r.URL.Path == "/v1/report":
			fmt.Fprintf(w, `{"scope":%[1]s,"problems":[%[1]s],"executive_summary":[{"model":%[1]s,"missed":[%[1]s],"statements":[{"topic":%[1]s,"status":%[1]s,"text":%[1]s,"figures":[{"label":%[1]s,"unit":%[1]s,"value":1,"n_of":%[1]s,"method":%[1]s,"sources":[{"table":%[1]s,"rows":%[1]s}]}]}]}],"optimisation_recommendations":[{"model":%[1]s}],"risks":[]}`, quoted("m\n"+obeyed))
		case r.URL.Path == "/v1/tiers":
			fmt.Fprintf(w, `{"models":[{"model":%[1]s,"tier":%[1]s,"mode":%[1]s,"swapping_to":%[1]s,"ladder":[{"tier":%[1]s,"state":%[1]s,"scores":{%[1]s:{}}}],"events":[{"from":%[1]s,"to":%[1]s,"reason":%[1]s,"state":%[1]s,"problem":%[1]s}]}]}`, quoted("m\n"+obeyed))
		case r.URL.Path == "/v1/experiments":
			fmt.Fprintf(w, `{"running":{"model":%[1]s,"factor":%[1]s},"problems":[{"model":%[1]s,"factor":%[1]s,"problem":%[1]s}],"experiments":[{"model":%[1]s,"kind":%[1]s,"factor":%[1]s,"off":%[1]s,"on":%[1]s,"method":%[1]s,"measures":[{"measure":%[1]s}]}]}`, quoted("m\n"+obeyed))
		case strings.HasPrefix(r.URL.Path, "/v1/receipts/"):
			fmt.Fprintf(w, `{"id":%[1]s,"tokens_digest":"","model":%[1]s,"numerics":%[1]s,"tenant":%[1]s,"class":%[1]s,"outcome":%[1]s,"tier":%[1]s,"cache_level":%[1]s,"escalated_from":%[1]s}`, quoted("m\n"+obeyed))
		case r.URL.Path == "/v1/replay":
			fmt.Fprintf(w, `{"equal":%t,"tokens_digest":"","numerics":%s}`, strings.Contains(string(body), "same"), quoted("m\n"+obeyed))
		case strings.HasSuffix(r.URL.Path, "/load"):
			w.WriteHeader(500)
			fmt.Fprintf(w, `{"error":{"message":%s}}`, quoted(obeyed))
		case r.URL.Path == "/v1/gpu":
			fmt.Fprintf(w, `{"devices":[{"index":0,"name":%s,"bus":"x\ny","verdict":{"action":"degrade","reason":%s}}]}`, quoted(obeyed), quoted(obeyed))
		case strings.Contains(string(body), "refuse"):
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":{"message":%s}}`, quoted(obeyed))
		case strings.Contains(string(body), "break"):
			fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{\"message\":%s}}\n\n", quoted(obeyed))
		default:
			for _, b := range []string{"say ", obeyed[:1], obeyed[1:9], obeyed[9:], "\nend"} { // a sequence in pieces
				fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%s}}]}\n\n", quoted(b))
			}
			io.WriteString(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":2}}\n\ndata: [DONE]\n\n")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// hostileModel is a sound file whose metadata is not.
func hostileModel(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "m.gguf")
	file := tinyModel(t, func(set func(string, weights.ValueType, any), _ map[string][]uint64) {
		set("general.name", weights.Text, obeyed)
		set("general.license", weights.Text, "a\n"+obeyed)
		set("key\x1b[31m", weights.Text, "x")
		set("tokenizer.chat_template.\x1b[2Jname", weights.Text, obeyed)
	})
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// No verb gives a terminal what it would obey, in an answer or in an error.
func TestTerminalsAreNotGivenControls(t *testing.T) {
	server, model := hostileServer(t), hostileModel(t)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"run x --server " + server, 0, "say " + shownInstead + "\r\nend"},
		{"run refuse --server " + server, 1, "400: " + shownInstead},
		{"run break --server " + server, 1, "chimera: " + shownInstead},
		{"ps --server " + server, 0, "m^J" + shownInstead + "  99"},
		{"ps --server " + server, 0, "-     m^J" + shownInstead + ": m^J" + shownInstead + "\r\n"},
		{"cache --server " + server, 0, "pin m^J" + shownInstead + " is being computed\r\n"},
		{"cache --server " + server, 0, "\r\nm^J" + shownInstead + "  m^J" + shownInstead + "  0 "},
		{"quality --server " + server, 0, "m^J" + shownInstead + "  m^J" + shownInstead + "  m^J" + shownInstead + "  0 "},
		{"report --fail-on missed --server " + server, 1, "objectives were missed: m^J" + shownInstead},
		{"tier list --server " + server, 0, "m^J" + shownInstead + ": m^J" + shownInstead + ", on its way to m^J" + shownInstead + ", not loaded\r\n"},
		{"tier list --server " + server, 0, " to m^J" + shownInstead + ", m^J" + shownInstead + ": m^J" + shownInstead + "; m^J" + shownInstead + "\r\n"},
		{"experiment list --server " + server, 0, "not measured: m^J" + shownInstead + " of m^J" + shownInstead + ": m^J" + shownInstead + "\r\n"},
		{"experiment show x --server " + server, 1, "no experiment on x: there are m^J" + shownInstead},
		{"explain x --server " + server, 0, "tenant       m^J" + shownInstead + ", class m^J" + shownInstead + "\r\n"},
		{"replay same --server " + server, 0, "numerics m^J" + shownInstead + "\r\n"},
		{"replay x --server " + server, 1, "which are m^J" + shownInstead + " here"},
		{"load x --server " + server, 1, "500: " + shownInstead},
		{"ps --json --server " + server, 0, `\u001b]0;owned`},
		{"gpu --server " + server, 0, "degrade: " + shownInstead},
		{"bench --requests 1 --server " + server + " --model refuse", 1, "no request was answered: the server answered 400: " + shownInstead},
		{"show " + model, 0, `key\x1b[31m = x`},
		{"show --json " + model, 0, "owned"},
		{"show /nowhere/\x1b[31m", 3, "/nowhere/^[[31m"},
		{"tokenize --model /nowhere/\x1b[31m", 3, "/nowhere/^[[31m"},
		{"nonsense\x1b[31m", 2, "nonsense"},
		{"run --\x1b[31m", 2, "^[[31m"},
	} {
		x := onTerminal(t, strings.Fields(c.args)...)
		x.wantExit(c.code)
		x.mu.Lock()
		shown := x.shown.String()
		x.mu.Unlock()
		if strings.ContainsAny(shown, "\x1b\x07\x7f\u009b\u202e") || !strings.Contains(shown, c.want) {
			t.Errorf("chimera %s: the terminal is given %q\nwant %q", c.args, shown, c.want)
		}
	}
}

// A pipe gets what was written, byte for byte.
func TestPipesGetBytesAsTheyAre(t *testing.T) {
	server := hostileServer(t)
	if r := runBinary(t, "", "run", "x", "--server", server); r.out != "say "+obeyed+"\nend\n" {
		t.Errorf("%q", r.out)
	}
	if r := runBinary(t, "x\n", "chat", "--server", server); r.out != "say "+obeyed+"\nend\n" {
		t.Errorf("%q", r.out)
	}
	if r := runBinary(t, "", "run", "refuse", "--server", server); !strings.Contains(r.errors, obeyed) {
		t.Errorf("%q", r.errors)
	}
}

// In the conversation, which draws with escape sequences of its own, none of the answer's gets through.
func TestChatIsNotGivenControls(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	x := onTerminal(t, "chat", "--server", hostileServer(t))
	x.see("/bye")
	x.press("x\r")
	x.see("^[]0;owned^G")
	x.see("2 tokens")
	x.press("refuse\r")
	x.see("400: ^[]0;owned^G")
	x.press("\x04")
	x.wantExit(0)
	for _, part := range []string{"\x1b]0;", "\x1b]52;", "\u009b", "\u202e"} {
		if strings.Contains(x.all(), part) {
			t.Errorf("the terminal is given %q", part)
		}
	}
}

// What cannot be written is a failure, not an answer.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	server := fakeServer(t).URL
	for _, args := range []string{"version", "--help", "run x --server " + server, "run forever --server " + server, "ps --server " + server, "show " + hostileModel(t), "gpu --server " + server} {
		var errs bytes.Buffer
		c := chimera(strings.Fields(args)...)
		c.Stdout, c.Stderr = full, &errs
		if c.Run(); c.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "chimera: standard output: ") || !strings.Contains(errs.String(), "no space left") || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("chimera %s: %v %q", args, c.ProcessState, errs.String())
		}
	}
}

// A reader that has enough ends the writer, without a word.
func TestBrokenPipeIsQuiet(t *testing.T) {
	for _, args := range []string{"run x --server " + hostileServer(t), "show " + hostileModel(t), "--help"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		var errs bytes.Buffer
		c := chimera(strings.Fields(args)...)
		c.Stdout, c.Stderr = w, &errs
		c.Run()
		w.Close()
		status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() || status.Signal() != syscall.SIGPIPE || errs.Len() > 0 {
			t.Errorf("chimera %s: %v %q", args, c.ProcessState, errs.String())
		}
	}
}

// The first signal lets the verb end by itself; when it can't, the second is as if nobody had listened.
func TestSecondInterruptEnds(t *testing.T) {
	r, w, err := os.Pipe() // standard output that nobody reads, and that is full: a write waits for ever
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	c := chimera("run", "forever", "--server", fakeServer(t).URL)
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	time.Sleep(500 * time.Millisecond) // long enough to be in that write
	c.Process.Signal(os.Interrupt)
	time.Sleep(200 * time.Millisecond)
	c.Process.Signal(os.Interrupt)
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("two interrupts did not end it")
	}
	if status, _ := c.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("%v", c.ProcessState)
	}
}
