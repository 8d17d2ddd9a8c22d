"""Scores what sacrebleu_test.go asks for by sacrebleu, and says what Python holds for blanks, letters and punctuation.

Standard input: a line of JSON a pair, [tokenizer, hypothesis, references]. Standard output: one JSON object.
"""

import json
import re
import sys
import unicodedata

import regex
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

pairs = [json.loads(line) for line in sys.stdin]
bleu = {t: BLEU(tokenize=t, effective_order=True) for t, _, _ in pairs}
chrf = CHRF()

corpora = {}
for tokenizer in bleu:
    for n in 1, 2, 3:
        chosen = [(h, r) for t, h, r in pairs if t == tokenizer and len(r) == n]
        if chosen:
            hypotheses, references = [h for h, _ in chosen], list(zip(*[r for _, r in chosen]))
            corpora[f"bleu {tokenizer} {n}"] = BLEU(tokenize=tokenizer).corpus_score(hypotheses, references).score
            corpora[f"chrf {tokenizer} {n}"] = chrf.corpus_score(hypotheses, references).score

# Beyond these are ideographs and what is not assigned.
characters = [chr(c) for c in [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200)]]


def matching(pattern):
    return [ord(c) for c in characters if pattern.match(c)]


json.dump({
    "version": sacrebleu.__version__,
    "bleu": [bleu[t].sentence_score(h, r).score for t, h, r in pairs],
    "chrf": [chrf.sentence_score(h, r).score for _, h, r in pairs],
    "corpora": corpora,
    "characters": [ord(c) for c in characters if unicodedata.category(c) != "Cn"],
    "space": [ord(c) for c in characters if c.isspace()],
    "word": matching(re.compile(r"\w")),
    "punctuation": matching(regex.compile(r"\p{P}")),
    "number": matching(regex.compile(r"\p{N}")),
    "symbol": matching(regex.compile(r"\p{S}")),
    "sigma": {form: [ord(c) for c in characters if "ς" in form.replace("?", c).lower()] for form in ["A?Σ", "0?Σ", "AΣ?A", "AΣ?0"]},
    "lower": {c: c.lower() for c in characters if c.lower() != c},
}, sys.stdout)
