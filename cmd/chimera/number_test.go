package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// This file owns tests of numeric flags.

// bounds are the least and the most that each numeric flag takes, by verb and flag; what lies beside is refused.
var bounds = map[string][2]string{
	"run --max-tokens": {"0", "16777216"}, "run --temperature": {"0", "100"}, "run --seed": {"-9223372036854775808", "18446744073709551615"},
	"chat --max-tokens": {"0", "16777216"}, "chat --temperature": {"0", "100"}, "chat --seed": {"-9223372036854775808", "18446744073709551615"},
	"bench --clients": {"1", "1000000"}, "bench --rate": {"0", "1e+06"}, "bench --requests": {"1", "1000000"}, "bench --warm-up": {"0", "1000000"},
	"bench --prompt-words": {"1", "16777216"}, "bench --shared-words": {"0", "16777216"}, "bench --repeat": {"0", "1000000"},
	"bench --tokens": {"1", "16777216"}, "bench --seed": {"0", "18446744073709551615"},
	"bench serve --clients": {"1", "1000000"}, "bench serve --rate": {"0", "1e+06"}, "bench serve --requests": {"1", "1000000"}, "bench serve --warm-up": {"0", "1000000"},
	"bench serve --prompt-words": {"1", "16777216"}, "bench serve --shared-words": {"0", "16777216"}, "bench serve --repeat": {"0", "1000000"},
	"bench serve --tokens": {"1", "16777216"}, "bench serve --seed": {"0", "18446744073709551615"},
	"bench engine --threads": {"0", "1024"}, "bench engine --ctx": {"0", "16777216"}, "bench engine --prompt": {"1", "16384"}, "bench engine --generate": {"1", "1048576"},
	"bench engine --batch": {"1", "16384"}, "bench engine --depth": {"0", "1048576"}, "bench engine --rounds": {"1", "1000"},
	"show --threads": {"0", "1024"}, "show --ctx": {"0", "16777216"}, "logits --threads": {"0", "1024"}, "logits --ctx": {"0", "16777216"},
	"layers --threads": {"0", "1024"}, "layers --ctx": {"0", "16777216"},
	"perplexity --threads": {"0", "1024"}, "perplexity --ctx": {"0", "16777216"}, "serve --threads": {"0", "1024"}, "serve --ctx": {"0", "16777216"},
	"serve --step-tokens": {"1", "65536"}, "serve --max-sequences": {"1", "4096"}, "serve --max-logprobs": {"0", "1000"}, "serve --queue-length": {"1", "1048576"},
	"simulate --itl-ms": {"0", "10000"}, "simulate --ctx": {"2", "16777216"}, "simulate --first": {"0", "1073741824"}, "simulate --max-sequences": {"1", "4096"}, "simulate --pages": {"0", "67108864"},
	"serve --scheduler-wait-ms": {"0", "86400000"}, "serve --memory-mib": {"0", "1073741824"}, "simulate --wait-ms": {"0", "1e+12"},
	"simulate --queue-length": {"1", "1048576"}, "simulate --step-tokens": {"1", "65536"}, "simulate --speed": {"1e-06", "1e+06"},
	"simulate --objective-itl-ms": {"0", "1e+12"}, "simulate --objective-ttft-ms": {"0", "1e+12"},
	"serve --max-body": {"1024", "1073741824"}, "serve --scheduler-itl-ms": {"0", "10000"}, "serve --scheduler-deadline-ms": {"0", "86400000"},
	"serve --scheduler-batch-deadline-ms": {"0", "86400000"},
	"serve --objectives-qps":              {"0", "1e+06"}, "serve --objectives-ttft-ms": {"0", "86400000"}, "serve --objectives-ttft-p95-ms": {"0", "86400000"},
	"serve --objectives-bleu": {"0", "100"}, "serve --objectives-agreement": {"0", "1"}, "serve --objectives-accuracy": {"0", "1"},
	"serve --quality-control-share": {"0", "1"}, "serve --quality-edge-budget": {"0", "1"}, "serve --quality-window": {"20", "10000"},
	"serve --tiers-max-loss": {"0.01", "100"}, "serve --tiers-min-agreement": {"0", "0.9999"}, "serve --tiers-min-bleu": {"0", "100"},
	"eval --clients": {"1", "1024"}, "eval --max-tokens": {"1", "16777216"}, "eval --repeats": {"1", "64"}, "eval --temperature": {"0", "100"}, "eval --threads": {"0", "1024"}, "eval --ctx": {"0", "16777216"},
}

// eachFlag calls f with every flag of every verb, named as on the command line.
func eachFlag(c *cobra.Command, f func(name string, flag *pflag.Flag)) {
	c.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		f(strings.TrimPrefix(c.CommandPath(), "chimera ")+" --"+flag.Name, flag)
	})
	for _, verb := range c.Commands() {
		eachFlag(verb, f)
	}
}

// No numeric flag is without bounds, whoever adds it: what is too small, too large or no number is refused by the
// flag itself, so before a verb begins.
func TestNumbersHaveBounds(t *testing.T) {
	met := 0
	eachFlag(rootCommand(), func(name string, f *pflag.Flag) {
		kind := f.Value.Type()
		if !strings.Contains(kind, "int") && !strings.Contains(kind, "float") {
			return
		}
		b, known := bounds[name]
		if !known {
			t.Errorf("%s has no bounds in the test: write them down", name)
			return
		}
		met++
		for _, good := range b {
			if err := f.Value.Set(good); err != nil || f.Value.String() != good {
				t.Errorf("%s %s: %v, it is %s", name, good, err, f.Value)
			}
		}
		for _, bad := range beside(b, kind) {
			if err := f.Value.Set(bad); err == nil {
				t.Errorf("%s %s is taken", name, bad)
			} else if want := fmt.Sprintf("use a number between %s and %s", b[0], b[1]); err.Error() != want {
				t.Errorf("%s %s: %v, want %q", name, bad, err, want)
			}
		}
		if f.Value.String() != b[1] {
			t.Errorf("%s: what was refused has changed it to %s", name, f.Value)
		}
	})
	if met != len(bounds) {
		t.Errorf("%d flags met, %d are listed", met, len(bounds))
	}
}

// beside is what no flag with these bounds takes.
func beside(b [2]string, kind string) []string {
	list := []string{"", "x", "NaN", "-Inf", "Inf", "1e400", "99999999999999999999", "0x10", "1 "}
	switch {
	case strings.Contains(kind, "float"):
		return append(list, "-0.001", "-1")
	case b[0] == "0":
		list = append(list, "-1")
	case b[0] == "1":
		list = append(list, "0")
	}
	return append(list, "1.5")
}

// A seed is sent as JSON has numbers, however it was written.
func TestSeeds(t *testing.T) {
	for text, want := range map[string]seed{"+5": "5", "007": "7", "-0": "0", "-1": "-1", "9223372036854775808": "9223372036854775808"} {
		var s seed
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%s: %s, %v", text, s, err)
		}
	}
}

// Ids stand between commas or spaces: a place that is empty is an id that was forgotten.
func TestParseIDs(t *testing.T) {
	for list, want := range map[string][]int32{"1": {1}, "1,2": {1, 2}, "1, 2 ,3": {1, 2, 3}, "1 2": {1, 2}, "2147483647": {math.MaxInt32}} {
		if ids, err := parseIDs(list); err != nil || !slices.Equal(ids, want) {
			t.Errorf("%q: %v, %v", list, ids, err)
		}
	}
	for list, says := range map[string]string{
		"": "an id is missing", " ": "an id is missing", ",": "an id is missing", "1,,2": "an id is missing", ",1": "an id is missing", "1,2,": "an id is missing", "1, ,2": "an id is missing",
		"-1": `"-1" is no token id`, "x": `"x" is no token id`, "1,2147483648": `"2147483648" is no token id`,
	} {
		if ids, err := parseIDs(list); err == nil || !strings.HasPrefix(err.Error(), "--ids: "+says) {
			t.Errorf("%q: %v, %v", list, ids, err)
		}
	}
}

// Nothing is sent, loaded or opened before the numbers are looked at.
func TestNumbersAreCheckedFirst(t *testing.T) {
	for _, args := range []string{"run --max-tokens -3 x", "chat --temperature 101", "bench --clients 0", "perplexity --model x --text y --ctx -1", "perplexity --model x --text /dev/null --ctx 2", "logits --model x --out y --ids -1", "bench memory --size -1"} {
		r := runBinary(t, "hello\n", append(strings.Fields(args), serverOf(args)...)...)
		if r.code != exitUsage || strings.Contains(r.errors, "no daemon") || r.out != "" {
			t.Errorf("chimera %s: exit %d\n%s%s", args, r.code, r.out, r.errors)
		}
	}
}

func serverOf(args string) []string {
	switch strings.Fields(args)[0] {
	case "run", "chat":
		return []string{"--server", "/nowhere/c.sock"}
	}
	return nil
}
