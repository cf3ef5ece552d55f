"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import math

import numpy as np
import scipy.stats

from course import exercises_09

CHECKS = {
    "9.1": ("in_any_colour", exercises_09.check_any_colour),
    "9.2": ("label_by_nearest", exercises_09.check_nearest),
    "9.3": ("ranks_after", exercises_09.check_second),
    "9.4": ("cheapest_threshold", exercises_09.check_cost),
    "9.5": ("clean_answers", exercises_09.check_clean),
}
SCOPE = {"math": math, "scipy": scipy}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def length_one(Z):
    return np.array([row / np.sqrt(row @ row) for row in Z])


def left_by_least_squares(P, W):
    return np.array([p - W.T @ np.linalg.lstsq(W.T, p, rcond=None)[0] for p in P])


def overlapping(P, W):
    return length_one(np.array([p - sum((p @ w) * w for w in W) for p in P]))


def one_by_one(P, W):
    rows = []
    for p in P:
        for w in W:
            p = p - (p @ w) / (w @ w) * w
        rows.append(p)
    return length_one(np.array(rows))


def label_by_loop(S, of_label, k, *, total=np.mean, worst=False):
    answers = []
    for row in S:
        sides = []
        for label in sorted(set(of_label.tolist())):
            scores = sorted(row[of_label == label].tolist(), reverse=not worst)
            sides.append(total(scores[:k]))
        answers.append(int(np.argmax(sides)))
    return answers


def ranks_by_sorting(S, candidates, second, *, outside=None, tie=1, start=1):
    ranks = []
    for i in range(len(S)):
        place = {j: s for j, s in zip(candidates[i], second[i], strict=True)}
        if i in place:
            order = sorted(place, key=lambda j: (-place[j], tie * (j == i)))
            ranks.append(order.index(i) + start)
        elif outside is None:
            order = sorted(range(S.shape[1]), key=lambda j: (-S[i, j], j == i))
            ranks.append(order.index(i) + start)
        else:
            ranks.append(outside)
    return ranks


def threshold_by_table(top, right, cost, *, quiet=1.0, wrong=False, everybody=True):
    table = {np.inf: quiet * len(top)} if everybody else {}
    for t in top:
        paid = [cost * (r == wrong) if s >= t else quiet for s, r in zip(top, right, strict=True)]
        table[t] = sum(paid)
    return min(table, key=table.get)


def threshold_beyond(top, right, cost):
    options = [np.inf, *np.sort(top)[::-1]]
    paid = [np.sum((top > t) & ~right) * cost + np.sum(top <= t) for t in options]
    return options[int(np.argmin(paid))]


def threshold_per_answer(top, right, cost):
    order = np.argsort(-top)
    n = np.arange(1, len(top) + 1)
    paid = (np.cumsum(~right[order]) * cost + len(top) - n) / n
    return top[order][paid.argmin()]


def clean_by_counting(risk, alpha):
    n = 0
    while (1 - risk) ** n > alpha:
        n += 1
    return n


RIGHT = [
    ("9.1", lambda P, W: length_one(left_by_least_squares(P, W))),
    ("9.2", label_by_loop),
    ("9.3", ranks_by_sorting),
    ("9.4", threshold_by_table),
    ("9.5", clean_by_counting),
]

WRONG = [
    ("9.1", left_by_least_squares, "back to length 1"),
    ("9.1", overlapping, "taken off twice"),
    ("9.1", one_by_one, "some of the first may be back"),
    ("9.1", lambda P, W: length_one(P - left_by_least_squares(P, W)), "return what is left"),
    ("9.1", lambda P, W: length_one(np.array([p - sum(W) for p in P])), "not the words whole"),
    ("9.2", lambda S, of_label, k: label_by_loop(S, of_label, len(of_label)), "average all"),
    ("9.2", lambda S, of_label, k: label_by_loop(S, of_label, 1), "nearest prompt alone"),
    ("9.2", lambda *given: label_by_loop(*given, total=sum), "loses by a sum"),
    ("9.2", lambda *given: label_by_loop(*given, worst=True), "larger scores are better"),
    ("9.2", lambda S, of_label, k: [int(np.argmax(row)) for row in S], "not that of the prompt"),
    ("9.3", lambda *given: ranks_by_sorting(*given, outside=4), "keeps the rank"),
    ("9.3", lambda *given: ranks_by_sorting(*given, outside=6), "is not last"),
    ("9.3", lambda *given: ranks_by_sorting(*given, tie=-1), "stands before it"),
    (
        "9.3",
        lambda S, *given: [1 + np.sum(np.delete(s, i) >= s[i]) for i, s in enumerate(S)],
        "by the first scores",
    ),
    ("9.3", lambda *given: ranks_by_sorting(*given, start=0), "count from 1"),
    ("9.4", lambda *given: threshold_by_table(*given, quiet=0.0), "costs 1"),
    ("9.4", lambda *given: threshold_by_table(*given, everybody=False), "np.inf"),
    ("9.4", threshold_beyond, "an equal one counts"),
    ("9.4", threshold_per_answer, "do not divide"),
    ("9.4", lambda *given: threshold_by_table(*given, wrong=True), "exchanged"),
    ("9.5", lambda risk, alpha: math.ceil(1 / risk), "none rather often"),
    ("9.5", lambda risk, alpha: clean_by_counting(risk, alpha) - 1, "round up"),
    ("9.5", lambda risk, alpha: round(3 / risk + 0.49), "solve for n"),
    ("9.5", lambda risk, alpha: clean_by_counting(1 - risk, alpha), "not risk"),
    ("9.5", lambda risk, alpha: np.log(alpha) / np.log1p(-risk), "whole number"),
]
