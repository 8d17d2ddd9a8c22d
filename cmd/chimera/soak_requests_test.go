package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file owns what the soak asks, how its clients behave, and what they hold against what was answered.

// soakRequest is a completion, and what it was answered when nothing else was.
type soakRequest struct {
	model  string
	fields map[string]any
	header http.Header
	alone  soakAnswer
}

// soakAnswer are the choices, by index.
type soakAnswer map[int]soakChoice

type soakChoice struct {
	text, finish string
	logprobs     []float64
}

const (
	soakVocab   = 200 // ids below it are in every fixture
	soakContext = 127
)

func soakTokens(random *rand.Rand, n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = 3 + random.IntN(soakVocab-3)
	}
	return ids
}

// newSoakRequest draws prompts, some of which begin alike, and how their answers are sampled.
func newSoakRequest(random *rand.Rand, stems [][]int) soakRequest {
	var prompts [][]int
	longest := 0
	for range 1 + max(0, random.IntN(5)-2) {
		stem := stems[random.IntN(len(stems))]
		prompt := append(append([]int{}, stem[:random.IntN(len(stem))]...), soakTokens(random, 1+random.IntN(24))...)
		prompts, longest = append(prompts, prompt), max(longest, len(prompt))
	}
	fields := map[string]any{
		"prompt": prompts, "max_tokens": 1 + random.IntN(soakContext-longest), "n": 1 + max(0, random.IntN(4)-2), "seed": random.IntN(1 << 30),
		"ignore_eos": random.IntN(2) == 0, "temperature": 0,
	}
	if random.IntN(3) > 0 {
		fields["temperature"], fields["top_p"], fields["top_k"] = .2+random.Float64(), .5+random.Float64()/2, random.IntN(50)
	}
	if random.IntN(3) == 0 {
		fields["frequency_penalty"], fields["presence_penalty"] = random.Float64(), random.Float64()
	}
	if random.IntN(3) == 0 {
		fields["logprobs"] = random.IntN(4)
	}
	model := soakNames[max(0, random.IntN(2*len(soakNames)-2)-len(soakNames)+2)] // the first as often as all others
	fields["model"] = model
	class := []string{"interactive", "batch", "background"}[random.IntN(3)]
	header := http.Header{"X-Chimera-Class": {class}, "X-Chimera-Priority": {strconv.Itoa(random.IntN(10))}}
	if class == "background" && model != soakSteady { // it would wait until nobody comes back to what is loaded
		header.Set("X-Chimera-Deadline-Ms", strconv.Itoa(100+random.IntN(1000)))
	}
	return soakRequest{model: model, fields: fields, header: header}
}

func (r soakRequest) body(stream bool) string {
	fields := maps.Clone(r.fields)
	fields["stream"] = stream
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// soakClient asks over one of the daemon's sockets.
type soakClient struct {
	dial   func() (net.Conn, error)
	http   *http.Client
	models *soakModels
}

// newSoakClients are one of each socket. That of the Unix socket administers.
func newSoakClients(p *process, m *soakModels) (list []*soakClient) {
	for _, at := range [][2]string{{"unix", p.ready.Socket}, {"tcp", *p.ready.HTTP}} {
		dial := func() (net.Conn, error) { return net.Dial(at[0], at[1]) }
		list = append(list, &soakClient{dial, &http.Client{
			Timeout:   2 * time.Minute, // whatever the class, an answer comes
			Transport: &http.Transport{MaxIdleConnsPerHost: soakClients, DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }},
		}, m})
	}
	m.admin = list[0]
	return list
}

func (c *soakClient) get(path string) (string, error) {
	r, err := c.http.Get("http://localhost" + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

// soakRefusal is an answer that a full server may give, or one whose models come and go.
type soakRefusal struct{ code string }

func (r *soakRefusal) Error() string { return "refused: " + r.code }

// refusal is the code of an error that is one; "" of others.
func refusal(status int, text []byte) string {
	var a struct{ Error struct{ Code string } }
	if json.Unmarshal(text, &a) != nil || !slices.Contains(soakRefusals[status], a.Error.Code) {
		return ""
	}
	return a.Error.Code
}

var soakRefusals = map[int][]string{
	429: {"queue_full", "overloaded", "deadline_too_short"}, 503: {"loading", "model_unloaded", "deadline_exceeded"}, 500: {"model_failed"},
}

// ask returns the answer; a stream is read with a pause before each event.
func (c *soakClient) ask(ctx context.Context, r soakRequest, stream bool, pause time.Duration) (a soakAnswer, err error) {
	q, err := http.NewRequestWithContext(ctx, "POST", "http://localhost/v1/completions", strings.NewReader(r.body(stream)))
	if err != nil {
		return nil, err
	}
	q.Header = r.header.Clone()
	answer, err := c.http.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if stream && answer.StatusCode == http.StatusOK {
		return soakStream(answer.Body, pause)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if code := refusal(answer.StatusCode, text); code != "" && (code != "model_failed" || r.model == soakFragile) {
		return nil, &soakRefusal{code}
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", answer.StatusCode, text)
	}
	a = soakAnswer{}
	return a, a.add(text)
}

// soakStream puts an answer together from its events.
func soakStream(body io.Reader, pause time.Duration) (soakAnswer, error) {
	a := soakAnswer{}
	for lines := bufio.NewReader(body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the stream has no end: %w", err)
		}
		data, found := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if data == "[DONE]" {
			return a, nil
		}
		if !found {
			continue
		}
		if err := a.add([]byte(data)); err != nil {
			return nil, err
		}
		time.Sleep(pause)
	}
}

// add takes in an answer, or a part of it.
func (a soakAnswer) add(text []byte) error {
	var part struct {
		Choices []struct {
			Index        int
			Text         string
			FinishReason *string `json:"finish_reason"`
			Logprobs     *struct {
				TokenLogprobs []float64 `json:"token_logprobs"`
			}
		}
		Error *struct{ Code string }
	}
	err := json.Unmarshal(text, &part)
	if err == nil && part.Error != nil && part.Error.Code == "deadline_exceeded" { // of one of several choices, when others had begun
		return &soakRefusal{part.Error.Code}
	}
	if err != nil || part.Error != nil {
		return fmt.Errorf("%w, answered %s", err, text)
	}
	for _, c := range part.Choices {
		sum := a[c.Index]
		sum.text += c.Text
		if c.FinishReason != nil {
			sum.finish = *c.FinishReason
		}
		if c.Logprobs != nil {
			sum.logprobs = append(sum.logprobs, c.Logprobs.TokenLogprobs...)
		}
		a[c.Index] = sum
	}
	return nil
}

// soakBehaviours are what clients do. do tells whether it came to that: a full server may refuse.
var soakBehaviours = []struct {
	name string
	do   func(*soakClient, soakRequest, *rand.Rand) (done bool, err error)
}{
	{"whole", func(c *soakClient, r soakRequest, _ *rand.Rand) (bool, error) { return c.compare(r, false, 0) }},
	{"streamed", func(c *soakClient, r soakRequest, _ *rand.Rand) (bool, error) { return c.compare(r, true, 0) }},
	{"read slowly", func(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
		return c.compare(r, true, time.Duration(random.IntN(10))*time.Millisecond)
	}},
	{"cancelled", soakCancelled},
	{"hung up within the stream", soakHungUp},
	{"cut off within the body", soakCutOff},
	{"asked for what was just unloaded", soakReloaded},
	{"gone while the model was loaded", soakLeft},
	{"refused as the load was ended", soakUnloaded},
	{"refused as the file was spoilt", soakSpoilt},
}

// compare holds an answer against that of the request alone.
func (c *soakClient) compare(r soakRequest, stream bool, pause time.Duration) (bool, error) {
	got, err := c.ask(context.Background(), r, stream, pause)
	if errors.As(err, new(*soakRefusal)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !reflect.DeepEqual(got, r.alone) {
		return false, fmt.Errorf("answered\n%+v\nand alone\n%+v", got, r.alone)
	}
	return true, nil
}

// soakCancelled goes away at any moment.
func soakCancelled(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
	return c.leave(r, random, 30*time.Millisecond)
}

// leave asks and goes away within a time.
func (c *soakClient) leave(r soakRequest, random *rand.Rand, most time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.Int64N(int64(most))))
	defer cancel()
	_, err := c.ask(ctx, r, random.IntN(2) == 0, 0)
	if errors.Is(err, context.DeadlineExceeded) {
		return true, nil
	}
	if errors.As(err, new(*soakRefusal)) {
		err = nil
	}
	return false, err // it was answered before
}

// soakHungUp closes its connection after some bytes of the stream.
func soakHungUp(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
	conn, err := c.send(r.body(true), r.header, 0)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	n, err := io.CopyN(io.Discard, conn, int64(random.IntN(2000)))
	if errors.Is(err, io.EOF) {
		err = nil // a short answer
	}
	return n > 0, err
}

// soakCutOff closes its connection before the body's end.
func soakCutOff(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
	body := r.body(false)
	conn, err := c.send(body, r.header, 1+random.IntN(len(body)-1))
	if err != nil {
		return false, err
	}
	time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
	return true, conn.Close()
}

// send writes a request without its last missing bytes.
func (c *soakClient) send(body string, header http.Header, missing int) (net.Conn, error) {
	conn, err := c.dial()
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n", len(body))
	for name := range header {
		head += name + ": " + header.Get(name) + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"+body[:len(body)-missing]); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, conn.SetDeadline(time.Now().Add(2 * time.Minute))
}
