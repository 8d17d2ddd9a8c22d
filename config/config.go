package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"chimera/api"
	"chimera/paths"
	"chimera/socket"
	"chimera/store"
)

// This file owns the settings: one field each, which flags, environment, TOML file and help share.
// Later wins: default, file, environment, flag.

// Config are the settings of chimera serve.
type Config struct {
	Model        []Model `toml:"model"`
	Socket       string  `toml:"socket"`
	HTTP         string  `toml:"http"`
	Threads      int     `toml:"threads"`
	KVType       string  `toml:"kv_type"`
	ISA          string  `toml:"isa"`
	Device       string  `toml:"device"`
	StepTokens   int     `toml:"step_tokens"`
	Ctx          int     `toml:"ctx"`
	MaxSequences int     `toml:"max_sequences"`
	Memory       int     `toml:"memory_mib"` // 0: what there is
	MaxLogprobs  int     `toml:"max_logprobs"`
	QueueLength  int     `toml:"queue_length"`
	MaxBody      int     `toml:"max_body"`
	ChatTemplate string  `toml:"chat_template"`
	// ControlTokensInMessages: see the flag.
	ControlTokensInMessages bool     `toml:"control_tokens_in_messages"`
	LogLevel                string   `toml:"log_level"`
	LogFormat               string   `toml:"log_format"`
	RecordTrace             string   `toml:"record_trace"`
	AllowedHosts            []string `toml:"allowed_hosts"`
	CORSOrigins             []string `toml:"cors_origins"`
	// IsolateTenants is nil where nobody chose: see isolates.
	IsolateTenants *bool      `toml:"isolate_tenants"`
	Tenant         []Tenant   `toml:"tenant"`
	Scheduler      Scheduler  `toml:"scheduler"`
	Cache          Cache      `toml:"cache"`
	Tiers          Tiers      `toml:"tiers"`
	Quality        Quality    `toml:"quality"`
	History        History    `toml:"history"`
	Privacy        Privacy    `toml:"privacy"`
	Objectives     Objectives `toml:"objectives"`
}

// Scheduler says who waits for whom; in milliseconds.
type Scheduler struct {
	ITL           int `toml:"itl_ms"` // 0: automatic
	Deadline      int `toml:"deadline_ms"`
	BatchDeadline int `toml:"batch_deadline_ms"`
	Wait          int `toml:"wait_ms"` // 0: no bound
}

// Cache says what stays in the prefix cache.
type Cache struct {
	HalfLife Duration `toml:"half_life"` // 0: it follows the uses
	Pins     []string `toml:"pins"`      // FILE or FILE=NAME
}

// History says where measurements and receipts are kept.
type History struct {
	File string `toml:"file"` // "": nowhere
}

// Privacy says what is kept of users.
type Privacy struct {
	Store     string   `toml:"store"`
	Retention Duration `toml:"retention"`
}

// Objectives is what is wanted of serving; 0 asks nothing.
type Objectives struct {
	QPS       float64 `toml:"qps"`
	TTFT      int     `toml:"ttft_ms"`
	TTFTP95   int     `toml:"ttft_p95_ms"`
	BLEU      float64 `toml:"bleu"`
	Agreement float64 `toml:"agreement"`
	Accuracy  float64 `toml:"accuracy"`
}

// Default returns the defaults; each has its reason.
func Default() Config {
	return Config{
		Socket:       paths.Socket(),
		KVType:       "f16",   // half of f32's memory, and its rounding is far below that of quantised weights
		ISA:          "auto",  // the best that the machine has
		Device:       "auto",  // the first GPU that can be used, in a build for GPUs
		StepTokens:   512,     // one long prompt delays the others' next token by one such step
		MaxSequences: 32,      // decoding gains little from larger batches on a CPU
		MaxLogprobs:  20,      // OpenAI's limit
		QueueLength:  256,     // their memory, and of those who wait for the end; who reads along is refused sooner: see Wait
		MaxBody:      8 << 20, // a conversation of the longest contexts, as JSON
		LogLevel:     "info",
		LogFormat:    "text", // people read it first
		// Who reads along does not stay longer than ten seconds, and a few dozen requests that come at once are not refused: docs/POLICY.md
		// has what other values come to.
		Scheduler: Scheduler{Wait: 10000},
		// A point is what two runs of people's judgement differ by. The quota has all tiers of a model of eight billion parameters that take minutes to make.
		Tiers: Tiers{Start: api.AutoTier, Mode: ModeFixed, MaxLoss: 1, DiskQuota: 24 << 30},
		// A suite takes minutes of a small machine's idle time. A tenth of requests is scored in less than the time that they took, and two hundred of them
		// tell two points of agreement. Where a lower tier serves somebody has chosen it for speed: what escalation costs is not to be noticed.
		// An experiment loads the model twice more and computes for minutes: that is for somebody to ask for.
		Quality: Quality{Interval: Duration{time.Hour}, ControlShare: 0.1, Window: 200, EdgeBudget: 0.01, Experiments: ExperimentsOnDemand},
		History: History{File: historyFile()},
		// Who says nothing has agreed to nothing. What a person asks about an answer, he asks within a month.
		Privacy: Privacy{Store: string(store.None), Retention: Duration{30 * 24 * time.Hour}},
		// No deadlines: on a slow machine the prompt alone may take any time, and who has a place is waited for.
	}
}

// Error is a usage or configuration error: the command line exits with 2.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Resolve merges defaults, the file at path (if empty, at CHIMERA_CONFIG), the environment and the flags
// that were given. Every error is a *Error that names the setting; an unknown key or a wrong type
// in the file names line and column.
func Resolve(path string, given *pflag.FlagSet) (Config, error) {
	c := Default()
	if err := c.resolve(path, given); err != nil {
		return c, &Error{err}
	}
	return c, nil
}

func (c *Config) resolve(path string, given *pflag.FlagSet) (err error) {
	from := &places{later: map[string]string{}}
	if path == "" {
		path = os.Getenv(environmentName("config"))
	}
	if path != "" {
		if from, err = readFile(path, c); err != nil {
			return err
		}
		if err := c.checkFile(from); err != nil {
			return from.named(err)
		}
	}
	all := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	Flags(all, c)
	if err := errors.Join(c.fromEnvironment(from), checkEnvironment(os.Environ(), all)); err != nil {
		return err
	}
	for _, s := range c.settings() {
		if f := given.Lookup(s.flag()); f != nil && f.Changed {
			from.replace(s.key, "--"+s.flag())
			if err := assign(s.value, f.Value); err != nil {
				return err
			}
		}
	}
	return from.named(c.Check())
}

// assign copies what a flag was given.
func assign(to, from pflag.Value) error {
	if list, ok := from.(pflag.SliceValue); ok {
		return to.(pflag.SliceValue).Replace(list.GetSlice())
	}
	return to.Set(from.String())
}

// environmentName is a setting's variable: CHIMERA_KV_TYPE for kv-type.
func environmentName(flag string) string {
	return "CHIMERA_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (c *Config) fromEnvironment(from *places) (err error) {
	for _, s := range c.settings() {
		name := environmentName(s.flag())
		value, ok := os.LookupEnv(name)
		if !ok {
			continue
		}
		from.replace(s.key, name)
		if list, isList := s.value.(pflag.SliceValue); isList {
			err = list.Replace(splitList(s.key, value))
		} else {
			err = s.value.Set(value)
		}
		if err != nil {
			return fmt.Errorf("%s=%s: %w", name, value, err)
		}
	}
	return nil
}

// splitList reads a list out of the environment, where commas separate.
func splitList(key, value string) []string {
	if key == "model" { // whose paths may hold commas
		return splitModels(value)
	}
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
}

// Check is for what a value's form does not show.
func (c *Config) Check() error {
	if err := socket.CheckPath(c.Socket); err != nil {
		return err
	}
	if !utf8.ValidString(c.Socket) { // the ready line gives it as JSON
		return Errorf("socket", "%q is not UTF-8", c.Socket)
	}
	for _, name := range c.AllowedHosts {
		if err := api.CheckHost(name); err != nil {
			return &KeyError{"allowed_hosts", err}
		}
	}
	for _, origin := range c.CORSOrigins {
		if err := api.CheckOrigin(origin); err != nil {
			return &KeyError{"cors_origins", err}
		}
	}
	if c.HTTP != "" {
		if _, err := socket.TCPAddress(c.HTTP); err != nil {
			return &KeyError{"http", err}
		}
	}
	return cmp.Or(c.checkModels(), c.checkTenants(), c.checkPins(), c.Tiers.check(&c.Quality), c.Quality.checkWebhook())
}

// historyFile is where the history lies when nobody says: nowhere for a user without a home.
func historyFile() string {
	if folder := paths.State(); folder != "" {
		return filepath.Join(folder, "history.db")
	}
	return ""
}

// Level parses log_level.
func (c *Config) Level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, fmt.Errorf("log_level %q: use debug, info, warn or error", c.LogLevel)
	}
	return l, nil
}
