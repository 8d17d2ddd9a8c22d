package main

import (
	"strings"
	"testing"
)

// The table has best and median of the rounds, by what is better, and the ratios where a peer was measured too.
func TestTable(t *testing.T) {
	var x table
	for _, v := range []float64{3, 1, 2} {
		x.add("8 clients", chimera.name, figures{{name: "requests/s", value: v}, {name: "TTFT (ms)", value: v * 10, less: true}})
	}
	for _, v := range []float64{1, 3} {
		x.add("8 clients", llama.name, figures{{name: "requests/s", value: v / 2}})
	}
	for _, v := range []float64{4, 5, 9} {
		x.add("8 clients", ik.name, figures{{name: "requests/s", value: v}})
	}
	text := x.String()
	for _, want := range []string{
		"| | Chimera best | median | llama.cpp best | median | ratio of bests | of medians | ik_llama.cpp best | median | ratio of bests | of medians |\n",
		"| 8 clients: requests/s | 3 | 2 | 1.5 | 1 | 2 | 2 | 9 | 5 | 0.333 | 0.4 |\n",
		"| 8 clients: TTFT (ms) | 10 | 20 |  |  |  |  |  |  |  |  |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	columns := strings.Count(strings.SplitN(text, "\n", 2)[0], "|")
	for line := range strings.Lines(text) {
		if strings.Count(line, "|") != columns {
			t.Errorf("%q has other columns than the head", line)
		}
	}
}

func TestRowsAreChosen(t *testing.T) {
	if list, err := selectRows("shared,engine"); err != nil || len(list) != 2 || list[0].name != "shared" || list[1].name != "engine" {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := selectRows("shared,,engine"); err == nil || !strings.Contains(err.Error(), "unique-8, unique-32") {
		t.Errorf("%v", err)
	}
}

// Which kinds are measured: peers that were given, ik_llama.cpp as an engine alone, and of servers those that have places and room.
func TestMeasuredKinds(t *testing.T) {
	both := setup{peer: "x", ik: "y"}
	for name, want := range map[string]string{"engine": "Chimera llama.cpp ik_llama.cpp", "prompt-4096": "Chimera llama.cpp ik_llama.cpp", "batch-8": "Chimera llama.cpp", "unique-8": "Chimera llama.cpp", "long": "Chimera"} {
		r, err := selectRows(name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range both.measured(r[0]) {
			got = append(got, k.name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
		if n := len(setup{}.measured(r[0])); n != 1 {
			t.Errorf("%s: without a peer %d are measured", name, n)
		}
	}
	for _, r := range rows {
		if r.measure != nil && !r.alone && (r.clients < 1 || r.context < promptWords+answerTokens) {
			t.Errorf("%s: %d places of %d", r.name, r.clients, r.context)
		}
		if r.measure == nil && r.steps == (steps{}) {
			t.Errorf("%s measures nothing", r.name)
		}
	}
}
