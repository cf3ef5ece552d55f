"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import math

import numpy as np

import exercises_04

CHECKS = {
    "4.1": ("groups_to_open", exercises_04.check_groups),
    "4.2": ("recall_of", exercises_04.check_recall),
    "4.3": ("lists_to_visit", exercises_04.check_lists),
    "4.4": ("scores_from_table", exercises_04.check_table),
    "4.5": ("predicted_recall", exercises_04.check_law),
    "4.6": ("n_machines", exercises_04.check_machines),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def ranked(values, reverse=True):
    """Return places by value, the first of equals first."""
    return sorted(range(len(values)), key=lambda i: (-values[i] if reverse else values[i], i))


def union_recall(found, true):
    pairs = zip(found.tolist(), true.tolist(), strict=True)
    return sum(len({*f} & {*t}) / len({*f} | {*t}) for f, t in pairs) / len(found)


def nearest_by(key, *, n_of=lambda places, n: places[:n]):
    def answer(q, centres, n_probe):
        return n_of(sorted(range(len(centres)), key=lambda i: key(q, centres[i])), n_probe)

    return answer


def by_loop(combine, line=lambda table, m: table[m]):
    def answer(table, codes):
        return [combine([line(table, m)[c] for m, c in enumerate(row)]) for row in codes]

    return answer


def through(x_of, y_of, back):
    """Return a prediction by a straight line through transformed points."""

    def answer(sizes, recalls, n):
        x, y = [x_of(s) for s in sizes], [y_of(r) for r in recalls]
        mx, my = sum(x) / len(x), sum(y) / len(y)
        slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
        slope /= sum((a - mx) ** 2 for a in x)
        return back(my + slope * (x_of(n) - mx))

    return answer


def logit(r):
    return math.log(r) - math.log(1 - r)


def expit(z):
    return math.exp(z) / (1 + math.exp(z))


WRONG = [
    ("4.1", lambda peaks, k: sorted(ranked(peaks)[:k]), "you open just k groups"),
    ("4.1", lambda p, k: [i for i, x in enumerate(p) if x > sorted(p)[-k]], "itself counts too"),
    ("4.1", lambda p, k: [i for i, x in enumerate(p) if x <= sorted(p)[k - 1]], "the lowest"),
    ("4.1", lambda peaks, k: sorted(peaks)[len(peaks) - k :], "you return peaks"),
    (
        "4.1",
        lambda p, k: [i for i in ranked(p) if p[i] >= sorted(p)[-k]],
        "in another order",
    ),
    ("4.2", lambda f, t: (f == t).sum() / t.size, "place by place"),
    ("4.2", lambda f, t: sum(x in f for x in t.ravel()) / t.size, "other queries"),
    (
        "4.2",
        lambda f, t: np.mean([bool({*a} & {*b}) for a, b in zip(f, t, strict=True)]),
        "at least one",
    ),
    (
        "4.2",
        lambda f, t: np.mean([{*b} <= {*a} for a, b in zip(f, t, strict=True)]),
        "all of their true",
    ),
    (
        "4.2",
        lambda f, t: sum(len({*a} & {*b}) for a, b in zip(f, t, strict=True)),
        "divide by how",
    ),
    ("4.2", union_recall, "divide by the true ones"),
    ("4.3", nearest_by(lambda q, c: -(q * c).sum()), "favour long centres"),
    ("4.3", nearest_by(lambda q, c: -(q @ c) / math.hypot(*c)), "directions only"),
    ("4.3", nearest_by(lambda q, c: -math.dist(q, c)), "the farthest"),
    (
        "4.3",
        lambda q, centres, n: sorted(math.dist(q, c) for c in centres)[:n],
        "you return distances",
    ),
    (
        "4.3",
        nearest_by(math.dist, n_of=lambda places, n: places[:n][::-1]),
        "the nearest first",
    ),
    ("4.4", by_loop(lambda parts: sum(parts) / len(parts)), "you average"),
    ("4.4", by_loop(max), "only the best piece"),
    ("4.4", by_loop(sum, line=lambda table, m: table[0]), "a line of its own"),
    ("4.4", lambda table, codes: np.sum(by_loop(list)(table, codes), axis=0), "over the items"),
    ("4.4", by_loop(list), "one number for each piece"),
    ("4.5", through(math.log, logit, lambda z: z), "you return log-odds"),
    ("4.5", through(math.log, logit, math.exp), "you return odds"),
    ("4.5", through(math.log, lambda r: r, lambda z: z), "less than 0"),
    ("4.5", through(math.log, math.log, math.exp), "logarithm of the recall"),
    ("4.5", through(lambda n: n, logit, expit), "your line runs over n"),
    ("4.6", lambda n, b, m, rate, wanted: math.ceil(n * b / m), "hold the database once"),
    ("4.6", lambda n, b, m, rate, wanted: math.ceil(wanted / rate), "you count sets"),
    (
        "4.6",
        lambda n, b, m, rate, wanted: max(math.ceil(n * b / m), math.ceil(wanted / rate)),
        "the larger of two",
    ),
    (
        "4.6",
        lambda n, b, m, rate, wanted: math.ceil(n * b / m) + math.ceil(wanted / rate),
        "you add two",
    ),
    ("4.6", lambda n, b, m, rate, wanted: math.ceil(n * b / m * wanted / rate), "at the end"),
    (
        "4.6",
        lambda n, b, m, rate, wanted: max(int(n * b / m), 1) * max(int(wanted / rate), 1),
        "round down",
    ),
]
