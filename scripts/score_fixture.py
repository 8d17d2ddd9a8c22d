"""Makes the references of package quality: scores of texts by sacrebleu, rouge_score and transformers' SQuAD metrics, correlations and an
exact permutation test by scipy. Their versions stand in the files:

    pip install sacrebleu==2.6.0 rouge_score==0.1.2 scipy==1.17.1 transformers==4.57.6
    python3 scripts/score_fixture.py quality/score/testdata/scores.json quality/stats/testdata/stats.json
"""

import importlib.metadata
import json
import random
import sys

import numpy
import scipy.stats
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from transformers.data.metrics import squad_metrics

TOKENIZERS = ["13a", "intl", "char", "zh", "none"]

# Hypothesis, references. Each shows something that a scorer can get wrong.
CASES = [
    ("the cat sat on the mat", ["the cat sat on the mat"]),
    ("the cat sat on a mat", ["the cat sat on the mat", "a cat was on the mat"]),
    ("the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]),  # clipping; the paper's example
    ("the cat", ["the cat sat on the mat"]),  # brevity, effective order
    ("cat", ["cat"]),
    ("one two three four five six", ["one two six three five four"]),  # no trigram: smoothing
    ("one three five two four", ["one two three four five"]),  # no bigram, no trigram
    ("zebra", ["the cat"]),
    ("", ["the cat"]),
    ("the cat", [""]),
    ("", [""]),
    (" \t\u00a0\x1c ", ["a"]),
    ("a b c d e", ["a b c d", "a b c d e f"]),  # two lengths as near: the shorter one
    ("a b c d e", ["a b c d e f", "a b c d"]),
    ("a b c", ["a b c d e f g", "x y z w"]),
    ("He said &quot;no&quot; &amp; left.", ["He said \"no\" & left ."]),
    ("1 &amp;lt; 2 &gt; 0 <skipped>", ["1 < 2 > 0", "1 &lt; 2"]),
    ("Costs $1,000.50 (approx.), i.e. 5-3...", ["Costs $ 1,000.50 ( approx . ) , i.e . 5 - 3 ..."]),
    ("well-known e-mail: a.b@c.d/e_f", ["well-known e-mail : a . b @ c . d / e _ f"]),
    ("He won't; it's 'fine', isn't it?", ["He won't ; it's ' fine ' , isn't it ?"]),
    ("in 2010. And 3.14, 10,000.", ["in 2010 . And 3.14 , 10,000 ."]),
    ("..,,.. a..b 1..2", [".. ,, .. a . . b 1 . . 2"]),
    ("«Gern» – sagte er… „ja“", ["« Gern » – sagte er … „ ja “"]),
    ("100 € + 5 ™ = ½ ∑", ["100€+5™=½∑"]),
    ("我们在北京。3.5公里", ["我们 在 北京 。 3.5 公里", "我们在上海,3.5公里"]),
    ("x→y ∀z  ‘w’ – v", ["x → y ∀ z ‘ w ’ – v"]),  # the ranges of zh that have slipped
    ("日本語テキスト、ABC。", ["日本語 の テキスト 、 ABC 。"]),
    ("مرحبا، كيف ٣٫٥؟", ["مرحبا ، كيف ٣٫٥ ؟"]),
    ("नमस्ते। दुनिया", ["नमस्ते दुनिया ।"]),
    ("👩\u200d💻 and 🇩🇪!", ["👩\u200d💻 and 🇩🇪 !"]),
    ("a\x00b\x1fc\x7fd", ["a\x00b c\x7fd"]),
    ("line one\nline-\ntwo", ["line one linetwo"]),
    ("The quick—the brown, a fox", ["quick brown fox", "quick— brown fox"]),
    ("An answer: the A.", ["answer"]),
    ("the", ["a"]),  # nothing is left of either
    ("the.", ["An !"]),
    ("42", ["42.", "forty-two"]),
    ("Athens theatre a", ["athens theatre"]),
    ("İstanbul ΟΔΟΣ STRASSE straße", ["i̇stanbul οδος strasse straße"]),
    ("K2 café naïve", ["k2 cafe naive"]),
    ("the police killed the gunman", ["police killed the gunman", "the gunman police killed"]),
    ("a a a b a a a c", ["a b a c a b a c"]),
]


def made_up(count):
    """Pairs of related texts, some long enough that ROUGE-L's rows are of several words of bits."""
    rng = random.Random(7)
    words = "the a an of to in on cat dog house runs sleeps 3 4.5 , . - ( ) Haus Straße &amp; it's".split()
    for _ in range(count):
        reference = [rng.choice(words) for _ in range(rng.choice([3, 8, 20, 90, 200]))]
        texts = []
        for _ in range(3):
            text = [w for w in reference if rng.random() > 0.2]
            for _ in range(len(text) // 6):
                text[rng.randrange(len(text))] = rng.choice(words)
            texts.append(" ".join(text))
        yield texts[0], [" ".join(reference)] + texts[1:1 + rng.randrange(3)]


def f1(hypothesis, reference):
    """SQuAD's: transformers has v2.0, in which an empty answer may be right. In v1.1 no word in common is 0."""
    if not squad_metrics.get_tokens(hypothesis) or not squad_metrics.get_tokens(reference):
        return 0.0
    return float(squad_metrics.compute_f1(reference, hypothesis))


def scored(hypothesis, references):
    rouge = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    return {
        "hypothesis": hypothesis,
        "references": references,
        "bleu": {t: BLEU(tokenize=t, effective_order=True).sentence_score(hypothesis, references).score for t in TOKENIZERS},
        "chrf": CHRF().sentence_score(hypothesis, references).score,
        "rouge-l": float(rouge.score_multi(references, hypothesis)["rougeL"].fmeasure),
        "exact": float(max(squad_metrics.compute_exact(r, hypothesis) for r in references)),
        "f1": max(f1(hypothesis, r) for r in references),
    }


def corpora(cases):
    """Scores of all cases with their first references alone, and of those with two or more with two of them."""
    for n in 1, 2:
        chosen = [c for c in cases if len(c["references"]) >= n]
        hypotheses = [c["hypothesis"] for c in chosen]
        references = [[c["references"][i] for c in chosen] for i in range(n)]
        scores, signatures = {}, {}
        for metric, key in [(BLEU(tokenize=t), "bleu " + t) for t in TOKENIZERS] + [(CHRF(), "chrf")]:
            scores[key] = metric.corpus_score(hypotheses, references).score
            signatures[key] = str(metric.get_signature())
        yield {"references": n, "scores": scores, "signatures": signatures}


def correlated():
    rng = random.Random(11)
    for n, levels in (2, 0), (3, 2), (10, 3), (50, 5), (200, 0), (200, 4), (1000, 100):
        x = [rng.gauss(0, 1) if levels == 0 else float(rng.randrange(levels)) for _ in range(n)]
        y = [v + rng.gauss(0, 1) if levels == 0 else float((v + rng.randrange(levels)) // 2) for v in x]
        if n < 4:
            x, y = [float(i) for i in range(n)], [3.0, -1.0, 3.0][:n]
        yield {"x": x, "y": y, "pearson": float(scipy.stats.pearsonr(x, y)[0]), "spearman": float(scipy.stats.spearmanr(x, y)[0]),
               "kendall": float(scipy.stats.kendalltau(x, y)[0])}


def permuted():
    rng = random.Random(13)
    for shift in 0.0, 0.4, 1.0:
        a = [round(rng.gauss(shift, 1), 3) for _ in range(12)]
        b = [round(rng.gauss(0, 1), 3) for _ in range(12)]
        r = scipy.stats.permutation_test((a, b), lambda a, b: numpy.mean(a) - numpy.mean(b), permutation_type="samples", n_resamples=numpy.inf)
        yield {"a": a, "b": b, "p": float(r.pvalue)}


def write(path, packages, **content):
    with open(path, "w") as f:
        json.dump({"versions": {p: importlib.metadata.version(p) for p in packages}, **content}, f, ensure_ascii=True, indent=1)
        f.write("\n")


def main(scores, stats):
    cases = [scored(h, r) for h, r in CASES + list(made_up(30))]
    write(scores, ["sacrebleu", "regex", "rouge_score", "transformers"], cases=cases, corpora=list(corpora(cases)))
    write(stats, ["scipy", "numpy"], correlations=list(correlated()), permutations=list(permuted()))


main(*sys.argv[1:])
