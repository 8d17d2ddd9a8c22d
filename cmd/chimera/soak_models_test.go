package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file owns the soak's models: one that stays, and three that come and go by their time, for want of room, by hand, and because
// their file is spoilt. Of those two have room beside the first.

// The models' names.
const (
	soakSteady  = "steady"  // pinned; what runs out of pages
	soakBrief   = "brief"   // its time is up in a moment
	soakSpare   = "spare"   // goes for others, or by hand
	soakFragile = "fragile" // its file is spoilt now and then
)

var soakNames = []string{soakSteady, soakBrief, soakSpare, soakFragile}

// soakModels are the files, and who changes what is loaded of them.
type soakModels struct {
	files map[string]string // by name
	whole []byte            // what fragile's file says
	admin *soakClient
	spoil sync.Mutex // held while that file is spoilt
}

// newSoakModels copies fixtures of several architectures, where they are there.
func newSoakModels(t *testing.T) *soakModels {
	t.Helper()
	m := &soakModels{files: map[string]string{}}
	for name, like := range map[string]string{soakSteady: "llama", soakBrief: "gpt2", soakSpare: "gemma3", soakFragile: "llama"} {
		m.files[name] = copied(t, fixture(t, like))
	}
	var err error
	if m.whole, err = os.ReadFile(m.files[soakFragile]); err != nil {
		t.Fatal(err)
	}
	return m
}

// tables are the settings of the models; where all are loaded at the start they tell what they take.
func (m *soakModels) tables(atStart bool) (text string) {
	for _, name := range soakNames {
		more := map[string]string{soakSteady: "pin = true\n", soakBrief: "keep_alive = \"20ms\"\n"}[name]
		if atStart {
			more = "load = \"start\"\n"
		}
		text += table(m.files[name], name, more)
	}
	return text
}

// serve starts the daemon with room for all but the smallest of those that come and go.
func (m *soakModels) serve(t *testing.T) *process {
	t.Helper()
	// Few pages: four contexts for twelve answers, each of which may fill one.
	const settings = "threads = 2\nmax_sequences = 12\nqueue_length = 24\nstep_tokens = 64\nisolate_tenants = false\n"
	p := serveModels(t, settings+m.tables(true))
	all, least := int64(0), int64(1<<62)
	for _, name := range soakNames {
		bytes := p.model(t, name).Memory
		all, least = all+bytes, min(least, bytes)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.exit(t)
	room := (all - least/4*3) >> 20 // a quarter of the smallest for what a load takes for itself; smaller caches would not do
	if room<<20 < all-least {
		t.Fatalf("the models take %d bytes, the smallest %d: too little to be told apart by memory_mib", all, least)
	}
	return serveModels(t, settings+fmt.Sprintf("memory_mib = %d\n", room)+m.tables(false))
}

// change loads or unloads a model by hand. One that is unloaded while it loads is not loaded.
func (m *soakModels) change(name, verb string) error {
	r, err := m.admin.http.Post("http://localhost/v1/models/"+name+"/"+verb, "", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if refused := refusal(r.StatusCode, text); r.StatusCode != http.StatusOK && refused != "model_unloaded" {
		return errors.Join(err, fmt.Errorf("%s %s: status %d: %s", verb, name, r.StatusCode, text))
	}
	return err
}

// rest unloads all but the first, whatever they are doing.
func (m *soakModels) rest() (err error) {
	for _, name := range soakNames[1:] {
		err = errors.Join(err, m.change(name, "unload"))
	}
	return err
}

// soakReloaded asks for a model that has just been unloaded: the request has it loaded, or waits for who does. It asks again where others
// have ended that load.
func soakReloaded(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
	if r.model == soakSteady {
		return false, nil
	}
	if err := c.models.change(r.model, "unload"); err != nil {
		return false, err
	}
	for range 10 {
		if done, err := c.compare(r, random.IntN(2) == 0, 0); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// soakLeft goes away while the model that it waits for is being loaded.
func soakLeft(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
	if r.model == soakSteady {
		return false, nil
	}
	if err := c.models.change(r.model, "unload"); err != nil {
		return false, err
	}
	return c.leave(r, random, soakLoad)
}

// soakLoad is about what a load takes.
const soakLoad = 10 * time.Millisecond

// soakUnloaded waits for a model whose load is ended by hand.
func soakUnloaded(c *soakClient, r soakRequest, random *rand.Rand) (bool, error) {
	if r.model == soakSteady {
		return false, nil
	}
	if err := c.models.change(r.model, "unload"); err != nil {
		return false, err
	}
	asked := make(chan error, 1)
	go func() {
		_, err := c.ask(context.Background(), r, false, 0)
		asked <- err
	}()
	time.Sleep(time.Duration(random.Int64N(int64(soakLoad))))
	err := c.models.change(r.model, "unload")
	refused := (*soakRefusal)(nil)
	if answer := <-asked; errors.As(answer, &refused) {
		return refused.code == "model_unloaded", err
	} else {
		return false, errors.Join(err, answer)
	}
}

// soakSpoilt asks for a model whose file is cut short, and makes it whole again.
func soakSpoilt(c *soakClient, r soakRequest, random *rand.Rand) (done bool, err error) {
	m := c.models
	if r.model != soakFragile || !m.spoil.TryLock() {
		return false, nil
	}
	defer m.spoil.Unlock()
	defer func() {
		err = errors.Join(err, os.WriteFile(m.files[soakFragile], m.whole, 0o600))
		if m.change(soakFragile, "load") != nil { // it may have joined a load that a request began before the file was whole
			err = errors.Join(err, m.change(soakFragile, "load"))
		}
	}()
	err = os.Truncate(m.files[soakFragile], random.Int64N(int64(len(m.whole)-100)))
	if err = errors.Join(err, m.change(soakFragile, "unload")); err != nil {
		return false, err
	}
	refused := (*soakRefusal)(nil)
	_, err = c.ask(context.Background(), r, false, 0)
	if errors.As(err, &refused) {
		return refused.code == "model_failed", nil
	}
	return false, cmp.Or(err, errors.New("it is answered by a model whose file is cut short"))
}

// soakUnloads are the reasons why models go, as the log gives them, and others that it tells of loads.
var soakUnloads = map[string]*regexp.Regexp{
	"unloaded when their time was up": regexp.MustCompile(`msg=unloading model=brief reason="nobody has used it`),
	"unloaded for want of room":       regexp.MustCompile(`msg=unloading model=\w+ reason="another model needs its memory"`),
	"unloaded by hand":                regexp.MustCompile(`msg=unloading model=\w+ reason="it was asked for"`),
	"loads that were ended":           regexp.MustCompile(`msg="load ended early"`),
	"loads that failed":               regexp.MustCompile(`msg="model not loaded" model=fragile`),
	"loads":                           regexp.MustCompile(`msg="model loaded"`),
}

// note counts what the log says of the models.
func (s *soak) note(text string) {
	for what, says := range soakUnloads {
		s.done[what] += len(says.FindAllStringIndex(text, -1))
	}
}

// kinds are all that a soak must have seen.
func soakKinds() (list []string) {
	for _, b := range soakBehaviours {
		list = append(list, b.name)
	}
	return append(list, slices.Sorted(maps.Keys(soakUnloads))...)
}
