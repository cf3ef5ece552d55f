"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np

from course import exercises_04

CHECKS = {
    "4.1": ("cheapest", exercises_04.check_cheapest),
    "4.2": ("encode_columns", exercises_04.check_columns),
    "4.3": ("merge", exercises_04.check_merge),
    "4.4": ("differing_bits", exercises_04.check_bits),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def setting(reaches, key, none=-1):
    """Return an answer to 4.1: of the settings that reach the target, the first with least key."""

    def answer(recalls, works, target):
        good = [i for i, r in enumerate(recalls) if reaches(r, target)]
        return min(good, key=lambda i: (key(recalls[i], works[i], i), i)) if good else none

    return answer


def at_least(recall, target):
    return recall >= target


def by_number(code_of, kind=np.uint8):
    """Return an answer to 4.2 from what becomes of one number, with its column's low and high."""

    def answer(X, low, high):
        rows = [[code_of(x, lo, hi) for x, lo, hi in zip(r, low, high, strict=True)] for r in X]
        return np.array(rows).astype(kind)

    return answer


def code(x, low, high, steps=255):
    return min(max(round(steps * (x - low) / (high - low)), 0), 255)


def ranked(scores, ids, k, sign=-1):
    """Return ids by score."""
    pairs = sorted(zip(sign * scores.ravel(), ids.ravel(), strict=True))
    return np.array([i for _, i in pairs[:k]])


def one_range(X, low, high):
    return by_number(lambda x, *_: code(x, min(low), max(high)))(X, low, high)


def bits(row):
    return "".join(f"{byte:08b}" for byte in row)


def by_bits(counts):
    """Return an answer to 4.4 from which pairs of bits count."""

    def answer(q, codes):
        return [
            sum(counts(a, b) for a, b in zip(bits(q), bits(row), strict=True)) for row in codes
        ]

    return answer


RIGHT = [
    ("4.1", setting(at_least, lambda r, w, i: w)),
    ("4.2", by_number(code)),
    ("4.3", ranked),
    ("4.4", by_bits(lambda a, b: a != b)),
]

WRONG = [
    ("4.1", setting(at_least, lambda r, w, i: i), "the first setting"),
    ("4.1", setting(at_least, lambda r, w, i: -r), "the highest recall"),
    ("4.1", setting(lambda r, t: True, lambda r, w, i: w), "the least work of all"),
    ("4.1", setting(lambda r, t: r > t, lambda r, w, i: w), "equal to the target"),
    ("4.1", setting(at_least, lambda r, w, i: w, none=99), "return -1"),
    (
        "4.2",
        by_number(lambda x, lo, hi: round(255 * (x - lo) / (hi - lo)) % 256),
        "clip before",
    ),
    (
        "4.2",
        by_number(lambda x, lo, hi: int(min(max(255 * (x - lo) / (hi - lo), 0), 255))),
        "round first",
    ),
    ("4.2", one_range, "one range for all"),
    ("4.2", by_number(lambda x, lo, hi: code(x, lo, hi, 256)), "not 256"),
    (
        "4.2",
        by_number(lambda x, lo, hi: min(max(round(255 * x / (hi - lo)), 0), 255)),
        "subtract low",
    ),
    ("4.2", by_number(code, float), "not of type"),
    ("4.3", lambda scores, ids, k: np.concatenate(list(ids))[:k], "one machine"),
    (
        "4.3",
        lambda scores, ids, k: [ids[j][i] for i in range(len(ids[0])) for j in range(len(ids))][
            :k
        ],
        "each machine's first",
    ),
    ("4.3", lambda scores, ids, k: ranked(scores, ids, k, sign=1), "sort upwards"),
    (
        "4.3",
        lambda scores, ids, k: ranked(scores, np.arange(scores.size), k),
        "places in the flattened",
    ),
    ("4.3", lambda scores, ids, k: ranked(scores, ids, k)[::-1], "in another order"),
    (
        "4.4",
        lambda q, codes: [sum(a != b for a, b in zip(q, row, strict=True)) for row in codes],
        "count bytes",
    ),
    ("4.4", by_bits(lambda a, b: a == b), "bits that agree"),
    ("4.4", by_bits(lambda a, b: a == b == "1"), "1 in both"),
    (
        "4.4",
        lambda q, codes: [sum(int(a) ^ int(b) for a, b in zip(q, r, strict=True)) for r in codes],
        "as numbers",
    ),
    ("4.4", lambda q, codes: sum(by_bits(lambda a, b: a != b)(q, codes)), "one number for all"),
]
