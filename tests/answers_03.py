"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax
from scipy.stats import entropy

from course import exercises_03

CHECKS = {
    "3.1": ("gap_noise", exercises_03.check_noise),
    "3.2": ("one_list", exercises_03.check_merge),
    "3.3": ("width_for", exercises_03.check_width),
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


def width(d, wanted, power=2, two=2, measure=np.exp, shift=True, root=True):
    """Search over the logarithm of the width, with SciPy's softmax, entropy and root finder."""

    def too_wide(log_sigma):
        exponents = -(d**power) / (two * np.exp(2 * log_sigma))
        p = softmax(exponents) if shift else np.exp(exponents) / np.exp(exponents).sum()
        return measure(entropy(p)) - wanted

    sigma = np.exp(brentq(too_wide, -7, 9, xtol=1e-13))
    return sigma if root else sigma**2


def naive(d, wanted, measure=np.exp):
    low, high = 1e-3, 1e3
    for _ in range(80):
        sigma = (low + high) / 2
        p = np.exp(-(d**2) / (2 * sigma**2))
        p = p / p.sum()
        low, high = (sigma, high) if measure(-(p * np.log(p)).sum()) < wanted else (low, sigma)
    return sigma


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


RIGHT = [
    ("3.1", noise),
    ("3.2", merged),
    ("3.3", width),
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
    ("3.3", naive, "off all before the exponential"),
    ("3.3", lambda d, w: width(d, w, root=False), "the width squared"),
    ("3.3", lambda d, w: 1 / (2 * width(d, w) ** 2), "return the width"),
    ("3.3", lambda d, w: width(d, w, two=1), "2 below the line"),
    ("3.3", lambda d, w: width(d, w, power=1), "to be squared"),
    ("3.3", lambda d, w: naive(d, w, measure=float), "its exponential"),
    ("3.3", lambda d, w: width(d, w, measure=lambda h: np.exp(h / np.log(2))), "two bases"),
    ("3.4", subtracted, "own part"),
    ("3.4", one_by_one, "make a basis"),
    ("3.4", lambda E, V: removed(E, V, keep=True), "the rest is wanted"),
    ("3.4", lambda E, V: removed(E, V, length=False), "back to length 1"),
]
