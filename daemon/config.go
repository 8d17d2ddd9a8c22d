package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"chimera/api"
	"chimera/paths"
	"chimera/socket"
)

// This file owns the settings: one field each, which flags, environment, TOML file and help share.
// Later wins: default, file, environment, flag.

// Config are the settings of chimera serve.
type Config struct {
	Model        []string `toml:"model"`
	Socket       string   `toml:"socket"`
	HTTP         string   `toml:"http"`
	Threads      int      `toml:"threads"`
	KVType       string   `toml:"kv_type"`
	ISA          string   `toml:"isa"`
	Device       string   `toml:"device"`
	StepTokens   int      `toml:"step_tokens"`
	Ctx          int      `toml:"ctx"`
	MaxSequences int      `toml:"max_sequences"`
	MaxLogprobs  int      `toml:"max_logprobs"`
	QueueLength  int      `toml:"queue_length"`
	MaxBody      int      `toml:"max_body"`
	ChatTemplate string   `toml:"chat_template"`
	// ControlTokensInMessages: see the flag.
	ControlTokensInMessages bool     `toml:"control_tokens_in_messages"`
	LogLevel                string   `toml:"log_level"`
	LogFormat               string   `toml:"log_format"`
	RecordTrace             string   `toml:"record_trace"`
	AllowedHosts            []string `toml:"allowed_hosts"`
	CORSOrigins             []string `toml:"cors_origins"`
	// IsolateTenants is nil where nobody chose: see isolates.
	IsolateTenants *bool `toml:"isolate_tenants"`
}

// DefaultConfig returns the defaults; each has its reason.
func DefaultConfig() Config {
	return Config{
		Socket:       paths.Socket(),
		KVType:       "f16",   // half of f32's memory, and its rounding is far below that of quantised weights
		ISA:          "auto",  // the best that the machine has
		Device:       "auto",  // the first GPU that can be used, in a build for GPUs
		StepTokens:   512,     // one long prompt delays the others' next token by one such step
		MaxSequences: 32,      // decoding gains little from larger batches on a CPU
		MaxLogprobs:  20,      // OpenAI's limit
		QueueLength:  256,     // more would wait longer than clients do
		MaxBody:      8 << 20, // a conversation of the longest contexts, as JSON
		LogLevel:     "info",
		LogFormat:    "text", // people read it first
	}
}

// EngineFlags binds the settings that every verb which loads a model has to c.
func EngineFlags(f *pflag.FlagSet, c *Config) {
	f.Var(number{&c.Threads, 0, 1024}, "threads", "compute threads; 0: one per physical core that affinity and the control group's CPU quota leave")
	f.Var(choice{&c.KVType, []string{"f32", "f16", "q8_0"}}, "kv-type", "type of the KV cache: f32, f16 or q8_0")
	f.Var(choice{&c.ISA, []string{"auto", "scalar", "avx2", "avx512"}}, "isa", "instruction set: auto, scalar, avx2 or avx512")
	f.Var(device{&c.Device}, "device", "where to compute: auto, cpu or cuda:N; auto is the first GPU that can be used, or the CPU where there is none")
	f.Var(number{&c.Ctx, 0, 1 << 24}, "ctx", fmt.Sprintf("longest prompt and answer in tokens; 0: the model's, at most %d", defaultContext))
}

// Flags binds all settings to c.
func Flags(f *pflag.FlagSet, c *Config) {
	f.StringArrayVar(&c.Model, "model", c.Model, "model file, PATH or PATH=NAME; a bare name may be a cached model; the first is loaded, all must open (may be repeated)")
	f.StringVar(&c.Socket, "socket", c.Socket, "path of the Unix socket; a systemd socket unit takes its place")
	f.StringVar(&c.HTTP, "http", c.HTTP, "TCP address, HOST:PORT; a bare port means loopback; without it there is no TCP listener")
	EngineFlags(f, c)
	f.Var(number{&c.StepTokens, 1, 1 << 16}, "step-tokens", "most tokens that one step computes")
	f.Var(number{&c.MaxSequences, 1, 4096}, "max-sequences", "most answers that are computed at a time")
	f.Var(number{&c.MaxLogprobs, 0, 1000}, "max-logprobs", "most log-probabilities that a request may ask for")
	f.Var(number{&c.QueueLength, 1, 1 << 20}, "queue-length", "most answers that may wait; what would make it more is refused with 429, one request of more with 400")
	f.Var(number{&c.MaxBody, 1 << 10, 1 << 30}, "max-body", "largest request body in bytes")
	f.StringVar(&c.ChatTemplate, "chat-template", c.ChatTemplate, "chat template to use instead of the model's own: NAME (well-known, or of one of the model's) or FILE")
	f.BoolVar(&c.ControlTokensInMessages, "control-tokens-in-messages", c.ControlTokensInMessages, "let what clients write in messages, such as <|im_end|>, become control tokens; without it only the chat template can write those")
	f.StringArrayVar(&c.AllowedHosts, "allowed-hosts", c.AllowedHosts, "name that clients may call this server by over TCP, beside addresses, localhost and the machine's name; .example.org: all names below it; *: any; an address that is not loopback takes any name until one is given (may be repeated)")
	f.StringArrayVar(&c.CORSOrigins, "cors-origins", c.CORSOrigins, "origin of web pages that may use the server over TCP, beside its own: SCHEME://HOST[:PORT]; *: any (may be repeated)")
	f.Var(decision{&c.IsolateTenants}, "isolate-tenants", "whether users (of the Unix socket) and API keys (over TCP) share no prefix cache, so that nobody learns what others asked; auto, which a file says by leaving it out: yes, unless the only listener is a Unix socket that one user alone can reach")
	f.Lookup("isolate-tenants").NoOptDefVal = "true"
	f.Var(choice{&c.LogFormat, []string{"text", "json"}}, "log-format", "form of the log's lines: text or json")
	f.StringVar(&c.RecordTrace, "record-trace", c.RecordTrace, "file that every request is recorded in, without its text, for chimera simulate: times, lengths, keyed hashes of what prompts begin with; it is appended to, up to 1 GiB")
	f.Var(choice{&c.LogLevel, []string{"debug", "info", "warn", "error"}}, "log-level", "least level that is logged: debug, info, warn or error")
}

// ConfigError is a usage or configuration error: the command line exits with 2.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Resolve merges defaults, the file at path (if empty, at CHIMERA_CONFIG), the environment and the flags
// that were given. Every error is a *ConfigError that names the setting; an unknown key or a wrong type
// in the file names line and column.
func Resolve(path string, given *pflag.FlagSet) (Config, error) {
	c := DefaultConfig()
	all := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	Flags(all, &c)
	if path == "" {
		path = os.Getenv(environmentName("config"))
	}
	if path != "" {
		if err := errors.Join(readFile(path, &c), checkFile(path, all)); err != nil {
			return c, &ConfigError{err}
		}
	}
	if err := errors.Join(fromEnvironment(all), checkEnvironment(os.Environ(), all)); err != nil {
		return c, &ConfigError{err}
	}
	var err error
	given.Visit(func(f *pflag.Flag) {
		if target := all.Lookup(f.Name); target != nil && err == nil {
			err = assign(target, f)
		}
	})
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return c, &ConfigError{err}
	}
	return c, nil
}

func assign(target, from *pflag.Flag) error {
	if list, ok := from.Value.(pflag.SliceValue); ok {
		return target.Value.(pflag.SliceValue).Replace(list.GetSlice())
	}
	return target.Value.Set(from.Value.String())
}

func readFile(path string, c *Config) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err = d.Decode(c)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, column := unknown.Errors[0].Position()
		key := strings.Join(unknown.Errors[0].Key(), ".")
		return fmt.Errorf("%s:%d:%d: unknown key %s%s", path, row, column, key, meant(key, keys()))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, column := bad.Position()
		return fmt.Errorf("%s:%d:%d: %s", path, row, column, plain(bad))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// goType is how the TOML library names the field that a value does not suit.
var goType = regexp.MustCompile(`cannot (?:decode|store) (.*?) (?:into|in) (?:a )?(?:Go |struct field )?.*`)

// plain words a TOML error for someone who writes the file.
func plain(err *toml.DecodeError) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	if key := strings.Join(err.Key(), "."); key != "" {
		text = key + ": " + goType.ReplaceAllString(text, "a $1 does not suit it")
	}
	return text
}

// environmentName is a setting's variable: CHIMERA_KV_TYPE for kv-type.
func environmentName(flag string) string {
	return "CHIMERA_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func fromEnvironment(all *pflag.FlagSet) (err error) {
	all.VisitAll(func(f *pflag.Flag) {
		value, ok := os.LookupEnv(environmentName(f.Name))
		if !ok || err != nil {
			return
		}
		if list, isList := f.Value.(pflag.SliceValue); isList {
			err = list.Replace(splitList(f.Name, value))
		} else if setErr := f.Value.Set(value); setErr != nil {
			err = fmt.Errorf("%s=%s: %w", environmentName(f.Name), value, setErr)
		}
	})
	return err
}

// splitList reads a list out of the environment, where commas separate.
func splitList(flag, value string) []string {
	if flag == "model" { // whose paths may hold commas
		return splitModels(value)
	}
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
}

// checkFile holds what the file set against what the flags allow.
func checkFile(path string, all *pflag.FlagSet) (err error) {
	all.VisitAll(func(f *pflag.Flag) {
		if _, isList := f.Value.(pflag.SliceValue); isList || err != nil {
			return
		}
		if bad := f.Value.Set(f.Value.String()); bad != nil {
			err = fmt.Errorf("%s: %s = %s: %w", path, strings.ReplaceAll(f.Name, "-", "_"), f.Value, bad)
		}
	})
	return err
}

// check is for what a value's form does not show.
func (c *Config) check() error {
	if err := socket.CheckPath(c.Socket); err != nil {
		return err
	}
	if !utf8.ValidString(c.Socket) { // the ready line gives it as JSON
		return fmt.Errorf("socket: %q is not UTF-8", c.Socket)
	}
	for _, name := range c.AllowedHosts {
		if err := api.CheckHost(name); err != nil {
			return fmt.Errorf("allowed_hosts: %w", err)
		}
	}
	for _, origin := range c.CORSOrigins {
		if err := api.CheckOrigin(origin); err != nil {
			return fmt.Errorf("cors_origins: %w", err)
		}
	}
	if c.HTTP == "" {
		return nil
	}
	if _, err := socket.TCPAddress(c.HTTP); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// Engine are the settings that concern loading.
func (c *Config) Engine() EngineOptions {
	return EngineOptions{
		Threads: c.Threads, KVType: c.KVType, ISA: c.ISA, Device: c.Device, Context: c.Ctx, StepTokens: max(c.StepTokens, c.MaxSequences),
		MaxSequences: c.MaxSequences, MaxLogprobs: c.MaxLogprobs, HeapBytes: c.heapBytes(),
	}
}

// differences names the settings, as keys of the file, in which other differs.
func (c *Config) differences(other Config) (keys []string) {
	old, changed := reflect.ValueOf(*c), reflect.ValueOf(other)
	for i := range old.NumField() {
		if !reflect.DeepEqual(old.Field(i).Interface(), changed.Field(i).Interface()) {
			keys = append(keys, old.Type().Field(i).Tag.Get("toml"))
		}
	}
	return keys
}
