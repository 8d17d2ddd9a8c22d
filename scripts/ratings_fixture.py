#!/usr/bin/env python3
"""Writes daemon/testdata/ratings.json: 200 answers' lengths and ratings, and what scipy says of their correlation.

It needs scipy (1.17.1 made the file that is there); the tests need the file alone."""

import json
import random
import sys

from scipy.stats import kendalltau, pearsonr, spearmanr


def main(path):
    rng = random.Random(5)
    tokens = [rng.randint(1, 12) for _ in range(200)]
    ratings = [min(5, rng.randint(1, 5) + (2 if n > 8 else 0)) for n in tokens]
    figures = {"tokens": tokens, "ratings": ratings}
    for name, of in ("pearson", pearsonr), ("spearman", spearmanr), ("kendall", kendalltau):
        figures[name] = float(of(tokens, ratings)[0])
    with open(path, "w") as out:
        json.dump(figures, out)
        out.write("\n")


main(*sys.argv[1:])
