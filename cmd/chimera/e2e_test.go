package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests run the real binary: TestMain is it, when it is told so.

const selfVariable = "CHIMERA_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(selfVariable) != "" {
		main()
		return
	}
	os.Exit(withoutHome(m.Run))
}

// withoutHome keeps what daemons and chats remember out of the user's own folder.
func withoutHome(run func() int) int {
	folder, err := os.MkdirTemp("", "chimera-state")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	os.Setenv("XDG_STATE_HOME", folder)
	os.Unsetenv("STATE_DIRECTORY")
	return run()
}

// chimera is the binary with these arguments.
func chimera(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), selfVariable+"=1")
	return c
}

type daemonProcess struct {
	cmd          *exec.Cmd
	socket, http string
	log          *bytes.Buffer
}

// startDaemon starts a daemon on a Unix socket and a TCP port and waits for its ready line. Nobody is refused for how long he would wait: the tests
// want all answers, and the machine may be slow.
func startDaemon(t *testing.T, args ...string) *daemonProcess {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.sock")
	d := &daemonProcess{cmd: chimera(append([]string{"serve", "--socket", path, "--http", "0", "--scheduler-wait-ms", "0", "--history-file", filepath.Join(filepath.Dir(path), "history", "h.db")}, args...)...), log: &bytes.Buffer{}}
	d.cmd.Stderr = d.log
	out, err := d.cmd.StdoutPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadBytes('\n')
	var ready struct {
		Ready  bool
		Socket string
		HTTP   string
		Models []string
	}
	if err := json.Unmarshal(line, &ready); err != nil || !ready.Ready || len(ready.Models) == 0 {
		d.cmd.Process.Kill()
		d.cmd.Wait()
		t.Fatalf("the daemon is not ready: %q\n%s", line, d.log)
	}
	d.socket, d.http = ready.Socket, "http://"+ready.HTTP
	t.Cleanup(func() { d.stop(t) })
	return d
}

func (d *daemonProcess) stop(t *testing.T) {
	if d.cmd.ProcessState != nil {
		return
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("the daemon stopped with %v\n%s", err, d.log)
	}
	if _, err := os.Stat(d.socket); err == nil {
		t.Error("the socket is left behind")
	}
}

func fixture(t *testing.T, name string) string {
	dir := os.Getenv("CHIMERA_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "conformance")
	}
	path := filepath.Join(dir, name, name+"-f32.gguf")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if model := os.Getenv("CHIMERA_SMOLLM2"); model != "" {
		return model // any model that answers will do
	}
	t.Skipf("no %s: set CHIMERA_CONFORMANCE or CHIMERA_SMOLLM2", path)
	return ""
}

// nameOf is what a model is called that nobody named.
func nameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".gguf") }

func TestOpenAIClient(t *testing.T) {
	model, python := os.Getenv("CHIMERA_SMOLLM2"), os.Getenv("CHIMERA_PYTHON")
	if model == "" || python == "" {
		t.Skip("set CHIMERA_SMOLLM2 and CHIMERA_PYTHON (make test does)")
	}
	d := startDaemon(t, "--model", model, "--ctx", "1024")
	out, err := exec.Command(python, "testdata/openai_client.py", d.http, d.socket).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, d.log)
	}
}

func TestCurlOverUnixSocket(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	d := startDaemon(t, "--model", fixture(t, "llama"), "--ctx", "256")
	body := `{"prompt":[1,5,9],"max_tokens":6,"temperature":0,"ignore_eos":true,"stream":true}`
	out, err := exec.Command(curl, "-sN", "--unix-socket", d.socket, "http://localhost/v1/completions", "-d", body).Output()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "data: [DONE]") || strings.Count(string(out), "data: {") == 0 {
		t.Fatalf("%v: %q", err, out)
	}
	for path, want := range map[string]string{"/health/live": "ok", "/health/ready": "ok", "/metrics": "\nchimera_kv_pages_used{model=\""} {
		out, err := exec.Command(curl, "-s", "--unix-socket", d.socket, "http://localhost"+path).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %.300s", path, err, out)
		}
	}
}

func post(c *http.Client, url string, body any) (string, error) {
	text, _ := json.Marshal(body)
	r, err := c.Post(url+"/v1/completions", "application/json", bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	var answer struct {
		Choices []struct{ Text string }
		Error   struct{ Message string }
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", fmt.Errorf("%d: %s", r.StatusCode, answer.Error.Message)
	}
	return answer.Choices[0].Text, nil
}

// metric is the sum of a metric's series, of all models; a name with labels is one series.
func metric(t *testing.T, url, name string) (sum float64) {
	r, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(r.Body)
	series := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(b.String(), -1)
	if series == nil {
		t.Fatalf("no metric %s", name)
	}
	for _, m := range series {
		x, _ := strconv.ParseFloat(m[1], 64)
		sum += x
	}
	return sum
}

// 32 streaming clients, a third of which hang up at random: no error, every finished answer equal to
// the one given alone, all pages returned, no goroutine left.
func TestManyClients(t *testing.T) {
	d := startDaemon(t, "--model", fixture(t, "llama"), "--ctx", "256", "--kv-type", "f16")
	seconds := 5 * time.Second
	if long, err := time.ParseDuration(os.Getenv("CHIMERA_SOAK")); err == nil {
		seconds = long
	}
	prompts, want := make([][]int, 8), make([]string, 8)
	body := func(i int) map[string]any {
		return map[string]any{"prompt": prompts[i], "max_tokens": 40, "temperature": 0.8, "seed": i, "ignore_eos": true}
	}
	for i := range prompts {
		for j := range 5 + 20*i {
			prompts[i] = append(prompts[i], (i*37+j*11)%500+5)
		}
		text, err := post(http.DefaultClient, d.http, body(i))
		if err != nil {
			t.Fatal(err)
		}
		want[i] = text
	}
	http.DefaultClient.CloseIdleConnections()
	goroutines := metric(t, d.http, "go_goroutines")
	var group sync.WaitGroup
	var mu sync.Mutex
	finished, hung, end := 0, 0, time.Now().Add(seconds)
	for client := range 32 {
		group.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				i := (client + n) % 8
				text, err := streamOnce(d, body(i), client%3 == 0, 1+(client*7+n*3)%20)
				mu.Lock()
				switch {
				case err != nil:
					t.Errorf("client %d: %v", client, err)
				case client%3 == 0:
					hung++
				case text != want[i]:
					t.Errorf("client %d: %q, alone %q", client, text, want[i])
				default:
					finished++
				}
				failed := t.Failed()
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	group.Wait()
	if used := settled(t, d, "chimera_kv_pages_used", 0); used != 0 {
		t.Errorf("%v pages are still in use", used)
	}
	if now := settled(t, d, "go_goroutines", goroutines+2); now > goroutines+2 {
		t.Errorf("%v goroutines, %v before", now, goroutines)
	}
	t.Logf("%d answers finished, %d hung up", finished, hung)
	if t.Failed() {
		t.Logf("%s", d.log)
	}
}

// settled waits for a metric to fall to a bound; workers of closed connections need a moment.
func settled(t *testing.T, d *daemonProcess, name string, bound float64) float64 {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if now := metric(t, d.http, name); now <= bound || time.Now().After(end) {
			return now
		}
	}
}

// streamOnce streams one answer over the Unix socket; with hangUp it closes after some events.
func streamOnce(d *daemonProcess, body map[string]any, hangUp bool, after int) (string, error) {
	c, err := net.Dial("unix", d.socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	body["stream"] = true
	text, _ := json.Marshal(body)
	fmt.Fprintf(c, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	var answer strings.Builder
	scanner := bufio.NewScanner(c)
	if !scanner.Scan() || !strings.Contains(scanner.Text(), " 200 ") {
		return "", fmt.Errorf("the server answered %q", scanner.Text())
	}
	for events := 0; scanner.Scan(); {
		data, ok := strings.CutPrefix(scanner.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return answer.String(), nil
		}
		var chunk struct {
			Choices []struct{ Text string }
			Error   *struct{ Message string }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return "", err
		}
		if chunk.Error != nil {
			return "", fmt.Errorf("%s", chunk.Error.Message)
		}
		for _, choice := range chunk.Choices {
			answer.WriteString(choice.Text)
		}
		if events++; hangUp && events >= after {
			return "", nil
		}
	}
	return "", fmt.Errorf("the stream ended early: %v", scanner.Err())
}

// A daemon that can't have its port leaves no socket file behind.
func TestTakenPortLeavesNoSocket(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "c.sock")
	r := runBinary(t, "", "serve", "--socket", socket, "--http", taken.Addr().String(), "--ctx", "128", "--model", fixture(t, "llama"))
	if r.code != 1 || !strings.Contains(r.errors, "address already in use") {
		t.Errorf("exit %d: %s", r.code, r.errors)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file: %v", err)
	}
}
