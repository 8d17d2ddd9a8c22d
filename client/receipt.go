package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns what explain, forget and replay ask: how an answer came about, that it be forgotten, that it be computed again.

// Receipt is an answer of GET /v1/receipts/{id}, as far as explain shows it.
type Receipt struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Model    string    `json:"model"`
	Tenant   string    `json:"tenant"`
	Class    string    `json:"class"`
	Numerics string    `json:"numerics"`
	Answers  int64     `json:"answers"`
	Outcome  string    `json:"outcome"`
	Sampling struct {
		Temperature float64 `json:"temperature"`
		TopP        float64 `json:"top_p"`
		TopK        int64   `json:"top_k"`
		Seed        uint64  `json:"seed"`
	} `json:"sampling"`
	PromptTokens int64    `json:"prompt_tokens"`
	CachedTokens int64    `json:"cached_tokens"`
	AnswerTokens int64    `json:"answer_tokens"`
	Queue        float64  `json:"queue_ms"`
	Prefill      float64  `json:"prefill_ms"`
	Decode       float64  `json:"decode_ms"`
	Tier         string   `json:"tier"`
	Escalated    string   `json:"escalated_from"`
	ExtraTokens  int64    `json:"extra_tokens"`
	ExtraCores   *float64 `json:"extra_core_seconds"`
	CacheLevel   string   `json:"cache_level"`
	CoreSeconds  *float64 `json:"core_seconds"`
	GPUSeconds   *float64 `json:"gpu_seconds"`
	PromptKept   bool     `json:"prompt_kept"`
	Ratings      []int64  `json:"ratings"`
}

// Explain asks how an answer came about and returns what the daemon says byte for byte. id is that of the completion.
func (c *Client) Explain(ctx context.Context, id string) ([]byte, error) {
	return fetch(ctx, c, "/v1/receipts/"+url.PathEscape(id), ParseReceipt)
}

// ParseReceipt reads an answer of GET /v1/receipts/{id}.
func ParseReceipt(text []byte) (Receipt, error) {
	return parseAnswer[Receipt](text, "tokens_digest", '"')
}

// Print writes a line for each thing there is to say.
func (r Receipt) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("answer", "%s, %s, %s", VisibleLine(r.ID), r.Time.Local().Format(time.DateTime), dashed(r.Outcome))
	line("model", "%s, numerics %s", VisibleLine(r.Model), VisibleLine(r.Numerics))
	line("tenant", "%s, class %s", dashed(r.Tenant), dashed(r.Class))
	line("sampling", "temperature %g, top_p %g, top_k %d, seed %d", r.Sampling.Temperature, r.Sampling.TopP, r.Sampling.TopK, r.Sampling.Seed)
	line("prompt", "%d tokens, %d of them cached (%s)", r.PromptTokens, r.CachedTokens, dashed(r.CacheLevel))
	line("answers", "%d, %d tokens", r.Answers, r.AnswerTokens)
	line("queue", "%.1f ms", r.Queue)
	line("prefill", "%.1f ms", r.Prefill)
	line("decode", "%.1f ms", r.Decode)
	line("tier", "%s, escalated from %s", dashed(r.Tier), dashed(r.Escalated))
	line("cost", "%s core seconds, %s GPU seconds", cost(r.CoreSeconds), cost(r.GPUSeconds))
	if r.ExtraTokens > 0 {
		line("computed besides", "%d tokens, %s core seconds of those", r.ExtraTokens, cost(r.ExtraCores))
	}
	line("prompt kept", "%t", r.PromptKept)
	if len(r.Ratings) > 0 {
		line("ratings", "%s", strings.Trim(fmt.Sprint(r.Ratings), "[]"))
	}
	return w.Flush()
}

// cost is a figure, or a dash where nobody counted.
func cost(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *x)
}

// Forget has all that is known of an answer or a tenant deleted, and tells of how many rows. The daemon builds its file anew
// where texts were among them, which is waited for.
func (c *Client) Forget(ctx context.Context, answer, tenant string) (rows int64, err error) {
	asks := map[string]any{"answer": answer}
	if answer == "" {
		asks = map[string]any{"tenant": tenant}
	}
	said, err := ask[struct {
		Rows int64 `json:"rows"`
	}](ctx, c, "/v1/forget", asks, "rows", '0')
	return said.Rows, err
}

// Replayed is an answer of POST /v1/replay.
type Replayed struct {
	Equal        bool   `json:"equal"`
	Tokens       int    `json:"tokens"`
	Numerics     string `json:"numerics"`
	SameNumerics bool   `json:"same_numerics"`
}

// Replay has an answer computed again: one that the daemon knows, or one of which there is a receipt, as GET /v1/receipts/{id} said it.
// request is the request as it was sent, nil where the daemon has kept the prompt.
func (c *Client) Replay(ctx context.Context, id string, receipt, request []byte) (Replayed, error) {
	asks := map[string]any{"answer": id}
	if receipt != nil {
		asks = map[string]any{"receipt": jsontext.Value(receipt)}
	}
	if request != nil {
		asks["request"] = jsontext.Value(request)
	}
	return ask[Replayed](ctx, c, "/v1/replay", asks, "tokens_digest", '"')
}

// ErrDiffers says that an answer, computed again, is another.
var ErrDiffers = errors.New("the tokens are others than then")

// Print writes what came of it. The error is ErrDiffers if the tokens do.
func (r Replayed) Print(out io.Writer) error {
	if r.Equal {
		_, err := fmt.Fprintf(out, "the same %d tokens, numerics %s\n", r.Tokens, VisibleLine(r.Numerics))
		return err
	}
	if !r.SameNumerics {
		return fmt.Errorf("%w: they were computed with other numerics, which are %s here", ErrDiffers, VisibleLine(r.Numerics))
	}
	return fmt.Errorf("%w, with the same numerics: the prompt is another, or this is a bug", ErrDiffers)
}

// ask posts a question and reads its answer, which has a member of that kind.
func ask[T any](ctx context.Context, c *Client, path string, asks any, member string, kind jsontext.Kind) (v T, err error) {
	body, err := c.whenLoaded(ctx, func() (io.ReadCloser, error) { return c.post(ctx, path, asks) })
	if err != nil {
		return v, err
	}
	parse := func(text []byte) (T, error) { return parseAnswer[T](text, member, kind) }
	text, err := readWhole(c, body, parse)
	if err != nil {
		return v, err
	}
	return parse(text)
}
