"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import math

import numpy as np
import scipy.stats

from course import exercises_02

CHECKS = {
    "2.1": ("average_precision", exercises_02.check_precision),
    "2.2": ("leaked_rows", exercises_02.check_leak),
    "2.3": ("sign_test", exercises_02.check_sign),
    "2.4": ("chance_of_hit", exercises_02.check_chance),
}
SCOPE = {"math": math}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def precision_by_loop(S, query_groups, item_groups, *, only_first=False, all_items=False):
    total = 0.0
    for row, group in zip(S, query_groups, strict=True):
        found, values = 0, []
        for place, j in enumerate(sorted(range(len(row)), key=lambda j: -row[j]), start=1):
            if item_groups[j] == group:
                found += 1
                values.append(found / place)
        values = values[:1] if only_first else values
        total += sum(values) / (len(row) if all_items else len(values))
    return total / len(S)


def precision_everywhere(S, query_groups, item_groups):
    values = []
    for row, group in zip(S, query_groups, strict=True):
        right = [item_groups[j] == group for j in np.argsort(row)[::-1]]
        values += [np.mean([np.mean(right[: k + 1]) for k in range(len(right))])]
    return np.mean(values)


def precision_upwards(S, query_groups, item_groups):
    return precision_by_loop(-S, query_groups, item_groups)


def precision_top(S, query_groups, item_groups):
    return np.mean(np.array(item_groups)[S.argmax(axis=1)] == np.array(query_groups))


def leak_by_bytes(train, test, *, mirror=True):
    known = {photo.tobytes() for photo in train}
    known |= {photo[:, ::-1].tobytes() for photo in train} if mirror else set()
    return [i for i, photo in enumerate(test) if photo.tobytes() in known]


def leak_mask(train, test):
    return np.isin(np.arange(len(test)), leak_by_bytes(train, test))


def leak_flipped(train, test):
    everything = np.concatenate([train, np.flip(train, axis=1)])
    return np.flatnonzero((test[:, None] == everything).all(axis=(2, 3, 4)).any(axis=1))


def leak_of_training(train, test):
    return leak_by_bytes(test, train)


def leak_by_mean(train, test):
    means = train.mean(axis=(1, 2))
    return [
        i for i, photo in enumerate(test) if np.isclose(photo.mean((0, 1)), means).all(1).any()
    ]


def sign_by_scipy(a, b):
    n = int((a != b).sum())
    return scipy.stats.binomtest(int((a & ~b).sum()), n).pvalue if n else 1.0


def sign_with_ties(a, b):
    fewer = min(int((a & ~b).sum()), int((b & ~a).sum()))
    return min(1.0, 2 * scipy.stats.binom.cdf(fewer, len(a), 0.5))


def sign_one_sided(a, b):
    fewer = min(int((a & ~b).sum()), int((b & ~a).sum()))
    return scipy.stats.binom.cdf(fewer, int((a ^ b).sum()), 0.5)


def sign_above_one(a, b):
    return 2 * sign_one_sided(a, b)


def sign_point(a, b):
    return min(1.0, 2 * scipy.stats.binom.pmf((a & ~b).sum(), (a ^ b).sum(), 0.5))


def chance_by_steps(n_items, n_right, k):
    miss = 1.0
    for step in range(k):
        miss *= max(0, n_items - n_right - step) / (n_items - step)
    return 1 - miss


RIGHT = [
    ("2.1", precision_by_loop),
    ("2.2", leak_by_bytes),
    ("2.2", lambda train, test: np.array(leak_by_bytes(train, test), dtype=int)),
    ("2.3", sign_by_scipy),
    ("2.4", chance_by_steps),
]

WRONG = [
    ("2.1", lambda *given: precision_by_loop(*given, only_first=True), "mean reciprocal rank"),
    ("2.1", precision_everywhere, "not at every place"),
    ("2.1", lambda *given: precision_by_loop(*given, all_items=True), "number of its right items"),
    ("2.1", precision_upwards, "puts the smallest first"),
    ("2.1", precision_top, "that is recall@1"),
    ("2.2", leak_mask, "not the mask"),
    (
        "2.2",
        lambda train, test: leak_by_bytes(train, test, mirror=False),
        "mirrored left to right",
    ),
    ("2.2", leak_flipped, "its second axis"),
    ("2.2", leak_of_training, "return those of the test photos"),
    ("2.2", leak_by_mean, "compare every pixel"),
    ("2.3", sign_with_ties, "no tosses of the coin"),
    ("2.3", sign_one_sided, "both tails"),
    ("2.3", sign_above_one, "a probability may not"),
    ("2.3", sign_point, "at least as uneven"),
    ("2.4", lambda n_items, n_right, k: k * (n_right / n_items), "counts a list with two"),
    ("2.4", lambda n_items, n_right, k: min(1.0, k * (n_right / n_items)), "does not mend"),
    (
        "2.4",
        lambda n_items, n_right, k: 1 - ((n_items - n_right) / n_items) ** k,
        "stands at two places",
    ),
    ("2.4", lambda *given: 1 - chance_by_steps(*given), "take it from 1"),
]
