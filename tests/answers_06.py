"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import math

import numpy as np

import exercises_06

CHECKS = {
    "6.1": ("recall_of_search", exercises_06.check_recall),
    "6.2": ("merge", exercises_06.check_merge),
    "6.3": ("smallest_ef", exercises_06.check_ef),
    "6.4": ("query_nodes", exercises_06.check_nodes),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def recall_by_loop(found, exact, *, good=lambda s, row: s >= min(row), share=True, finite=False):
    hits = [good(s, row) for got, row in zip(found, exact, strict=True) for s in got]
    total = sum(math.isfinite(s) for got in found for s in got) if finite else exact.size
    return sum(hits) / (max(total, 1) if share else 1)


def merge_by_loop(scores, ids, k, *, best=max, lowest_id=True):
    pool = list(zip(np.hstack(scores), np.hstack(ids), strict=True))
    chosen = []
    while pool and len(chosen) < k:
        top = best(s for s, _ in pool)
        equal = [row for row in pool if row[0] == top]
        row = min(equal, key=lambda r: r[1]) if lowest_id else equal[0]
        pool.remove(row)
        chosen.append(row[1])
    return chosen


def merge_first_of_each(scores, ids, k):
    rounds = [[i[r] for i in ids if len(i) > r] for r in range(max(map(len, ids)))]
    return [i for some in rounds for i in some][:k]


def ef_by_loop(efs, recalls, target, *, group=min, reached=lambda r, t: r >= t, order=iter):
    for ef, column in order(list(zip(efs, recalls.T, strict=True))):
        if reached(group(column), target):
            return ef
    return -1


def nodes_by_loop(n, row, gb, copies, *, usable=0.75):
    nodes = 0
    while nodes * usable * gb * 10**9 < n * row:
        nodes += 1
    return nodes * copies


WRONG = [
    ("6.1", lambda f, e: (f == e).sum() / e.size, "place by place"),
    ("6.1", lambda f, e: recall_by_loop(f, e, good=lambda s, row: s > min(row)), "use >="),
    ("6.1", lambda f, e: recall_by_loop(f, e, good=lambda s, row: s >= max(row)), "as the best"),
    ("6.1", lambda f, e: recall_by_loop(f, e, finite=True), "divide by what was found"),
    ("6.1", lambda f, e: recall_by_loop(f, e, share=False), "recall is a share"),
    ("6.2", lambda s, i, k: [x for part in i for x in part][:k], "without sorting"),
    ("6.2", merge_first_of_each, "by turns"),
    ("6.2", lambda s, i, k: merge_by_loop(s, i, k, best=min), "the largest comes first"),
    ("6.2", lambda s, i, k: merge_by_loop(s, i, k, lowest_id=False), "in order of their id"),
    ("6.2", lambda s, i, k: np.lexsort((np.hstack(i), -np.hstack(s)))[:k], "places in the joined"),
    ("6.3", lambda *a: ef_by_loop(*a, group=np.mean), "you average"),
    ("6.3", lambda *a: ef_by_loop(*a, group=lambda c: c[0]), "the first group only"),
    ("6.3", lambda *a: ef_by_loop(*a, group=max), "all must reach it"),
    ("6.3", lambda *a: ef_by_loop(*a, order=reversed), "the smallest that will do"),
    ("6.3", lambda *a: ef_by_loop(*a, reached=lambda r, t: r > t), "exactly has reached"),
    ("6.4", lambda n, row, gb, c: c * (n * row // (3 * gb * 10**9 // 4)), "you round down"),
    ("6.4", lambda n, row, gb, c: nodes_by_loop(n, row, gb, 1), "plan for one copy"),
    ("6.4", lambda n, row, gb, c: nodes_by_loop(n * c, row, gb, 1), "do not share a node"),
    ("6.4", lambda n, row, gb, c: nodes_by_loop(n, row, gb, c, usable=1), "to the brim"),
    ("6.4", lambda n, row, gb, c: c * n * row / (0.75e9 * gb), "nodes come whole"),
]
