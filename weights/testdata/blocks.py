#!/usr/bin/env python3
"""Writes blocks.json: blocks of random bytes of every type with their float32 values, and random
values with their Q8_0 and F16 forms, all by the ggml project's gguf package (pip install gguf)."""
import json, os
import numpy as np
from gguf import GGMLQuantizationType as T, quants

# Where a block holds half floats: random bits there would be infinities and NaNs.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "BF16": [0], "F16": [0]}
from gguf.constants import GGML_QUANT_SIZES

rng = np.random.default_rng(4)
out = {"dequantise": {}, "quantise": {}}
for name, halves in HALVES.items():
    t = T[name]
    _, size = GGML_QUANT_SIZES[t]
    blocks = rng.integers(0, 256, (6, size), dtype=np.uint8)
    for at in halves:
        d = (rng.standard_normal(6) * 0.05).astype(np.float16)
        d[0] = np.float16(6e-8)  # a subnormal scale
        blocks[:, at:at + 2] = d.view(np.uint8).reshape(6, 2)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 2, 127, 130, 200]
    values = quants.dequantize(blocks, t).astype("<f4")
    out["dequantise"][name] = {"bytes": blocks.tobytes().hex(), "values": values.tobytes().hex()}

x = (rng.standard_normal((8, 32)) * np.logspace(-4, 3, 8)[:, None]).astype("<f4")
x[0] = 0
x[1] = np.arange(32) - 15.5  # ties
x[1, 0] = 127
out["quantise"]["input"] = x.tobytes().hex()
for name in ("Q8_0", "F16"):
    out["quantise"][name] = quants.quantize(x, T[name]).tobytes().hex()
with open(os.path.join(os.path.dirname(__file__), "blocks.json"), "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
