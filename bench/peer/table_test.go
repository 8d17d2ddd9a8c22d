package main

import (
	"strings"
	"testing"
)

// The table has best and median of the rounds, by what is better, and the ratio where both servers were measured.
func TestTable(t *testing.T) {
	var x table
	r := row{about: "8 clients"}
	for _, v := range []float64{3, 1, 2} {
		x.add(r, chimera.name, figures{{name: "requests/s", value: v}, {name: "TTFT (ms)", value: v * 10, less: true}})
	}
	for _, v := range []float64{1, 3} {
		x.add(r, llama.name, figures{{name: "requests/s", value: v / 2}})
	}
	text := x.String()
	for _, want := range []string{
		"| 8 clients: requests/s | 3 | 2 | 1.5 | 1 | 2 |\n",
		"| 8 clients: TTFT (ms) | 10 | 20 |  |  |  |\n",
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
	if all := (setup{}).servers(rows[0]); len(all) != 1 {
		t.Errorf("without a peer: %d servers", len(all))
	}
	for _, r := range rows {
		n := len(setup{peer: "x"}.servers(r))
		if n != 1 != !r.alone || n == 2 && r.measure != nil && (r.clients < 1 || r.context < promptWords+answerTokens) {
			t.Errorf("%s: %d servers, %d places of %d", r.name, n, r.clients, r.context)
		}
	}
}
