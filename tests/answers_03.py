"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np
from scipy.stats import entropy

from course import exercises_03

CHECKS = {
    "3.1": ("gap_noise", exercises_03.check_noise),
    "3.2": ("one_list", exercises_03.check_merge),
    "3.3": ("perplexity_of", exercises_03.check_perplexity),
    "3.4": ("without", exercises_03.check_ignore),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def noise(A, B, root=True, divide=True):
    total = sum(sum((a - b) ** 2) for a, b in zip(A, B, strict=True)) / len(A)
    total = total / len(A) if divide else total
    return total**0.5 if root else total


def merged(photos, texts, k, means=None, sign=-1):
    lists = []
    for q in range(len(photos)):
        scores = []
        for S in (photos, texts):
            off = S[q].sum() / len(S[q]) if means is None else means(S, q)
            scores += list(S[q] - off)
        lists.append(sorted(range(len(scores)), key=lambda i, s=scores: sign * s[i])[:k])
    return np.array(lists)


def shares(d, s, power=2, two=2):
    p = np.array([np.exp(-(x**power) / (two * s * s)) for x in d])
    return p / p.sum()


def removed(E, V, length=True, keep=False):
    _, _, axes = np.linalg.svd(V, full_matrices=False)
    part = E @ axes.T @ axes
    rest = part if keep else E - part
    return rest / np.sqrt((rest**2).sum(1))[:, None] if length else rest


def one_by_one(E, V):
    rest = E - sum(np.outer(E @ v / (v @ v), v) for v in V)
    return rest / np.sqrt((rest**2).sum(1))[:, None]


def subtracted(E, V):
    rest = E - V.sum(0)
    return rest / np.sqrt((rest**2).sum(1))[:, None]


def not_normalised(d, s):
    p = np.exp(-(d**2) / (2 * s * s))
    return np.exp((p * d**2).sum() / (2 * s * s))


RIGHT = [
    ("3.1", noise),
    ("3.2", merged),
    ("3.3", lambda d, s: 2 ** entropy(shares(d, s), base=2)),
    ("3.4", removed),
]


WRONG = [
    ("3.1", lambda A, B: np.sqrt(np.sum((A.mean(0) - B.mean(0)) ** 2)), "the gap of the given"),
    ("3.1", lambda A, B: noise(A, B, divide=False), "does not shrink"),
    ("3.1", lambda A, B: noise(A, B, root=False), "take its root"),
    ("3.1", lambda A, B: np.mean(np.sqrt(((A - B) ** 2).sum(1))) / len(A) ** 0.5, "to be squared"),
    ("3.2", lambda p, t, k: merged(p, t, k, means=lambda S, q: 0), "photos still come first"),
    ("3.2", lambda p, t, k: merged(p, t, k, means=lambda S, q: S.mean(0)), "over queries"),
    ("3.2", lambda p, t, k: merged(p, t, k, sign=1), "the lowest"),
    ("3.3", not_normalised, "must sum to 1"),
    ("3.3", lambda d, s: np.exp(entropy(shares(d, s, power=1))), "to be squared"),
    ("3.3", lambda d, s: entropy(shares(d, s)), "this is the entropy"),
    ("3.3", lambda d, s: np.exp(entropy(shares(d, s), base=2)), "two bases"),
    ("3.3", lambda d, s: np.exp(entropy(shares(d, s, two=1))), "2 below the line"),
    ("3.4", subtracted, "own part"),
    ("3.4", one_by_one, "make a basis"),
    ("3.4", lambda E, V: removed(E, V, keep=True), "the rest is wanted"),
    ("3.4", lambda E, V: removed(E, V, length=False), "back to length 1"),
]
