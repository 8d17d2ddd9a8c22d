package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chimera/client"
	"chimera/client/answerer"
	"chimera/config"
	"chimera/daemon"
	"chimera/paths"
	"chimera/quality/eval"
	"chimera/quality/suite"
	"chimera/quality/suites"
)

// This file owns the verb eval.

// mostClients is how many requests at a time a server may be asked: the queues of most hold no more.
const mostClients = 1024

// mostRepeats bounds --repeats: an item's answers are compared in pairs.
const mostRepeats = 64

// evalFlags are what eval may be told.
type evalFlags struct {
	suite, sealed, model, url, file, baseline string
	clients, maxTokens, repeats               int
	temperature                               float64
	metrics                                   []string // none: all
	header                                    http.Header
	asJSON                                    bool
	config                                    *config.Config
	engine                                    []string // flags that concern --file alone
}

func evalCommand() *cobra.Command {
	o := evalFlags{
		clients:   8,   // on a CPU more gains little, and each server's queue bears so many
		maxTokens: 512, // a page: what goes on longer has gone astray
		repeats:   1,
		header:    http.Header{},
	}
	c := &cobra.Command{
		Use: "eval --suite FILE [--model NAME | --file GGUF | --url URL]", Short: "Measure how good a model's answers are", Args: operands(),
		Long: `Have a model answer a suite of requests, and score the answers: BLEU and chrF of translations, exact match and F1 of short answers,
accuracy and calibration of choices, ROUGE-L of texts, properties of answers to edge cases, and how near answers are to their references, each with
its 95 % interval, over all items, by tag and by half. docs/EVAL.md has the form of a suite. Three come with the program: qa, edge and nuance.

A model of the running daemon answers, or one at a URL with OpenAI's endpoints, or a model file, for which no daemon is needed. Answers are
greedy. A choice is the likeliest continuation of its question; where a server tells no likelihoods the letter that it answers, and the report says so.
With --file answers are also read by the model as the file has it, which says how fluent they are and whose states tell how relevant, at a lower --tier
too. --metrics chooses what is measured: without fluency and relevance nothing is computed but the answers.

With --repeats each item is asked so many times, each time by another seed: scores are the mean of the repeats' and have their spread, and consistency
tells how alike the answers to an item are.

A run that is ended, or fails, goes on where it was when the same command is given again. With --baseline each metric is compared item by item
with an earlier report; one that is worse by its whole interval makes the exit code 1. So does an item that got no answer.`,
		Example: `  chimera eval --suite edge --file model.gguf
  chimera eval --suite edge --file model.gguf --tier q4_k --repeats 5 --temperature 0.7
  chimera eval --suite suite.jsonl --model small --json > before.json
  chimera eval --suite dev.jsonl --sealed test.jsonl --url http://127.0.0.1:8000 --baseline before.json`,
	}
	o.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.check(c.Flags()); err != nil {
			return usageError{err}
		}
		s, err := openSuite(o.suite, o.sealed)
		if err != nil {
			return err
		}
		b, err := openBaseline(o.baseline)
		if err != nil {
			return err
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		a, source, stop, err := o.answerer(ctx, c)
		if err != nil {
			return err
		}
		r, err := eval.Begin(ctx, s, a, o.settings(c.Flags()), o.clients)
		if err == nil && b != nil {
			err = b.Fits(r)
		}
		if err == nil {
			r.Metrics = o.metrics
			err = measureBy(ctx, c, r, a, source)
		}
		if err == nil {
			err = o.run(ctx, c, r, b)
		}
		return errors.Join(err, stop())
	}
	return c
}

// settings are how items are asked. Greedy answers are the same each time, so repeats are drawn unless it is said how.
func (o *evalFlags) settings(f *pflag.FlagSet) eval.Settings {
	s := eval.Settings{MaxTokens: o.maxTokens, Temperature: o.temperature}
	if o.repeats > 1 {
		s.Repeats = o.repeats
		if !f.Changed("temperature") {
			s.Temperature = 1 // as servers have it where nobody says
		}
	}
	return s
}

// control reads answers, and its states tell how relevant they are.
type control interface {
	eval.Control
	eval.Embedder
}

// measureBy has the control read the answers and tell how relevant they are. Without room for it they are scored all the same, and relevant is what who
// answers holds for it; so it is where there is no control at all.
func measureBy(ctx context.Context, c *cobra.Command, r *eval.Run, a *answerer.Server, source control) error {
	if source == nil {
		return r.Relate(ctx, a)
	}
	var err error
	if r.WantsReader() {
		err = r.ReadBy(ctx, source)
	}
	if err == nil {
		err = r.Relate(ctx, source)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "chimera: fluency is not measured, and relevance by the states of who answers, for there is no control: %v\n", err)
	return r.Relate(ctx, a)
}

func (o *evalFlags) bind(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.suite, "suite", "", "`file` of the suite, an item a line, or one that comes with the program: "+strings.Join(suites.Names(), ", "))
	f.StringVar(&o.sealed, "sealed", "", "`file` of the suite's sealed half, where it is one of its own; --suite is the tuning half then")
	f.StringVar(&o.model, "model", "", "`name` of the model at the daemon or --url; empty: the server's default")
	f.StringVar(&o.url, "url", config.Default().Socket, "`address` of who answers: a daemon's Unix socket, PORT, HOST:PORT or URL, with or without /v1 (environment "+serverVariable+")")
	f.StringVar(&o.file, "file", "", "model `file`, or name of a cached model, which is loaded for this")
	f.StringVar(&o.baseline, "baseline", "", "`file` that --json gave, to compare with")
	numberFlag(f, &o.clients, "clients", 1, mostClients, "requests at a time")
	numberFlag(f, &o.maxTokens, "max-tokens", 1, mostTokens, "longest answer in tokens")
	numberFlag(f, &o.repeats, "repeats", 1, mostRepeats, "times that each item is asked, each by another seed")
	f.StringSliceVar(&o.metrics, "metrics", nil, "`names` of what is measured, with commas between ("+strings.Join(eval.MetricNames(), ", ")+"); unless given, all")
	numberFlag(f, &o.temperature, "temperature", 0, mostTemperature, "how far to stray from the likeliest token, which 0 takes each time; unless given, 1 with --repeats")
	f.Var((*headerFlag)(&o.header), "header", "field that each request has, as 'authorization: Bearer KEY' (may be repeated)")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, with each answer")
	_ = c.MarkFlagRequired("suite")
	c.MarkFlagsMutuallyExclusive("file", "model")
	c.MarkFlagsMutuallyExclusive("file", "url")
	engine := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings := config.Default()
	config.EngineFlags(engine, &settings)
	engine.VisitAll(func(flag *pflag.Flag) {
		flag.Usage = "with --file, " + flag.Usage
		o.engine = append(o.engine, flag.Name)
	})
	f.AddFlagSet(engine)
	o.config = &settings
}

// check refuses metrics that there are none of, and settings of an engine that computes elsewhere.
func (o *evalFlags) check(f *pflag.FlagSet) error {
	if f.Changed("metrics") && len(o.metrics) == 0 {
		return errors.New("--metrics is empty")
	}
	for _, name := range o.metrics {
		if !slices.Contains(eval.MetricNames(), name) {
			return fmt.Errorf("--metrics: there is no metric %q; known are %s", name, strings.Join(eval.MetricNames(), ", "))
		}
	}
	for _, name := range o.engine {
		if o.file == "" && f.Changed(name) {
			return fmt.Errorf("--%s concerns a model that is loaded with --file: a server has its own", name)
		}
	}
	if o.file != "" && f.Changed("header") {
		return errors.New("--header is for a server: there is none with --file")
	}
	return nil
}

func openSuite(name, sealed string) (*suite.Suite, error) {
	s, err := suites.Open(name)
	if err != nil || sealed == "" {
		return s, err
	}
	other, err := suites.Open(sealed)
	if err != nil {
		return nil, err
	}
	return suite.Join(s, other)
}

// openBaseline is nil where there is none.
func openBaseline(name string) (*eval.Baseline, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return eval.ReadBaseline(name, f)
}

// answerer is who answers, who reads that, which is nil for a server, and what ends both.
func (o *evalFlags) answerer(ctx context.Context, c *cobra.Command) (*answerer.Server, control, func() error, error) {
	if o.file != "" {
		p, err := daemon.ServePrivately(ctx, *o.config, o.file, logStream(c.ErrOrStderr()))
		if err != nil {
			return nil, nil, nil, err
		}
		d := client.New(p.At)
		d.Header = o.fields()
		return &answerer.Server{Client: d}, p, p.Stop, nil
	}
	at := o.url
	if strings.Contains(at, "://") {
		at = strings.TrimSuffix(strings.TrimSuffix(at, "/"), "/v1") // as what OpenAI's clients call the base URL
	}
	d, err := server(c, "url", at)
	if err != nil {
		return nil, nil, nil, err
	}
	waitForLoading(c, d)
	d.Header = o.fields()
	return &answerer.Server{Client: d, Model: o.model}, nil, func() error { return nil }, nil
}

// fields are the head's of each request. Nobody waits for one answer, so whoever asks the same daemon for his own comes first.
func (o *evalFlags) fields() http.Header {
	all := http.Header{"X-Chimera-Class": {"batch"}}
	for name, values := range o.header {
		all[name] = values
	}
	return all
}

// run asks, prints and judges. The journal stays until the report is written.
func (o *evalFlags) run(ctx context.Context, c *cobra.Command, r *eval.Run, b *eval.Baseline) error {
	j, err := openJournal(c, r)
	if err != nil {
		return err
	}
	set, wait := bar(c.ErrOrStderr(), "eval")
	r.Progress = func(done, total int) { set(uint64(done), uint64(total)) }
	outcomes, err := r.Outcomes(ctx, j)
	wait()
	if err != nil {
		return errors.Join(err, leave(c, j))
	}
	report, err := r.Report(outcomes)
	if err == nil && b != nil {
		err = r.Compare(report, b)
	}
	if err == nil {
		err = o.print(c.OutOrStdout(), report)
	}
	if err != nil {
		return errors.Join(err, leave(c, j))
	}
	for _, name := range o.metrics {
		if _, has := report.Scores[name]; !has {
			fmt.Fprintf(c.ErrOrStderr(), "chimera: %s is not measured: no item that was asked has it, or who answers does not tell what it takes\n", name)
		}
	}
	if j != nil {
		err = j.Remove()
	}
	return errors.Join(verdict(report), err)
}

// openJournal is nil where there is no place for one.
func openJournal(c *cobra.Command, r *eval.Run) (*eval.Journal, error) {
	state := paths.State()
	if state == "" {
		fmt.Fprintln(c.ErrOrStderr(), "chimera: a run that is ended begins anew: neither XDG_STATE_HOME nor HOME says where to keep its answers")
		return nil, nil
	}
	key := r.Key()
	return eval.OpenJournal(filepath.Join(state, "eval", key+".jsonl"), key)
}

// leave closes the journal of a run that has not come to its end, and says what becomes of it.
func leave(c *cobra.Command, j *eval.Journal) error {
	if j == nil {
		return nil
	}
	fmt.Fprintln(c.ErrOrStderr(), "chimera: the answers so far are kept: give the same command again to go on from here")
	return j.Close()
}

// verdict is why the exit code is 1, a line each.
func verdict(r *eval.Report) error {
	var reasons []error
	if at := slices.IndexFunc(r.Items, func(o eval.Outcome) bool { return o.Failed != "" }); at >= 0 {
		reasons = append(reasons, fmt.Errorf("%d of %d items got no answer, the first of them %s: %s", r.Failed, r.N, r.Items[at].ID, r.Items[at].Failed))
	}
	if r.Baseline != nil {
		for _, name := range r.Baseline.Worse {
			d := r.Baseline.Difference[name]
			reasons = append(reasons, fmt.Errorf("%s is worse than the baseline by %.*f (%.*f to %.*f)", name, decimals(name), d.Estimate, decimals(name), d.Low, decimals(name), d.High))
		}
	}
	return errors.Join(reasons...)
}
