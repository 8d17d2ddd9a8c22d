package config

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/store"
)

// This file owns the table of the settings that are one value: from it come flags, environment, --help, the checks of the
// file, what a reload applies, and docs/CONFIG.md. Tables of which there may be several are in config_tables.go.

// setting is one key.
type setting struct {
	key     string      // of the file: a.b_c for b_c in the table [a], --a-b-c and CHIMERA_A_B_C
	short   string      // of flag and variable, where it is not the key
	value   pflag.Value // bound to the field; refuses what the setting can't be
	usage   string
	live    bool   // SIGHUP applies it; all else waits for a restart
	example string // as TOML, where the default would say nothing
}

// flag is the setting's flag without dashes.
func (s setting) flag() string {
	return cmp.Or(s.short, strings.NewReplacer(".", "-", "_", "-").Replace(s.key))
}

// settings are all of them, bound to c.
func (c *Config) settings() []setting {
	list := []setting{
		{key: "model", value: models{&c.Model, new(bool)}, example: `["/var/lib/chimera/model.gguf=small"]`,
			usage: "model file, PATH or PATH=NAME; a bare name may be a cached model; the first is loaded at the start, others when they are asked for, and all must open (may be repeated); [[model]] says more of each"},
		{key: "socket", value: text{&c.Socket}, usage: "path of the Unix socket; a systemd socket unit takes its place"},
		{key: "http", value: text{&c.HTTP}, usage: "TCP address, HOST:PORT; a bare port means loopback; without it there is no TCP listener"},
	}
	return append(append(list, c.engineSettings()...), []setting{
		{key: "step_tokens", value: number{&c.StepTokens, 1, 1 << 16}, usage: "most tokens that one step computes"},
		{key: "max_sequences", value: number{&c.MaxSequences, 1, 4096}, usage: "most answers that are computed at a time"},
		{key: "max_logprobs", value: number{&c.MaxLogprobs, 0, 1000}, usage: "most log-probabilities that a request may ask for"},
		{key: "queue_length", value: number{&c.QueueLength, 1, 1 << 20},
			usage: "most answers that may wait, of their class and higher ones; what would make it more is refused with 429, one request of more with 400"},
		{key: "memory_mib", value: number{&c.Memory, 0, 1 << 30},
			usage: "most MiB of the device's memory that all models take together, weights, caches and activations: for one that is shared with other programs; models that need more take turns; 0: as much as machine, control group or GPU leave"},
		{key: "max_body", value: number{&c.MaxBody, 1 << 10, 1 << 30}, usage: "largest request body in bytes"},
		{key: "chat_template", value: text{&c.ChatTemplate}, usage: "chat template to use instead of the model's own: NAME (well-known, or of one of the model's) or FILE"},
		{key: "control_tokens_in_messages", value: truth{&c.ControlTokensInMessages},
			usage: "let what clients write in messages, such as <|im_end|>, become control tokens; without it only the chat template can write those"},
		{key: "allowed_hosts", value: texts{&c.AllowedHosts, new(bool)},
			usage: "name that clients may call this server by over TCP, beside addresses, localhost and the machine's name; .example.org: all names below it; *: any; an address that is not loopback takes any name until one is given (may be repeated)"},
		{key: "cors_origins", value: texts{&c.CORSOrigins, new(bool)},
			usage: "origin of web pages that may use the server over TCP, beside its own: SCHEME://HOST[:PORT]; *: any (may be repeated)"},
		{key: "isolate_tenants", value: decision{&c.IsolateTenants},
			usage: "whether users (of the Unix socket) and API keys (over TCP) share no prefix cache, so that nobody learns what others asked; auto, which a file says by leaving it out: yes, unless the only listener is a Unix socket that one user alone can reach"},
		{key: "log_format", value: choice{&c.LogFormat, []string{"text", "json"}}, usage: "form of the log's lines: text or json"},
		{key: "record_trace", value: text{&c.RecordTrace},
			usage: "file that every request is recorded in, without its text, for chimera simulate: times, lengths, keyed hashes of what prompts begin with; it is appended to, up to 1 GiB"},
		{key: "log_level", value: choice{&c.LogLevel, []string{"debug", "info", "warn", "error"}}, live: true,
			usage: "least level that is logged: debug, info, warn or error"},
		{key: "scheduler.itl_ms", value: number{&c.Scheduler.ITL, 0, 10_000}, live: true,
			usage: "milliseconds that a step may take while somebody is being answered: how long prompts hold up others' next token; 0: automatic"},
		{key: "scheduler.deadline_ms", value: number{&c.Scheduler.Deadline, 0, maxDeadline}, live: true,
			usage: "milliseconds within which an interactive request has its first token, where it does not say (x-chimera-deadline-ms); one that still waits then gets 503; 0: no deadline"},
		{key: "scheduler.batch_deadline_ms", value: number{&c.Scheduler.BatchDeadline, 0, maxDeadline}, live: true,
			usage: "the same for requests of the class batch; those of the class background have none"},
		{key: "scheduler.wait_ms", value: number{&c.Scheduler.Wait, 0, maxDeadline},
			usage: "milliseconds that an interactive request without a deadline may be foreseen to wait while no place or pages are free for it; what would wait longer is refused with 429; 0: it waits however long; a harness that asks for much at once says x-chimera-class: batch"},
		{key: "cache.half_life", value: duration{&c.Cache.HalfLife, 0, maxIdle},
			usage: "time after which a use of a cached prefix counts half, such as 10m: what is used often stays; 0: it follows the uses, so that a cache that is asked often forgets sooner"},
		{key: "cache.pins", value: texts{&c.Cache.Pins, new(bool)}, example: `["/etc/chimera/support.txt=support"]`,
			usage: "text file whose beginning of a prompt stays in the first model's cache, FILE or FILE=NAME: tokenised as a prompt of /v1/completions; 16 tokens at least, at most half the cache, and for all clients, whatever isolate_tenants says: who asks for the whole of it finds it (may be repeated)"},
		{key: "tiers.mode", value: choice{&c.Tiers.Mode, []string{ModeFixed, ModeAdvise, ModeGuard}},
			usage: "who chooses a model's tier: fixed (tiers.start, and chimera tier), guard (the daemon, by objectives and quality.suites) or advise (it says what it would do)"},
		{key: "tiers.ladder", value: texts{&c.Tiers.Ladder, new(bool)},
			usage: "tier that the guard may choose beside the source, the largest first; without one all (may be repeated)"},
		{key: "tiers.max_loss", value: decimal{&c.Tiers.MaxLoss, 0.01, 100},
			usage: "points that a tier may lose at most beside the source, on the tuning half of each suite and surely (by its 95 % interval): of chrF2 for translations, else hundredths of accuracy"},
		{key: "tiers.min_agreement", value: decimal{&c.Tiers.MinAgreement, 0, 0.9999},
			usage: "share of the source's tokens that a tier must choose too, surely; 0: it is not measured"},
		{key: "tiers.min_bleu", value: decimal{&c.Tiers.MinBLEU, 0, 100},
			usage: "BLEU that a tier must have on translations, by its estimate alone; 0: any"},
		{key: "tiers.disk_quota", value: &c.Tiers.DiskQuota,
			usage: "bytes, also as 900MiB or 24GiB, that tiers may take on disk, in the folder tiers beside the history's: those from q6_k down are kept once they were made and read the next time, the least recently used go first; 0: none is kept"},
		{key: "quality.suites", value: texts{&c.Quality.Suites, new(bool)},
			usage: "suite that what serves is measured by, and tiers are chosen by, a file or one that comes with the program; docs/EVAL.md (may be repeated)"},
		{key: "quality.interval", value: duration{&c.Quality.Interval, time.Second, maxIdle},
			usage: "how often what serves is measured anew, by canaries and quality.suites"},
		{key: "quality.control_share", value: decimal{&c.Quality.ControlShare, 0, 1}, live: true,
			usage: "share of live requests whose answers are held against the control (the model as its file has it) in idle time, 0 to 1; 0: none; docs/QUALITY.md"},
		{key: "quality.window", value: number{&c.Quality.Window, group.LeastRequests, mostWindow}, live: true,
			usage: "requests that were held against the control after which scores are written"},
		{key: "quality.edge_budget", value: decimal{&c.Quality.EdgeBudget, 0, 1}, live: true,
			usage: "share of all tokens that may be computed twice, where a tier below the source serves: answers that it is least sure of are asked of the source, which is loaded beside it if there is room; 0: none are; docs/ESCALATION.md"},
		{key: "quality.webhook", value: text{&c.Quality.Webhook},
			usage: "http or https URL that alarms are posted to as JSON, signed; no redirect is followed, and this machine's own addresses only if it names them; none where it is empty; docs/QUALITY.md"},
		{key: "quality.webhook_key", value: text{&c.Quality.WebhookKey},
			usage: "key that alarms are signed with: a file that its owner alone can read, or the name of a systemd credential (LoadCredential=)"},
		{key: "quality.experiments", value: choice{&c.Quality.Experiments, []string{ExperimentsOnDemand, ExperimentsInIdle}},
			usage: "when it is measured what other settings would do, each against what is, by replay: demand (chimera experiment run) or idle (also of its own, once a day when nobody has been served for five minutes); docs/EXPERIMENTS.md"},
		{key: "history.file", value: text{&c.History.File},
			usage: "file of the history: receipts, measurements, costs, ratings; it and its folder are the daemon's user's alone; none where it is empty; docs/HISTORY.md"},
		{key: "privacy.store", value: choice{&c.Privacy.Store, []string{string(store.None), string(store.Samples), string(store.All)}},
			usage: "texts of users that the history keeps: none, samples (of the control group, and corrections) or all prompts and answers"},
		{key: "privacy.retention", value: duration{&c.Privacy.Retention, time.Hour, maxRetention},
			usage: "how long receipts and ratings are kept, with the texts that they have"},
		{key: "objectives.qps", value: decimal{&c.Objectives.QPS, 0, 1e6}, live: true,
			usage: "requests that each model should complete a second: a minute in which it were fewer and others were refused or waited has missed it; 0: no objective"},
		{key: "objectives.ttft_ms", value: number{&c.Objectives.TTFT, 0, maxDeadline}, live: true,
			usage: "milliseconds that interactive requests should wait for their first token, in the mean of a minute; 0: no objective"},
		{key: "objectives.ttft_p95_ms", value: number{&c.Objectives.TTFTP95, 0, maxDeadline}, live: true,
			usage: "the same for all but the slowest twentieth of a minute's interactive requests"},
		{key: "objectives.bleu", value: decimal{&c.Objectives.BLEU, 0, 100}, live: true,
			usage: "BLEU that each model should have on suites of translations, 0 to 100, as the report (docs/REPORT.md) holds against scores; 0: no objective"},
		{key: "objectives.agreement", value: decimal{&c.Objectives.Agreement, 0, 1}, live: true,
			usage: "share of tokens in which each model should agree with the control, 0 to 1; 0: no objective"},
		{key: "objectives.accuracy", value: decimal{&c.Objectives.Accuracy, 0, 1}, live: true,
			usage: "share of choices that each model should get right, 0 to 1; 0: no objective"},
	}...)
}

// maxRetention is ten years: what is kept for longer is kept for ever.
const maxRetention = 10 * 365 * 24 * time.Hour

// maxDeadline is in milliseconds.
const maxDeadline = int(api.MaxDeadline / 1e6)

// engineSettings are those that every verb which loads a model has.
func (c *Config) engineSettings() []setting {
	return []setting{
		{key: "threads", value: number{&c.Threads, 0, 1024}, usage: "compute threads; 0: one per physical core that affinity and the control group's CPU quota leave"},
		{key: "kv_type", value: choice{&c.KVType, []string{"f32", "f16", "q8_0"}}, usage: "type of the KV cache: f32, f16 or q8_0"},
		{key: "tiers.start", short: "tier", value: choice{&c.Tiers.Start, append([]string{api.AutoTier}, TierNames()...)},
			usage: "quantisation tier that the weights are made into while they are loaded: auto (source, or q8_0 where tiers.mode is not fixed), source (as the file has them), f16, q8_0, q6_k, q5_k, q4_k, q3_k or q2_k; tensors that have no more bits than that stay as they are; chimera tier changes it while a model is served"},
		{key: "isa", value: choice{&c.ISA, []string{"auto", "scalar", "avx2", "avx512"}}, usage: "instruction set: auto, scalar, avx2 or avx512"},
		{key: "device", value: device{&c.Device},
			usage: "where to compute: auto, cpu or cuda:N; auto is the first GPU that can be used, or the CPU where there is none"},
		{key: "ctx", value: number{&c.Ctx, 0, 1 << 24}, usage: fmt.Sprintf("longest prompt and answer in tokens; 0: the model's, at most %d", DefaultContext)},
	}
}

// EngineFlags binds the settings that every verb which loads a model has to c.
func EngineFlags(f *pflag.FlagSet, c *Config) { bind(f, c.engineSettings()) }

// Flags binds all settings to c.
func Flags(f *pflag.FlagSet, c *Config) { bind(f, c.settings()) }

func bind(f *pflag.FlagSet, list []setting) {
	for _, s := range list {
		if bound := f.VarPF(s.value, s.flag(), "", s.usage); s.value.Type() == "bool" {
			bound.NoOptDefVal = "true"
		}
	}
}

// DefaultContext bounds the context that nobody asked for: models trained for 131,072 positions would
// take most of a machine for a cache that few requests need.
const DefaultContext = 8192

// mostWindow is how many requests a window may have: each is held until its window is over, and drawn anew thousands of times for an interval.
const mostWindow = 10_000
