"""Makes daemon/testdata/parts: tiny models with the parts that only some files of an architecture have, and the
logits that transformers computes for them in float32. Needs torch, transformers and gguf:

    python3 scripts/parts_fixture.py daemon/testdata/parts

The weights are seeded random numbers, exact in float16. The layout is that of the conformance folder.
"""

import base64
import json
import pathlib
import sys

import gguf
import numpy
import torch
import transformers

VOCAB = 48
LLAMA = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, head_dim=12, rms_norm_eps=1e-5, tie_word_embeddings=True, max_position_embeddings=256)
GEMMA = {**LLAMA, "num_hidden_layers": 3, "query_pre_attn_scalar": 12, "sliding_window": 7}
YARN = dict(rope_type="yarn", factor=8.0, attention_factor=0.7, original_max_position_embeddings=32, rope_theta=10000.0)

# name: model class, configuration, further keys of the file, whether q, k and v are one tensor
MODELS = {
    "llama_biases": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA, attention_bias=True, mlp_bias=True), {}, False),
    "llama_fused": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA, attention_bias=True), {}, True),
    "llama_yarn_factor": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA, rope_parameters=YARN), {
        "rope.scaling.type": "yarn", "rope.scaling.factor": 8.0, "rope.scaling.original_context_length": 32,
        "rope.scaling.yarn_attn_factor": 0.7}, False),
    "llama_window": (transformers.MistralForCausalLM, transformers.MistralConfig(**LLAMA, sliding_window=9), {
        "attention.sliding_window": 9}, False),
    "gemma3_softcap": (transformers.Gemma3ForCausalLM, transformers.Gemma3TextConfig(
        **GEMMA, final_logit_softcapping=4.0, layer_types=["full_attention", "sliding_attention", "sliding_attention"]), {
        "attention.sliding_window": 7, "attention.sliding_window_pattern": [False, True, True], "final_logit_softcapping": 4.0,
        "rope.freq_base": 1e6, "rope.freq_base_swa": 10000.0}, False),
}

NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def randomise(model):
    generator = torch.Generator().manual_seed(11)
    for name, p in model.named_parameters():
        spread = 1.0 if "embed" in name else 1.5 / p.shape[-1] ** 0.5 if p.dim() > 1 else 0.4
        centre = 1.0 if "norm" in name and "Gemma" not in type(model).__name__ else 0.0
        p.data = (centre + spread * torch.randn(p.shape, generator=generator)).half().float()


def tensors(model, gemma):
    """The model's tensors under GGUF's names; llama's rotary pairs become neighbours, gemma's norms get their 1."""
    after = "post_attention_norm" if gemma else "ffn_norm"
    for name, p in model.state_dict().items():
        name, kind = name.removeprefix("model.").rsplit(".", 1)
        if name == "lm_head":
            continue
        x = p + 1 if gemma and "norm" in name else p
        if name in ("embed_tokens", "norm"):
            yield {"embed_tokens": "token_embd", "norm": "output_norm"}[name] + "." + kind, x
            continue
        _, layer, name = name.split(".", 2)
        if not gemma and name in ("self_attn.q_proj", "self_attn.k_proj"):
            heads = x.shape[0] // LLAMA["head_dim"]
            x = x.reshape(heads, 2, -1, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)
        yield f"blk.{layer}.{NAMES.get(name, after)}.{kind}", x


def fuse(named):
    named = dict(named)
    for name in [n for n in named if ".attn_q." in n]:
        parts = [named.pop(name.replace("attn_q", part)) for part in ("attn_q", "attn_k", "attn_v")]
        named[name.replace("attn_q", "attn_qkv")] = torch.cat(parts)
    return named


def write_gguf(path, arch, config, keys, named):
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(config.num_hidden_layers)
    w.add_embedding_length(config.hidden_size)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_context_length(config.max_position_embeddings)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_key_length(config.head_dim)
    w.add_value_length(config.head_dim)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    for key, value in keys.items():
        add = {str: w.add_string, float: w.add_float32, int: w.add_uint32, list: w.add_array}[type(value)]
        add(f"{arch}.{key}", value)
    for name, x in sorted(dict(named).items()):
        w.add_tensor(name, x.numpy().astype(numpy.float16 if x.dim() > 1 else numpy.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def margins(rows):
    top = rows.topk(2).values
    return rows.argmax(-1).tolist(), (top[..., 0] - top[..., 1]).tolist()


def prompt(model, ids, continued=12):
    rows = model(torch.tensor([ids])).logits[0]
    best, margin = margins(rows)
    greedy, greedy_margin = [], []
    for _ in range(continued):
        token, gap = margins(model(torch.tensor([ids + greedy])).logits[0, -1])
        greedy.append(token)
        greedy_margin.append(gap)
    return {"n": len(ids), "ids": ids, "argmax": best, "argmax_margin": margin, "greedy": greedy, "greedy_margin": greedy_margin,
            "logits_last": base64.b64encode(rows[-1].numpy().astype("<f4").tobytes()).decode()}


def main(out):
    for name, (kind, config, keys, fused) in MODELS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = kind(config).eval()
        with torch.no_grad():
            randomise(model)
            arch = name.split("_")[0]
            named = tensors(model, arch == "gemma3")
            write_gguf(folder / f"{name}-f16.gguf", arch, config, keys, fuse(named) if fused else named)
            random = numpy.random.default_rng(5)
            prompts = [prompt(model, random.integers(0, VOCAB, n).tolist()) for n in (5, 75)]
        (folder / "golden.json").write_text(json.dumps({"kind": "causal", "prompts": prompts}) + "\n")
    (out / "manifest.json").write_text(json.dumps({"models": {name: {} for name in MODELS}}) + "\n")


main(pathlib.Path(sys.argv[1]))
